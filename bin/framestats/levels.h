/*
** levels.h: what the levels of a video's frames do, frame by frame: how much they flicker, and how
** sharp a frame is. All sums are of whole numbers, so no order of them changes a bit.
*/
#ifndef LEVELS_H
#define LEVELS_H

#include <stdint.h>

/* Mean absolute difference of two pictures of n values, in levels of 255. */
double mean_change(const uint8_t *a, const uint8_t *b, int64_t n);
/* Mean of |a - 2 b + c|, of three pictures one after another. */
double mean_bend(const uint8_t *a, const uint8_t *b, const uint8_t *c, int64_t n);
/* The variance of the Laplacian of a grey picture [H, W]. */
double laplacian_variance(const uint8_t *grey, int64_t H, int64_t W);

#endif
