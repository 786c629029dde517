/*
** plan.c: what becomes of each tensor: codes and scales, another float type, or what it was.
**
** With -t fp16, bf16 or fp32 all codes of the input (fp8, ggml's blocks, int8) are multiplied by
** their scales, and the scales are left out: every float of the result has that type. Plans follow
** from the headers' shapes and names; survey.c looks at values.
*/
#include "plan.h"

#include <stdio.h>
#include <stdlib.h>

#include "../../common/checkpoint/stored.h"
#include "../../common/die.h"
#include "../../common/text.h"
#include "lowrank.h"
#include "method.h"
#include "rotate.h"
#include "smooth.h"

static bool is_float(tensor_type t) { return t == F64 || codes_readable(t); }

/* ---- which ---- */

static bool makes_codes(const target *t) { return t->to == TENSOR_TYPES; }

/* The type of what does not become codes. */
static tensor_type becomes(const char *name, tensor t, const target *to)
{
    bool codes = stored_as_codes(t.type) && (t.type != I8 || ends_with(name, ".weight"));
    if (makes_codes(to)) /* ggml's blocks, which no stream holds, become F32, exactly */
        return type_in_streams(t.type) ? t.type : F32;
    return is_float(t.type) || codes ? to->to : t.type;
}

static const rule *rule_for(const char *name, tensor t, const target *to)
{
    return makes_codes(to) ? choice_of(&to->codes, name, t) : NULL;
}

/* ---- plans ---- */

/* The tensors of the rotation and of the low-rank branch. */
static int more_parts(const plan *p, rule_part part[3])
{
    static int32_t width = ROTATE_WIDTH;
    int64_t out = plan_rows_of(p), in = plan_width(p);
    int n = 0;
    if (p->rotated)
        part[n++] = (rule_part){".weight_hadamard", tensor_of(&width, I32, 1)};
    if (p->rank) {
        part[n++] = (rule_part){".weight_low_rank_down", tensor_of(p->down, F16, p->rank, in)};
        part[n++] = (rule_part){".weight_low_rank_up", tensor_of(p->up, F16, out, p->rank)};
    }
    return n;
}

static int all_parts(const plan *p, rule_part part[PLAN_PARTS])
{
    int n = rule_parts(p->rule, &p->made, part);
    return n + more_parts(p, part + n);
}

/* Names and shapes of the tensors that are written in place of the weight. */
static void plan_parts(weights *w, plan *p, const target *to)
{
    char *base = before_end(p->name, ".weight");
    rule_part part[PLAN_PARTS];
    p->parts = all_parts(p, part);
    for (int i = 0; i < p->parts; i++) {
        p->part_name[i] = new_format("%s%s", base, part[i].ending);
        p->part[i] = part[i].t;
        if (i && weights_has(w, p->part_name[i]) && codes_readable(p->from.w.type))
            die("%s is in %s: the model is quantized already", p->part_name[i], weights_path(w));
    }
    if (to->fake) {
        p->parts = 1;
        p->part[0] = tensor_of(NULL, F16, p->from.w.dim[0], p->from.w.dim[1]);
    }
    free(base);
}

static void plan_codes(weights *w, plan *p, const target *to)
{
    tensor t = p->from.w;
    if (t.type == I8 || t.type == U4 || t.type == F4)
        die("%s is %s in %s: the model is quantized already", weights_called(w, p->name),
            type_name(t.type), weights_path(w));
    if (!codes_readable(t.type) && !stored_as_codes(t.type))
        die("%s is %s in %s; only F32, F16, BF16 and codes that stand for them can be quantized",
            weights_called(w, p->name), type_name(t.type), weights_path(w));
    if (to->scales.weight_type && p->rule == rule_named("int8") && !codes_readable(t.type))
        die("%s is %s in %s: --scale-type weight is for weights of F32, F16 and BF16",
            weights_called(w, p->name), type_name(t.type), weights_path(w));
    const char *why = rule_refuses(p->rule, t.dim[0], t.dim[1]);
    if (why)
        die("%s is %s in %s and cannot be %s: %s; give it another rule, or leave it out, by "
            "--layer '%.*s=keep'",
            weights_called(w, p->name), tensor_text(t), weights_path(w), rule_name(p->rule), why,
            (int)(strlen(p->name) - strlen(".weight")), p->name);
    p->made = rule_shape(p->rule, t.dim[0], t.dim[1]);
    method_plan(&to->method, w, p);
    plan_parts(w, p, to);
}

void plan_fetch(weights *w, plan *p)
{
    char *base = p->from.w.rank >= 1 ? before_end(p->name, ".weight") : NULL;
    if (base)
        p->from = weights_stored(w, base);
    else
        p->from.w = weights_any(w, p->name);
    free(base);
}

/* Is the weight that a companion belongs to written in another form? */
static bool changes(const char *name, tensor t, const target *to)
{
    return rule_for(name, t, to) || becomes(name, t, to) != t.type;
}

static plan plan_tensor(weights *w, int i, const target *to)
{
    plan p = {.name = weights_name(w, i), .from = {.w = weights_shape(w, i)}};
    const char *owner = stored_owner(w, p.name);
    tensor t = p.from.w;
    if (owner) { /* a companion: left out if its weight changes */
        tensor whose = weights_any(w, owner);
        p.to = stored_as_codes(whose.type) && changes(owner, whose, to) ? TENSOR_TYPES : t.type;
        return p;
    }
    p.rule = rule_for(p.name, t, to);
    p.to = p.rule ? TENSOR_TYPES : becomes(p.name, t, to);
    if (t.rank >= 2 && ends_with(p.name, ".weight") && !is_float(t.type) && t.type != I8)
        plan_fetch(w, &p); /* dies if its codes or companions cannot be read */
    if (p.rule) {
        plan_codes(w, &p, to);
        return p;
    }
    if (!makes_codes(to) && strcmp(p.name, "scaled_fp8") == 0)
        p.to = TENSOR_TYPES;
    if (!makes_codes(to) && p.to != TENSOR_TYPES && !type_has_values(t.type))
        die("%s is %s in %s: what is of that type cannot be made %s", weights_called(w, p.name),
            tensor_text(t), weights_path(w), type_name(to->to));
    return p;
}

