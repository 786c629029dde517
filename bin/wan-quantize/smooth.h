/*
** smooth.h: AWQ's scales of channels, folded into what comes before a layer.
*/
#ifndef SMOOTH_H
#define SMOOTH_H

#include "method.h"

/* Chooses the layers that can be smoothed, and what their scales are folded into; the others are
 * named with the reason. Dies if there are none. */
void smooth_plan(const method *m, const weights *w, plan *p, int n);
/* Searches their scales. */
void smooth_search(const method *m, weights *w, plan *p, int n);

#endif
