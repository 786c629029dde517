/*
** wan-denoise: text contexts to latents, with Wan's diffusion transformer.
**
** The model is loaded once, when the first document has arrived, and serves all documents and
** seeds. What a document costs but its seeds share (keys and values of its text, the table of
** places) is made once a document. With several gpus, each has a rank: a process that does all that
** is here, with its own copy of the model; only in the forward pass (share.h) do they share work.
*/
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "../../common/recipe.h"
#include "../load.h"
#include "../ranks.h"
#include "dit.h"
#include "inspect.h"
#include "request.h"
#include "wan-denoise.h"

static const char *model_path, *seeds, *size = "832x480", *solver_name = "unipc";
static const char *dtype = "fp16", *rng = "torch-cuda", *taps;
static int64_t steps = 50, frames = 81, forward = -1, gpus = 1;
static double guidance = 5, shift = 5;
static bool trace, strict, dry;
enum { NUMERICS = 1 };
static tensor_type weight_type; /* --dtype */

static const option options[] = {
    {'m', "model", OPTION_TEXT, &model_path, 0, 0, true},
    {'s', "steps", OPTION_INT, &steps, 0, 1000, false},
    {'g', "guidance", OPTION_FLOAT, &guidance, 0, 0, false},
    {'F', "shift", OPTION_FLOAT, &shift, 0.001, 1000, false},
    {'G', "gpus", OPTION_INT, &gpus, 1, MOST_RANKS, false},
    {'S', "seed", OPTION_TEXT, &seeds, 0, 0, true}, /* each result names its own */
    {0, "size", OPTION_TEXT, &size, 0, 0, false},
    {0, "frames", OPTION_INT, &frames, 0, 0, false},
    {0, "strict", OPTION_FLAG, &strict, 0, 0, true},
    {0, "solver", OPTION_TEXT, &solver_name, 0, 0, false},
    {0, "dtype", OPTION_TEXT, &dtype, 0, 0, false},
    {0, "rng", OPTION_TEXT, &rng, 0, 0, false},
    {0, "trace", OPTION_FLAG, &trace, 0, 0, true},
    {0, "forward", OPTION_INT, &forward, 0, 1000, true},
    {0, "tap", OPTION_TEXT, &taps, 0, 0, true},
    {0, "recipe", OPTION_FLAG, &dry, 0, 0, true},
    OPTIONS_END,
};

static request read_options(void)
{
    request q = {.steps = (int)steps, .guidance = guidance, .shift = shift};
    q.solver = solver_named(solver_name);
    weight_type = dtype_named(dtype);
    q.noise = noise_named(rng);
    if (seeds)
        request_seeds(&q, seeds);
    request_size(&q, size);
    request_frames(&q, frames, strict);
    if (taps && forward < 0)
        usage_error("--tap is for --forward");
    if (forward >= 0 && (trace || steps == 0))
        usage_error("--forward excludes --trace and -s 0");
    if (forward >= 0 && dry)
        usage_error("--recipe is for what is sampled, not for --forward");
    if (forward >= 0 && gpus > 1)
        usage_error("--forward is for one gpu: -G %lld is too many", (long long)gpus);
    if (steps > 0 && !model_path)
        usage_error("-m DIR or -m FILE is needed");
    return q;
}

/* ---- the model and what it needs of a document ---- */

static weights *checkpoint;
static dit model;
static dit_share share;

/* What can be done before there is a document, and holds no memory of the device. */
static void find_model(void)
{
    checkpoint = dit_find(model_path);
    dit_open(&model, checkpoint, model_path, weight_type, share);
    weights_digest_begin(checkpoint);
    if (!dry)
        device_find();
}

static void load_model(void)
{
    stats_phase("load");
    device_advice("fewer --frames, a smaller --size or w8a16 weights (wan-quantize) need less");
    device_open();
    dit_load(&model, checkpoint);
    stats_add("weight_loads", 1);
}

static tensor context_of(const document *d, const char *name)
{
    tensor context = document_context(d, name, model.text_dim);
    if (context.dim[0] > model.text_len)
        die("%s of standard input has %lld tokens, but the model takes %lld", name,
            (long long)context.dim[0], (long long)model.text_len);
    return context;
}

/* The contexts of all passes; what is tapped is of the first. */
static dit_text read_text(const document *d, int passes)
{
    static const char *const names[] = {"context", "context_null"};
    tensor context[GUIDANCE_PASSES];
    stats_phase("text");
    for (int p = 0; p < passes; p++)
        context[p] = context_of(d, names[p]);
    dit_text text = dit_read_text(&model, passes, context);
    device_wait();
    return text;
}

/* ---- results ---- */

