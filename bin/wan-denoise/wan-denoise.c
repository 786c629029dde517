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
#include "../dit.h"
#include "../inspect.h"
#include "../load.h"
#include "../ranks.h"
#include "../request.h"
#include "../statistics.h"
#include "finite.h"
#include "names.h"
#include "wan-denoise.h"

static const char *model_path, *seeds, *size = "832x480", *solver_name = "unipc";
static const char *dtype = "fp16", *rng = "torch-cuda", *taps, *act, *stat, *attend = "fp16";
static int64_t steps = 50, frames = 81, forward = -1, gpus = 1, bins = 1;
static double guidance = 5, shift = 5;
static bool trace, strict, dry;
static option_list act_layers;
enum { NUMERICS = 2 }; /* 2: --act multiplies codes by codes; attention on Hopper */
static tensor_type weight_type; /* --dtype */
static attention_operands attention_in;
static solver plan; /* of each sampling: levels of noise, timesteps */

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
    {0, "tap", OPTION_TEXT, &taps, 0, 0, true}, /* records have these where they were asked for: */
    {0, "act", OPTION_TEXT, &act, 0, 0, true},
    {0, "layer", OPTION_LIST, &act_layers, 0, 0, true},
    {0, "attention", OPTION_TEXT, &attend, 0, 0, true},
    {0, "stat", OPTION_TEXT, &stat, 0, 0, true},
    {0, "bins", OPTION_INT, &bins, 1, 1000, true},
    {0, "recipe", OPTION_FLAG, &dry, 0, 0, true},
    OPTIONS_END,
};

/* Options that exclude each other. */
static void check_options(void)
{
    if (taps && steps == 0)
        usage_error("--tap is for what is sampled, or for --forward");
    if (forward >= 0 && (trace || steps == 0))
        usage_error("--forward excludes --trace and -s 0");
    if (forward >= 0 && dry)
        usage_error("--recipe is for what is sampled, not for --forward");
    if (forward >= 0 && gpus > 1)
        usage_error("--forward is for one gpu: -G %lld is too many", (long long)gpus);
    if (stat && (trace || taps || forward >= 0 || steps == 0))
        usage_error("--stat excludes --trace, --tap, --forward and -s 0");
    if (stat && dry)
        usage_error("--recipe is for each document, --stat is of all");
    if (gpus > 1 && (stat || taps))
        usage_error("%s is for one gpu: -G %lld is too many", stat ? "--stat" : "--tap",
                    (long long)gpus);
    if (!stat && bins > 1)
        usage_error("--bins is for --stat");
    if (steps > 0 && !model_path)
        usage_error("-m DIR or -m FILE is needed");
}

static attention_operands attention_named(const char *name)
{
    static const char *const names[] = {"fp16", "int8", "fp8"};
    static const attention_operands operands[] = {ATTENTION_16, ATTENTION_INT8, ATTENTION_FP8};
    for (int i = 0; i < 3; i++)
        if (strcmp(name, names[i]) == 0)
            return operands[i];
    usage_error("--attention is fp16, int8 or fp8, not '%s'", name);
}

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
    check_options();
    solver_plan(&plan, q.solver, q.steps, q.shift);
    layers_quantise(act, &act_layers);
    attention_in = attention_named(attend);
    inspect_open(taps);
    statistics_open(stat, (int)bins, plan.steps, plan.timestep);
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
    model.attention = attention_in;
    names_fit(&model, "--layer", layers_patterns());
    names_fit(&model, "--stat", statistics_patterns());
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

/* Can they be read? How many rows of the first are shown. */
static int64_t check_text(const document *d, int passes)
{
    for (int p = 1; p < passes; p++)
        request_context(d, p, &model);
    return dit_text_rows(&model, request_context(d, 0, &model).dim[0]);
}

/* The contexts of all passes; what is tapped is of the first. */
static dit_text read_text(const document *d, int passes)
{
    tensor context[GUIDANCE_PASSES];
    stats_phase("text");
    for (int p = 0; p < passes; p++)
        context[p] = request_context(d, p, &model);
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
    account_stamp(stamp, checkpoint, weight_type);
    json_object_set_new(stamp, "heads", json_integer(model.heads));
    json_object_set_new(stamp, "text_len", json_integer(model.text_len));
    json_object_set_new(stamp, "eps", json_real(model.eps));
    layers_stamp(stamp);
    if (attention_in != ATTENTION_16)
        json_object_set_new(stamp, "attention", json_string(attend));
    return stamp;
}

