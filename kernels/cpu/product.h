/*
** product.h: products of F32 matrices, c (+)= alpha a b, for linear.c, conv.c and attention.c.
**
** An op cuts c into tiles, one thread each. For each block of the inner dimension b is packed once
** for a tile, from whatever it is stored in, and the rows of a are gathered a few at a time, from
** wherever they lie.
**
** Every element of c is the sum of blocks of PRODUCT_DEPTH products, in their order, each of which
** is one chain of fused multiply-adds in the order of k. So it has the same bits whatever the
** tile, the row and the number of threads, and on every processor with AVX2 or AVX-512.
*/
#ifndef CPU_PRODUCT_H
#define CPU_PRODUCT_H

#include "cpu.h"

/* Columns that are packed side by side; products of a chain; floats from one gathered row to the
 * next, which is no multiple of a page, and known to the compiler; most rows gathered at a time. */
enum {
    PRODUCT_WIDE = 16,
    PRODUCT_DEPTH = 256,
    GATHER_STRIDE = PRODUCT_DEPTH + 16,
    GATHER_MOST = 14
};

/* Floats of a packed b of n columns, and of the rows gathered. */
#define PACKED_FLOATS(n) (((n) + PRODUCT_WIDE - 1) / PRODUCT_WIDE * PRODUCT_WIDE * PRODUCT_DEPTH)
enum { GATHER_FLOATS = GATHER_MOST * GATHER_STRIDE };

/* Rows [row, row + n) of a, columns [k, k + depth), to `to`, GATHER_STRIDE apart. */
typedef void gather_rows(float *to, const void *a, int64_t row, int64_t n, int64_t k,
                         int64_t depth);

/* The commonest a: a matrix as it lies. */
typedef struct {
    const float *data;
    int64_t stride;
} matrix_f32;
gather_rows gather_matrix;

/* packed = columns of b that are rows [row, row + n) of s, columns [k, k + depth): b = s^T. */
void pack_stored(float *packed, const stored *s, int64_t row, int64_t n, int64_t k, int64_t depth);
/* The same of rows of F32, `stride` floats apart. */
void pack_rows(float *packed, const float *rows, int64_t stride, int64_t n, int64_t depth);
/* packed = b, whose rows are `stride` floats apart: [depth, n]. */
void pack_matrix(float *packed, const float *b, int64_t stride, int64_t n, int64_t depth);

/* c[m, n] = alpha a b, or c + alpha a b, of one block: a's columns [k, k + depth), b packed.
 * gathered: GATHER_FLOATS. */
void product_block(float *c, int64_t ldc, int64_t m, int64_t n, int64_t k, int64_t depth,
                   float alpha, bool add, gather_rows *gather, const void *a, int64_t row,
                   const float *packed, float *gathered);

/* The same of m <= product_rows() rows of a that are gathered already. */
void product_gathered(float *c, int64_t ldc, int64_t m, int64_t n, int64_t depth, float alpha,
                      bool add, const float *gathered, const float *packed);
int64_t product_rows(void);

/* Tiles of about `high` x `wide` cover m x n, so that the threads have as much to do each. On entry
 * the most that a tile may have. */
void product_tiles(int64_t *high, int64_t *wide, int64_t m, int64_t n, int64_t times);

/* The instructions that products are made of: avx512, avx2 or another's name. */
const char *product_instructions(void);
/* Whether sums are fused, as they are but on processors before 2013: other bits. */
bool product_fused(void);

#endif
