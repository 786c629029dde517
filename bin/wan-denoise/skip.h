/*
** skip.h: --skip: steps whose call of the model is answered from what was computed before.
**
** One decision is made for a step, for both passes. A rule that reuses what the blocks add
** (TeaCache, MagCache, a list of steps) still runs what is before and after them, with the step's
** own latents and timestep; EasyCache's answers with velocity minus latents.
*/
#ifndef SKIP_H
#define SKIP_H

#include "run.h"

/* rule: as wan-denoise(1) has it, or NULL. Reads the file of ratios that it names. Usage error or
 * death for others. */
void skip_open(const char *rule);
bool skip_wanted(void);
/* Is there such a step, has a model of its width the coefficients? */
void skip_check(const request *q, const dit *m);
void skip_stamp(json_t *stamp);

/* A sampling begins; memory on the stack. rope: of its tokens. */
void skip_begin(const run *r, const request *q, tensor shape, tensor rope);
/* The velocities v of x at timestep t: by the model or not. */
void skip_forward(const run *r, int step, int passes, const tensor v[], tensor x, double t,
                  const dit_text *text, tensor rope, const bool *omitted);
/* The steps so far, counted from 1, that were answered; to be released. */
json_t *skip_taken(void);
void skip_end(void);

#endif
