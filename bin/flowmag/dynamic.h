/*
** dynamic.h: does a video move? VBench's dynamic degree, with our flow.
*/
#ifndef DYNAMIC_H
#define DYNAMIC_H

#include <stdint.h>

typedef struct dynamics dynamics;

/* For a video of frames [H, W] at so many a second; 0 or less: not known, taken as 8. */
dynamics *dynamic_new(int64_t H, int64_t W, double fps);
/* The next frame, grey U8 [H, W]. */
void dynamic_frame(dynamics *d, const uint8_t *grey);
/* After the last: 1 if the video moves, 0 if not, NAN if it has one frame only, or too few pixels.
 * Frees d. */
double dynamic_degree(dynamics *d);

#endif
