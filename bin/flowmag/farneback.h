/*
** farneback.h: dense optical flow between two pictures (Farneback 2003), with OpenCV's parameters
** 0.5, 3, 15, 3, 5, 1.2, 0. Each call works on one thread: different pictures and different pairs
** may be worked on at the same time.
*/
#ifndef FARNEBACK_H
#define FARNEBACK_H

#include <stdint.h>

/* A picture's expansions at all scales: 27 bytes a pixel. */
typedef struct expanded expanded;

expanded *expanded_new(int64_t H, int64_t W);
/* e becomes the picture's, grey U8 [H, W]. */
void expand_picture(expanded *e, const uint8_t *grey);
void expanded_free(expanded *e);

/* flow F32 [H, 2, W]: how far each pixel of the first picture has moved in the second, in pixels, x
 * then y. Both are of one size. */
void farneback_flow(float *flow, const expanded *first, const expanded *second);

/* The mean over pixels of the length of the flow [H, 2, W]. */
double mean_magnitude(const float *flow, int64_t H, int64_t W);

#endif
