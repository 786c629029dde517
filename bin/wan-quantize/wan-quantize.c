/*
** wan-quantize.c: a checkpoint with its linears as codes, or stored in another float type.
**
** A checkpoint is a tensor stream of one document, whatever layout and format it was read from:
** names come out as the official ones. To be read in this order:
**
**     choice.c     which layers become codes, and by which rule: -t, --layers, --layer
**     rule.h       what a rule does; rule.c is the table, rule-int.c, rule-float.c, rule-ggml.c and
**                  codes.c (int8, streamed by rows) are the arithmetic
**     plan.c       what becomes of each tensor
**     survey.c     a look at all values, before anything is written: scales
**     method.c     what is done to a layer beyond rounding, one after another: smooth.c (AWQ),
**                  lowrank.c, rotate.c, clip.c, gptq.c; they go by calibration.c (--stat), trial.c
**                  (what rounding does to the outputs) and matrix.c
**     layout-out.c the plan in names and forms of other programs; gguf.c is the file of one
**     write.c      makes the planned tensors; report.c and ledger.c say of each what came of it
**
** Here are the options and the metadata.
**
** It refuses a model that is quantized already, weights that are not finite, and models in which
** there is nothing to quantize.
*/
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../common/checkpoint/carry.h"
#include "../../common/checkpoint/layout.h"
#include "../../common/die.h"
#include "../../common/recipe.h"
#include "gguf.h"
#include "layout-out.h"
#include "ledger.h"
#include "method.h"
#include "report.h"
#include "survey.h"
#include "wan-quantize.h"
#include "write.h"

static const char *type, *model, *layers, *scale_type = "f32", *ledger, *layout = "official";
static const char *method_list, *rotate;
static option_list patterns, statistics;
static int64_t rank;
static bool all_linears, divide, fake, dry, act_order;
static target wanted;
enum { NUMERICS = 1, QUANTIZATION_VERSION = 1 };
static const option options[] = {
    {'t', "type", OPTION_TEXT, &type, 0, 0, false},
    {0, "layer", OPTION_LIST, &patterns, 0, 0, false},
    {'l', "layers", OPTION_TEXT, &layers, 0, 0, false},
    {0, "all-linears", OPTION_FLAG, &all_linears, 0, 0, false},
    {0, "scale-type", OPTION_TEXT, &scale_type, 0, 0, false},
    {0, "divide", OPTION_FLAG, &divide, 0, 0, false},
    {0, "fake", OPTION_FLAG, &fake, 0, 0, false},
    {0, "layout", OPTION_TEXT, &layout, 0, 0, false},
    {0, "method", OPTION_TEXT, &method_list, 0, 0, false},
    {0, "act-order", OPTION_FLAG, &act_order, 0, 0, false},
    {0, "rotate", OPTION_TEXT, &rotate, 0, 0, false},
    {0, "rank", OPTION_INT, &rank, 0, 4096, false},
    {0, "stat", OPTION_LIST, &statistics, 0, 0, true},
    {'m', "model", OPTION_TEXT, &model, 0, 0, true},
    {0, "ledger", OPTION_TEXT, &ledger, 0, 0, true},
    {0, "recipe", OPTION_FLAG, &dry, 0, 0, true},
    OPTIONS_END,
};

/* ---- the metadata ---- */

/* int8's in words. */
static const char *int8_text(void)
{
    static char text[160];
    snprintf(text, sizeof text,
             "torchao int8 weight-only: per row, symmetric, scale = absmax/127.5%s%s",
             divide ? ", divided" : "",
             wanted.scales.weight_type ? ", rounded to the weights' type" : "");
    return text;
}

/* How each layer is stored, which is how it is to be read (tensor-stream(5)). */
static void set_quantization(document *d, const weights *w, const plan *p)
{
    json_t *rules = json_array(), *of = json_object();
    double count = 0, bytes = 0;
    if (type)
        json_array_append_new(rules, json_string(type));
    for (int i = 0; i < patterns.n; i++)
        json_array_append_new(rules, json_string(patterns.text[i]));
    for (int i = 0; i < weights_count(w); i++)
        if (p[i].rule) {
            int n = (int)(strlen(p[i].name) - strlen(".weight"));
            json_object_setn_new(of, p[i].name, (size_t)n, json_string(rule_name(p[i].rule)));
            count += (double)tensor_count(p[i].from.w);
            bytes += (double)plan_bytes(p + i);
        }
    double bits = round(8 * bytes / count * 1e4) / 1e4;
    json_t *o =
        json_pack("{s:i, s:s, s:n, s:o, s:o, s:I, s:I, s:f, s:s}", "version", QUANTIZATION_VERSION,
                  "method", method_text(&wanted.method), "calibration", "rules", rules, "layers",
                  of, "weights", (json_int_t)count, "bytes", (json_int_t)bytes, "bits", bits,
                  "stored", fake ? "fake" : "codes");
    if (choice_has(&wanted.codes, rule_named("int8")))
        json_object_set_new(o, "int8", json_string(int8_text()));
    method_describe(&wanted.method, o);
    char *text = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(6));
    metadata_set(d, "quantization", text);
    free(text);
    json_decref(o);
}

/* Floats that stand for codes are that in another float type too. */
static void keep_fake(document *d, const weights *w)
{
    const char *how = json_string_value(weights_quantization(w, "stored"));
    if (how && strcmp(how, "fake") == 0)
        metadata_set(d, "quantization", weights_quantization_text(w));
}

