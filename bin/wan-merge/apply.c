/*
** apply.c: rows of a weight and what adapters add to them, in F32.
**
** Each row is its own sum, in the order of the LoRA's rank, so that threads and blocks of rows do
** not change a bit of it.
*/
#include <stdlib.h>

#include "../../common/die.h"
#include "adapters.h"

/* Elements [first, first + n) of a contiguous host tensor as F32, in new memory. */
static float *widened(tensor t, int64_t first, int64_t n)
{
    float *y = new_bytes((size_t)n * sizeof *y);
    host_widen(y, (const char *)t.data + (size_t)first * type_size(t.type), t.type, n);
    return y;
}

static void add_diff(const adapter *a, float *y, int64_t first, int64_t rows, int64_t width)
{
    float *d = widened(a->diff, first * width, rows * width);
#pragma omp parallel for
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < width; k++)
            y[i * width + k] += a->scale * d[i * width + k];
    free(d);
}

/* y += scale * (up down); down [r, width], of up [out, r] these rows */
static void add_product(const adapter *a, float *y, int64_t first, int64_t rows, int64_t width)
{
    int64_t r = a->down.dim[0];
    float *down = widened(a->down, 0, r * width), *up = widened(a->up, first * r, rows * r);
#pragma omp parallel
    {
        float *sum = malloc((size_t)width * sizeof *sum);
        if (!sum)
            die("out of memory");
#pragma omp for
        for (int64_t i = 0; i < rows; i++) {
            memset(sum, 0, (size_t)width * sizeof *sum);
            for (int64_t j = 0; j < r; j++) {
                float u = up[i * r + j];
                const float *d = down + j * width;
#pragma omp simd
                for (int64_t k = 0; k < width; k++)
                    sum[k] += u * d[k];
            }
#pragma omp simd
            for (int64_t k = 0; k < width; k++)
                y[i * width + k] += a->scale * sum[k];
        }
        free(sum);
    }
    free(down);
    free(up);
}

void adapters_apply(const adapter *a, int n, float *y, int64_t first, int64_t rows, int64_t width)
{
    for (int i = 0; i < n; i++)
        if (a[i].diff.data)
            add_diff(a + i, y, first, rows, width);
        else
            add_product(a + i, y, first, rows, width);
}
