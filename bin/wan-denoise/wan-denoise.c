/*
** wan-denoise: text contexts to latents, with Wan's diffusion transformer.
**
** The model is loaded once, when the first document has arrived, and serves all documents and
** seeds. Keys and values of the text and the rotation table (RoPE) are made once a document: its
** seeds share them. With several GPUs each has a rank, a process that runs this whole program with
** its own copy of the model; only the forward pass is divided among the ranks (share.h).
*/
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "../../common/recipe.h"
#include "../inspect.h"
#include "../load.h"
#include "../ranks.h"
#include "../statistics.h"
#include "describe.h"
#include "evaluate.h"
#include "guide.h"
#include "names.h"
#include "preview.h"
#include "ratios.h"
#include "sample.h"
#include "settle.h"
#include "skip.h"
#include "state.h"
#include "wan-denoise.h"

/* NULL, -1 and INT64_MIN mean that the option was not given: the value is then the default, or,
 * when the input is a sampling to be continued, the value of that sampling (settle.c). */
static const char *model_path, *seeds, *size, *solver_name, *levels, *timesteps, *sigmas;
static const char *preview, *dtype = "fp16", *rng, *until, *from, *skip, *guided, *omitted;
static int64_t steps = -1, frames = INT64_MIN, gpus = 1, bins = 1, still = -1, memory, every;
static int64_t perturb = INT64_MIN;
static double guidance = 5, shift, forward = -1;
static const char *act;
static bool strict;
static option_list act_layers;
static said given;
/* Raised when: 2: --act multiplies codes by codes; Hopper's attention was rewritten. 3: attention
 * and products of codes on GPUs before Hopper. 4: the weights of --attention fp8. */
enum { NUMERICS = 4 };

static run all = {.numerics = NUMERICS, .attend = "fp16"};

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
    {0, "trace", OPTION_FLAG, &all.trace, 0, 0, true},
    {0, "forward", OPTION_FLOAT, &forward, 0, 1000, true},
    /* These are in the record only if they were given: */
    {0, "until", OPTION_TEXT, &until, 0, 0, true},
    {0, "from", OPTION_TEXT, &from, 0, 0, true},
    {0, "schedule", OPTION_TEXT, &levels, 0, 0, true},
    {0, "timesteps", OPTION_TEXT, &timesteps, 0, 0, true},
    {0, "sigmas", OPTION_TEXT, &sigmas, 0, 0, true},
    {0, "perturb", OPTION_INT, &perturb, 0, 0, true},
    {0, "skip", OPTION_TEXT, &skip, 0, 0, true},
    {0, "guidance-steps", OPTION_TEXT, &guided, 0, 0, true},
    {0, "skip-layers", OPTION_TEXT, &omitted, 0, 0, true},
    {0, "cfg-zero", OPTION_INT, &still, 0, 1000, true},
    {0, "tap", OPTION_TEXT, &all.taps, 0, 0, true},
    {0, "act", OPTION_TEXT, &act, 0, 0, true},
    {0, "layer", OPTION_LIST, &act_layers, 0, 0, true},
    {0, "attention", OPTION_TEXT, &all.attend, 0, 0, true},
    {0, "stat", OPTION_TEXT, &all.stat, 0, 0, true},
    {0, "bins", OPTION_INT, &bins, 1, 1000, true},
    {0, "recipe", OPTION_FLAG, &all.dry, 0, 0, true},
    {0, "memory", OPTION_INT, &memory, 1, 1 << 30, true}, /* changes no result */
    {0, "preview", OPTION_TEXT, &preview, 0, 0, true},    /* nor does this */
    {0, "preview-every", OPTION_INT, &every, 1, 1000, true},
    OPTIONS_END,
};

/* Refuses options that exclude each other. */
static void check_options(void)
{
    bool one = forward >= 0, noise = steps == 0;
    if (all.taps && noise)
        usage_error("--tap is for what is sampled, or for --forward");
    if (one && (all.trace || noise))
        usage_error("--forward excludes --trace and -s 0");
    if (one && all.dry)
        usage_error("--recipe is for what is sampled, not for --forward");
    if (one && gpus > 1)
        usage_error("--forward is for one gpu: -G %lld is too many", (long long)gpus);
    if (all.stat && (all.trace || all.taps || one || noise))
        usage_error("--stat excludes --trace, --tap, --forward and -s 0");
    if (all.stat && all.dry)
        usage_error("--recipe is for each document, --stat is of all");
    if (gpus > 1 && (all.stat || all.taps))
        usage_error("%s is for one gpu: -G %lld is too many", all.stat ? "--stat" : "--tap",
                    (long long)gpus);
    if (!all.stat && bins > 1)
        usage_error("--bins is for --stat");
    if (every && !preview)
        usage_error("--preview-every is for --preview");
    if (!noise && !model_path)
        usage_error("-m DIR or -m FILE is needed");
}

