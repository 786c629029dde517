/*
** method.c: what happens to a layer between its weights and its codes:
**
**     smoothing (smooth.c)  W <- W diag(s),  x <- x / s
**     low rank              W <- W - B A                   of what was smoothed
**     rotation              W <- W H,        x <- x H      of what is left
**     clipping              the scales
**     GPTQ                  the codes, given the scales
**
** in this order, each if it was asked for, with the inputs' statistics rotated in the same way. The
** branch x A^T takes the inputs as they are before the rotation.
*/
#include "method.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../common/die.h"
#include "../../common/text.h"
#include "clip.h"
#include "gptq.h"
#include "lowrank.h"
#include "rotate.h"

enum { RANKS = 8 };

/* ---- what is asked for ---- */

static void read_list(method *m, const char *list)
{
    char *copy = new_format("%s", list), *rest = copy, *one;
    int n = 0;
    while ((one = strsep(&rest, ","))) {
        bool *flag = strcmp(one, "awq") == 0    ? &m->awq
                     : strcmp(one, "clip") == 0 ? &m->clip
                     : strcmp(one, "gptq") == 0 ? &m->gptq
                                                : NULL;
        if (!flag && strcmp(list, "rtn") != 0)
            usage_error("--method is rtn, or some of awq, clip and gptq with commas, not '%s'",
                        list);
        if (flag && *flag)
            usage_error("--method %s: %s stands there twice", list, one);
        if (flag)
            *flag = true;
        n++;
    }
    free(copy);
}

void method_read(method *m, const char *list, bool act_order, const char *rotate, int64_t rank)
{
    static const char h256[] = "h256";
    size_t n = strlen(h256);
    *m = (method){.act_order = act_order, .rank = rank};
    if (list)
        read_list(m, list);
    if (act_order && !m->gptq)
        usage_error("--act-order goes with --method gptq");
    if (rank % RANKS)
        usage_error("--rank %lld: wan-denoise runs branches whose rank is a multiple of %d",
                    (long long)rank, RANKS);
    if (!rotate)
        return;
    if (strncmp(rotate, h256, n) != 0 || (rotate[n] && (rotate[n] != ':' || !rotate[n + 1])))
        usage_error("--rotate is h256 or h256:PATTERN, not '%s'", rotate);
    m->rotate = rotate[n] ? rotate + n + 1 : "*";
}

const char *method_text(const method *m)
{
    static char text[32];
    snprintf(text, sizeof text, "%s%s%s", m->awq ? ",awq" : "", m->clip ? ",clip" : "",
             m->gptq ? ",gptq" : "");
    return *text ? text + 1 : "rtn";
}

bool method_needs_inputs(const method *m) { return m->awq || m->clip || m->gptq; }

bool method_works(const method *m) { return method_needs_inputs(m) || m->rotate || m->rank; }

void method_describe(const method *m, json_t *o)
{
    if (m->act_order)
        json_object_set_new(o, "act_order", json_true());
    if (m->rotate)
        json_object_set_new(o, "rotate",
                            strcmp(m->rotate, "*") ? json_sprintf("h256:%s", m->rotate)
                                                   : json_string("h256"));
    if (m->rank)
        json_object_set_new(o, "rank", json_integer(m->rank));
    if (!m->inputs)
        return;
    json_t *prompts = names_json(calibration_prompts(m->inputs), "prompt");
    json_object_set_new(o, "calibration", json_string(calibration_digest(m->inputs)));
    json_object_set_new(o, "prompts", prompts);
}

/* ---- before anything is computed ---- */

static char *layer_of(const plan *p) { return before_end(p->name, ".weight"); }

void method_plan(const method *m, weights *w, plan *p)
{
    int64_t out = p->from.w.dim[0], in = p->from.w.dim[1], most = out < in ? out : in;
    char *layer = layer_of(p);
    const char *called = weights_called(w, p->name);
    p->rotated = m->rotate && (!fnmatch(m->rotate, layer, 0) || !fnmatch(m->rotate, p->name, 0));
    p->rank = m->rank;
    p->by_method = method_works(m);
    if (p->rotated && in % ROTATE_WIDTH)
        die("%s is %s in %s: --rotate h256 turns rows of whole %ds; name the layers that are to be "
            "turned, by --rotate 'h256:PATTERN'",
            called, tensor_text(p->from.w), weights_path(w), ROTATE_WIDTH);
    if (p->rank > most)
        die("%s is %s in %s: it has no %lld singular vectors (--rank)", called,
            tensor_text(p->from.w), weights_path(w), (long long)p->rank);
    if ((m->gptq || m->clip) && rule_ranges(p->rule, out, in) == 0)
        die("%s cannot be %s by --method %s: its scales lie inside the blocks, and are chosen with "
            "the codes",
            called, rule_name(p->rule), method_text(m));
    free(layer);
}

