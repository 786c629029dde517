/*
** settle.h: what is to be sampled for a document: as the command line says, or, where the document
** is a sampling that goes on, as that does, which the command line may not contradict.
*/
#ifndef SETTLE_H
#define SETTLE_H

#include "../request.h"

/* What the command line says that it need not. */
typedef struct {
    bool steps, shift, solver, levels, size, frames, rng, guidance;
    const char *until, *from; /* a number of steps, or a level with a point; NULL: not said */
} said;

/* Usage error unless it is a number of steps or a level. */
void settle_check(const char *by, const char *place);
/* Dies if both cannot be. The result's plan is its own if it goes on. */
request settle(const request *q, const said *s, const document *in);
/* Have they the same levels and timesteps? */
bool settle_same_plan(const schedule *a, const schedule *b);

#endif
