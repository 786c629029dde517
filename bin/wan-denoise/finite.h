/*
** finite.h: are a step's velocities and latents finite? The host hears of it when the next step is
** under way, so the device waits for nobody.
*/
#ifndef FINITE_H
#define FINITE_H

#include "../dit.h"

typedef struct {
    int steps;
    bool f16;     /* weights are F16: BF16 may be of help */
    int step;     /* that is being counted, or -1 */
    int passes;   /* of it */
    tensor count; /* I64: of each pass's velocity, then of the latents */
    int64_t bad[GUIDANCE_PASSES + 1];
} finite_check;

finite_check finite_open(int steps, bool f16);
/* Asks how many values of v[passes] and x, the latents after them, are not finite. c stays where it
 * is until finite_end(). */
void finite_begin(finite_check *c, int step, int passes, const tensor v[], tensor x);
/* Waits for the answer, if one was asked for: dies if any are not; else the step is done. */
void finite_end(finite_check *c);

#endif