/* What a record says of the model and the device. */
static json_t *model_stamp(void)
{
    json_t *stamp = load_provenance(checkpoint, dry || !checkpoint);
    if (!checkpoint)
        return stamp;
    json_object_set_new(stamp, "format", json_string(dit_format(checkpoint, weight_type)));
    json_object_set_new(stamp, "heads", json_integer(model.heads));
    json_object_set_new(stamp, "text_len", json_integer(model.text_len));
    json_object_set_new(stamp, "eps", json_real(model.eps));
    return stamp;
}

/* The result's metadata. step: after which the latents are as they are; 0: noise */
static void describe(document *d, const request *q, const document *in, tensor shape, uint64_t seed,
                     int step)
{
    json_t *stamp = request_stamp(q, in, d, shape, seed, model_stamp());
    if (trace) {
        char number[16];
        snprintf(number, sizeof number, "%d", step);
        metadata_set(d, "step", number);
        json_object_set_new(stamp, "step", json_integer(step));
    }
    provenance_add(d, options, NUMERICS, stamp);
}

static void begin_result(writer *out, const request *q, const document *in, tensor shape,
                         uint64_t seed, int step)
{
    document d = {0};
    describe(&d, q, in, shape, seed, step);
    document_add(&d, "latents", shape);
    writer_header(out, &d);
    document_free(&d);
}

static void end_result(writer *out, tensor latents)
{
    writer_tensor(out, latents);
    writer_end(out);
    stats_add("documents", 1);
}

/* How many values of a step's velocities and latents are not finite. The host hears of it when the
 * next step is under way, so the device waits for nobody. */
typedef struct {
    int step; /* that is being counted, or -1 */
    int passes;
    tensor count; /* I64: of each pass's velocity, then of the latents */
    int64_t bad[GUIDANCE_PASSES + 1];
} finite_check;

static void check_begin(finite_check *c, int step, int passes, const tensor v[], tensor x)
{
    for (int i = 0; i <= passes; i++)
        nonfinite_count(slice(c->count, i, 1), i < passes ? v[i] : x);
    download_start(tensor_of(c->bad, I64, passes + 1), slice(c->count, 0, passes + 1));
    c->step = step;
    c->passes = passes;
}

static void check_end(finite_check *c)
{
    static const char *const names[] = {"the velocity", "the velocity without the prompt"};
    if (c->step < 0)
        return;
    download_finish();
    for (int i = 0; i <= c->passes; i++)
        if (c->bad[i])
            die("step %d of %lld: %lld values of %s are not finite%s", c->step + 1,
                (long long)steps, (long long)c->bad[i], i < c->passes ? names[i] : "latents",
                strcmp(dtype, "fp16") == 0 ? ": try --dtype bf16" : "");
    stats_add("steps", 1);
    progress("step", c->step + 1, steps);
    c->step = -1;
}

/* noise: host memory, which becomes the result */
static void sample(writer *out, const request *q, const document *in, const dit_text *text,
                   tensor rope, tensor noise, uint64_t seed)
{
    int passes = request_passes(q);
    const double weight[] = {q->guidance, 1 - q->guidance}; /* v = u + g (c - u) */
    size_t mark = scratch_mark();
    tensor x = scratch_tensor(F32, noise.rank, noise.dim), v[GUIDANCE_PASSES];
    finite_check check = {.step = -1, .count = scratch(I64, GUIDANCE_PASSES + 1)};
    solver s;

    stats_phase("steps");
    for (int p = 0; p < passes; p++)
        v[p] = scratch_tensor(F32, noise.rank, noise.dim);
    upload_into(x, noise);
    solver_open(&s, q->solver, q->steps, q->shift, x);
    for (int i = 0; i < s.steps; i++) {
        if (trace || i == 0)
            begin_result(out, q, in, x, seed, i + 1);
        dit_forward(&model, passes, v, x, s.timestep[i], text, rope);
        solver_step(&s, passes, v, weight);
        check_end(&check); /* of the step before */
        check_begin(&check, i, passes, v, x);
        stats_set("steady_device_bytes", (double)scratch_mark());
        if (trace || i == s.steps - 1) {
            check_end(&check);
            download(noise, x);
            end_result(out, noise);
        }
    }
    solver_close(&s);
    scratch_reset(mark);
}

/* ---- a document ---- */

static void denoise(writer *out, const request *q, const document *in)
{
    size_t mark = scratch_mark();
    int passes = request_passes(q);
    tensor shape = request_shape(q, in);
    dit_text text = read_text(in, passes);
    tensor rope = dit_rope(&model, shape);
    for (int i = 0; i < q->seeds; i++) {
        tensor noise = shape;
        noise.data = request_noise(q, in, shape, q->seed[i]);
        sample(out, q, in, &text, rope, noise, q->seed[i]);
        free(noise.data);
    }
    free(text.kv);
    scratch_reset(mark);
}

