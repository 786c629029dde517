/*
** plan.h: what becomes of each tensor of a model.
*/
#ifndef PLAN_H
#define PLAN_H

#include "../../common/checkpoint/stored.h"
#include "codes.h"

/* Which linears become codes. */
typedef enum { LAYERS_BLOCKS, LAYERS_ALL, LAYERS_DIFFUSERS } layer_choice;

typedef struct {
    tensor_type to;      /* I8: codes; F32, F16, BF16: all that are floats, or stand for floats */
    layer_choice layers; /* with codes */
    scale_rule rule;
} target;

typedef struct {
    const char *name;
    stored from;      /* as the model has it; companions have no data */
    tensor_type to;   /* as it is written; TENSOR_TYPES: it is not */
    char *scale_name; /* of codes, or NULL */
    float *scale;     /* [out] or NULL */
} plan;

/* One for each tensor of w. Dies if there is nothing to do, and for what cannot be done. */
plan *plan_model(weights *w, const target *t);
void plan_free(plan *p, int n);
/* Rows [first, first + n) of p's tensor seen as a matrix [dim0, rest]: as they are, or expanded
 * into `room`, F32. */
tensor plan_rows(const plan *p, int64_t first, int64_t n, float *room);
/* How many rows `floats` hold: 1 at least, all at most. */
int64_t plan_rows_in(const plan *p, int64_t floats);

#endif