/* With --recipe they are all that is written. */
static void describe(document *d, weights *w, const plan *p)
{
    carry_metadata(d, w);
    if (model)
        carry_config(d, w);
    if (wanted.to == TENSOR_TYPES)
        set_quantization(d, w, p);
    else
        keep_fake(d, w);
    layout_metadata(d, w, p, &wanted);
    json_t *stamp = json_pack("{s:s, s:s}", "device", "cpu", "weights", weights_digest(w));
    json_object_set_new(stamp, "input", json_sprintf("weights:%s", weights_digest(w)));
    const char *said = metadata_get(d, "config");
    json_object_set_new(stamp, "config",
                        said ? json_string(digest_of_text(said).hex) : json_null());
    if (wanted.method.inputs)
        json_object_set_new(stamp, "statistics",
                            json_string(calibration_digest(wanted.method.inputs)));
    provenance_add(d, options, NUMERICS, stamp);
}

/* ---- the model ---- */

static void write_model(weights *w, plan *p)
{
    document d = {0};
    writer out;
    size_t before = 0, after = 0;
    describe(&d, w, p);
    write_declare(&d, p, weights_count(w));
    writer_open(&out, stdout, "standard output");
    if (wanted.gguf)
        gguf_header(&out, &d);
    else
        writer_header(&out, &d);
    write_entries(&out, &d, w, p, &wanted);
    writer_end(&out);
    for (int i = 0; i < weights_count(w); i++)
        before += tensor_bytes(weights_shape(w, i));
    for (int i = 0; i < d.entries; i++)
        after += tensor_bytes(d.entry[i].t);
    if (wanted.to == TENSOR_TYPES)
        report_print();
    note("%zu bytes became %zu", before, after);
    stats_set("bytes_before", (double)before);
    stats_set("bytes_after", (double)after);
    document_free(&d);
    writer_close(&out);
}

static void write_recipe(weights *w, const plan *p)
{
    document d = {0};
    writer out;
    writer_open(&out, stdout, "standard output");
    describe(&d, w, p);
    recipe_write(&out, &d);
    document_free(&d);
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
    usage_error("%s is %s, not '%s'%s", option_name, all, name,
                strchr(name, '=') ? " (--layer takes patterns)" : "");
}

/* --method, --rotate, --rank and --stat; codes: a rule was asked for. */
static void check_method(bool codes)
{
    bool scales = divide || strcmp(scale_type, "f32") != 0;
    method_read(&wanted.method, method_list, act_order, rotate, rank);
    bool works = method_works(&wanted.method), needs = method_needs_inputs(&wanted.method);
    if ((works || method_list) && !codes)
        usage_error("--method, --rotate and --rank go with a rule, not with -t %s", type);
    if (works && scales)
        usage_error("--scale-type and --divide are for rounding to nearest alone");
    if (needs && !statistics.n)
        usage_error("--method %s needs --stat FILE, of wan-denoise --stat",
                    method_text(&wanted.method));
    method_list = codes ? method_text(&wanted.method) : NULL; /* in the recipe, in one order */
    if (statistics.n && !needs && !rank)
        usage_error("--stat goes with --method awq, clip or gptq, and with --rank");
}

static void check_options(int argc, int operands)
{
    static const char *const floats[] = {"fp16", "bf16", "fp32"};
    static const char *const choices[] = {"blocks", "all", "diffusers"};
    static const char *const scales[] = {"f32", "weight"};
    static const char *const layouts[] = {"official", "diffusers", "comfyui"};
    static const tensor_type to[] = {F16, BF16, F32};
    if (!type && !patterns.n)
        usage_error("-t is missing: %s, fp16, bf16 or fp32", rule_names());
    wanted.to = TENSOR_TYPES;
    for (int i = 0; type && i < 3; i++)
        if (strcmp(type, floats[i]) == 0)
            wanted.to = to[i];
    bool codes = wanted.to == TENSOR_TYPES;
    wanted.codes.rule = type && codes ? rule_named(type) : NULL;
    wanted.codes.patterns = &patterns;
    if (type && codes && !wanted.codes.rule)
        usage_error("-t is %s, fp16, bf16 or fp32, not '%s'", rule_names(), type);
    choice_check(&patterns);
    if ((patterns.n || fake) && !codes)
        usage_error("--layer and --fake go with a rule, not with -t %s", type);
    if ((all_linears || layers) && !wanted.codes.rule)
        usage_error("--layers and --all-linears say which layers -t RULE is for");
    if ((divide || strcmp(scale_type, "f32") != 0) &&
        !(codes && choice_has(&wanted.codes, rule_named("int8"))))
        usage_error("--scale-type and --divide go with int8");
    if (layers && all_linears)
        usage_error("--all-linears is --layers all: give one of them");
    if (!layers)
        layers = all_linears ? "all" : "blocks";
    wanted.codes.layers = (layer_choice)named("--layers", layers, choices, 3);
    wanted.scales.weight_type = named("--scale-type", scale_type, scales, 2);
    wanted.scales.divide = divide;
    wanted.fake = fake;
    wanted.layout = (out_layout)named("--layout", layout, layouts, 3);
    layout_check(&wanted);
    check_method(codes);
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
    if (statistics.n) {
        wanted.method.inputs = calibration_open(&statistics);
        calibration_check_model(wanted.method.inputs, weights_digest(w), weights_path(w));
    }
    plan *p = plan_model(w, &wanted);
    layout_apply(w, p, &wanted);
    if (dry) {
        write_recipe(w, p);
    } else {
        ledger_open(ledger);
        survey_model(w, p, &wanted);
        stats_phase("write");
        write_model(w, p);
        ledger_close();
    }
    plan_free(p, weights_count(w));
    calibration_close(wanted.method.inputs);
    weights_close(w);
    return program_end();
}
