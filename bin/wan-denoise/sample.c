/*
** sample.c: the loop over steps: the velocity, from the model or from --skip's cache; guidance; the
** solver's step.
*/
#include "sample.h"

#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "../inspect.h"
#include "../statistics.h"
#include "describe.h"
#include "finite.h"
#include "guide.h"
#include "names.h"
#include "preview.h"
#include "ratios.h"
#include "skip.h"
#include "state.h"

/* The inputs of a sampling. */
typedef struct {
    const run *r;
    const request *q;
    const document *in;
    writer *out;
    uint64_t seed;
    dit_text text, prompt; /* of all passes; of the first alone, for steps without guidance */
    tensor rope;
} sampling;

/* The text's intermediates are in the first document of a sampling. */
static void read_text(sampling *a)
{
    a->text = run_text(a->r, a->in, request_passes(a->q));
    if (guide_varies())
        a->prompt = dit_first_text(&a->r->model, &a->text, request_passes(a->q));
}

static void free_text(sampling *a)
{
    free(a->text.kv);
    free(a->prompt.kv);
    a->text.kv = a->prompt.kv = NULL;
}

/* With --tap: begins a document for the evaluation after i steps, and writes its latents. */
static void begin_taps(const sampling *a, tensor x, int i)
{
    const dit *m = &a->r->model;
    document d = {0};
    int64_t L = tensor_count(x) / m->patch_embedding.weight.w.dim[1];
    describe(a->r, &d, a->q, a->in, x, a->seed, i, NULL);
    inspect_always(&d, "latents", x);
    if (i == a->q->begin)
        names_of_text(m, run_check_text(a->r, a->in, request_passes(a->q)), inspect_expect, &d);
    names_of_step(m, L, inspect_expect, &d);
    inspect_expect(&d, "cond", false, x);
    if (request_passes(a->q) > 1)
        inspect_expect(&d, "uncond", false, x);
    if (i == a->q->begin)
        inspect_check();
    inspect_begin(a->out, &d);
    inspect_see("latents", x);
    document_free(&d);
}

static void end_taps(const tensor v[], int passes)
{
    for (int p = 0; p < passes; p++)
        inspect_see(p ? "uncond" : "cond", v[p]);
    inspect_end();
    stats_add("documents", 1);
}

/* Sets the initial x: noise; if a sampling is continued, the latents that were read; with --from,
 * latents and noise mixed at that level. */
static void begin_state(const sampling *a, solver *s, tensor x, const float *noise)
{
    const request *q = a->q;
    tensor host = x;
    host.data = (void *)noise;
    if (noise)
        upload_into(x, host);
    if (q->latents.rank) {
        double sigma = q->goes_on ? 0 : q->plan.sigma[q->first];
        tensor latents = scratch_tensor(F32, x.rank, x.dim);
        upload_into(latents, document_find(a->in, "latents")->t);
        if (noise)
            linear_combination(x, 2, (tensor[]){latents, x}, (double[]){1 - sigma, sigma});
        else
            copy(x, latents);
    }
    solver_open(s, q->solver, &q->plan, q->first, x);
    if (solver_draws(q->solver))
        solver_noise(s, q->noise, a->seed);
    if (q->goes_on)
        state_restore(s, q, a->in);
}

/* The header can be written before the first step, unless --skip is used: which steps it answers is
 * known only at the end. */
static bool begins_early(const run *r) { return !r->taps && !r->stat && !skip_wanted(); }

static void begin(const sampling *a, tensor x, int step)
{
    result_begin(a->r, a->out, a->q, a->in, x, a->seed, step, skip_taken());
}

/* Computes a velocity, and advances the solver by it. True when the step is done: one of Heun's
 * needs two calls. */
