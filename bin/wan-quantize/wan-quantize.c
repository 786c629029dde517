/*
** wan-quantize.c: a checkpoint with its linears as 8-bit codes, or stored in another float type.
**
** A checkpoint is a tensor stream of one document. All weights are looked at before the header is
** written (the scales need that anyway, and a weight that is not finite ends the run with nothing
** written); then rows stream from the map through one small buffer. What is not quantized passes
** through as it is.
**
** It refuses a model that is quantized already, weights that are not finite, and models in which
** there is nothing to quantize.
*/
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../common/checkpoint/weights.h"
#include "../../common/die.h"
#include "../../common/recipe.h"
#include "../../common/seal.h"
#include "codes.h"
#include "report.h"
#include "wan-quantize.h"

enum { BUFFER = 4 << 20, MOST_CONFIG = 1 << 20 };

static const char *target, *model;
static bool all_linears, dry;
enum { NUMERICS = 1 };
static const option options[] = {
    {'t', "type", OPTION_TEXT, &target, 0, 0, false},
    {0, "all-linears", OPTION_FLAG, &all_linears, 0, 0, false},
    {'m', "model", OPTION_TEXT, &model, 0, 0, true},
    {0, "recipe", OPTION_FLAG, &dry, 0, 0, true},
    OPTIONS_END,
};

static const char rule[] = "torchao int8 weight-only: per row, symmetric, scale = absmax/127.5";
static const char *const patterns[] = {"diffusion_pytorch_model*.safetensors.index.json",
                                       "diffusion_pytorch_model*.safetensors",
                                       "*.safetensors.index.json", NULL};

/* A tensor of the model and what becomes of it. */
typedef struct {
    const char *name;
    tensor from;      /* shape and type in the model */
    tensor_type to;   /* I8: codes, and a scale beside them */
    char *scale_name; /* or NULL */
    float *scale;     /* [out] or NULL */
} plan;

/* ---- what becomes of each tensor ---- */

static bool ends_with(const char *s, size_t n, const char *end)
{
    size_t k = strlen(end);
    return n >= k && memcmp(s + n - k, end, k) == 0;
}

/* The weight of an nn.Linear: 2-D, and not a table of embeddings. */
static bool is_linear(const char *name, tensor t)
{
    static const char weight[] = ".weight";
    size_t n = strlen(name), w = sizeof weight - 1;
    if (t.rank != 2 || tensor_count(t) == 0 || !ends_with(name, n, weight))
        return false;
    return !ends_with(name, n - w, "embedding") &&
           (all_linears || strncmp(name, "blocks.", 7) == 0);
}

static tensor_type target_type(const char *name, tensor t)
{
    bool is_float = t.type == F64 || codes_readable(t.type);
    if (strcmp(target, "w8a16") == 0)
        return is_linear(name, t) ? I8 : t.type;
    if (!is_float)
        return t.type;
    return strcmp(target, "fp32") == 0 ? F32 : strcmp(target, "fp16") == 0 ? F16 : BF16;
}

static plan plan_tensor(weights *w, int i)
{
    plan p = {.name = weights_name(w, i), .from = weights_shape(w, i)};
    size_t n = strlen(p.name);
    if (p.from.type == I8 && ends_with(p.name, n, ".weight"))
        die("%s is I8 in %s: the model is quantized already", p.name, weights_path(w));
    p.to = target_type(p.name, p.from);
    if (p.to == I8) {
        if (!codes_readable(p.from.type))
            die("%s is %s in %s; only F32, F16 and BF16 can be quantized", p.name,
                type_name(p.from.type), weights_path(w));
        p.scale_name = new_format("%s_scale", p.name);
        p.scale = new_bytes((size_t)p.from.dim[0] * sizeof *p.scale);
        if (weights_has(w, p.scale_name))
            die("%s is in %s: the model is quantized already", p.scale_name, weights_path(w));
    }
    return p;
}

/* Reads the tensor once: its scales, and that all of it can be written. */
static void survey(weights *w, plan *p)
{
    bool finite = true, fits = true;
    tensor t = p->from;
    if (codes_readable(t.type)) {
        t = weights_any(w, p->name);
        if (p->to == I8) {
            finite = code_scales(p->scale, t);
        } else {
            float most = absmax(t);
            finite = most <= 0x1.fffffep127f;
            fits = p->to != F16 || most < 65520.0f; /* from there on F16 is infinite */
        }
        weights_done(t);
    }
    if (!finite)
        die("%s in %s has values that are not finite", p->name, weights_path(w));
    if (!fits)
        die("%s in %s has values that fp16 cannot hold; bf16 can", p->name, weights_path(w));
}

static plan *plan_model(weights *w)
{
    int n = weights_count(w), changed = 0;
    plan *p = new_bytes((size_t)n * sizeof *p);
    for (int i = 0; i < n; i++) {
        p[i] = plan_tensor(w, i);
        changed += p[i].to != p[i].from.type;
    }
    if (!changed && strcmp(target, "w8a16") == 0)
        die("nothing to quantize: %s has no linear layer%s", weights_path(w),
            all_linears ? "" : " in blocks.*");
    if (!changed)
        die("nothing to convert: %s is stored as %s", weights_path(w), target);
    for (int i = 0; i < n; i++) {
        survey(w, &p[i]);
        progress("reading", i + 1, n);
    }
    return p;
}

/* ---- the header ---- */

