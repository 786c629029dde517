/*
** clip.h: clipping: narrows the range of values that codes cover where that makes the error of the
** layer's outputs smaller.
*/
#ifndef CLIP_H
#define CLIP_H

#include "calibration.h"
#include "rule.h"

/* The best factor in (0, 1] for each range of the rule, in the order of rule_range(), as rule_fit()
 * takes them. NULL, and the reason in *why, if the rule cannot store w. To be freed. */
float *clip_search(const rule *r, const float *w, int64_t out, int64_t in, const moments *m,
                   const char **why);

#endif
