/*
** swaps.h: which linears change places together: each row of the table is such a set.
*/
#ifndef SWAPS_H
#define SWAPS_H

#include "../../common/namelist.h"
#include "../dit.h"

/* One linear each, those of a kind in all blocks, those of a block, or all that are chosen. */
typedef enum { BY_LAYER, BY_KIND, BY_BLOCK, BY_ALL } grouping;

typedef struct {
    int kind;  /* a line of the table in swaps.c */
    int block; /* or -1 */
} linear_place;

typedef struct {
    char *name; /* "blocks.3.ffn.0", "ffn.0", "blocks.3" or "all" */
    int n;
    linear_place *place; /* [n] */
    bool of_text;        /* keys and values of the text follow from some of them */
} swap;

typedef struct {
    int n;
    swap *swap; /* [n], in the model's order */
} swap_list;

/* "layer", "kind", "block", "all"; usage error for others. */
grouping grouping_named(const char *by);
/* The linears of m, sizes of which are enough, whose names fit one of the patterns. Dies for a
 * pattern that fits none. */
swap_list swaps_find(const dit *m, grouping by, const name_list *patterns);
void swaps_free(swap_list *list);

/* Those linears of a change places with those of b. Both were loaded divided (layers_divide). */
void swap_exchange(const swap *s, dit *a, dit *b);

/* What the linears of s take on the device in m: weights with scales and branches,
 * no biases. */
typedef struct {
    int64_t weights, bytes;
} swap_size;
swap_size swap_size_in(const swap *s, dit *m);
/* How they are stored in m, which is loaded from w: "int4-g128"; "mixed" if in several ways. Of our
 * files of floats that stand for codes: "int4-g128 fake". To be freed. */
char *swap_format_in(const swap *s, dit *m, const weights *w);

/* Is NAME, as a checkpoint has it, a parameter of one of the model's linears? */
bool is_of_linear(const dit *m, const char *name);

#endif
