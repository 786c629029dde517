/*
** state.h: a sampling that stopped, as a document, and going on from it.
**
** Beside `latents` it has what the solver remembers, tensors of the same shape: solver.m0 and
** solver.m1, the last predictions of the data, solver.last, the state that UniPC's last step began
** with; and the contexts. The metadata `sampling` is a JSON object: version 1, solver, schedule,
** shift, first (the step that it began with), step (how many are done), shape, seed, rng, sigmas
** and timesteps of all steps. The levels are there as numbers, so whoever goes on needs no rule.
*/
#ifndef STATE_H
#define STATE_H

#include "../request.h"

#define STATE_KEY "sampling"

/* Into a document that is begun. */
void state_describe(document *d, const request *q, const document *in, tensor shape, uint64_t seed);
/* Declares the solver's tensors. */
void state_declare(document *d, const request *q, tensor shape);

/* q for the document if that is such a sampling, else q. Dies if it cannot be gone on from. Its
 * plan is then its own, to be freed. */
request state_of(const request *q, const document *in);
/* The solver's tensors onto the device. */
void state_restore(solver *s, const request *q, const document *in);

#endif
