/*
** warp.h: how well a picture is its predecessor moved along the flow.
*/
#ifndef WARP_H
#define WARP_H

#include <stdint.h>

/* The warping error of pictures a and b, U8 [H, W, 3], in levels of 255; flow F32 [H, 2, W] is of a
 * to b, back of b to a. NAN if each pixel is hidden, at a boundary of motion or led outside. */
double warping_error(const uint8_t *a, const uint8_t *b, const float *flow, const float *back,
                     int64_t H, int64_t W);

#endif
