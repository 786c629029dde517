/*
** expansion.h: what a picture is like around each pixel: a quadratic polynomial (Farneback 2003).
*/
#ifndef EXPANSION_H
#define EXPANSION_H

#include <stdint.h>

/* f(p + (x, y)) ~ c + X x + Y y + XX x^2 + YY y^2 + XY x y; nobody needs c. */
enum { X, Y, XX, YY, XY, COEFFICIENTS };

/* A pixel's coefficients lie together, and are read as one vector whose last lanes are the next
 * pixel's first coefficients: behind the last pixel there is room for these. */
enum { LANES = 8, BEHIND = LANES - COEFFICIENTS };
typedef float lanes __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));
#define at_pixel(r, i) (*(lanes *)((r) + (i)*COEFFICIENTS))

/* r F32 [h, w, COEFFICIENTS], and BEHIND more, of the picture f F32 [h, w] */
void expand(float *r, const float *f, int64_t h, int64_t w);

#endif
