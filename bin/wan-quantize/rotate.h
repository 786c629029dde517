/*
** rotate.h: the regular Hadamard matrix of 256, on the inner dimension: outliers are spread over
** 256 channels before anything is rounded.
*/
#ifndef ROTATE_H
#define ROTATE_H

#include <stdint.h>

enum { ROTATE_WIDTH = 256 };

/* Each row of w [rows, in], in whole 256s, becomes w H; twice is as it was, but for rounding. */
void rotate_rows(float *w, int64_t rows, int64_t in);
/* g [in, in] = x^T x becomes that of x H: H g H. */
void rotate_gram(double *g, int64_t in);
/* The sums of squares of x become those of x H, if channels are uncorrelated. */
void rotate_squares(double *squares, int64_t in);

#endif
