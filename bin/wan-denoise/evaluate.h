/*
** evaluate.h: --forward: one evaluation of the model, both passes.
*/
#ifndef EVALUATE_H
#define EVALUATE_H

#include "run.h"

/* What is to be evaluated: latents, or else noise; dies if there is neither. */
tensor evaluate_latents(const document *in);
void evaluate_document(const run *r, writer *out, const document *in, double timestep);

#endif
