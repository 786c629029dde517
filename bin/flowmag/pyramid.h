/*
** pyramid.h: a picture at the scales 1, 1/2, 1/4 ..: blurred, then sampled between its pixels.
*/
#ifndef PYRAMID_H
#define PYRAMID_H

#include <stdint.h>

#include "../../common/vectorised.h"

/* Side `n` at 2^-level, to the nearest. */
int64_t scaled_side(int64_t n, int level);

/* small F32 [h, w] gets big U8 [H, W] at 2^-level (h, w: its scaled sides), blurred so that nothing
 * finer than small's pixels is left. */
void pyramid_level(float *small, const uint8_t *big, int64_t H, int64_t W, int level);

/* Between two pixels, share of the way to the second. */
typedef struct {
    int64_t first, second;
    float share;
} place;

/* Where the centres of `to` pixels fall among `from` pixels that cover the same; free it. */
place *places(int64_t to, int64_t from);

#endif
