/*
** choice.c: which layers become codes, and by which rule.
**
** Patterns are the shell's (fnmatch), over official names with or without .weight; a star takes
** dots too. A pattern that fits nothing is a mistake, and one that fits no linear layer another:
** neither is passed over.
*/
#include "choice.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../common/checkpoint/stored.h"
#include "../../common/die.h"
#include "../../common/text.h"

static const char KEEP[] = "keep";

/* ---- PATTERN=RULE ---- */

static const char *rule_of(const char *text) { return strrchr(text, '=') + 1; }

void choice_check(const option_list *patterns)
{
    for (int i = 0; i < patterns->n; i++) {
        const char *text = patterns->text[i], *equals = strrchr(text, '=');
        if (!equals || equals == text)
            usage_error("--layer is PATTERN=RULE, not '%s'%s", text,
                        equals ? "" : " (--layers is blocks, all or diffusers)");
        if (strcmp(equals + 1, KEEP) != 0 && !rule_named(equals + 1))
            usage_error("--layer %s: '%s' is no rule: %s or %s", text, equals + 1, rule_names(),
                        KEEP);
    }
}

/* name: X.weight; X is enough */
static bool fits(const char *text, const char *name)
{
    char *pattern = new_format("%.*s", (int)(rule_of(text) - 1 - text), text);
    char *layer = before_end(name, ".weight");
    bool does = fnmatch(pattern, name, 0) == 0 || (layer && fnmatch(pattern, layer, 0) == 0);
    free(pattern);
    free(layer);
    return does;
}

/* ---- layers ---- */

bool is_linear(const char *name, tensor t)
{
    bool is_float = t.type == F64 || t.type == F32 || t.type == F16 || t.type == BF16;
    return t.rank == 2 && tensor_count(t) && ends_with(name, ".weight") &&
           !ends_with(name, "embedding.weight") && (is_float || stored_as_codes(t.type));
}

/* TorchAoConfig in diffusers leaves alone what diffusers keeps in F32. */
static bool in_default(const char *name, layer_choice layers)
{
    bool in_block = strncmp(name, "blocks.", 7) == 0;
    return layers == LAYERS_ALL || in_block ||
           (layers == LAYERS_DIFFUSERS && strncmp(name, "time_embedding.", 15) != 0);
}

/* The pattern that decides about a linear layer: the last that fits, or -1. */
static int decides(const choice *c, const char *name)
{
    int i = c->patterns->n;
    while (i-- > 0 && !fits(c->patterns->text[i], name))
        ;
    return i;
}

const rule *choice_of(const choice *c, const char *name, tensor t)
{
    if (!is_linear(name, t))
        return NULL;
    int i = decides(c, name);
    if (i >= 0)
        return rule_named(rule_of(c->patterns->text[i])); /* NULL: keep */
    return in_default(name, c->layers) ? c->rule : NULL;
}

const rule *choice_rule(const choice *c, int i)
{
    return i == 0 ? c->rule : rule_named(rule_of(c->patterns->text[i - 1]));
}

bool choice_has(const choice *c, const rule *r)
{
    bool has = c->rule == r;
    for (int i = 0; i < c->patterns->n; i++)
        has |= rule_named(rule_of(c->patterns->text[i])) == r;
    return has;
}

/* A pattern all of whose layers fit a later one, too, may stand in the wrong place. */
static void tell_idle(const choice *c, const weights *w)
{
    for (int k = 0; k < c->patterns->n; k++) {
        bool idle = true;
        for (int i = 0; i < weights_count(w) && idle; i++)
            idle = !is_linear(weights_name(w, i), weights_shape(w, i)) ||
                   decides(c, weights_name(w, i)) != k;
        if (idle)
            warn("--layer %s decides nothing: each layer that fits it fits a later one, too",
                 c->patterns->text[k]);
    }
}

void choice_check_model(const choice *c, const weights *w)
{
    for (int k = 0; k < c->patterns->n; k++) {
        const char *text = c->patterns->text[k];
        bool linear = false;
        int other = -1;
        for (int i = 0; i < weights_count(w) && !linear; i++)
            if (fits(text, weights_name(w, i))) {
                linear = is_linear(weights_name(w, i), weights_shape(w, i));
                other = i;
            }
        if (other < 0)
            die("--layer %s: %s has no layer of such a name", text, weights_path(w));
        if (!linear)
            die("--layer %s: %s is %s in %s, not the weight of a linear layer", text,
                weights_called(w, weights_name(w, other)), tensor_text(weights_shape(w, other)),
                weights_path(w));
    }
    tell_idle(c, w);
}