/* What latents are, of which so many steps are done: the level of their noise, and what the model
 * is told of it. */
static void describe_step(document *d, json_t *stamp, int step)
{
    char number[32];
    snprintf(number, sizeof number, "%d", step);
    metadata_set(d, "step", number);
    json_object_set_new(stamp, "step", json_integer(step));
    if (steps == 0)
        return;
    snprintf(number, sizeof number, "%.9g", plan.sigma[step]);
    metadata_set(d, "sigma", number);
    snprintf(number, sizeof number, "%lld", step < plan.steps ? (long long)plan.timestep[step] : 0);
    metadata_set(d, "timestep", number);
}

/* The result's metadata. step: after which the latents are as they are; 0: noise */
static void describe(document *d, const request *q, const document *in, tensor shape, uint64_t seed,
                     int step)
{
    static const char *const of_step[] = {"step", "sigma", "timestep"};
    json_t *stamp = request_stamp(q, in, d, shape, seed, model_stamp());
    for (int i = 0; i < 3; i++) /* of latents that were read */
        metadata_remove(d, of_step[i]);
    if (trace || taps)
        describe_step(d, stamp, step);
    if (taps)
        json_object_set_new(stamp, "tap", json_string(taps));
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

/* With --tap: a document of the i-th evaluation is begun, with the latents that it is of. The
 * text's intermediates are in the first of a sampling. */
static void begin_taps(writer *out, const request *q, const document *in, tensor x, uint64_t seed,
                       int i)
{
    document d = {0};
    int64_t L = tensor_count(x) / model.patch_embedding.weight.w.dim[1];
    describe(&d, q, in, x, seed, i);
    inspect_always(&d, "latents", x);
    if (i == 0)
        names_of_text(&model, check_text(in, request_passes(q)), inspect_expect, &d);
    names_of_step(&model, L, inspect_expect, &d);
    inspect_expect(&d, "cond", false, x);
    if (request_passes(q) > 1)
        inspect_expect(&d, "uncond", false, x);
    if (i == 0)
        inspect_check();
    inspect_begin(out, &d);
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

/* noise: host memory, which becomes the result. The text is read here if it is to be seen. */
static void sample(writer *out, const request *q, const document *in, dit_text *text, tensor rope,
                   tensor noise, uint64_t seed)
{
    int passes = request_passes(q);
    const double weight[] = {q->guidance, 1 - q->guidance}; /* v = u + g (c - u) */
    size_t mark = scratch_mark();
    tensor x = scratch_tensor(F32, noise.rank, noise.dim), v[GUIDANCE_PASSES];
    finite_check check = finite_open((int)steps, strcmp(dtype, "fp16") == 0);
    solver s;

    for (int p = 0; p < passes; p++)
        v[p] = scratch_tensor(F32, noise.rank, noise.dim);
    upload_into(x, noise);
    if (taps) {
        begin_taps(out, q, in, x, seed, 0);
        *text = read_text(in, passes);
    }
    stats_phase("steps");
    solver_open(&s, q->solver, q->steps, q->shift, x);
    for (int i = 0; i < s.steps; i++) {
        bool result = !stat && (i == s.steps - 1 || (trace && !taps));
        if (taps && i > 0)
            begin_taps(out, q, in, x, seed, i);
        else if (!taps && !stat && (trace || i == 0))
            begin_result(out, q, in, x, seed, i + 1);
        dit_forward(&model, passes, v, x, s.timestep[i], text, rope);
        if (taps)
            end_taps(v, passes);
        solver_step(&s, passes, v, weight);
        finite_end(&check); /* of the step before */
        finite_begin(&check, i, passes, v, x);
        stats_set("steady_device_bytes", (double)scratch_mark());
        if (!result)
            continue;
        finite_end(&check);
        if (taps)
            begin_result(out, q, in, x, seed, i + 1);
        download(noise, x);
        end_result(out, noise);
    }
    finite_end(&check);
    solver_close(&s);
    if (taps)
        free(text->kv);
    scratch_reset(mark);
}

/* ---- a document ---- */

/* With --stat: what was read is part of what is told of it. */
static void count_source(const request *q, const document *in, tensor shape, uint64_t seed)
{
    document d = {0};
    json_t *stamp = request_stamp(q, in, &d, shape, seed, json_object());
    statistics_source(in, seed, stamp);
    json_decref(stamp);
    document_free(&d);
}

static void denoise(writer *out, const request *q, const document *in)
{
    size_t mark = scratch_mark();
    tensor shape = request_shape(q, in);
    dit_text text = {0};
    if (!taps)
        text = read_text(in, request_passes(q));
    tensor rope = dit_rope(&model, shape);
    for (int i = 0; i < q->seeds; i++) {
        tensor noise = shape;
        noise.data = request_noise(q, in, shape, q->seed[i]);
        sample(out, q, in, &text, rope, noise, q->seed[i]);
        free(noise.data);
        if (stat)
            count_source(q, in, shape, q->seed[i]);
    }
    if (!taps)
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
    int first = taps ? 0 : trace && q->steps ? 1 : q->steps;
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

/* The document of --forward: its header, and what it will hold. */
static void begin_evaluation(writer *out, const document *in, tensor x)
{
    document d = {0};
    char timestep[32];
    int64_t L = tensor_count(x) / model.patch_embedding.weight.w.dim[1];
    snprintf(timestep, sizeof timestep, "%lld", (long long)forward);
    metadata_copy(&d, in);
    metadata_set(&d, "timestep", timestep);
    json_t *stamp = model_stamp();
    json_object_set_new(stamp, "forward", json_integer(forward));
    json_object_set_new(stamp, "tap", taps ? json_string(taps) : json_null());
    recipe_input(stamp, in);
    provenance_add(&d, options, NUMERICS, stamp);
    names_of_text(&model, check_text(in, GUIDANCE_PASSES), inspect_expect, &d);
    names_of_step(&model, L, inspect_expect, &d);
    inspect_always(&d, "cond", x);
    inspect_always(&d, "uncond", x);
    inspect_check();
    inspect_begin(out, &d);
    document_free(&d);
}

/* --forward: one evaluation, both passes, and what the taps see of the first */
static void evaluate(writer *out, const document *in)
{
    size_t mark = scratch_mark();
    tensor latents = latents_of(in), v[GUIDANCE_PASSES];
    begin_evaluation(out, in, latents);
    dit_text text = read_text(in, GUIDANCE_PASSES);
    tensor rope = dit_rope(&model, latents), x = scratch_tensor(F32, latents.rank, latents.dim);
    for (int p = 0; p < GUIDANCE_PASSES; p++)
        v[p] = scratch_tensor(F32, latents.rank, latents.dim);
    upload_into(x, latents);
    stats_phase("steps");
    dit_forward(&model, GUIDANCE_PASSES, v, x, forward, &text, rope);
    for (int p = 0; p < GUIDANCE_PASSES; p++) {
        int64_t bad = count_nonfinite(v[p]);
        if (bad)
            die("--forward %lld: %lld values of %s are not finite%s", (long long)forward,
                (long long)bad, p ? "uncond" : "cond",
                weight_type == F16 ? ": try --dtype bf16" : "");
    }
    end_taps(v, GUIDANCE_PASSES);
    free(text.kv);
    scratch_reset(mark);
}

/* --stat: a document for each bin that had steps. */
static void write_statistics(writer *out)
{
    for (int bin = 0; bin < bins; bin++) {
        if (!statistics_seen(bin))
            continue;
        document d = {0};
        json_t *stamp = model_stamp();
        statistics_describe(&d, bin, weights_digest(checkpoint), stamp);
        provenance_add(&d, options, NUMERICS, stamp);
        statistics_write(out, &d, bin);
        document_free(&d);
        stats_add("documents", 1);
    }
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
    if (stat)
        write_statistics(&out);
    if (checkpoint) {
        stats_set("peak_device_bytes", ranks_greatest((double)device_peak_bytes()));
        weights_close(checkpoint);
    }
    free(q.seed);
    solver_close(&plan);
    writer_close(&out);
    return program_end();
}