/* The same for options that change how a sampling runs. */
static void check_changes(const request *q)
{
    const char *const name[] = {"--until",       "--from",     "--timesteps",
                                "--sigmas",      "--skip",     "--guidance-steps",
                                "--skip-layers", "--cfg-zero", "--preview"};
    const char *const text[] = {
        until, from, timesteps, sigmas, skip, guided, omitted, still >= 0 ? "" : NULL, preview};
    for (int i = 0; i < 9; i++)
        if (text[i] && (forward >= 0 || steps == 0))
            usage_error("%s is for what is sampled", name[i]);
    if (skip && q->solver == SOLVER_HEUN)
        usage_error("--skip is not for --solver heun, whose steps have two calls");
    if (skip && (all.taps || all.stat))
        usage_error("--skip excludes --tap and --stat");
    if (all.taps && (q->solver == SOLVER_HEUN || still >= 0))
        usage_error("--tap is for a call a step: it excludes --solver heun and --cfg-zero");
    bool ratios = all.stat && strcmp(all.stat, RATIOS) == 0;
    if (ratios && (bins > 1 || q->solver == SOLVER_HEUN || guided || still >= 0 || until || from))
        usage_error("--stat residual is of whole samplings, a call with both passes a step");
    if (perturb != INT64_MIN && perturb < 0)
        usage_error("--perturb takes a whole number from 0, not %lld", (long long)perturb);
    if (q->perturbed && (forward >= 0 || all.stat))
        usage_error("--perturb is for what begins with noise: it excludes --forward and --stat");
    settle_check("--until", until);
    settle_check("--from", from);
}

static attention_operands attention_named(const char *name)
{
    static const char *const names[] = {[ATTENTION_16] = "fp16",
                                        [ATTENTION_INT8] = "int8",
                                        [ATTENTION_FP8] = "fp8",
                                        [ATTENTION_INT8_PV] = "int8-pv"};
    for (int i = 0; i < 4; i++)
        if (strcmp(name, names[i]) == 0)
            return (attention_operands)i;
    usage_error("--attention is fp16, int8, int8-pv or fp8, not '%s'", name);
}

/* Notes which options were given, and sets the others to their defaults. */
static void complete_options(void)
{
    given = (said){.steps = steps >= 0,
                   .shift = shift > 0,
                   .solver = solver_name,
                   .levels = levels,
                   .size = size,
                   .frames = frames != INT64_MIN,
                   .rng = rng,
                   .until = until,
                   .from = from};
    shift = given.shift ? shift : 5;
    solver_name = given.solver ? solver_name : "unipc";
    levels = given.levels ? levels : "official";
    size = given.size ? size : "832x480";
    frames = given.frames ? frames : 81;
    rng = given.rng ? rng : "torch-cuda";
}

static request read_options(void)
{
    complete_options();
    request q = {.guidance = guidance, .shift = shift, .given = timesteps || sigmas};
    q.perturbed = perturb != INT64_MIN;
    q.perturb = (uint64_t)perturb;
    q.solver = solver_named(solver_name);
    q.levels = schedule_named(levels);
    all.options = options;
    all.weight_type = dtype_named(dtype);
    q.noise = noise_named(rng);
    if (seeds)
        request_seeds(&q, seeds);
    request_size(&q, size);
    request_frames(&q, frames, strict);
    check_options();
    check_changes(&q);
    q.plan = q.given ? schedule_given(q.levels, q.solver, shift, timesteps, sigmas)
                     : schedule_plan(q.levels, q.solver, given.steps ? (int)steps : 50, shift);
    if (given.steps && steps != q.plan.steps)
        usage_error("the given levels are %d steps, -s says %lld", q.plan.steps, (long long)steps);
    steps = q.plan.steps;
    q.until = q.plan.steps;
    layers_quantise(act, &act_layers);
    all.model.attention = attention_named(all.attend);
    inspect_open(all.taps);
    guide_open(guided, omitted, still);
    skip_open(skip);
    bool ratios = all.stat && strcmp(all.stat, RATIOS) == 0;
    statistics_open(ratios ? NULL : all.stat, (int)bins, q.plan.steps, q.plan.timestep);
    if (ratios)
        ratios_open(q.plan.steps, request_passes(&q));
    return q;
}

/* ---- the model and what it needs of a document ---- */

static dit_share share;

/* What can be done before the first document arrives: it takes no device memory. */
static void find_model(const request *q)
{
    dit *m = &all.model;
    attention_operands in = m->attention;
    all.checkpoint = dit_find(model_path);
    dit_open(m, all.checkpoint, model_path, all.weight_type, share);
    m->attention = in;
    names_fit(m, "--layer", layers_patterns());
    names_fit(m, "--stat", statistics_patterns());
    guide_check(q, m);
    weights_digest_begin(all.checkpoint);
    if (!all.dry)
        device_find();
}

