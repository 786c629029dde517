/*
** method.h: how a layer's scales and codes are chosen, beyond rounding to nearest: --method,
** --rotate, --rank.
*/
#ifndef METHOD_H
#define METHOD_H

#include <jansson.h>

#include "plan.h"

/* "rtn", or some of awq, clip, gptq with commas; NULL is rtn. "h256" or "h256:PATTERN". Usage
 * errors. */
void method_read(method *m, const char *list, bool act_order, const char *rotate, int64_t rank);
/* The list as the metadata have it: "awq,clip,gptq". Static memory. */
const char *method_text(const method *m);
/* Does it do anything but round to nearest? */
bool method_works(const method *m);
/* Does it take statistics of inputs? */
bool method_needs_inputs(const method *m);

/* Into the metadata `quantization`: act_order, rotate, rank, and of which statistics. */
void method_describe(const method *m, json_t *quantization);

/* What p's layer gets: rotation, rank. Dies for what cannot be. */
void method_plan(const method *m, weights *w, plan *p);
/* Dies if --rotate's pattern fits no layer that gets a rule, or statistics are missing of one. */
void method_check(const method *m, const weights *w, const plan *p, int n);
/* Fits and codes a layer, of which all stays in memory: p->made, p->up, p->down. */
void method_make(const method *m, weights *w, plan *p);

#endif
