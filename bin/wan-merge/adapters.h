/*
** adapters.h: what LoRAs add to the tensors of a model, by official names.
*/
#ifndef ADAPTERS_H
#define ADAPTERS_H

#include "../../common/checkpoint/weights.h"

/* weight += scale * up down, or scale * diff. */
typedef struct {
    char *target;    /* the official name of the tensor that it changes */
    const char *key; /* a name that its file has for it: for messages */
    weights *from;
    tensor down, up; /* host [r, in...], [out, r...]; absent for a difference */
    tensor diff;     /* host, as many elements as the target; or absent */
    double alpha;    /* NAN: not said */
    float scale;     /* strength, alpha / r */
} adapter;

typedef struct {
    int n, files;
    adapter *all; /* sorted by target, else in the order in which they came */
    struct {
        weights *w;
        double strength;
    } * file;
    struct json_t *at[2]; /* nameindex.h: targets' last places; [1] of differences */
} adapters;

/* Adds those of LORA[:STRENGTH]. Dies for a key that is of no known kind, or has no partner. */
void adapters_read(adapters *a, const char *operand);
/* Dies for a target that the model does not have, and for shapes that do not fit. */
void adapters_check(adapters *a, weights *model);
/* The first of those that change this tensor, and how many there are. */
const adapter *adapters_of(const adapters *a, const char *target, int *n);
/* y F32 [n, width] += what they add to rows [first, first + n) of the tensor. */
void adapters_apply(const adapter *a, int n, float *y, int64_t first, int64_t rows, int64_t width);
void adapters_free(adapters *a);

#endif
