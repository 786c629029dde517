/*
** plan.h: what becomes of each tensor of a model.
*/
#ifndef PLAN_H
#define PLAN_H

#include "calibration.h"
#include "choice.h"
#include "codes.h"

/* Whose names and companions are written (layout-out.h). */
typedef enum { LAYOUT_OFFICIAL, LAYOUT_DIFFUSERS, LAYOUT_COMFYUI } out_layout;

enum { PLAN_PARTS = RULE_PARTS + 3 };

/* Beyond rounding to nearest (method.h). */
typedef struct {
    bool awq, clip, gptq, act_order;
    const char *rotate; /* a pattern of layers, or NULL */
    int64_t rank;       /* 0: no branch */
    calibration *inputs;
} method;

typedef struct {
    tensor_type to;    /* F32, F16, BF16: all that are floats, or stand for floats; TENSOR_TYPES: */
    choice codes;      /* these layers become codes, and the others stay */
    scale_rule scales; /* of int8 */
    bool fake;         /* what the codes stand for is written, as F16 */
    out_layout layout;
    bool gguf; /* the file is GGUF, not safetensors */
    method method;
} target;

typedef struct {
    const char *name;
    stored from;      /* as the model has it; companions have no data */
    tensor_type to;   /* as it is written, if it is not codes; TENSOR_TYPES: it is not */
    const rule *rule; /* its codes', or NULL */
    char *as;         /* what the file calls it, if that is not codes; NULL: name */
    stored made;      /* their shapes, and their scales' data; by a method, their data too */
    int parts;        /* what is written of it */
    char *part_name[PLAN_PARTS];
    tensor part[PLAN_PARTS]; /* data: of `made` */
    rounding error;          /* of codes, when they are written */
    float *columns_by;       /* [in]: the weight times that is what is stored, or NULL */
    const float *rows_by;    /* [out]: and divided by that: another's columns_by, or NULL */
    bool by_method;          /* made is whole before anything is written */
    bool rotated;            /* codes are of W H */
    int64_t rank;            /* and beside them are up [out, rank] and down [rank, in], F16 */
    uint16_t *up, *down;
} plan;

/* One for each tensor of w: types and shapes. Dies if there is nothing to do, and for what cannot
 * be done. */
plan *plan_model(weights *w, const target *t);
/* With its scales, if it is codes; dies for what stands beside it and is not known. */
void plan_fetch(weights *w, plan *p);
void plan_free(plan *p, int n);
/* What the file calls it, if that is not codes. */
static inline const char *plan_written(const plan *p) { return p->as ? p->as : p->name; }

/* Of the model's tensor seen as a matrix [dim0, rest]. */
int64_t plan_rows_of(const plan *p);
int64_t plan_width(const plan *p);
/* Rows [first, first + n): as they are, or expanded into `room`, F32. */
tensor plan_rows(const plan *p, int64_t first, int64_t n, float *room);
/* How many rows `floats` hold: 1 at least, all at most. */
int64_t plan_rows_in(const plan *p, int64_t floats);
/* All of it as F32, in new memory. */
float *plan_floats(const plan *p);
/* What p's codes of a row stand for, with its branch, before any rotation: what w was to be. */
void plan_made(const plan *p, int64_t row, float *y);
/* Is its rule the one that is streamed row by row (codes.h), and not layer by layer? */
bool plan_streams(const plan *p);
/* Bytes of the codes and what is beside them, as they are or would be stored. */
size_t plan_bytes(const plan *p);
/* What was made of the scales is what is written of them, in shapes that the layout may have
 * changed. */
void plan_keep_parts(plan *p);

#endif
