/*
** expansion.h: what a picture is like around each pixel: a quadratic polynomial (Farneback 2003).
*/
#ifndef EXPANSION_H
#define EXPANSION_H

#include <stdint.h>

/* f(p + (x, y)) ~ c + X x + Y y + XX x^2 + YY y^2 + XY x y; nobody needs c. */
enum { X, Y, XX, YY, XY, COEFFICIENTS, LANES = 8 };

/* The coefficients of a pixel, and zeros: what is read together lies together, wherever the other
 * picture's pixel is. */
typedef float lanes __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));
#define at_pixel(r, i) (*(lanes *)((r) + (i)*LANES))

/* r F32 [h, w, LANES] of the picture f F32 [h, w] */
void expand(float *r, const float *f, int64_t h, int64_t w);

#endif
