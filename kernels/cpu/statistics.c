/*
** statistics.c: what is known of a linear's inputs: moments of each channel, products of each pair.
**
** All is F64. Channels are shared out among threads, never rows, so no sum crosses a piece.
*/
#include <math.h>

#include "cpu.h"

/* Columns, or rows and columns of x^T x, that one thread makes; rows of x made F64 at a time. */
enum { COLUMNS = 64, TILE = 128, ROWS = 256 };

/* Products are summed in registers for so many rows and columns of x^T x. */
enum { DOWN = 4, ACROSS = 8 };
typedef double eight __attribute__((vector_size(64), aligned(8), may_alias));

VECTORISED static void add_row(float *most, double *sum, double *squares, const float *x,
                               double copies, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        double v = (double)x[i];
        most[i] = fabsf(x[i]) > most[i] ? fabsf(x[i]) : most[i];
        sum[i] += copies * v;
        squares[i] += copies * v * v;
    }
}

void add_moments(tensor absmax, tensor sum, tensor squares, tensor x, int copies)
{
    const char *op = "add_moments";
    int64_t N = tensor_rows(x), n = tensor_width(x);
    check_one(x.type == F32, op, x, "F32");
    check_moments(op, absmax, sum, squares, x);
#pragma omp parallel for if (N * n >= PARALLEL_FROM)
    for (int64_t at = 0; at < n; at += COLUMNS)
        for (int64_t i = 0; i < N; i++)
            add_row((float *)absmax.data + at, (double *)sum.data + at, (double *)squares.data + at,
                    f32_row(x, i) + at, copies, min_i64(COLUMNS, n - at));
}

/* corner[DOWN, ACROSS] = a^T b, of m rows of so many columns. */
VECTORISED static void corner_of(double *corner, const double *a, const double *b, int64_t m,
                                 int64_t stride)
{
    eight sum[DOWN] = {0};
    for (int64_t r = 0; r < m; r++, a += stride, b += stride) {
        UNROLL
        for (int i = 0; i < DOWN; i++)
            sum[i] += a[i] * *(const eight *)b;
    }
    for (int i = 0; i < DOWN; i++)
        *(eight *)(corner + i * ACROSS) = sum[i];
}

/* gram[n, n] += copies * the corner at (i, k). */
static void add_corner(double *gram, int64_t n, const double *corner, int64_t i, int64_t k,
                       double copies)
{
    for (int64_t r = 0; r < min_i64(DOWN, n - i); r++)
        for (int64_t c = 0; c < min_i64(ACROSS, n - k); c++)
            gram[(i + r) * n + k + c] += copies * corner[r * ACROSS + c];
}

/* The upper triangle += copies * x^T x, of m <= ROWS rows of x. wide: [ROWS, whole ACROSS]. */
static void add_products(double *gram, tensor wide, tensor x, int copies)
{
    int64_t m = tensor_rows(x), n = tensor_width(x), side = pieces(n, TILE);
    int64_t stride = tensor_width(wide);
    double *w = wide.data;
#pragma omp parallel for if (m * n >= PARALLEL_FROM)
    for (int64_t i = 0; i < m; i++)
        for (int64_t k = 0; k < stride; k++)
            w[i * stride + k] = k < n ? (double)f32_row(x, i)[k] : 0;
#pragma omp parallel for schedule(dynamic) if (m * n * n >= PARALLEL_FROM_PRODUCTS)
    for (int64_t tile = 0; tile < side * side; tile++) {
        int64_t i0 = tile / side * TILE, k0 = tile % side * TILE;
        double corner[DOWN * ACROSS];
        for (int64_t i = i0; k0 >= i0 && i < min_i64(n, i0 + TILE); i += DOWN)
            for (int64_t k = k0; k < min_i64(n, k0 + TILE); k += ACROSS) {
                corner_of(corner, w + i, w + k, m, stride);
                add_corner(gram, n, corner, i, k, copies);
            }
    }
}

void add_gram(tensor gram, tensor x, int copies)
{
    const char *op = "add_gram";
    int64_t N = tensor_rows(x), n = tensor_width(x);
    double *to = gram.data;
    check_one(x.type == F32, op, x, "F32");
    check_gram(op, gram, x);
    size_t mark = scratch_mark();
    tensor wide = scratch(F64, min_i64(ROWS, N), pieces(n, ACROSS) * ACROSS);
    for (int64_t at = 0; at < N; at += ROWS)
        add_products(to, wide, rows(x, at, min_i64(ROWS, N - at)), copies);
#pragma omp parallel for if (n * n >= PARALLEL_FROM)
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < i; k++)
            to[i * n + k] = to[k * n + i];
    scratch_reset(mark);
}
