/*
** wan-sensitivity: which linears of a model suffer from being quantised.
**
** Both checkpoints are loaded once. For each prompt the reference is sampled; then one linear, or
** one set of them, after another changes places with the quantised model's, the velocity is made
** anew of the reference's own latents at some timesteps, and its error noted: what this swap alone
** does, and not what earlier steps did. With --final each swap is sampled to the end as well.
*/
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "../../common/recipe.h"
#include "../load.h"
#include "../patterns.h"
#include "others.h"
#include "swaps.h"
#include "table.h"
#include "trajectory.h"
#include "wan-sensitivity.h"

static const char *model_path, *by = "layer", *seeds, *size = "832x480", *solver_name = "unipc";
static const char *dtype = "fp16", *rng = "torch-cuda";
static int64_t points, steps = 50, frames = 81;
static double guidance = 5, shift = 5;
static bool final, strict, dry;
static option_list layers;
enum { NUMERICS = 4, POINTS = 5 }; /* as wan-denoise has them */

static const option options[] = {
    {'m', "model", OPTION_TEXT, &model_path, 0, 0, true},
    {0, "by", OPTION_TEXT, &by, 0, 0, false},
    {0, "layer", OPTION_LIST, &layers, 0, 0, true}, /* the record has them one by one */
    {0, "points", OPTION_INT, &points, 1, 1000, false},
    {0, "final", OPTION_FLAG, &final, 0, 0, false},
    {'s', "steps", OPTION_INT, &steps, 1, 1000, false},
    {'g', "guidance", OPTION_FLOAT, &guidance, 0, 0, false},
    {'F', "shift", OPTION_FLOAT, &shift, 0.001, 1000, false},
    {'S', "seed", OPTION_TEXT, &seeds, 0, 0, true}, /* in what the record says was read */
    {0, "size", OPTION_TEXT, &size, 0, 0, false},
    {0, "frames", OPTION_INT, &frames, 0, 0, false},
    {0, "strict", OPTION_FLAG, &strict, 0, 0, true},
    {0, "solver", OPTION_TEXT, &solver_name, 0, 0, false},
    {0, "dtype", OPTION_TEXT, &dtype, 0, 0, false},
    {0, "rng", OPTION_TEXT, &rng, 0, 0, false},
    {0, "recipe", OPTION_FLAG, &dry, 0, 0, true},
    OPTIONS_END,
};

static const char *quantised_path;
static tensor_type weight_type; /* --dtype */
static schedule plan;           /* of each sampling: levels of noise, timesteps */
static int *point_step;         /* [points]: which steps are looked at */
static int64_t *point_time;     /* their timesteps */
static name_list patterns;      /* --layer */

/* The middle of each of `points` equal parts of the steps; unless given, five, or as many as there
 * are steps. */
static void place_points(void)
{
    if (!points)
        points = steps < POINTS ? steps : POINTS;
    if (points > steps)
        usage_error("--points %lld are more than %lld steps", (long long)points, (long long)steps);
    point_step = new_bytes(sizeof *point_step * (size_t)points);
    point_time = new_bytes(sizeof *point_time * (size_t)points);
    for (int64_t k = 0; k < points; k++) {
        point_step[k] = (int)((2 * k + 1) * steps / (2 * points));
        point_time[k] = (int64_t)plan.timestep[point_step[k]];
    }
}

static request read_options(int operands, char **operand)
{
    request q = {.guidance = guidance, .shift = shift};
    if (operands != 1)
        usage_error("one operand is needed, the quantised checkpoint, not %d", operands);
    quantised_path = operand[0];
    if (!model_path)
        usage_error("-m DIR or -m FILE is needed");
    grouping_named(by);
    q.solver = solver_named(solver_name);
    if (q.solver > SOLVER_EULER)
        usage_error("--solver is unipc, dpm++ or euler here, not '%s'", solver_name);
    weight_type = dtype_named(dtype);
    q.noise = noise_named(rng);
    if (seeds)
        request_seeds(&q, seeds);
    request_size(&q, size);
    request_frames(&q, frames, strict);
    q.plan = schedule_plan(SCHEDULE_OFFICIAL, q.solver, (int)steps, q.shift);
    plan = q.plan;
    place_points();
    patterns_add_all(&patterns, "--layer", &layers);
    if (!patterns.n)
        patterns_add(&patterns, "blocks.*");
    return q;
}

