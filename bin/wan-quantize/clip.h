/*
** clip.h: ranges of values narrowed where that makes the outputs' error smaller.
*/
#ifndef CLIP_H
#define CLIP_H

#include "calibration.h"
#include "rule.h"

/* The best factor in (0, 1] of each of rule_ranges(), for rule_fit(); NULL and *why if w cannot be
 * stored so. To be freed. */
float *clip_search(const rule *r, const float *w, int64_t out, int64_t in, const moments *m,
                   const char **why);

#endif
