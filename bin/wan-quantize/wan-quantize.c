/*
** wan-quantize.c: a checkpoint with its linears as 8-bit codes, or stored in another float type.
**
** A checkpoint is a tensor stream of one document, whatever layout and format it was read from:
** names come out as the official ones. plan.c says what becomes of each tensor; then rows stream
** from the map through one small buffer. What is not changed passes through as it is.
**
** It refuses a model that is quantized already, weights that are not finite, and models in which
** there is nothing to quantize.
*/
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../common/checkpoint/carry.h"
#include "../../common/checkpoint/layout.h"
#include "../../common/die.h"
#include "../../common/recipe.h"
#include "plan.h"
#include "report.h"
#include "wan-quantize.h"

enum { BUFFER = 4 << 20 };

static const char *type, *model, *layers, *scale_type = "f32";
static bool all_linears, divide, dry;
static target wanted;
enum { NUMERICS = 1 };
static const option options[] = {
    {'t', "type", OPTION_TEXT, &type, 0, 0, false},
    {'l', "layers", OPTION_TEXT, &layers, 0, 0, false},
    {0, "all-linears", OPTION_FLAG, &all_linears, 0, 0, false},
    {0, "scale-type", OPTION_TEXT, &scale_type, 0, 0, false},
    {0, "divide", OPTION_FLAG, &divide, 0, 0, false},
    {'m', "model", OPTION_TEXT, &model, 0, 0, true},
    {0, "recipe", OPTION_FLAG, &dry, 0, 0, true},
    OPTIONS_END,
};

/* ---- the header ---- */

/* The rule in words. */
static const char *rule_text(void)
{
    static char text[160];
    snprintf(
        text, sizeof text, "torchao int8 weight-only: per row, symmetric, scale = absmax/127.5%s%s",
        divide ? ", divided" : "", wanted.rule.weight_type ? ", rounded to the weights' type" : "");
    return text;
}

/* The metadata; with --recipe they are all that is written. */
static void describe(document *d, weights *w)
{
    carry_metadata(d, w);
    if (model)
        carry_config(d, w);
    if (wanted.to == I8)
        metadata_set(d, "quantization", rule_text());
    json_t *stamp = json_pack("{s:s, s:s}", "device", "cpu", "weights", weights_digest(w));
    json_object_set_new(stamp, "input", json_sprintf("weights:%s", weights_digest(w)));
    const char *said = metadata_get(d, "config");
    json_object_set_new(stamp, "config",
                        said ? json_string(digest_of_text(said).hex) : json_null());
    provenance_add(d, options, NUMERICS, stamp);
}

static void make_header(document *d, weights *w, const plan *p)
{
    describe(d, w);
    for (int i = 0; i < weights_count(w); i++) {
        tensor t = p[i].from.w;
        if (p[i].to == TENSOR_TYPES)
            continue;
        if (p[i].scale)
            document_add(d, p[i].scale_name, tensor_of(NULL, F32, t.dim[0]));
        document_add(d, p[i].name, tensor_make(NULL, p[i].to, t.rank, t.dim));
    }
}

/* ---- the data ---- */

static rounding write_codes(writer *out, const plan *p)
{
    int64_t rows = p->from.w.dim[0], width = p->from.w.dim[1], most = plan_rows_in(p, BUFFER / 4);
    int8_t *codes = new_bytes((size_t)(most * width));
    float *room = new_bytes((size_t)(most * width) * 4);
    rounding r = {0};
    for (int64_t row = 0, n; row < rows; row += n) {
        n = rows - row < most ? rows - row : most;
        r = rounding_sum(r, code_rows(codes, plan_rows(p, row, n, room), p->scale + row));
        writer_bytes(out, codes, (size_t)(n * width));
    }
    free(room);
    free(codes);
    return r;
}

