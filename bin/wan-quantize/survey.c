/*
** survey.c: all values are looked at before anything is written: scales of a layer are chosen, or
** its codes made, where a method does; what is not finite, or what the type cannot hold, ends the
** run with nothing written.
**
** Scales of all layers are kept, for wide types are written before narrow ones; of values there are
** never more than one layer's.
*/
#include "survey.h"

#include <stdlib.h>

#include "../../common/die.h"
#include "../../common/program.h"
#include "method.h"
#include "smooth.h"

enum { ROOM = 1 << 20 }; /* floats */

static void refuse(const weights *w, const plan *p, const char *why)
{
    die("%s in %s %s", weights_called(w, p->name), weights_path(w), why);
}

/* What codes stand for lies within twice the greatest weight: few layers need a second look. */
static void check_fake(weights *w, plan *p)
{
    int64_t n = tensor_count(p->from.w);
    float *values = plan_floats(p);
    if (absmax(tensor_of(values, F32, n)) >= 32752.0f) {
        if (!p->by_method) {
            rule_room(&p->made);
            rule_code(p->rule, &p->made, values);
        }
        for (int64_t row = 0; row < plan_rows_of(p); row++)
            plan_made(p, row, values + row * plan_width(p));
        if (absmax(tensor_of(values, F32, n)) >= 65520.0f)
            refuse(w, p, "would have values that fp16 cannot hold, as --fake stores them");
        if (!p->by_method) {
            free(p->made.w.data);
            p->made.w.data = NULL;
        }
    }
    free(values);
}

/* All of a layer at once. */
static void fit(weights *w, plan *p)
{
    float *values = plan_floats(p);
    if (!(absmax(tensor_of(values, F32, plan_rows_of(p), plan_width(p))) <= 0x1.fffffep127f))
        refuse(w, p, "has values that are not finite");
    const char *why = rule_fit(p->rule, &p->made, values, NULL);
    if (why)
        die("%s in %s cannot be %s: %s", weights_called(w, p->name), weights_path(w),
            rule_name(p->rule), why);
    free(values);
}

/* Reads the tensor in pieces: int8's scales, or that all of it can be written as p->to. */
static void survey_rows(weights *w, plan *p, const target *to)
{
    bool finite = true, fits = true;
    int64_t rows = plan_rows_of(p), width = plan_width(p), n = plan_rows_in(p, ROOM);
    float *room = new_bytes((size_t)(n * width) * 4);
    for (int64_t row = 0; row < rows; row += n) {
        n = rows - row < n ? rows - row : n;
        tensor part = plan_rows(p, row, n, room);
        if (p->rule) {
            finite &= code_scales((float *)p->made.scale.data + row, part, to->scales);
            continue;
        }
        if (part.type == F64) {
            host_convert(tensor_of(room, F32, n, width), part);
            part = tensor_of(room, F32, n, width);
        }
        float most = absmax(part);
        finite &= most <= 0x1.fffffep127f;
        fits &= p->to != F16 || most < 65520.0f; /* from there on F16 is infinite */
    }
    free(room);
    if (!finite)
        refuse(w, p, "has values that are not finite");
    if (!fits)
        refuse(w, p, "has values that fp16 cannot hold; bf16 can");
}

static void survey_tensor(weights *w, plan *p, const target *to)
{
    tensor_type type = p->from.w.type;
    if (!p->rule && !p->rows_by &&
        (p->to == TENSOR_TYPES || (!codes_readable(type) && p->to == type)))
        return;
    plan_fetch(w, p);
    if (p->rule && plan_streams(p))
        p->made.scale.data = new_bytes(tensor_bytes(p->made.scale));
    if (p->by_method)
        method_make(&to->method, w, p);
    else if (p->rule && !plan_streams(p))
        fit(w, p);
    else
        survey_rows(w, p, to);
    if (p->rule && to->fake)
        check_fake(w, p);
    else if (p->rule)
        plan_keep_parts(p);
    weights_done(p->from.w);
}

void survey_model(weights *w, plan *p, const target *to)
{
    int n = weights_count(w);
    smooth_search(&to->method, w, p, n);
    for (int i = 0; i < n; i++) {
        survey_tensor(w, &p[i], to);
        progress("reading", i + 1, n);
    }
}