/* config.json beside the checkpoint goes along: one file is then all that wan-denoise needs. A
 * checkpoint that brought its own keeps that. */
static void add_config(document *d, const weights *w)
{
    const char *path = weights_path(w), *slash = strrchr(path, '/');
    char *name = new_format("%.*sconfig.json", slash ? (int)(slash + 1 - path) : 0, path);
    bool wanted = model && !metadata_get(d, "config");
    FILE *f = wanted ? fopen(name, "r") : NULL;
    if (f) {
        char *text = new_bytes(MOST_CONFIG + 1);
        size_t n = fread(text, 1, MOST_CONFIG, f);
        json_t *root = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
        if (ferror(f) || !json_is_object(root) || strlen(text) != n)
            die("%s is not a JSON object of less than 1 MB", name);
        metadata_set(d, "config", text);
        json_decref(root);
        free(text);
        fclose(f);
    } else if (wanted && errno != ENOENT) {
        die_errno("cannot read %s", name);
    }
    free(name);
}

/* The metadata; with --recipe they are all that is written. */
static void describe(document *d, weights *w)
{
    for (int i = 0; i < weights_keys(w); i++)
        if (strcmp(weights_key(w, i), SEAL_KEY) != 0) /* of that file */
            metadata_set(d, weights_key(w, i), weights_metadata(w, weights_key(w, i)));
    add_config(d, w);
    if (strcmp(target, "w8a16") == 0)
        metadata_set(d, "quantization", rule);
    json_t *stamp = json_pack("{s:s, s:s}", "device", "cpu", "weights", weights_digest(w));
    json_object_set_new(stamp, "input", json_sprintf("weights:%s", weights_digest(w)));
    const char *config = metadata_get(d, "config");
    json_object_set_new(stamp, "config",
                        config ? json_string(digest_of_text(config).hex) : json_null());
    provenance_add(d, options, NUMERICS, stamp);
}

static void make_header(document *d, weights *w, const plan *p)
{
    describe(d, w);
    for (int i = 0; i < weights_count(w); i++) {
        tensor t = p[i].from;
        if (p[i].scale)
            document_add(d, p[i].scale_name, tensor_of(NULL, F32, t.dim[0]));
        t.type = p[i].to;
        document_add(d, p[i].name, t);
    }
}

/* ---- the data ---- */

static rounding write_codes(writer *out, tensor t, const float *scale)
{
    int64_t width = tensor_width(t), most = width < BUFFER ? BUFFER / width : 1;
    int8_t *codes = new_bytes((size_t)(most * width));
    rounding r = {0};
    for (int64_t row = 0, n; row < tensor_rows(t); row += n) {
        n = tensor_rows(t) - row < most ? tensor_rows(t) - row : most;
        r = rounding_sum(r, code_rows(codes, rows(t, row, n), scale + row));
        writer_bytes(out, codes, (size_t)(n * width));
    }
    free(codes);
    return r;
}

static void write_converted(writer *out, tensor t, tensor_type to)
{
    int64_t count = tensor_count(t), most = BUFFER / 8;
    void *buffer = new_bytes(BUFFER);
    t = reshape(t, count);
    for (int64_t i = 0, n; i < count; i += n) {
        n = count - i < most ? count - i : most;
        tensor part = tensor_of(buffer, to, n);
        host_convert(part, slice(t, i, n));
        writer_tensor(out, part);
    }
    free(buffer);
}

static const plan *plan_of(const plan *p, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(p[i].name, name) == 0 || (p[i].scale && strcmp(p[i].scale_name, name) == 0))
            return &p[i];
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
        rounding r = write_codes(out, t, p->scale);
        report_add(p->name, tensor_bytes(t), tensor_bytes(e->t) + (size_t)t.dim[0] * 4, r);
    } else if (p->to != t.type) {
        write_converted(out, t, p->to);
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
        before += tensor_bytes(p[i].from);
    if (strcmp(target, "w8a16") == 0)
        report_print(unchanged, unchanged_bytes);
    note("%zu bytes became %zu", before, after);
    stats_set("bytes_before", (double)before);
    stats_set("bytes_after", (double)after);
    document_free(&d);
    writer_close(&out);
}

/* ---- the program ---- */

static void check_options(int argc, int operands)
{
    static const char *const targets[] = {"w8a16", "fp16", "bf16", "fp32"};
    int known = 0;
    if (!target)
        usage_error("-t is missing: w8a16, fp16, bf16 or fp32");
    for (int i = 0; i < 4; i++)
        known += strcmp(target, targets[i]) == 0;
    if (!known)
        usage_error("-t is w8a16, fp16, bf16 or fp32, not '%s'", target);
    if (all_linears && strcmp(target, "w8a16") != 0)
        usage_error("--all-linears goes with -t w8a16");
    if (operands < argc)
        usage_error("a model is given by -m or on standard input");
    if (!model && isatty(STDIN_FILENO))
        usage_error("no model: give -m, or one on standard input");
}

int main(int argc, char **argv)
{
    check_options(argc, program_begin(argc, argv, options, usage));
    stats_phase("read");
    weights *w = model ? weights_find(model, patterns) : weights_open_fd(0, "standard input");
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
    plan *p = plan_model(w);
    stats_phase("write");
    write_model(w, p);
    for (int i = 0; i < weights_count(w); i++) {
        free(p[i].scale_name);
        free(p[i].scale);
    }
    free(p);
    weights_close(w);
    return program_end();
}