/* -s 0: neither a model nor a device */
static void write_noise(writer *out, const request *q, const document *in)
{
    tensor shape = request_shape(q, in);
    for (int i = 0; i < q->seeds; i++) {
        tensor noise = shape;
        begin_result(out, q, in, shape, q->seed[i], 0);
        noise.data = request_noise(q, in, shape, q->seed[i]);
        end_result(out, noise);
        free(noise.data);
    }
}

/* --recipe: what would be written of a document. */
static void write_recipes(writer *out, const request *q, const document *in)
{
    tensor shape = request_shape(q, in);
    int first = trace && q->steps ? 1 : q->steps;
    for (int i = 0; i < q->seeds; i++)
        for (int step = first; step <= q->steps; step++) {
            document d = {0};
            describe(&d, q, in, shape, q->seed[i], step);
            recipe_write(out, &d);
            document_free(&d);
        }
}

static tensor latents_of(const document *d)
{
    if (!document_find(d, "latents") && !document_find(d, "noise"))
        die("standard input has neither latents nor noise");
    return document_latents(d, document_find(d, "latents") ? "latents" : "noise");
}

/* --forward: one evaluation, both passes, and what the taps see of the first */
static void evaluate(writer *out, const document *in)
{
    size_t mark = scratch_mark();
    tensor latents = latents_of(in);
    model.see = inspect_open(taps);
    dit_text text = read_text(in, GUIDANCE_PASSES);
    tensor rope = dit_rope(&model, latents), x = scratch_tensor(F32, latents.rank, latents.dim);
    tensor v[GUIDANCE_PASSES];
    for (int p = 0; p < GUIDANCE_PASSES; p++)
        v[p] = scratch_tensor(F32, latents.rank, latents.dim);
    upload_into(x, latents);
    stats_phase("steps");
    dit_forward(&model, GUIDANCE_PASSES, v, x, forward, &text, rope);
    inspect_keep("cond", v[0]);
    inspect_keep("uncond", v[1]);

    document d = {0};
    char timestep[32];
    snprintf(timestep, sizeof timestep, "%lld", (long long)forward);
    metadata_copy(&d, in);
    metadata_set(&d, "timestep", timestep);
    json_t *stamp = model_stamp();
    json_object_set_new(stamp, "forward", json_integer(forward));
    json_object_set_new(stamp, "tap", taps ? json_string(taps) : json_null());
    recipe_input(stamp, in);
    provenance_add(&d, options, NUMERICS, stamp);
    inspect_write(out, &d, taps);
    document_free(&d);
    stats_add("documents", 1);
    free(text.kv);
    scratch_reset(mark);
}

/* Dies for a stream that is of another kind, before a model is loaded for it. */
static void check_document(const request *q, const document *d)
{
    if (q->steps == 0)
        return;
    document_context(d, "context", -1);
    if (forward >= 0 || request_passes(q) > 1)
        document_context(d, "context_null", -1);
    if (forward >= 0)
        latents_of(d);
    request_shape(q, d);
}

int main(int argc, char **argv)
{
    reader in;
    writer out;
    if (program_begin(argc, argv, options, usage) != argc)
        usage_error("documents are read from standard input: unwanted operand '%s'",
                    argv[argc - 1]);
    request q = read_options();
    int ranks = steps > 0 && !dry ? (int)gpus : 1; /* noise alone needs no gpu */
    share = share_of(ranks_start(ranks), ranks, request_passes(&q));
    if (q.steps > 0)
        find_model();
    reader_open(&in, stdin, "standard input");
    writer_open(&out, stdout, "standard output");
    if (program_waits())
        reader_wait(&in);
    for (; stats_phase("read"), reader_next(&in);) {
        if (dry) {
            recipe_load(&in);
            request its = request_of(&q, &in.d);
            write_recipes(&out, &its, &in.d);
            continue;
        }
        reader_load(&in);
        request its = request_of(&q, &in.d);
        check_document(&its, &in.d);
        if (q.steps > 0 && !model.block)
            load_model();
        if (q.steps == 0)
            write_noise(&out, &its, &in.d);
        else if (forward >= 0)
            evaluate(&out, &in.d);
        else
            denoise(&out, &its, &in.d);
    }
    if (in.documents == 0)
        die("standard input has no document");
    if (checkpoint) {
        stats_set("peak_device_bytes", ranks_greatest((double)device_peak_bytes()));
        weights_close(checkpoint);
    }
    free(q.seed);
    writer_close(&out);
    return program_end();
}