void method_check(const method *m, const weights *w, const plan *p, int n)
{
    int rotated = 0;
    for (int i = 0; i < n; i++)
        rotated += p[i].rotated;
    if (m->rotate && !rotated)
        die("--rotate h256:%s: %s has no layer of such a name that gets a rule", m->rotate,
            weights_path(w));
    if (!m->inputs)
        return;
    for (int i = 0; i < n; i++) {
        if (!p[i].rule)
            continue;
        char *layer = layer_of(p + i);
        if (!calibration_has(m->inputs, layer))
            die("--stat has nothing of %s, a layer of %s that becomes %s: wan-denoise --stat "
                "'%s%s' would",
                layer, weights_path(w), rule_name(p[i].rule), layer, m->gptq ? ":gram" : "");
        if (m->gptq && !calibration_has_gram(m->inputs, layer))
            die("--stat has no gram of %s, which --method gptq needs: wan-denoise --stat '%s:gram' "
                "would",
                layer, layer);
        free(layer);
    }
}

/* ---- a layer ---- */

/* Of the inputs that the smoothed layer has. */
static moments inputs_of(const method *m, const plan *p)
{
    int64_t in = plan_width(p);
    const float *s = p->columns_by;
    char *layer = layer_of(p);
    bool known = m->inputs && calibration_has(m->inputs, layer);
    moments x = known ? calibration_of(m->inputs, layer, in, m->gptq || m->clip) : (moments){0};
    free(layer);
    if (known && s)
        moments_divide(&x, s);
    return x;
}

static void refuse(const weights *w, const plan *p, const char *why) __attribute__((noreturn));
static void refuse(const weights *w, const plan *p, const char *why)
{
    die("%s in %s cannot be %s: %s", weights_called(w, p->name), weights_path(w),
        rule_name(p->rule), why);
}

static void check_finite(const weights *w, const plan *p, const float *values, const char *why)
{
    tensor all = tensor_of((void *)values, F32, plan_rows_of(p), plan_width(p));
    if (!(absmax(all) <= 0x1.fffffep127f))
        refuse(w, p, why);
}

static void take_low_rank(plan *p, float *values, const moments *x)
{
    int64_t out = plan_rows_of(p), in = plan_width(p);
    p->up = new_bytes((size_t)(out * p->rank) * sizeof *p->up);
    p->down = new_bytes((size_t)(p->rank * in) * sizeof *p->down);
    low_rank(values, out, in, p->rank, x->squares, p->up, p->down);
}

static void rotate(float *values, int64_t out, int64_t in, moments *x)
{
    rotate_rows(values, out, in);
    if (x->gram)
        rotate_gram(x->gram, in);
    if (x->squares)
        rotate_squares(x->squares, in);
}

static const char *fit(const method *m, plan *p, const float *values, const moments *x)
{
    const char *why = NULL;
    float *factors =
        m->clip ? clip_search(p->rule, values, plan_rows_of(p), plan_width(p), x, &why) : NULL;
    if (!why)
        why = rule_fit(p->rule, &p->made, values, factors);
    free(factors);
    return why;
}

void method_make(const method *m, weights *w, plan *p)
{
    int64_t out = plan_rows_of(p), in = plan_width(p);
    float *values = plan_floats(p);
    check_finite(w, p, values, "it has values that are not finite");
    moments x = inputs_of(m, p);
    if (p->rank)
        take_low_rank(p, values, &x);
    check_finite(w, p, values, "its branch has values beyond what F16 can hold");
    if (p->rotated)
        rotate(values, out, in, &x);
    check_finite(w, p, values, "rotated it has values that are not finite");
    const char *why = fit(m, p, values, &x);
    if (!why && m->gptq)
        why = gptq(p->rule, &p->made, values, out, in, x.gram, m->act_order);
    rule_room(&p->made);
    if (!why)
        why = rule_code(p->rule, &p->made, values);
    if (why)
        refuse(w, p, why);
    moments_free(&x);
    free(values);
}