static bool advance(const sampling *a, solver *s, const tensor v[], int *passes)
{
    const request *q = a->q;
    int i = s->step;
    double weight[SOLVER_VELOCITIES];
    *passes = guide_passes(q, i);
    if (*passes == 0) { /* --cfg-zero: the latents stay as they are */
        preview_estimate(s, 0, v, weight);
        return solver_step(s, 1, &s->x, (double[]){0});
    }
    const dit_text *text = *passes < request_passes(q) ? &a->prompt : &a->text;
    skip_forward(a->r, i, *passes, v, s->x, solver_timestep(s), text, a->rope, guide_omitted(i));
    stats_add("calls", *passes);
    if (a->r->taps)
        end_taps(v, *passes);
    guide_weights(q, *passes, v, weight);
    preview_estimate(s, *passes, v, weight);
    return solver_step(s, *passes, v, weight);
}

/* noise: host memory of the initial noise, which becomes the result. Its contents are not used if a
 * sampling is continued. */
static void sample(sampling *a, tensor noise)
{
    const run *r = a->r;
    const request *q = a->q;
    int steps = q->plan.steps, passes;
    size_t mark = scratch_mark();
    tensor x = scratch_tensor(F32, noise.rank, noise.dim), v[SOLVER_VELOCITIES];
    finite_check check = finite_open(steps, r->weight_type == F16);
    solver s;

    for (int p = 0; p < request_passes(q); p++)
        v[p] = scratch_tensor(F32, noise.rank, noise.dim);
    preview_begin(q, x);
    begin_state(a, &s, x, q->goes_on ? NULL : noise.data);
    if (r->taps) {
        begin_taps(a, x, q->begin);
        read_text(a);
    }
    skip_begin(r, q, noise, a->rope);
    stats_phase("steps");
    if (begins_early(r))
        begin(a, x, r->trace && q->begin < q->until ? q->begin + 1 : q->until);
    while (s.step < q->until) {
        if (!advance(a, &s, v, &passes))
            continue;
        finite_end(&check); /* of the step before */
        finite_begin(&check, s.step - 1, passes, v, x);
        preview_write(r, q, a->in, a->seed, s.step);
        stats_set("steady_device_bytes", (double)scratch_mark());
        if (s.step < q->until && r->taps)
            begin_taps(a, x, s.step);
        if (s.step == q->until || !r->trace || r->taps || r->stat)
            continue;
        finite_end(&check);
        if (!begins_early(r))
            begin(a, x, s.step);
        result_end(a->out, q, a->in, &s, noise.data);
        if (begins_early(r))
            begin(a, x, s.step + 1);
    }
    finite_end(&check);
    if (!r->stat && !begins_early(r))
        begin(a, x, q->until);
    if (!r->stat)
        result_end(a->out, q, a->in, &s, noise.data);
    skip_end();
    solver_close(&s);
    if (r->taps)
        free_text(a);
    scratch_reset(mark);
}

/* With --stat: notes the document that was read, for the metadata of the statistics. */
static void count_source(const sampling *a, tensor shape)
{
    document d = {0};
    json_t *stamp = request_stamp(a->q, a->in, &d, shape, a->seed, json_object());
    if (ratios_wanted())
        ratios_source(a->in, a->seed);
    else
        statistics_source(a->in, a->seed, stamp);
    json_decref(stamp);
    document_free(&d);
}

void sample_document(const run *r, writer *out, const request *q, const document *in)
{
    size_t mark = scratch_mark();
    sampling a = {.r = r, .q = q, .in = in, .out = out};
    tensor shape = request_shape(q, in);
    if (!r->taps)
        read_text(&a);
    a.rope = dit_rope(&r->model, shape);
    for (int i = 0; i < q->seeds; i++) {
        tensor noise = shape;
        a.seed = q->seed[i];
        noise.data =
            q->goes_on ? new_bytes(tensor_bytes(shape)) : request_noise(q, in, shape, a.seed);
        sample(&a, noise);
        free(noise.data);
        if (r->stat)
            count_source(&a, shape);
    }
    if (!r->taps)
        free_text(&a);
    scratch_reset(mark);
}
