/*
** iteration.h: a better flow from a flow, at one scale: three iterations at once, row by row.
*/
#ifndef ITERATION_H
#define ITERATION_H

#include <stdint.h>

enum { ITERATIONS = 3 };

typedef struct refiner refiner;

/* For pictures of at most W pixels in a row. */
refiner *refiner_new(int64_t W);
void refiner_free(refiner *r);

/* Begins with two pictures of a scale: r1 and r2 F32 [h, w, COEFFICIENTS] and BEHIND more, their
 * expansions. The flow after all iterations becomes `to` F32 [h, 2, w], in pixels, x then y. */
void refine_begin(refiner *r, float *to, const float *r1, const float *r2, int64_t h, int64_t w);
/* The next row of the guess, F32 [2, w]; after the h-th `to` is complete. */
void refine_row(refiner *r, const float *guess);

#endif
