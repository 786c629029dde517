/*
** survey.h: a look at all values of a planned model, before anything is written.
*/
#ifndef SURVEY_H
#define SURVEY_H

#include "plan.h"

/* p->made gets its scales, and where a method makes them its codes. Dies for what is not finite or
 * cannot be held. */
void survey_model(weights *w, plan *p, const target *t);

#endif
