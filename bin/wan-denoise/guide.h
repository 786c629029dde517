/*
** guide.h: guidance that is not the same in every step: in an interval of steps, scaled as
** CFG-Zero* says, with blocks left out of the pass without the prompt.
*/
#ifndef GUIDE_H
#define GUIDE_H

#include "../request.h"

/* interval: "FROM-TO", steps counted from 1, or NULL; omitted: "BLOCK,..[:FROM-TO]", or NULL; zero:
 * CFG-Zero*, whose first so many steps stand still, or -1. Usage error for others. */
void guide_open(const char *interval, const char *omitted, int64_t zero);
/* Is there anything to guide with one pass, has the model the blocks? Dies or usage error. */
void guide_check(const request *q, const dit *m);
/* Dies if the request has not the steps. */
void guide_fit(const request *q);
/* Do steps differ in their passes? */
bool guide_varies(void);
void guide_stamp(json_t *stamp);

/* The passes of a step, from 0: none if it stands still. */
int guide_passes(const request *q, int step);
/* The blocks that its second pass goes without; NULL: none. */
const bool *guide_omitted(int step);
/* weight[p] of the velocities v[p]: the step goes by their weighted sum. */
void guide_weights(const request *q, int passes, const tensor v[], double weight[]);

#endif
