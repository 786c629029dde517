/*
** preview.h: --preview: after a step, what the model takes for the finished latents, to a stream of
** its own. It changes nothing of the result: neither its bytes nor its recipe.
*/
#ifndef PREVIEW_H
#define PREVIEW_H

#include "run.h"

/* Dies if FILE is standard output, standard input or the model: before anything is opened. */
void preview_check(const char *file, const char *model);
/* For every so many-th step. Dies if it cannot be written. Unless this is called, as in ranks that
 * write nothing, the rest does nothing. */
void preview_open(const char *file, int every);
/* A sampling of such a shape begins; memory on the stack. */
void preview_begin(const request *q, tensor shape);
/* Before the solver's step with the velocity sum of c[i] v[i]; n 0: it stands still. */
void preview_estimate(const solver *s, int n, const tensor v[], const double c[]);
/* After it: so many steps are done. */
void preview_write(const run *r, const request *q, const document *in, uint64_t seed, int step);
void preview_close(void);

#endif
