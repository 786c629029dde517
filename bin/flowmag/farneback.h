/*
** farneback.h: dense optical flow between consecutive pictures (Farneback 2003), with OpenCV's
** parameters 0.5, 3, 15, 3, 5, 1.2, 0.
*/
#ifndef FARNEBACK_H
#define FARNEBACK_H

#include <stdint.h>

typedef struct farneback farneback;

farneback *farneback_new(int64_t H, int64_t W);
/* The next picture, grey U8 [H, W], host memory; what was the next becomes the previous. */
void farneback_frame(farneback *f, const uint8_t *grey);
/* How far each pixel of the previous picture has moved in the next, in pixels: F32 [H, 2, W], x
 * then y, valid until the next call. Needs two pictures. */
const float *farneback_flow(farneback *f);
/* How far each pixel of the next picture was from there in the previous one, likewise. */
const float *farneback_backward(farneback *f);
void farneback_free(farneback *f);

/* The mean over pixels of the length of the flow [H, 2, W]. */
double mean_magnitude(const float *flow, int64_t H, int64_t W);

#endif
