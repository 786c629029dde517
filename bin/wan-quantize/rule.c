/*
** rule.c: the table of rules: what each stores, of which weights, under which names.
**
** A line is a format; what differs between two lines is their numbers and three functions. Rules
** with a group in their name (int4-g128) are lines made when they are asked for.
*/
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../common/die.h"
#include "rule-table.h"

#define NO_STEP TENSOR_TYPES

static const rule table[] = {
    {"int8", I8, RANGE_ROW, 0, NO_STEP, false, false, 0, fit_int8, round_int8, code_int8},
    {"int8-127", I8, RANGE_ROW, 0, NO_STEP, false, false, 127, fit_int8_127, round_int8, code_int8},
    {"fp8-tensor", F8_E4M3, RANGE_TENSOR, 0, NO_STEP, false, false, 0, fit_fp8, round_float,
     code_float},
    {"fp8-row", F8_E4M3, RANGE_ROW, 0, NO_STEP, false, false, 0, fit_fp8, round_float, code_float},
    {"fp8-block", F8_E4M3, RANGE_SQUARE, 0, F32, false, false, 0, fit_fp8, round_float, code_float},
    {"int4-g", U4, RANGE_GROUP, 0, F16, true, false, 0, fit_int4, round_int4, code_int4},
    {"int4s-g", U4, RANGE_GROUP, 0, F16, false, false, 0, fit_int4, round_int4, code_int4},
    {"mxfp4", F4, RANGE_GROUP, 32, F8_E8M0, false, false, 0, fit_mx, round_float, code_float},
    {"mxfp8", F8_E4M3, RANGE_GROUP, 32, F8_E8M0, false, false, 0, fit_mx, round_float, code_float},
    {"nvfp4", F4, RANGE_GROUP, 16, F8_E4M3, false, true, 0, fit_nvfp4, round_float, code_float},
    {"q8_0", Q8_0, RANGE_NONE, 0, NO_STEP, false, false, 0, fit_ggml, NULL, code_ggml},
    {"q4_0", Q4_0, RANGE_NONE, 0, NO_STEP, false, false, 0, fit_ggml, NULL, code_ggml},
    {"q4_k", Q4_K, RANGE_NONE, 0, NO_STEP, false, false, 0, fit_ggml, NULL, code_ggml},
    {"q5_k", Q5_K, RANGE_NONE, 0, NO_STEP, false, false, 0, fit_ggml, NULL, code_ggml},
    {"q6_k", Q6_K, RANGE_NONE, 0, NO_STEP, false, false, 0, fit_ggml, NULL, code_ggml},
};
enum { LINES = sizeof table / sizeof *table, LEAST_GROUP = 16, MOST_GROUP = 1024 };

/* ---- names ---- */

static bool is_family(const rule *r) { return r->range == RANGE_GROUP && !r->group; }

/* A line of the family with the group that `text` ends in. */
static const rule *of_group(const rule *family, const char *text)
{
    static struct made {
        struct made *next;
        rule r;
    } * all;
    const char *digits = text + strlen(family->name);
    for (const struct made *m = all; m; m = m->next)
        if (strcmp(m->r.name, text) == 0)
            return &m->r;
    for (int64_t n = LEAST_GROUP; n <= MOST_GROUP; n *= 2) {
        char number[8];
        snprintf(number, sizeof number, "%lld", (long long)n);
        if (strcmp(number, digits) == 0) {
            struct made *m = new_bytes(sizeof *m);
            *m = (struct made){all, *family};
            m->r.name = new_format("%s", text);
            m->r.group = n;
            all = m;
            return &m->r;
        }
    }
    return NULL;
}

const rule *rule_named(const char *text)
{
    for (int i = 0; i < LINES; i++) {
        if (is_family(table + i) && strncmp(text, table[i].name, strlen(table[i].name)) == 0)
            return of_group(table + i, text);
        if (!is_family(table + i) && strcmp(text, table[i].name) == 0)
            return table + i;
    }
    return strcmp(text, "w8a16") == 0 ? rule_named("int8") : NULL;
}

const char *rule_name(const rule *r) { return r->name; }

const char *rule_names(void)
{
    static char all[256];
    size_t n = 0;
    for (int i = 0; i < LINES && n < sizeof all; i++)
        n += (size_t)snprintf(all + n, sizeof all - n, "%s%s%s", i ? ", " : "", table[i].name,
                              is_family(table + i) ? "N" : "");
    return all;
}

/* ---- shapes ---- */

