/*
** rotate.h: rotation of a weight's inner dimension by H, the regular Hadamard matrix of order 256
** divided by 16, in blocks of 256 channels: it spreads an outlier over the 256 channels of its
** block before values are rounded.
*/
#ifndef ROTATE_H
#define ROTATE_H

#include <stdint.h>

enum { ROTATE_WIDTH = 256 };

/* Multiplies each 256 channels of each row of w [rows, in] by H. Since H H = 1, a second call
 * undoes the first, up to rounding. */
void rotate_rows(float *w, int64_t rows, int64_t in);
/* g [in, in] = x^T x becomes H g H, the Gram matrix of the rotated inputs x H. */
void rotate_gram(double *g, int64_t in);
/* The sums of squares of x become those of x H, if channels are uncorrelated. */
void rotate_squares(double *squares, int64_t in);

#endif
