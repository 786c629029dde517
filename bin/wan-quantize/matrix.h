/*
** matrix.h: what the methods need of linear algebra: a product, and the factor of an inverse.
**
** Matrices are F64, by rows; ld: elements from one row to the next. Each element of a product is
** one sum in the order of k, so neither threads nor the processor's vectors change a bit of it.
*/
#ifndef MATRIX_H
#define MATRIX_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    double *at;
    int64_t ld;
} matrix;

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static inline matrix part_of(matrix a, int64_t row, int64_t column)
{
    return (matrix){a.at + row * a.ld + column, a.ld};
}

/* c [m, n] += sign * a [m, k] b [k, n]; sign is 1 or -1. c is no part of a or b. */
void product_add(matrix c, matrix a, matrix b, int64_t m, int64_t n, int64_t k, double sign);
/* The same in the calling thread alone. */
void product_add_here(matrix c, matrix a, matrix b, int64_t m, int64_t n, int64_t k, double sign);

/* h [n, n], symmetric and positive definite, of which the upper half is read, becomes the upper
 * triangle u with h^-1 = u^T u, zeros below. false: h is not positive definite. */
bool inverse_factor(matrix h, int64_t n);

/* y [n, m] = x [m, n]^T */
void transpose(double *y, const double *x, int64_t m, int64_t n);

#endif
