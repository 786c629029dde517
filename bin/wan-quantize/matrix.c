/*
** matrix.c: products by tiles, and the triangle u of h^-1 = u^T u.
**
** Not the kernels' products: their sums depend on the device and the processor, and what is made
** here is told by its recipe, so its bytes must follow from the input alone. A product is tiles of
** c, a tile a thread; a block of b is packed so that eight columns lie together, and six rows of c
** by eight columns stay in registers while k runs.
**
** The triangle: if h = v v^T with v upper, then h^-1 = v^-T v^-1, so u = v^-1. v is made from the
** last column back (Cholesky's method from the other end), u in its place from the first column on.
** Neither needs h^-1 itself, which costs as much again and loses digits.
*/
#include "matrix.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"

/* A clone for AVX2, whose sums are the same: there is no fused multiply in it. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) &&       \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define VECTORISED __attribute__((target_clones("avx2", "default")))
#else
#define VECTORISED
#endif

enum { HIGH = 6, WIDE = 8, TILE_HIGH = 120, TILE_WIDE = 256, DEPTH = 128 };

/* ---- products ---- */

/* b [k, n] as panels of WIDE columns, filled up with zeros: panel by panel [k, WIDE] */
static void pack(double *to, matrix b, int64_t k, int64_t n)
{
    for (int64_t j = 0; j < n; j += WIDE)
        for (int64_t i = 0; i < k; i++, to += WIDE) {
            int64_t here = least(WIDE, n - j);
            memcpy(to, b.at + i * b.ld + j, (size_t)here * sizeof *to);
            for (int64_t e = here; e < WIDE; e++)
                to[e] = 0;
        }
}

typedef double vector __attribute__((vector_size(32), aligned(8), may_alias));

/* sum [HIGH, WIDE] = a [HIGH, k] panel [k, WIDE]; row: where a's rows begin */
VECTORISED static void registers(double *sum, const double *const row[HIGH], const double *panel,
                                 int64_t k)
{
    vector s[HIGH][2] = {0};
    for (int64_t i = 0; i < k; i++) {
        vector left = *(const vector *)(panel + i * WIDE);
        vector right = *(const vector *)(panel + i * WIDE + WIDE / 2);
#pragma GCC unroll 6
        for (int r = 0; r < HIGH; r++) {
            double x = row[r][i];
            vector a = {x, x, x, x};
            s[r][0] += a * left;
            s[r][1] += a * right;
        }
    }
#pragma GCC unroll 6
    for (int r = 0; r < HIGH; r++) {
        *(vector *)(sum + r * WIDE) = s[r][0];
        *(vector *)(sum + r * WIDE + WIDE / 2) = s[r][1];
    }
}

/* c [m, n] += sign * a [m, k] b, packed */
static void tile(matrix c, matrix a, const double *packed, int64_t m, int64_t n, int64_t k,
                 double sign)
{
    double sum[HIGH * WIDE];
    for (int64_t i = 0; i < m; i += HIGH) {
        int64_t high = least(HIGH, m - i);
        const double *row[HIGH];
        for (int64_t r = 0; r < HIGH; r++) /* rows too many are the last again */
            row[r] = a.at + (i + least(r, high - 1)) * a.ld;
        for (int64_t j = 0; j < n; j += WIDE) {
            registers(sum, row, packed + j * k, k);
            for (int64_t r = 0; r < high; r++)
                for (int64_t e = 0; e < least(WIDE, n - j); e++)
                    c.at[(i + r) * c.ld + j + e] += sign * sum[r * WIDE + e];
        }
    }
}

/* Rows [i, i + m), columns [j, j + n) of c. */
static void tile_product(matrix c, matrix a, matrix b, int64_t m, int64_t n, int64_t k, double sign,
                         double *packed)
{
    for (int64_t d = 0; d < k; d += DEPTH) {
        int64_t depth = least(DEPTH, k - d);
        pack(packed, part_of(b, d, 0), depth, n);
        tile(c, part_of(a, 0, d), packed, m, n, depth, sign);
    }
}

static double *new_packed(void)
{
    double *p = malloc(sizeof *p * DEPTH * TILE_WIDE);
    if (!p)
        die("out of memory");
    return p;
}

void product_add_here(matrix c, matrix a, matrix b, int64_t m, int64_t n, int64_t k, double sign)
{
    double *packed = new_packed();
    for (int64_t j = 0; j < n; j += TILE_WIDE)
        tile_product(part_of(c, 0, j), a, part_of(b, 0, j), m, least(TILE_WIDE, n - j), k, sign,
                     packed);
    free(packed);
}

/* upper: of c square, only the tiles that have a part on or above the diagonal */
static void product(matrix c, matrix a, matrix b, int64_t m, int64_t n, int64_t k, double sign,
                    bool upper)
{
    int64_t down = (m + TILE_HIGH - 1) / TILE_HIGH, across = (n + TILE_WIDE - 1) / TILE_WIDE;
#pragma omp parallel
    {
        double *packed = new_packed();
#pragma omp for schedule(dynamic)
        for (int64_t t = 0; t < down * across; t++) {
            int64_t i = t / across * TILE_HIGH, j = t % across * TILE_WIDE;
            int64_t wide = least(TILE_WIDE, n - j);
            if (!upper || i < j + wide)
                tile_product(part_of(c, i, j), part_of(a, i, 0), part_of(b, 0, j),
                             least(TILE_HIGH, m - i), wide, k, sign, packed);
        }
        free(packed);
    }
}

