/*
** describe.c: records and headers of latents, of noise, and of samplings that are to go on.
**
** A header is written before what it describes is computed, so all of it follows from the request.
** A record that the input brings of this program (of noise, of the steps before) is kept in ours as
** `before`.
*/
#include "describe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "../../common/recipe.h"
#include "../load.h"
#include "guide.h"
#include "skip.h"
#include "state.h"

static const char *const CONTEXTS[GUIDANCE_PASSES] = {"context", "context_null"};

json_t *model_stamp(const run *r)
{
    json_t *stamp = load_provenance(r->checkpoint, r->dry || !r->checkpoint);
    if (!r->checkpoint)
        return stamp;
    account_stamp(stamp, r->checkpoint, r->weight_type);
    json_object_set_new(stamp, "heads", json_integer(r->model.heads));
    json_object_set_new(stamp, "text_len", json_integer(r->model.text_len));
    json_object_set_new(stamp, "eps", json_real(r->model.eps));
    layers_stamp(stamp);
    if (r->model.attention != ATTENTION_16)
        json_object_set_new(stamp, "attention", json_string(r->attend));
    return stamp;
}

/* What latents are, of which so many steps are done: the level of their noise, and what the model
 * is told of it. */
static void describe_step(document *d, json_t *stamp, const request *q, int step)
{
    const schedule *plan = &q->plan;
    char number[32];
    snprintf(number, sizeof number, "%d", step);
    metadata_set(d, "step", number);
    json_object_set_new(stamp, "step", json_integer(step));
    if (plan->steps == 0)
        return;
    snprintf(number, sizeof number, "%.9g", plan->sigma[step]);
    metadata_set(d, "sigma", number);
    snprintf(number, sizeof number, "%.9g", step < plan->steps ? plan->timestep[step] : 0);
    metadata_set(d, "timestep", number);
}

/* What of the request is not as it is in every sampling. */
static void stamp_request(json_t *stamp, const request *q, const document *in)
{
    if (q->first > 0)
        json_object_set_new(stamp, "from", json_integer(q->first));
    if (q->goes_on)
        json_object_set_new(stamp, "went_on", json_integer(q->begin));
    if (q->until < q->plan.steps)
        json_object_set_new(stamp, "until", json_integer(q->until));
    if (q->levels != SCHEDULE_OFFICIAL)
        json_object_set_new(stamp, "schedule", json_string(schedule_text(q->levels)));
    if (q->given)
        schedule_put(&q->plan, stamp);
    if (q->perturbed)
        json_object_set_new(stamp, "perturb", json_integer((json_int_t)q->perturb));
    guide_stamp(stamp);
    skip_stamp(stamp);

    const char *before = metadata_get(in, program_name()), *member;
    json_t *its = before ? record_of(program_name(), before) : NULL, *value, *kept;
    if (!its)
        return;
    kept = json_object();
    json_object_foreach(its, member, value) if (!only_said(member))
        json_object_set(kept, member, value);
    json_object_set_new(stamp, "before", kept);
    json_decref(its);
}

/* The metadata that were read, and a record of all that holds for each step. */
static json_t *begin_record(const run *r, document *d, const request *q, const document *in,
                            tensor shape, uint64_t seed)
{
    static const char *const of_step[] = {"step", "sigma", "timestep", STATE_KEY};
    json_t *stamp = request_stamp(q, in, d, shape, seed, model_stamp(r));
    for (int i = 0; i < 4; i++) /* of latents that were read */
        metadata_remove(d, of_step[i]);
    stamp_request(stamp, q, in);
    return stamp;
}

void describe(const run *r, document *d, const request *q, const document *in, tensor shape,
              uint64_t seed, int step, json_t *skipped)
{
    json_t *stamp = begin_record(r, d, q, in, shape, seed);
    bool stops = step == q->until && step < q->plan.steps;
    if (r->trace || r->taps || stops)
        describe_step(d, stamp, q, step);
    if (r->taps)
        json_object_set_new(stamp, "tap", json_string(r->taps));
    if (stops)
        state_describe(d, q, in, shape, seed);
    if (skipped)
        json_object_set_new(stamp, "skipped", skipped);
    provenance_add(d, r->options, r->numerics, stamp);
}

void describe_estimate(const run *r, document *d, const request *q, const document *in,
                       tensor shape, uint64_t seed, int step, json_t *skipped)
{
    json_t *stamp = begin_record(r, d, q, in, shape, seed);
    describe_step(d, stamp, q, step);
    metadata_remove(d, "timestep"); /* that of the state, which this is not */
    json_object_set_new(stamp, "preview", json_true());
    if (skipped)
        json_object_set_new(stamp, "skipped", skipped);
    provenance_add(d, r->options, r->numerics, stamp);
}

/* The contexts of a document, which whoever goes on needs. */
static void declare_contexts(document *d, const document *in)
{
    for (int p = 0; p < GUIDANCE_PASSES; p++) {
        const entry *e = document_find(in, CONTEXTS[p]);
        if (e)
            document_add(d, CONTEXTS[p], e->t);
    }
}

static void write_contexts(writer *out, const document *in)
{
    for (int p = 0; p < GUIDANCE_PASSES; p++) {
        const entry *e = document_find(in, CONTEXTS[p]);
        if (e)
            writer_tensor(out, e->t);
    }
}

void result_begin(const run *r, writer *out, const request *q, const document *in, tensor shape,
                  uint64_t seed, int step, json_t *skipped)
{
    document d = {0};
    describe(r, &d, q, in, shape, seed, step, skipped);
    document_add(&d, "latents", shape);
    if (step == q->until && step < q->plan.steps) {
        state_declare(&d, q, shape);
        declare_contexts(&d, in);
    }
    writer_header(out, &d);
    document_free(&d);
}

static void write_from_device(writer *out, tensor t, float *host)
{
    tensor copied = t;
    copied.data = host;
    download(copied, t);
    writer_tensor(out, copied);
}

void result_end(writer *out, const request *q, const document *in, const solver *s, float *host)
{
    write_from_device(out, s->x, host);
    if (s->step == q->until && s->step < s->steps) {
        const char *name[SOLVER_HISTORY];
        tensor t[SOLVER_HISTORY];
        int n = solver_history(s, name, t);
        for (int i = 0; i < n; i++)
            write_from_device(out, t[i], host);
        write_contexts(out, in);
    }
    writer_end(out);
    stats_add("documents", 1);
}

void noise_write(const run *r, writer *out, const request *q, const document *in)
{
    tensor shape = request_shape(q, in);
    for (int i = 0; i < q->seeds; i++) {
        tensor noise = shape;
        document d = {0};
        describe(r, &d, q, in, shape, q->seed[i], 0, NULL);
        document_add(&d, "noise", shape);
        declare_contexts(&d, in);
        writer_header(out, &d);
        document_free(&d);
        noise.data = request_noise(q, in, shape, q->seed[i]);
        writer_tensor(out, noise);
        write_contexts(out, in);
        writer_end(out);
        stats_add("documents", 1);
        free(noise.data);
    }
}

void recipes_write(const run *r, writer *out, const request *q, const document *in)
{
    tensor shape = request_shape(q, in);
    int first = r->taps ? q->begin : r->trace && q->begin < q->until ? q->begin + 1 : q->until;
    for (int i = 0; i < q->seeds; i++)
        for (int step = first; step <= q->until; step++) {
            document d = {0};
            describe(r, &d, q, in, shape, q->seed[i], step, NULL);
            recipe_write(out, &d);
            document_free(&d);
        }
}