const char *rule_refuses(const rule *r, int64_t out, int64_t in)
{
    static char why[120];
    int64_t block = r->range == RANGE_NONE ? type_block(r->type) : r->group;
    if (out < 1 || in < 1)
        return "it has no elements";
    if (block && in % block) {
        snprintf(why, sizeof why, "its rows of %lld are not whole %s of %lld", (long long)in,
                 r->range == RANGE_NONE ? "blocks" : "groups", (long long)block);
        return why;
    }
    return NULL;
}

static int64_t squares(int64_t n) { return (n + SQUARE - 1) / SQUARE; }

stored rule_shape(const rule *r, int64_t out, int64_t in)
{
    stored s = {.w = tensor_of(NULL, r->type, out, in)};
    if (r->range == RANGE_ROW || r->range == RANGE_TENSOR || r->scale_2)
        s.scale = tensor_of(NULL, F32, out);
    if (r->range == RANGE_SQUARE)
        s.step = tensor_of(NULL, r->step, squares(out), squares(in));
    if (r->range == RANGE_GROUP)
        s.step = tensor_of(NULL, r->step, out, in / r->group);
    if (r->zero)
        s.zero = tensor_of(NULL, U4, out, even(in / r->group));
    return s;
}

int64_t rule_ranges(const rule *r, int64_t out, int64_t in)
{
    switch (r->range) {
    case RANGE_TENSOR: return 1;
    case RANGE_ROW: return out;
    case RANGE_SQUARE: return squares(out) * squares(in);
    case RANGE_GROUP: return out * (in / r->group);
    case RANGE_NONE: break;
    }
    return 0;
}

int64_t rule_range(const rule *r, int64_t in, int64_t row, int64_t k)
{
    switch (r->range) {
    case RANGE_TENSOR: return 0;
    case RANGE_ROW: return row;
    case RANGE_SQUARE: return row / SQUARE * squares(in) + k / SQUARE;
    case RANGE_GROUP: return row * (in / r->group) + k / r->group;
    case RANGE_NONE: break;
    }
    return -1;
}

/* ---- fitting and coding ---- */

static void allocate(tensor *t)
{
    if (t->rank)
        t->data = new_bytes(tensor_bytes(*t));
}

const char *rule_fit(const rule *r, stored *s, const float *w, const float *clip)
{
    allocate(&s->scale);
    allocate(&s->step);
    allocate(&s->zero);
    return r->fit(r, s, w, clip);
}

void rule_room(stored *s) { allocate(&s->w); }

float rule_round(const rule *r, const stored *s, int64_t row, int64_t k, float x)
{
    assert(r->round);
    return r->round(r, s, row, k, x);
}

const char *rule_code_row(const rule *r, stored *s, const float *w_row, int64_t row)
{
    return r->code(r, s, w_row, row);
}

const char *rule_code(const rule *r, stored *s, const float *w)
{
    const char *why = NULL;
    int64_t in = s->w.dim[1];
#pragma omp parallel for schedule(dynamic, 8)
    for (int64_t row = 0; row < s->w.dim[0]; row++) {
        const char *said = rule_code_row(r, s, w + row * in, row);
        if (said)
#pragma omp critical
            why = said;
    }
    return why;
}

void rule_free(stored *s)
{
    free(s->w.data);
    free(s->scale.data);
    free(s->step.data);
    free(s->zero.data);
    s->w.data = s->scale.data = s->step.data = s->zero.data = NULL;
}

/* ---- as a file has it ---- */

int rule_parts(const rule *r, const stored *s, rule_part part[RULE_PARTS])
{
    int64_t out = s->w.dim[0], in = s->w.dim[1];
    int n = 0;
    tensor w = s->w;
    if (w.type == U4)
        w = tensor_of(w.data, U8, out, in / 2);
    else if (r->range == RANGE_NONE)
        w = tensor_of(w.data, U8, out, in / type_block(r->type) * (int64_t)type_size(r->type));
    part[n++] = (rule_part){".weight", w};
    if (s->step.rank)
        part[n++] = (rule_part){".weight_scale", s->step};
    if (s->scale.rank)
        part[n++] = (rule_part){r->scale_2 ? ".weight_scale_2" : ".weight_scale",
                                tensor_of(s->scale.data, F32, r->range == RANGE_ROW ? out : 1)};
    if (s->zero.rank)
        part[n++] =
            (rule_part){".weight_zero", tensor_of(s->zero.data, U8, out, s->zero.dim[1] / 2)};
    return n;
}