static void write_converted(writer *out, const plan *p)
{
    int64_t most = plan_rows_in(p, BUFFER / 8), rows = p->from.w.rank ? p->from.w.dim[0] : 1;
    int64_t width = rows ? tensor_count(p->from.w) / rows : 0;
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

/* New scales may have the name of some that are left out. */
static const plan *plan_of(const plan *p, int n, const char *name)
{
    for (int i = 0; i < n; i++) {
        bool is_own = p[i].to != TENSOR_TYPES && strcmp(p[i].name, name) == 0;
        if (is_own || (p[i].scale && strcmp(p[i].scale_name, name) == 0))
            return &p[i];
    }
    die("%s is not in the plan", name);
}

/* One entry of the output; returns the bytes if it is as it was in the model, else 0. */
static size_t write_entry(writer *out, const entry *e, weights *w, const plan *p)
{
    size_t same = 0;
    if (p->scale && strcmp(e->name, p->scale_name) == 0) {
        writer_bytes(out, p->scale, tensor_bytes(e->t));
        return 0;
    }
    tensor t = weights_any(w, p->name);
    if (p->scale) {
        rounding r = write_codes(out, p);
        report_add(p->name, tensor_bytes(t), tensor_bytes(e->t) + (size_t)t.dim[0] * 4, r);
    } else if (p->to != t.type) {
        write_converted(out, p);
    } else {
        writer_tensor(out, t);
        same = tensor_bytes(t);
    }
    weights_done(t);
    return same;
}

static void write_model(weights *w, const plan *p)
{
    document d = {0};
    writer out;
    int unchanged = 0;
    size_t unchanged_bytes = 0, before = 0, after = 0;
    make_header(&d, w, p);
    writer_open(&out, stdout, "standard output");
    writer_header(&out, &d);
    for (int i = 0; i < d.entries; i++) {
        size_t same =
            write_entry(&out, &d.entry[i], w, plan_of(p, weights_count(w), d.entry[i].name));
        unchanged += same > 0;
        unchanged_bytes += same;
        after += tensor_bytes(d.entry[i].t);
        progress("writing", i + 1, d.entries);
    }
    writer_end(&out);
    for (int i = 0; i < weights_count(w); i++)
        before += tensor_bytes(p[i].from.w);
    if (wanted.to == I8)
        report_print(unchanged, unchanged_bytes);
    note("%zu bytes became %zu", before, after);
    stats_set("bytes_before", (double)before);
    stats_set("bytes_after", (double)after);
    document_free(&d);
    writer_close(&out);
}

/* ---- the program ---- */

/* The place of `name` in a list; usage error if it is not there. */
static int named(const char *option_name, const char *name, const char *const list[], int n)
{
    char all[128] = "";
    for (int i = 0; i < n; i++) {
        if (strcmp(name, list[i]) == 0)
            return i;
        size_t at = strlen(all);
        snprintf(all + at, sizeof all - at, "%s%s",
                 i == 0      ? ""
                 : i + 1 < n ? ", "
                             : " or ",
                 list[i]);
    }
    usage_error("%s is %s, not '%s'", option_name, all, name);
}

static void check_options(int argc, int operands)
{
    static const char *const types[] = {"w8a16", "fp16", "bf16", "fp32"};
    static const char *const choices[] = {"blocks", "all", "diffusers"};
    static const char *const scales[] = {"f32", "weight"};
    static const tensor_type to[] = {I8, F16, BF16, F32};
    if (!type)
        usage_error("-t is missing: w8a16, fp16, bf16 or fp32");
    wanted.to = to[named("-t", type, types, 4)];
    if (all_linears && wanted.to != I8)
        usage_error("--all-linears goes with -t w8a16");
    if ((layers || divide || strcmp(scale_type, "f32") != 0) && wanted.to != I8)
        usage_error("--layers, --scale-type and --divide go with -t w8a16");
    if (layers && all_linears)
        usage_error("--all-linears is --layers all: give one of them");
    if (!layers)
        layers = all_linears ? "all" : "blocks";
    wanted.layers = (layer_choice)named("--layers", layers, choices, 3);
    wanted.rule.weight_type = named("--scale-type", scale_type, scales, 2);
    wanted.rule.divide = divide;
    if (operands < argc)
        usage_error("a model is given by -m or on standard input");
    if (!model && isatty(STDIN_FILENO))
        usage_error("no model: give -m, or one on standard input");
}

int main(int argc, char **argv)
{
    check_options(argc, program_begin(argc, argv, options, usage));
    stats_phase("read");
    weights *w = model ? model_find_any(model) : model_any(weights_open_fd(0, "standard input"));
    weights_digest_begin(w);
    if (dry) {
        document d = {0};
        writer out;
        writer_open(&out, stdout, "standard output");
        describe(&d, w);
        recipe_write(&out, &d);
        document_free(&d);
        weights_close(w);
        return program_end();
    }
    plan *p = plan_model(w, &wanted);
    stats_phase("write");
    write_model(w, p);
    plan_free(p, weights_count(w));
    weights_close(w);
    return program_end();
}
