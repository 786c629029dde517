/*
** skip.h: --skip: steps that reuse a cached result instead of running the model's blocks. Such a
** step is called answered.
**
** A step has one decision, for both passes. TeaCache, MagCache and a list of steps cache the
** residual that the blocks added to their input; the layers before and after the blocks still run,
** on the latents and timestep of the step. EasyCache caches velocity minus latents and runs no
** layer.
*/
#ifndef SKIP_H
#define SKIP_H

#include "run.h"

/* rule: the value of --skip, or NULL. Reads MagCache's file of ratios. A usage error if the rule is
 * none of wan-denoise(1)'s; dies if the file is wrong. */
void skip_open(const char *rule);
bool skip_wanted(void);
/* Dies if the rule does not fit: a listed step beyond the last, or a model for which TeaCache has
 * no coefficients. */
void skip_check(const request *q, const dit *m);
void skip_stamp(json_t *stamp);

/* Begins a sampling of latents of this shape; takes device memory from scratch. rope: the rotation
 * table of its tokens. */
void skip_begin(const run *r, const request *q, tensor shape, tensor rope);
/* Writes the velocities v of x at timestep t, by running the model or from the cache. */
void skip_forward(const run *r, int step, int passes, const tensor v[], tensor x, double t,
                  const dit_text *text, tensor rope, const bool *omitted);
/* The steps that were answered so far, counted from 1; the caller releases the array. */
json_t *skip_taken(void);
void skip_end(void);

#endif