/* ---- the models ---- */

static weights *checkpoint, *quantised_checkpoint;
static dit model, quantised;
static swap_list swaps;

static void check_sizes(void)
{
    const dit *a = &model, *b = &quantised;
    if (a->layers != b->layers)
        die("%s has %d blocks, but %s has %d", quantised_path, b->layers, model_path, a->layers);
    if (a->dim != b->dim || a->ffn != b->ffn || a->heads != b->heads)
        die("%s is %lld wide, its ffn %lld, with %d heads, but %s is %lld and %lld with %d",
            quantised_path, (long long)b->dim, (long long)b->ffn, b->heads, model_path,
            (long long)a->dim, (long long)a->ffn, a->heads);
    if (a->text_dim != b->text_dim || a->freq != b->freq || a->text_len != b->text_len ||
        a->eps != b->eps || memcmp(a->patch, b->patch, sizeof a->patch) != 0)
        die("%s and %s are not of one model: text, time, patches or eps differ", quantised_path,
            model_path);
}

/* What can be done before there is a document, and holds no memory of the device. */
static void find_models(void)
{
    dit_share alone = share_of(0, 1, GUIDANCE_PASSES);
    checkpoint = dit_find(model_path);
    dit_open(&model, checkpoint, model_path, weight_type, alone);
    quantised_checkpoint = dit_find(quantised_path);
    dit_open(&quantised, quantised_checkpoint, quantised_path, weight_type, alone);
    check_sizes();
    swaps = swaps_find(&model, grouping_named(by), &patterns);
    weights_digest_begin(checkpoint);
    weights_digest_begin(quantised_checkpoint);
    if (!dry)
        device_find();
}

static void load_models(void)
{
    stats_phase("load");
    device_advice("fewer --frames or --points, or a smaller --size, need less");
    device_open();
    layers_divide();
    dit_load(&model, checkpoint);
    dit_load(&quantised, quantised_checkpoint);
    stats_add("weight_loads", 2);
    others_compare(&model, checkpoint, quantised_checkpoint);
}

/* The table's rows, which the models tell of. */
static error_table open_table(void)
{
    error_table t = table_open(swaps.n, (int)points, point_time, final);
    for (int i = 0; i < swaps.n; i++) {
        const swap *s = &swaps.swap[i];
        swap_size before = swap_size_in(s, &model), after = swap_size_in(s, &quantised);
        t.row[i].name = s->name;
        t.row[i].format = swap_format_in(s, &quantised, quantised_checkpoint);
        t.row[i].weights = after.weights;
        t.row[i].bytes = after.bytes;
        t.row[i].saved = before.bytes - after.bytes;
    }
    return t;
}

/* ---- a document ---- */

/* Keys and values of the texts, by the model as it is now. */
static dit_text read_text(const request *q, const document *d)
{
    tensor context[GUIDANCE_PASSES];
    for (int p = 0; p < request_passes(q); p++)
        context[p] = request_context(d, p, &model);
    return dit_read_text(&model, request_passes(q), context);
}

/* The model with some of the quantised linears, beside the reference. */
static void try_swap(error_table *to, int i, const trajectory *t, const document *d,
                     const dit_text *text)
{
    const swap *s = &swaps.swap[i];
    size_t mark = scratch_mark();
    double *error = new_bytes(sizeof *error * (size_t)points);
    dit_text its = *text;
    swap_exchange(s, &model, &quantised);
    if (s->of_text)
        its = read_text(t->q, d);
    trajectory_errors(t, &its, error);
    table_add(to, i, error, final ? trajectory_final_error(t, &its) : 0);
    swap_exchange(s, &model, &quantised);
    if (s->of_text)
        free(its.kv);
    free(error);
    scratch_reset(mark);
    stats_add("swaps", 1);
}

