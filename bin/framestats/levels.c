/*
** levels.c: three measures of a video that need no model.
**
**     change_i  = mean |f_i - f_(i-1)|                 over pixels and R, G, B
**     bend_i    = mean |f_(i-2) - 2 f_(i-1) + f_i|
**     sharpness = variance of L
**     L(y, x)   = g(y-1, x) + g(y+1, x) + g(y, x-1) + g(y, x+1) - 4 g(y, x)
**
** The first is the mean absolute error of VBench's temporal flickering (Huang et al., "VBench:
** Comprehensive benchmark suite for video generative models", 2024), whose score is 1 - change/255.
** The second answers a frequency f of N frames a second by 4 sin^2(pi f / N), the first by
** 2 |sin(pi f / N)|: what goes on evenly, as a fade, is in the first and not in the second.
** The third is Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy" (2000); beyond
** its border the picture g is mirrored about the outermost pixel, as cv2.Laplacian does it.
*/
#include "levels.h"

#include <stdlib.h>

#include "../../common/vectorised.h"

enum { BLOCK = 1 << 14 }; /* values whose sums fit 32 bits */

VECTORISED static int64_t block_change(const uint8_t *a, const uint8_t *b, int64_t n)
{
    int32_t sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += abs((int32_t)a[i] - (int32_t)b[i]);
    return sum;
}

VECTORISED static int64_t block_bend(const uint8_t *a, const uint8_t *b, const uint8_t *c,
                                     int64_t n)
{
    int32_t sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += abs((int32_t)a[i] - 2 * (int32_t)b[i] + (int32_t)c[i]);
    return sum;
}

static int64_t rest(int64_t n, int64_t from) { return n - from < BLOCK ? n - from : BLOCK; }

double mean_change(const uint8_t *a, const uint8_t *b, int64_t n)
{
    int64_t sum = 0;
#pragma omp parallel for schedule(static) reduction(+ : sum)
    for (int64_t i = 0; i < n; i += BLOCK)
        sum += block_change(a + i, b + i, rest(n, i));
    return (double)sum / (double)n;
}

double mean_bend(const uint8_t *a, const uint8_t *b, const uint8_t *c, int64_t n)
{
    int64_t sum = 0;
#pragma omp parallel for schedule(static) reduction(+ : sum)
    for (int64_t i = 0; i < n; i += BLOCK)
        sum += block_bend(a + i, b + i, c + i, rest(n, i));
    return (double)sum / (double)n;
}

/* ---- sharpness ---- */

/* The sum of a row's Laplacian and of its squares: 16384 times 1020^2 needs 35 bits. above and
 * below are rows, mirrored at the picture's border; so are the ends. */
static void add_row(int64_t *sum, int64_t *squares, const uint8_t *row, const uint8_t *above,
                    const uint8_t *below, int64_t W)
{
    for (int64_t x = 0; x < W; x++) {
        int32_t left = row[x > 0 ? x - 1 : W > 1], right = row[x < W - 1 ? x + 1
                                                               : W > 1   ? x - 1
                                                                         : 0];
        int32_t l = above[x] + below[x] + left + right - 4 * row[x];
        *sum += l;
        *squares += (int64_t)l * l;
    }
}

double laplacian_variance(const uint8_t *grey, int64_t H, int64_t W)
{
    int64_t sum = 0, squares = 0;
#pragma omp parallel for schedule(static) reduction(+ : sum, squares)
    for (int64_t y = 0; y < H; y++) {
        int64_t above = y > 0 ? y - 1 : H > 1, below = y < H - 1 ? y + 1 : H > 1 ? y - 1 : 0;
        add_row(&sum, &squares, grey + y * W, grey + above * W, grey + below * W, W);
    }
    double n = (double)(H * W), mean = (double)sum / n;
    return (double)squares / n - mean * mean;
}
