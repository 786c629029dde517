/*
** nested.c: which dict of a pickle is the model.
**
** It may be the pickle itself, or an inner dict (state_dict, model, generator_ema, ...) that lies
** beside an optimizer, numbers, texts and other things of a training, which are skipped. If several
** dicts could be the model, the message lists their names, and the user chooses one.
**
** A dict counts as a model if it has a matrix whose name has several components; a few loose
** tensors do not. A dict with param_groups is an optimizer: it is skipped, although its moments
** look like a model.
*/
#include <stdio.h>
#include <stdlib.h>

#include "../die.h"
#include "archive.h"

enum { MOST_FOUND = 16, MOST_DEEP = 3, MOST_LOOKED_AT = 1 << 20 };

typedef struct {
    char path[256]; /* keys with dots in between; "" is the pickle itself */
    pickle_value dict;
    bool model; /* false: it has tensors, but does not look like a model */
} candidate;

typedef struct {
    candidate found[MOST_FOUND];
    int n;
    int64_t looked_at; /* bounds the work: a pickle may refer to one dict from many places */
} search;

static pickle_value key_of(pickle_value dict, int64_t i) { return dict.u.node->item[2 * i]; }
static pickle_value value_of(pickle_value dict, int64_t i) { return dict.u.node->item[2 * i + 1]; }

static void look_at(search *s, pickle_value dict, const char *path, int deep)
{
    bool tensors = false, model = false;
    if (dict.kind != PICKLE_DICT || pickle_lookup(dict, "param_groups").kind != PICKLE_UNSET)
        return;
    for (int64_t i = 0; i < pickle_length(dict) && s->looked_at++ < MOST_LOOKED_AT; i++) {
        pickle_value key = key_of(dict, i), value = value_of(dict, i);
        if (!state_is_tensor(value))
            continue;
        tensors = true;
        model |=
            key.kind == PICKLE_TEXT && memchr(key.u.text, '.', key.n) && state_is_matrix(value);
    }
    if (tensors && s->n < MOST_FOUND) {
        candidate *c = s->found + s->n++;
        *c = (candidate){.dict = dict, .model = model};
        snprintf(c->path, sizeof c->path, "%s", path);
    }
    for (int64_t i = 0; deep < MOST_DEEP && i < pickle_length(dict); i++) {
        pickle_value key = key_of(dict, i), value = value_of(dict, i);
        if (value.kind != PICKLE_DICT || key.kind != PICKLE_TEXT || key.n > 100 ||
            s->looked_at++ > MOST_LOOKED_AT)
            continue;
        char inner[256];
        int n = snprintf(inner, sizeof inner, "%s%s%.*s", path, *path ? "." : "", (int)key.n,
                         key.u.text);
        if (n < (int)sizeof inner)
            look_at(s, value, inner, deep + 1);
    }
}

/* Lists the names of the models, or of the other dicts of tensors, for a message. */
static void name_all(const search *s, bool models, char *to, size_t room)
{
    *to = 0;
    for (int i = 0; i < s->n; i++) {
        size_t n = strlen(to);
        if (*s->found[i].path && s->found[i].model == models)
            snprintf(to + n, room - n, "%s%s", n ? ", " : "", s->found[i].path);
    }
}

static pickle_value by_key(const char *where, const search *s, const char *key)
{
    char names[1024];
    for (int i = 0; i < s->n; i++)
        if (strcmp(s->found[i].path, key) == 0)
            return s->found[i].dict;
    name_all(s, true, names, sizeof names);
    if (!*names)
        name_all(s, false, names, sizeof names);
    die("%s has no dict of tensors named '%s'%s%s", where, key, *names ? ", but " : "", names);
}

pickle_value nested_find(const char *where, pickle_value root, const char *key)
{
    search s = {.n = 0};
    const candidate *chosen = NULL;
    char names[1024];
    int models = 0, others = 0;
    look_at(&s, root, "", 0);
    if (s.n == 0)
        die("%s: its pickle holds no dict of named tensors", where);
    if (key)
        return by_key(where, &s, key);
    for (int i = 0; i < s.n; i++)
        models += s.found[i].model;
    for (int i = 0; i < s.n; i++)
        if (s.found[i].model == (models > 0)) {
            others += chosen != NULL;
            chosen = chosen ? chosen : s.found + i; /* the pickle itself comes first */
        }
    name_all(&s, models > 0, names, sizeof names);
    if (others && *chosen->path)
        die("%s holds several models: %s; give one, as %s:%s", where, names, where, chosen->path);
    if (others)
        warn("%s has more beside its model: %s (FILE:KEY reads such)", where, names);
    return chosen->dict;
}
