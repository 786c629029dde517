/*
** choice.h: which layers become codes, and by which rule: -t, --layers, --layer.
*/
#ifndef CHOICE_H
#define CHOICE_H

#include "../../common/checkpoint/weights.h"
#include "../../common/program.h"
#include "rule.h"

/* Which linears -t is for. */
typedef enum { LAYERS_BLOCKS, LAYERS_ALL, LAYERS_DIFFUSERS } layer_choice;

typedef struct {
    const rule *rule; /* of -t, or NULL */
    layer_choice layers;
    const option_list *patterns; /* "PATTERN=RULE"; the last that fits wins */
} choice;

/* Usage error for one that is no PATTERN=RULE. */
void choice_check(const option_list *patterns);
/* Is it the weight of an nn.Linear: 2-D, floats or what stands for them, and no embedding? */
bool is_linear(const char *name, tensor t);
/* X.weight's rule; NULL: it stays as it is. */
const rule *choice_of(const choice *c, const char *name, tensor t);
/* The rules, one after another, i from 0 on: -t's, then the patterns'; NULL for keep, and for no
 * -t. */
const rule *choice_rule(const choice *c, int i);
/* Is `r` the rule of -t or of a pattern? */
bool choice_has(const choice *c, const rule *r);
/* Dies for a pattern that fits no linear layer of the model. */
void choice_check_model(const choice *c, const weights *w);

#endif