static void measure(error_table *to, const request *q, const document *d, uint64_t seed)
{
    size_t mark = scratch_mark();
    tensor noise = request_shape(q, d);
    trajectory t;
    stats_phase("reference");
    dit_text text = read_text(q, d);
    noise.data = request_noise(q, d, noise, seed);
    trajectory_open(&t, &model, q, &plan, (int)points, point_step, noise, &text);
    stats_phase("swaps");
    for (int i = 0; i < swaps.n; i++) {
        try_swap(to, i, &t, d, &text);
        progress("swap", i + 1, swaps.n);
    }
    trajectory_close(&t);
    free(noise.data);
    free(text.kv);
    scratch_reset(mark);
    stats_add("samplings", 1);
}

/* Dies for a stream that is of another kind, before a model is loaded for it. */
static void check_document(const request *q, const document *d)
{
    document_context(d, "context", -1);
    if (request_passes(q) > 1)
        document_context(d, "context_null", -1);
    request_shape(q, d);
}

/* ---- the record ---- */

/* The documents and their seeds: what one of them is, a line each. */
static digester *sources;

static void add_source(const request *q, const document *d)
{
    json_t *its = json_object();
    recipe_input(its, d);
    const char *input = json_string_value(json_object_get(its, "input"));
    for (int i = 0; i < q->seeds; i++) {
        char *line = new_format("%s %llu\n", input ? input : "", (unsigned long long)q->seed[i]);
        digester_add(sources, line, strlen(line));
        free(line);
    }
    json_decref(its);
}

/* A line of JSON of all that the table depends on. */
static void print_record(void)
{
    json_t *stamp = load_provenance(checkpoint, dry);
    json_object_set_new(stamp, "layers", names_json(&patterns, "--layer"));
    json_object_set_new(stamp, "quantised", json_string(weights_digest(quantised_checkpoint)));
    json_object_set_new(stamp, "heads", json_integer(model.heads));
    json_object_set_new(stamp, "text_len", json_integer(model.text_len));
    json_object_set_new(stamp, "eps", json_real(model.eps));
    json_object_set_new(stamp, "input", json_sprintf("documents:%s", digester_end(sources).hex));
    recipe_print(options, NUMERICS, stamp);
}

static void tell_correlation(const error_table *t)
{
    double r = table_correlation(t);
    if (isnan(r)) {
        note("Spearman's rank correlation of error and final is not defined: %d %s", t->rows,
             t->rows == 1 ? "row" : "rows, all of one error");
        return;
    }
    note("Spearman's rank correlation of error and final over %d rows: %.4f", t->rows, r);
    stats_set("spearman", r);
}

int main(int argc, char **argv)
{
    reader in;
    error_table t = {0};
    int first = program_begin(argc, argv, options, usage);
    request q = read_options(argc - first, argv + first);
    find_models();
    sources = digester_new();
    reader_open(&in, stdin, "standard input");
    if (program_waits())
        reader_wait(&in);
    for (; stats_phase("read"), reader_next(&in);) {
        if (dry)
            recipe_load(&in);
        else
            reader_load(&in);
        request its = request_of(&q, &in.d);
        add_source(&its, &in.d);
        if (dry)
            continue;
        check_document(&its, &in.d);
        if (!model.block) {
            load_models();
            t = open_table();
        }
        for (int i = 0; i < its.seeds; i++)
            measure(&t, &its, &in.d, its.seed[i]);
    }
    if (in.documents == 0)
        die("standard input has no document");
    if (!dry)
        fputs("# ", stdout);
    print_record();
    if (!dry) {
        table_print(&t);
        if (final)
            tell_correlation(&t);
        stats_set("peak_device_bytes", (double)device_peak_bytes());
    }
    table_close(&t);
    swaps_free(&swaps);
    names_free(&patterns);
    weights_close(quantised_checkpoint);
    weights_close(checkpoint);
    free(point_step);
    free(point_time);
    free(q.seed);
    schedule_free(&plan);
    return program_end();
}
