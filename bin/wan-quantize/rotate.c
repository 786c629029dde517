/*
** rotate.c: H = R (x) R (x) R (x) R with
**
**     R = 1/2 [ 1  1  1 -1 ]
**             [ 1  1 -1  1 ]        half of all ones, less the antidiagonal
**             [ 1 -1  1  1 ]
**             [-1  1  1  1 ]
**
** symmetric and orthogonal, so its own inverse. Regular: the sum of each row is 1, so no
** channel gathers all of a constant input, as the first of Sylvester's matrix does, whose row is
** all ones. Four passes over quads that lie 1, 4, 16 and 64 apart: y_i = sum/2 - x_(3-i).
** (ConvRot, arXiv:2512.03673, rotates the weights of diffusion transformers by it, in groups.)
*/
#include "rotate.h"

/* 256 values, in place. */
static void rotate(double *x)
{
    for (int stride = 1; stride < ROTATE_WIDTH; stride *= 4)
        for (int block = 0; block < ROTATE_WIDTH; block += 4 * stride)
            for (int i = block; i < block + stride; i++) {
                double *a = x + i, *b = a + stride, *c = b + stride, *d = c + stride;
                double p = *a, q = *b, r = *c, s = *d, half = (p + q + r + s) / 2;
                *a = half - s;
                *b = half - r;
                *c = half - q;
                *d = half - p;
            }
}

void rotate_rows(float *w, int64_t rows, int64_t in)
{
#pragma omp parallel for
    for (int64_t i = 0; i < rows * (in / ROTATE_WIDTH); i++) {
        double x[ROTATE_WIDTH];
        float *at = w + i * ROTATE_WIDTH;
        for (int k = 0; k < ROTATE_WIDTH; k++)
            x[k] = (double)at[k];
        rotate(x);
        for (int k = 0; k < ROTATE_WIDTH; k++)
            at[k] = (float)x[k];
    }
}

void rotate_gram(double *g, int64_t in)
{
#pragma omp parallel for
    for (int64_t i = 0; i < in * (in / ROTATE_WIDTH); i++)
        rotate(g + i * ROTATE_WIDTH);
#pragma omp parallel for collapse(2)
    for (int64_t block = 0; block < in; block += ROTATE_WIDTH)
        for (int64_t j = 0; j < in; j++) {
            double x[ROTATE_WIDTH];
            for (int k = 0; k < ROTATE_WIDTH; k++)
                x[k] = g[(block + k) * in + j];
            rotate(x);
            for (int k = 0; k < ROTATE_WIDTH; k++)
                g[(block + k) * in + j] = x[k];
        }
}

void rotate_squares(double *squares, int64_t in)
{
    for (int64_t block = 0; block < in; block += ROTATE_WIDTH) {
        double sum = 0;
        for (int k = 0; k < ROTATE_WIDTH; k++)
            sum += squares[block + k];
        for (int k = 0; k < ROTATE_WIDTH; k++)
            squares[block + k] = sum / ROTATE_WIDTH;
    }
}
