/*
** write.c: the planned tensors, written one after another: codes are made here, a layer at a time.
**
** int8, other types, and what stays stream by rows through a small buffer. Other codes, and what
** --fake writes of them, are made of a whole layer, whose scales plan.c has chosen; their errors
** are measured on what is written.
*/
#include "write.h"

#include <math.h>
#include <stdlib.h>

#include "../../common/die.h"
#include "../../common/program.h"
#include "gguf.h"
#include "ledger.h"
#include "report.h"

enum { BUFFER = 4 << 20 };

void write_declare(document *d, const plan *p, int n)
{
    for (int i = 0; i < n; i++) {
        for (int k = p[i].parts; k-- > 0;) {
            tensor t = p[i].part[k];
            t.data = NULL;
            document_add(d, p[i].part_name[k], t);
        }
        if (p[i].to != TENSOR_TYPES)
            document_add(d, plan_written(p + i),
                         tensor_make(NULL, p[i].to, p[i].from.w.rank, p[i].from.w.dim));
    }
}

/* ---- by rows ---- */

static rounding write_rows(writer *out, const plan *p)
{
    int64_t rows = plan_rows_of(p), width = plan_width(p), most = plan_rows_in(p, BUFFER / 4);
    int8_t *codes = new_bytes((size_t)(most * width));
    float *room = new_bytes((size_t)(most * width) * 4);
    const float *scale = p->made.scale.data;
    rounding r = {0};
    for (int64_t row = 0, n; row < rows; row += n) {
        n = rows - row < most ? rows - row : most;
        r = rounding_sum(r, code_rows(codes, plan_rows(p, row, n, room), scale + row));
        writer_bytes(out, codes, (size_t)(n * width));
    }
    free(room);
    free(codes);
    return r;
}

static void write_converted(writer *out, const plan *p)
{
    int64_t rows = plan_rows_of(p), width = plan_width(p), most = plan_rows_in(p, BUFFER / 8);
    void *buffer = new_bytes((size_t)(most * width) * 8);
    float *room = new_bytes((size_t)(most * width) * 4);
    for (int64_t row = 0, n; row < rows; row += n) {
        n = rows - row < most ? rows - row : most;
        tensor part = tensor_of(buffer, p->to, n * width);
        host_convert(part, reshape(plan_rows(p, row, n, room), n * width));
        writer_tensor(out, part);
    }
    free(room);
    free(buffer);
}

/* ---- a layer at a time ---- */

/* What is read in place of a row of w: the codes' values, or those values in F16. */
static rounding row_error(const plan *p, const float *w, int64_t row, uint16_t *half)
{
    int64_t width = plan_width(p);
    float *made = new_bytes((size_t)width * 4);
    plan_made(p, row, made);
    if (half) {
        host_convert(tensor_of(half, F16, width), tensor_of(made, F32, width));
        host_convert(tensor_of(made, F32, width), tensor_of(half, F16, width));
    }
    rounding r = rounding_of(made, w, width);
    free(made);
    return r;
}

/* half: NULL, or what becomes of the values. Sums are rows' in their order. */
static rounding layer_error(const plan *p, const float *w, uint16_t *half)
{
    int64_t rows = plan_rows_of(p), width = plan_width(p);
    rounding all = {0}, *of = new_bytes((size_t)rows * sizeof *of);
#pragma omp parallel for
    for (int64_t row = 0; row < rows; row++)
        of[row] = row_error(p, w + row * width, row, half ? half + row * width : NULL);
    for (int64_t row = 0; row < rows; row++)
        all = rounding_sum(all, of[row]);
    free(of);
    return all;
}

static rounding write_layer(writer *out, plan *p, bool fake)
{
    float *w = plan_floats(p);
    uint16_t *half = fake ? new_bytes((size_t)tensor_count(p->from.w) * 2) : NULL;
    const char *why = NULL;
    if (!p->by_method) {
        rule_room(&p->made);
        why = rule_code(p->rule, &p->made, w);
    }
    if (why)
        die("%s cannot be %s: %s", p->name, rule_name(p->rule), why);
    rounding r = layer_error(p, w, half);
    writer_bytes(out, fake ? (void *)half : p->made.w.data, tensor_bytes(p->part[0]));
    free(p->made.w.data);
    p->made.w.data = NULL;
    free(half);
    free(w);
    return r;
}

/* ---- entries ---- */

static size_t bytes_before(weights *w, const plan *p)
{
    size_t bytes = tensor_bytes(weights_any(w, p->name));
    if (p->rule && stored_as_codes(p->from.w.type))
        for (int i = 0; i < weights_count(w); i++) {
            const char *owner = stored_owner(w, weights_name(w, i));
            if (owner && strcmp(owner, p->name) == 0)
                bytes += tensor_bytes(weights_shape(w, i));
        }
    return bytes;
}

static void write_codes(writer *out, const entry *e, weights *w, plan *p, const target *to)
{
    size_t before = bytes_before(w, p), bytes = to->fake ? tensor_bytes(e->t) : plan_bytes(p);
    double bits = 8 * (double)plan_bytes(p) / (double)tensor_count(p->from.w);
    bool by_rows = plan_streams(p) && !to->fake;
    p->error = by_rows ? write_rows(out, p) : write_layer(out, p, to->fake);
    report_add(rule_name(p->rule), p->name,
               (change){tensor_count(p->from.w), before, bytes, plan_bytes(p), p->error});
    ledger_add(e, rule_name(p->rule), tensor_count(p->from.w), bits, before, &p->error);
}

/* What is written of a layer beside its codes; -1: e is none of it. */
static int part_of(const plan *p, const char *name)
{
    for (int i = 0; i < p->parts; i++)
        if (strcmp(p->part_name[i], name) == 0)
            return i;
    return -1;
}

/* New scales may have the name of some that are left out. */
static plan *plan_of(plan *p, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if ((p[i].to != TENSOR_TYPES && strcmp(plan_written(p + i), name) == 0) ||
            part_of(&p[i], name) >= 0)
            return &p[i];
    die("%s is not in the plan", name);
}

static void write_entry(writer *out, const entry *e, weights *w, plan *p, const target *to)
{
    int part = part_of(p, e->name);
    if (part > 0) {
        writer_bytes(out, p->part[part].data, tensor_bytes(e->t));
        ledger_add(e, rule_name(p->rule), tensor_count(e->t), 0, 0, NULL);
        return;
    }
    tensor t = weights_any(w, p->name);
    if (part == 0) {
        write_codes(out, e, w, p, to);
    } else if (p->to != t.type || p->rows_by) {
        write_converted(out, p);
        ledger_add(e, "converted", tensor_count(t), 8 * (double)type_size(p->to), tensor_bytes(t),
                   NULL);
    } else {
        writer_tensor(out, t);
        report_same(tensor_bytes(t));
        ledger_add(e, "as it was", tensor_count(t),
                   8 * (double)tensor_bytes(t) / fmax(1, (double)tensor_count(t)), tensor_bytes(t),
                   NULL);
    }
    weights_done(t);
}

void write_entries(writer *out, const document *d, weights *w, plan *p, const target *to)
{
    for (int i = 0; i < d->entries; i++) {
        plan *of = plan_of(p, weights_count(w), d->entry[i].name);
        write_entry(out, &d->entry[i], w, of, to);
        if (to->gguf)
            gguf_pad(out, d->entry[i].t);
        progress("writing", i + 1, d->entries);
    }
}