static void load_model(void)
{
    stats_phase("load");
    device_advice("fewer --frames, a smaller --size or w8a16 weights (wan-quantize) need less");
    device_open();
    all.model.memory = memory ? dit_memory_open(memory, all.model.layers) : NULL;
    dit_load(&all.model, all.checkpoint);
    stats_add("weight_loads", 1);
}

int64_t run_check_text(const run *r, const document *in, int passes)
{
    for (int p = 1; p < passes; p++)
        request_context(in, p, &r->model);
    return dit_text_rows(&r->model, request_context(in, 0, &r->model).dim[0]);
}

dit_text run_text(const run *r, const document *in, int passes)
{
    tensor context[GUIDANCE_PASSES];
    stats_phase("text");
    for (int p = 0; p < passes; p++)
        context[p] = request_context(in, p, &r->model);
    dit_text text = dit_read_text(&r->model, passes, context);
    device_wait();
    return text;
}

/* --stat: writes a document for each bin of timesteps that had steps. */
static void write_statistics(writer *out)
{
    for (int bin = 0; bin < bins; bin++) {
        if (!statistics_seen(bin))
            continue;
        document d = {0};
        json_t *stamp = model_stamp(&all);
        statistics_describe(&d, bin, weights_digest(all.checkpoint), stamp);
        provenance_add(&d, options, NUMERICS, stamp);
        statistics_write(out, &d, bin);
        document_free(&d);
        stats_add("documents", 1);
    }
}

/* ---- a document ---- */

/* The request for this document, which may continue a sampling. Sets the option variables to the
 * values that are used, because the records are written from them. */
static request settled(const request *q, const document *d)
{
    request its = settle(q, &given, d);
    steps = its.plan.steps;
    shift = its.shift;
    solver_name = solver_text(its.solver);
    if (all.stat && its.goes_on && !settle_same_plan(&q->plan, &its.plan))
        die("--stat is of the timesteps of -s, -F and --schedule, and standard input goes on with "
            "others");
    if (ratios_wanted() && its.goes_on)
        die("--stat residual is of whole samplings, and standard input is one that goes on");
    if (its.plan.steps > 0) {
        guide_fit(&its);
        skip_check(&its, &all.model);
    }
    return its;
}

/* Dies if the document has not the tensors that are needed, before the model is loaded. */
static void check_document(const request *q, const document *d)
{
    if (q->plan.steps == 0)
        return;
    document_context(d, "context", -1);
    if (forward >= 0 || request_passes(q) > 1)
        document_context(d, "context_null", -1);
    if (forward >= 0)
        evaluate_latents(d);
    request_shape(q, d);
}

static void serve(reader *in, writer *out, const request *q)
{
    if (all.dry)
        recipe_load(in);
    else
        reader_load(in);
    request its = forward >= 0 ? *q : settled(q, &in->d);
    if (all.dry) {
        recipes_write(&all, out, &its, &in->d);
    } else {
        check_document(&its, &in->d);
        if (its.plan.steps > 0 && !all.model.block)
            load_model();
        if (its.plan.steps == 0)
            noise_write(&all, out, &its, &in->d);
        else if (forward >= 0)
            evaluate_document(&all, out, &in->d, forward);
        else
            sample_document(&all, out, &its, &in->d);
    }
    if (its.goes_on)
        schedule_free(&its.plan);
}

int main(int argc, char **argv)
{
    reader in;
    writer out;
    if (program_begin(argc, argv, options, usage) != argc)
        usage_error("documents are read from standard input: unwanted operand '%s'",
                    argv[argc - 1]);
    request q = read_options();
    int ranks = steps > 0 && !all.dry ? (int)gpus : 1; /* noise alone needs no gpu */
    if (preview && !all.dry)
        preview_check(preview, model_path);
    int rank = ranks_start(ranks);
    share = share_of(rank, ranks, guide_varies() ? 1 : request_passes(&q));
    if (preview && rank == 0 && !all.dry)
        preview_open(preview, every ? (int)every : 1);
    if (steps > 0)
        find_model(&q);
    reader_open(&in, stdin, "standard input");
    writer_open(&out, stdout, "standard output");
    if (program_waits())
        reader_wait(&in);
    for (; stats_phase("read"), reader_next(&in);)
        serve(&in, &out, &q);
    if (in.documents == 0)
        die("standard input has no document");
    if (ratios_wanted())
        ratios_write(&all, &out, &q);
    else if (all.stat)
        write_statistics(&out);
    if (all.checkpoint) {
        stats_set("peak_device_bytes", ranks_greatest((double)device_peak_bytes()));
        weights_close(all.checkpoint);
    }
    free(q.seed);
    schedule_free(&q.plan);
    preview_close();
    writer_close(&out);
    return program_end();
}
