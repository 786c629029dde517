/*
** gptq.h: what is rounded is chosen so that later columns make up for the errors of earlier ones.
*/
#ifndef GPTQ_H
#define GPTQ_H

#include "rule.h"

/* w [out, in] becomes what is to be coded by rule_code() with the scales that s has, which were
** chosen for w beforehand. gram [in, in]: the inputs' X^T X; it is used up. act_order: channels
** with the greatest inputs come first. NULL, or why it cannot be done. Not of rules without ranges.
*/
const char *gptq(const rule *r, const stored *s, float *w, int64_t out, int64_t in, double *gram,
                 bool act_order);

#endif
