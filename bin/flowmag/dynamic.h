/*
** dynamic.h: does a video move? VBench's dynamic degree, with our flow.
*/
#ifndef DYNAMIC_H
#define DYNAMIC_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int64_t interval; /* every so many frames one is looked at */
    double threshold; /* pixels */
} dynamic_rule;

/* For a video of frames [H, W] at so many a second. */
dynamic_rule dynamic_rule_of(int64_t H, int64_t W, double fps);
/* Is there motion in the flow F32 [H, 2, W] of one frame that is looked at to the next? */
bool dynamic_moves(const float *flow, int64_t H, int64_t W, dynamic_rule rule);
/* Of a video of N frames, `moving` of whose flows move: 1 if the video moves, 0 if not, NAN if one
 * frame only is looked at, or they have too few pixels. */
double dynamic_degree(int64_t N, int64_t H, int64_t W, int64_t moving, dynamic_rule rule);

#endif