/* ---- rows ---- */

int64_t plan_rows_of(const plan *p) { return p->from.w.rank ? p->from.w.dim[0] : 1; }

int64_t plan_width(const plan *p)
{
    int64_t rows = plan_rows_of(p);
    return rows ? tensor_count(p->from.w) / rows : 0;
}

int64_t plan_rows_in(const plan *p, int64_t floats)
{
    int64_t rows = plan_rows_of(p), width = plan_width(p), n = width ? floats / width : rows;
    return n < 1 ? 1 : n > rows ? rows : n;
}

static void smooth_row(const plan *p, int64_t row, float *y)
{
    int64_t width = plan_width(p);
    for (int64_t k = 0; p->columns_by && k < width; k++)
        y[k] *= p->columns_by[k];
    for (int64_t k = 0; p->rows_by && k < width; k++)
        y[k] /= p->rows_by[row];
}

tensor plan_rows(const plan *p, int64_t first, int64_t n, float *room)
{
    tensor t = p->from.w;
    int64_t width = plan_width(p);
    if (is_float(t.type) && !p->from.scale.data && !p->rows_by && !p->columns_by) {
        tensor all = tensor_of(t.data, t.type, plan_rows_of(p), width);
        return slice(all, first, n);
    }
    stored_values(room, &p->from, first * width, n * width);
    for (int64_t row = 0; row < n; row++)
        smooth_row(p, first + row, room + row * width);
    return tensor_of(room, F32, n, width);
}

void plan_made(const plan *p, int64_t row, float *y)
{
    int64_t width = plan_width(p);
    stored_values(y, &p->made, row * width, width);
    if (p->rotated)
        rotate_rows(y, 1, width);
    if (p->rank)
        low_rank_add(y, 1, width, p->rank, p->up + row * p->rank, p->down, 1);
}

float *plan_floats(const plan *p)
{
    int64_t rows = plan_rows_of(p), width = plan_width(p);
    float *all = new_bytes((size_t)(rows * width) * 4);
#pragma omp parallel for
    for (int64_t row = 0; row < rows; row++) {
        stored_values(all + row * width, &p->from, row * width, width);
        smooth_row(p, row, all + row * width);
    }
    return all;
}

bool plan_streams(const plan *p) { return p->rule == rule_named("int8") && !p->by_method; }

size_t plan_bytes(const plan *p)
{
    rule_part part[PLAN_PARTS];
    size_t bytes = 0;
    for (int i = all_parts(p, part); i-- > 0;)
        bytes += tensor_bytes(part[i].t);
    return bytes;
}

void plan_keep_parts(plan *p)
{
    rule_part part[PLAN_PARTS];
    int n = all_parts(p, part);
    for (int i = 1; i < n; i++)
        p->part[i].data = part[i].t.data;
}

/* ---- all of them ---- */

static void nothing_to_do(const weights *w, const target *to) __attribute__((noreturn));
static void nothing_to_do(const weights *w, const target *to)
{
    static const char *const where[] = {" in blocks.*", "", ""};
    const char *what = weights_what(w);
    if (makes_codes(to) && to->codes.patterns->n)
        die("nothing to quantize: no linear layer of %s is left to a rule", weights_path(w));
    if (makes_codes(to))
        die("nothing to quantize: %s%s%s%s has no linear layer%s", weights_path(w),
            what ? " (" : "", what ? what : "", what ? ")" : "", where[to->codes.layers]);
    if (weights_count(w) == 0)
        die("nothing to convert: %s has no tensors", weights_path(w));
    die("nothing to convert: %s is stored as %s", weights_path(w),
        to->to == F32   ? "fp32"
        : to->to == F16 ? "fp16"
                        : "bf16");
}

/* Dies for what wan-quantize made: the metadata are written anew, without the layers that stay. */
static void check_new(const weights *w, const plan *p)
{
    const char *said = weights_quantization_text(w);
    if (said && *said == '{')
        die("%s is quantized already, as its metadata say (%s): quantize what it was made of, or "
            "what -t fp32 makes of it",
            weights_path(w), p->name);
}

plan *plan_model(weights *w, const target *to)
{
    int n = weights_count(w), changed = 0;
    plan *p = new_bytes((size_t)n * sizeof *p);
    if (makes_codes(to))
        choice_check_model(&to->codes, w);
    for (int i = 0; i < n; i++) {
        p[i] = plan_tensor(w, i, to);
        if (p[i].rule)
            check_new(w, p + i);
        changed += makes_codes(to) ? p[i].rule != NULL : p[i].to != p[i].from.w.type;
    }
    if (!changed && (makes_codes(to) || to->layout == LAYOUT_OFFICIAL))
        nothing_to_do(w, to);
    if (makes_codes(to)) {
        method_check(&to->method, w, p, n);
        smooth_plan(&to->method, w, p, n);
    }
    return p;
}

void plan_free(plan *p, int n)
{
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < PLAN_PARTS; k++)
            free(p[i].part_name[k]);
        free(p[i].as);
        free(p[i].columns_by);
        free(p[i].up);
        free(p[i].down);
        rule_free(&p[i].made);
    }
    free(p);
}
