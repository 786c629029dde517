/*
** names.c: the names and shapes of all that a forward pass computes, in the order of dit.c.
*/
#include "names.h"

#include <fnmatch.h>
#include <stdio.h>

#include "../../common/die.h"

typedef struct {
    name_visit visit;
    void *to;
} visitor;

/* Visits one name. block >= 0: the name is that of a module in this block. rows 0: a vector. */
static void say(const visitor *v, bool linear, int block, const char *name, int64_t rows,
                int64_t width)
{
    char full[64];
    if (block < 0)
        snprintf(full, sizeof full, "%s", name);
    else
        snprintf(full, sizeof full, "blocks.%d%s%s", block, *name ? "." : "", name);
    v->visit(v->to, full, linear,
             rows ? tensor_of(NULL, F32, rows, width) : tensor_of(NULL, F32, width));
}

static void input(const visitor *v, int block, const char *name, int64_t rows, int64_t width)
{
    say(v, true, block, name, rows, width);
}

static void result(const visitor *v, int block, const char *name, int64_t rows, int64_t width)
{
    say(v, false, block, name, rows, width);
}

void names_of_text(const dit *m, int64_t seen, name_visit visit, void *to)
{
    visitor v = {visit, to};
    input(&v, -1, "text_embedding.0", seen, m->text_dim);
    input(&v, -1, "text_embedding.2", seen, m->dim);
    result(&v, -1, "text_embedding", seen, m->dim);
    for (int i = 0; i < m->layers; i++) {
        input(&v, i, "cross_attn.k", seen, m->dim);
        input(&v, i, "cross_attn.v", seen, m->dim);
    }
}

static void names_of_block(const visitor *v, const dit *m, int i, int64_t L)
{
    int64_t D = m->dim;
    input(v, i, "self_attn.q", L, D);
    input(v, i, "self_attn.k", L, D);
    input(v, i, "self_attn.v", L, D);
    input(v, i, "self_attn.o", L, D);
    result(v, i, "self_attn", L, D);
    input(v, i, "cross_attn.q", L, D);
    input(v, i, "cross_attn.o", L, D);
    result(v, i, "cross_attn", L, D);
    input(v, i, "ffn.0", L, D);
    input(v, i, "ffn.2", L, m->ffn);
    result(v, i, "ffn", L, D);
    result(v, i, "", L, D);
}

void names_of_step(const dit *m, int64_t L, name_visit visit, void *to)
{
    visitor v = {visit, to};
    int64_t D = m->dim, patch = LATENT_CHANNELS * m->patch[0] * m->patch[1] * m->patch[2];
    input(&v, -1, "time_embedding.0", 1, m->freq);
    input(&v, -1, "time_embedding.2", 1, D);
    result(&v, -1, "time_embedding", 0, D);
    input(&v, -1, "time_projection.1", 1, D);
    result(&v, -1, "time_projection", 0, 6 * D);
    input(&v, -1, "patch_embedding", L, patch);
    result(&v, -1, "patch_embedding", L, D);
    for (int i = 0; i < m->layers; i++)
        names_of_block(&v, m, i, L);
    input(&v, -1, "head.head", L, D);
    result(&v, -1, "head", L, patch);
}

/* ---- patterns ---- */

typedef struct {
    const char *pattern;
    bool fits;
} search;

static void compare(void *to, const char *name, bool linear, tensor shape)
{
    search *s = to;
    (void)shape;
    s->fits = s->fits || (linear && fnmatch(s->pattern, name, 0) == 0);
}

void names_fit(const dit *m, const char *by, const name_list *patterns)
{
    for (int i = 0; i < patterns->n; i++) {
        search s = {patterns->name[i], false};
        names_of_text(m, 1, compare, &s);
        names_of_step(m, 1, compare, &s);
        if (!s.fits)
            die("%s: there is no linear '%s' in the model", by, s.pattern);
    }
}
