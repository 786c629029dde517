/*
** swaps.c: the linears of the model in a table, chosen by patterns and put together in rows.
**
** A linear is a place in a dit: which of its layers, and which of the linears that share that
** layer's input. So it is known by name before anything is loaded, and is the same place in both
** models.
*/
#include "swaps.h"

#include <assert.h>
#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/checkpoint/stored.h"
#include "../../common/die.h"
#include "../patterns.h"

typedef struct {
    const char *name; /* behind "blocks.N." if it is in a block */
    size_t at;        /* of the dit_layer, in dit_block or in dit */
    int i;            /* which of its linears */
    bool of_text, in_block;
} linear_kind;

#define IN_BLOCK(name, field, i, text)                                                             \
    {                                                                                              \
        name, offsetof(dit_block, field), i, text, true                                            \
    }
#define OUTSIDE(name, field, text)                                                                 \
    {                                                                                              \
        name, offsetof(dit, field), 0, text, false                                                 \
    }
static const linear_kind kinds[] = {
    OUTSIDE("patch_embedding", patch_embedding, false),
    OUTSIDE("text_embedding.0", text_0, true),
    OUTSIDE("text_embedding.2", text_2, true),
    OUTSIDE("time_embedding.0", time_0, false),
    OUTSIDE("time_embedding.2", time_2, false),
    OUTSIDE("time_projection.1", time_projection, false),
    IN_BLOCK("self_attn.q", qkv, 0, false),
    IN_BLOCK("self_attn.k", qkv, 1, false),
    IN_BLOCK("self_attn.v", qkv, 2, false),
    IN_BLOCK("self_attn.o", o, 0, false),
    IN_BLOCK("cross_attn.q", text_q, 0, false),
    IN_BLOCK("cross_attn.k", text_kv, 0, true),
    IN_BLOCK("cross_attn.v", text_kv, 1, true),
    IN_BLOCK("cross_attn.o", text_o, 0, false),
    IN_BLOCK("ffn.0", up, 0, false),
    IN_BLOCK("ffn.2", down, 0, false),
    OUTSIDE("head.head", head, false),
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* ---- places ---- */

/* Every linear's place, in an order in which blocks follow each other. */
static int all_places(const dit *m, linear_place **all)
{
    int n = 0;
    *all = new_bytes(sizeof **all * KINDS * (size_t)m->layers);
    for (int block = -1; block < m->layers; block++)
        for (int k = 0; k < KINDS; k++)
            if (kinds[k].in_block == (block >= 0))
                (*all)[n++] = (linear_place){k, block};
    return n;
}

/* Static memory. */
static const char *name_of(linear_place p)
{
    static char name[64];
    if (p.block < 0)
        return kinds[p.kind].name;
    snprintf(name, sizeof name, "blocks.%d.%s", p.block, kinds[p.kind].name);
    return name;
}

static dit_layer *layer_at(dit *m, linear_place p)
{
    const linear_kind *k = &kinds[p.kind];
    char *base = k->in_block ? (char *)&m->block[p.block] : (char *)m;
    dit_layer *l = (dit_layer *)(base + k->at);
    assert(strcmp(l->name[k->i], name_of(p)) == 0);
    return l;
}

static linear_weight *weight_at(dit *m, linear_place p)
{
    return layer_part(layer_at(m, p), kinds[p.kind].i);
}

bool is_of_linear(const dit *m, const char *name)
{
    linear_place *all;
    bool found = false;
    for (int n = all_places(m, &all); n-- && !found;) {
        size_t length = strlen(name_of(all[n]));
        found = strncmp(name, name_of(all[n]), length) == 0 && name[length] == '.';
    }
    free(all);
    return found;
}

/* ---- rows ---- */

grouping grouping_named(const char *by)
{
    static const char *const names[] = {"layer", "kind", "block", "all"};
    for (int i = 0; i < 4; i++)
        if (strcmp(by, names[i]) == 0)
            return (grouping)i;
    usage_error("--by is layer, kind, block or all, not '%s'", by);
}

/* The row that a linear belongs to; what is in no block has one of its own. */
static char *row_of(linear_place p, grouping by)
{
    if (by == BY_ALL)
        return new_format("all");
    if (by == BY_KIND)
        return new_format("%s", kinds[p.kind].name);
    if (by == BY_BLOCK && p.block >= 0)
        return new_format("blocks.%d", p.block);
    return new_format("%s", name_of(p));
}

static void *grown(void *array, int n, size_t each)
{
    void *more = realloc(array, (size_t)(n + 1) * each);
    if (!more)
        die("out of memory");
    return more;
}

static void add_place(swap_list *list, linear_place p, grouping by)
{
    char *name = row_of(p, by);
    swap *s = list->swap;
    while (s < list->swap + list->n && strcmp(s->name, name) != 0)
        s++;
    if (s == list->swap + list->n) {
        list->swap = grown(list->swap, list->n, sizeof *s);
        s = &list->swap[list->n++];
        *s = (swap){.name = name};
    } else {
        free(name);
    }
    s->place = grown(s->place, s->n, sizeof p);
    s->place[s->n++] = p;
    s->of_text = s->of_text || kinds[p.kind].of_text;
}

static void check_patterns(const name_list *patterns, const linear_place *all, int n)
{
    for (int k = 0; k < patterns->n; k++) {
        name_list one = {1, patterns->name + k};
        int i = 0;
        while (i < n && patterns_fit(&one, 0, name_of(all[i])) < 0)
            i++;
        if (i == n)
            die("--layer: there is no linear '%s' in the model", patterns->name[k]);
    }
}

swap_list swaps_find(const dit *m, grouping by, const name_list *patterns)
{
    swap_list list = {0};
    linear_place *all;
    int n = all_places(m, &all);
    check_patterns(patterns, all, n);
    for (int i = 0; i < n; i++)
        if (patterns_fit(patterns, 0, name_of(all[i])) >= 0)
            add_place(&list, all[i], by);
    free(all);
    return list;
}

void swaps_free(swap_list *list)
{
    for (int i = 0; i < list->n; i++) {
        free(list->swap[i].name);
        free(list->swap[i].place);
    }
    free(list->swap);
}

void swap_exchange(const swap *s, dit *a, dit *b)
{
    for (int i = 0; i < s->n; i++)
        layer_exchange(layer_at(a, s->place[i]), layer_at(b, s->place[i]),
                       kinds[s->place[i].kind].i);
}

/* ---- what they are ---- */

static int64_t bytes_of(const linear_weight *w)
{
    const tensor parts[] = {w->w, w->scale, w->step, w->zero};
    int64_t bytes = 0;
    for (int k = 0; k < 4; k++)
        bytes += parts[k].data ? (int64_t)tensor_bytes(parts[k]) : 0;
    return bytes;
}

swap_size swap_size_in(const swap *s, dit *m)
{
    swap_size size = {0};
    for (int i = 0; i < s->n; i++) {
        const dit_layer *l = layer_at(m, s->place[i]);
        int part = kinds[s->place[i].kind].i;
        const linear_weight *w = weight_at(m, s->place[i]);
        size.weights += tensor_count(w->w);
        size.bytes += bytes_of(w) + bytes_of(&l->down[part]) + bytes_of(&l->up[part]);
    }
    return size;
}

/* As the file says, or else as the weight is. To be freed. */
static char *format_at(dit *m, linear_place p, const weights *w)
{
    stored as = linear_stored(weight_at(m, p));
    const char *rule = weights_rule(w, name_of(p)), *how;
    how = json_string_value(weights_quantization(w, "stored"));
    bool fake = rule && how && strcmp(how, "fake") == 0;
    return new_format("%s%s", rule ? rule : format_text(&as), fake ? " fake" : "");
}

char *swap_format_in(const swap *s, dit *m, const weights *w)
{
    char *all = format_at(m, s->place[0], w);
    for (int i = 1; i < s->n; i++) {
        char *one = format_at(m, s->place[i], w);
        bool same = strcmp(all, one) == 0;
        free(one);
        if (!same) {
            free(all);
            return new_format("mixed");
        }
    }
    return all;
}
