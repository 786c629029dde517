/*
** statistics.c: what is known of a linear's inputs: moments of each channel, products of each pair.
**
** All is F64. Channels are shared out among threads, never rows, so no sum crosses a piece.
*/
#include <cblas.h>
#include <math.h>

#include "cpu.h"

/* Columns, or rows and columns of x^T x, that one thread makes; rows of x made F64 at a time. */
enum { COLUMNS = 64, TILE = 256, ROWS = 256 };

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

/* The upper triangle += copies * x^T x, of m <= ROWS rows of x. */
static void add_products(double *gram, double *wide, tensor x, int copies)
{
    int64_t m = tensor_rows(x), n = tensor_width(x), side = pieces(n, TILE);
#pragma omp parallel for if (m * n >= PARALLEL_FROM)
    for (int64_t i = 0; i < m; i++)
        for (int64_t k = 0; k < n; k++)
            wide[i * n + k] = (double)f32_row(x, i)[k];
#pragma omp parallel for schedule(dynamic) if (m * n * n >= PARALLEL_FROM_PRODUCTS)
    for (int64_t tile = 0; tile < side * side; tile++) {
        int64_t i = tile / side * TILE, k = tile % side * TILE;
        if (k >= i)
            cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)min_i64(TILE, n - i),
                        (int)min_i64(TILE, n - k), (int)m, copies, wide + i, (int)n, wide + k,
                        (int)n, 1.0, gram + i * n + k, (int)n);
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
    double *wide = scratch(F64, min_i64(ROWS, N), n).data;
    for (int64_t at = 0; at < N; at += ROWS)
        add_products(to, wide, rows(x, at, min_i64(ROWS, N - at)), copies);
#pragma omp parallel for if (n * n >= PARALLEL_FROM)
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < i; k++)
            to[i * n + k] = to[k * n + i];
    scratch_reset(mark);
}
