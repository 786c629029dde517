/*
** plan.h: what becomes of each tensor of a model.
*/
#ifndef PLAN_H
#define PLAN_H

#include "choice.h"
#include "codes.h"

typedef struct {
    tensor_type to;    /* F32, F16, BF16: all that are floats, or stand for floats; TENSOR_TYPES: */
    choice codes;      /* these layers become codes, and the others stay */
    scale_rule scales; /* of int8 */
    bool fake;         /* what the codes stand for is written, as F16 */
} target;

typedef struct {
    const char *name;
    stored from;      /* as the model has it; companions have no data */
    tensor_type to;   /* as it is written, if it is not codes; TENSOR_TYPES: it is not */
    const rule *rule; /* its codes', or NULL */
    stored made;      /* their shapes, and their scales' data */
    int parts;        /* what is written of it */
    char *part_name[RULE_PARTS];
    tensor part[RULE_PARTS]; /* data: of `made` */
    rounding error;          /* of codes, when they are written */
} plan;

/* One for each tensor of w: types and shapes. Dies if there is nothing to do, and for what cannot
 * be done. */
plan *plan_model(weights *w, const target *t);
/* Looks at the values: scales. Dies for what is not finite or cannot be held. */
void plan_survey(weights *w, plan *p, const target *t);
void plan_free(plan *p, int n);

/* Of the model's tensor seen as a matrix [dim0, rest]. */
int64_t plan_rows_of(const plan *p);
int64_t plan_width(const plan *p);
/* Rows [first, first + n): as they are, or expanded into `room`, F32. */
tensor plan_rows(const plan *p, int64_t first, int64_t n, float *room);
/* How many rows `floats` hold: 1 at least, all at most. */
int64_t plan_rows_in(const plan *p, int64_t floats);
/* All of it as F32, in new memory. */
float *plan_floats(const plan *p);
/* Is its rule the one that is streamed row by row (codes.h), and not layer by layer? */
bool plan_streams(const plan *p);
/* Bytes of the codes and what is beside them, as they are or would be stored. */
size_t plan_bytes(const plan *p);

#endif