void product_add(matrix c, matrix a, matrix b, int64_t m, int64_t n, int64_t k, double sign)
{
    product(c, a, b, m, n, k, sign, false);
}

void transpose(double *y, const double *x, int64_t m, int64_t n)
{
    enum { SIDE = 32 };
#pragma omp parallel for
    for (int64_t i = 0; i < m; i += SIDE)
        for (int64_t j = 0; j < n; j += SIDE)
            for (int64_t r = i; r < least(i + SIDE, m); r++)
                for (int64_t e = j; e < least(j + SIDE, n); e++)
                    y[e * m + r] = x[r * n + e];
}

/* ---- the triangle ---- */

enum { BLOCK = 128 };

/* h = v v^T, v upper, in place: a block of the diagonal, from its last column back. */
static bool factor_block(matrix h, int64_t n)
{
    for (int64_t j = n - 1; j >= 0; j--) {
        double *row = h.at + j * h.ld, d = row[j];
        for (int64_t k = j + 1; k < n; k++)
            d -= row[k] * row[k];
        if (!(d > 0) || !isfinite(d))
            return false;
        row[j] = sqrt(d);
        for (int64_t i = 0; i < j; i++) {
            double *above = h.at + i * h.ld, s = above[j];
            for (int64_t k = j + 1; k < n; k++)
                s -= above[k] * row[k];
            above[j] = s / row[j];
        }
    }
    return true;
}

/* u = v^-1 of a block, in place. */
static void invert_block(matrix v, int64_t n)
{
    for (int64_t j = 0; j < n; j++) {
        double d = 1 / v.at[j * v.ld + j];
        for (int64_t i = 0; i < j; i++) {
            double *row = v.at + i * v.ld, s = 0;
            for (int64_t k = i; k < j; k++)
                s += row[k] * v.at[k * v.ld + j];
            row[j] = -s * d;
        }
        v.at[j * v.ld + j] = d;
    }
}

/* The rows above a block of the diagonal: x = x v^-T, solved from the last column back. */
static void solve_rows(matrix x, matrix v, int64_t m, int64_t n)
{
#pragma omp parallel for
    for (int64_t i = 0; i < m; i++) {
        double *row = x.at + i * x.ld;
        for (int64_t j = n - 1; j >= 0; j--) {
            const double *d = v.at + j * v.ld;
            double s = row[j];
            for (int64_t k = j + 1; k < n; k++)
                s -= row[k] * d[k];
            row[j] = s / d[j];
        }
    }
}

/* h = v v^T: blocks from the last back; each takes its part out of all that is left of it. */
static bool factor(matrix h, int64_t n, double *panel, double *transposed)
{
    for (int64_t j = (n - 1) / BLOCK * BLOCK; j >= 0; j -= BLOCK) {
        int64_t wide = least(BLOCK, n - j);
        matrix above = part_of(h, 0, j), p = {panel, wide};
        if (!factor_block(part_of(h, j, j), wide))
            return false;
        solve_rows(above, part_of(h, j, j), j, wide);
        for (int64_t i = 0; i < j; i++)
            memcpy(panel + i * wide, above.at + i * h.ld, (size_t)wide * sizeof *panel);
        transpose(transposed, panel, j, wide);
        product(h, p, (matrix){transposed, j}, j, j, wide, -1, true);
    }
    return true;
}

/* u = v^-1: u[0:j, j] = -u[0:j, 0:j] v[0:j, j] u[j, j], blocks from the first on. */
static void invert(matrix v, int64_t n, double *panel)
{
    for (int64_t j = 0; j < n; j += BLOCK) {
        int64_t wide = least(BLOCK, n - j);
        matrix d = part_of(v, j, j), above = part_of(v, 0, j), p = {panel, wide};
        invert_block(d, wide);
        for (int64_t i = 0; i < j; i++)
            memcpy(panel + i * wide, above.at + i * v.ld, (size_t)wide * sizeof *panel);
#pragma omp parallel for schedule(dynamic)
        for (int64_t i = 0; i < j; i += BLOCK) {
            double sum[BLOCK * BLOCK] = {0};
            matrix s = {sum, wide}, to = part_of(above, i, 0);
            int64_t high = least(BLOCK, j - i);
            product_add_here(s, part_of(v, i, i), part_of(p, i, 0), high, wide, j - i, 1);
            for (int64_t r = 0; r < high; r++)
                memset(to.at + r * to.ld, 0, (size_t)wide * sizeof *sum);
            product_add_here(to, s, d, high, wide, wide, -1);
        }
    }
}

bool inverse_factor(matrix h, int64_t n)
{
    double *panel = new_bytes((size_t)n * BLOCK * sizeof *panel);
    double *transposed = new_bytes((size_t)n * BLOCK * sizeof *transposed);
    for (int64_t i = 0; i < n; i++) /* what is no part of a triangle is multiplied too, as zero */
        memset(h.at + i * h.ld, 0, (size_t)i * sizeof *h.at);
    bool fine = factor(h, n, panel, transposed);
    for (int64_t i = 0; fine && i < n; i++)
        memset(h.at + i * h.ld, 0, (size_t)i * sizeof *h.at);
    if (fine)
        invert(h, n, panel);
    free(transposed);
    free(panel);
    return fine;
}
