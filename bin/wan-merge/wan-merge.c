/*
** wan-merge.c: a checkpoint with LoRAs merged into its weights.
**
** weight + strength * alpha / r * up down, in F32, for each tensor that a LoRA has something for;
** the others pass through. Rows stream from the map through one buffer. What comes out has official
** names, whatever layout went in, and is a stream of one document; so merging, then quantizing, is
** a pipeline.
**
** It refuses LoRAs of which a key fits nothing, and results that are not finite or that the type
** cannot hold: then nothing is written.
*/
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../common/checkpoint/carry.h"
#include "../../common/checkpoint/layout.h"
#include "../../common/checkpoint/stored.h"
#include "../../common/die.h"
#include "../../common/recipe.h"
#include "../../common/text.h"
#include "adapters.h"
#include "wan-merge.h"

enum { ROOM = 1 << 22 }; /* floats */

static const char *model, *type;
static option_list loras;
static bool dry;
enum { NUMERICS = 1 };
static const option options[] = {
    {'m', "model", OPTION_TEXT, &model, 0, 0, true},
    {'l', "lora", OPTION_LIST, &loras, 0, 0, true},
    {'t', "type", OPTION_TEXT, &type, 0, 0, false},
    {0, "recipe", OPTION_FLAG, &dry, 0, 0, true},
    OPTIONS_END,
};
static tensor_type wanted = TENSOR_TYPES; /* of all floats; TENSOR_TYPES: as they are */

/* ---- a tensor ---- */

static bool is_float(tensor_type t) { return t == F64 || t == F32 || t == F16 || t == BF16; }

static bool is_weight(const char *name) { return ends_with(name, ".weight"); }

/* The type in which a tensor is written; TENSOR_TYPES: not at all. */
static tensor_type becomes(const weights *w, int i)
{
    tensor t = weights_shape(w, i);
    const char *name = weights_name(w, i);
    bool codes = stored_as_codes(t.type) && (t.type != I8 || is_weight(name));
    if (stored_owner(w, name) || strcmp(name, "scaled_fp8") == 0)
        return TENSOR_TYPES; /* it is multiplied in */
    if (!is_float(t.type) && !codes)
        return t.type;
    if (codes && wanted == TENSOR_TYPES)
        die("%s is %s in %s: -t fp16, bf16 or fp32 says what becomes of it",
            weights_called(w, name), type_name(t.type), weights_path(w));
    return wanted == TENSOR_TYPES ? t.type : wanted;
}

/* With its scales. Dies for what stands beside a weight and is not known, and for a weight of a
** type that LoRAs cannot be added to, if it has some (changes). */
static stored fetched(weights *w, const char *name, bool changes)
{
    stored s = {.w = weights_any(w, name)};
    bool values = is_float(s.w.type) || stored_as_codes(s.w.type);
    if (s.w.rank && is_weight(name) && (values || changes)) {
        char *base = new_format("%.*s", (int)(strlen(name) - 7), name);
        s = weights_stored(w, base);
        free(base);
    }
    return s;
}

static void check_values(const float *y, int64_t n, tensor_type to, const weights *w,
                         const char *name)
{
    float most = to == F16 ? 65520.0f : INFINITY;
    for (int64_t i = 0; i < n; i++)
        if (!(fabsf(y[i]) < most))
            die("%s in %s with its LoRAs has values that %s", weights_called(w, name),
                weights_path(w), isfinite(y[i]) ? "fp16 cannot hold; bf16 can" : "are not finite");
}

/* Its rows, merged, in turn: looked at, or (out) written. */
static void merge(weights *w, const adapters *a, const char *name, tensor_type to, writer *out)
{
    int n;
    const adapter *mine = adapters_of(a, name, &n);
    stored s = fetched(w, name, n > 0);
    if (n == 0 && to == s.w.type) {
        if (out)
            writer_tensor(out, s.w);
        weights_done(s.w);
        return;
    }
    int64_t rows = s.w.rank ? s.w.dim[0] : 1, width = rows ? tensor_count(s.w) / rows : 0;
    int64_t most = width && ROOM / width > 0 ? ROOM / width : 1;
    most = most < rows ? most : rows;
    float *y = new_bytes((size_t)(most * width) * sizeof *y);
    void *narrow = new_bytes((size_t)(most * width) * 8);
    for (int64_t row = 0, k; row < rows; row += k) {
        k = rows - row < most ? rows - row : most;
        stored_values(y, &s, row * width, k * width);
        adapters_apply(mine, n, y, row, k, width);
        check_values(y, k * width, to, w, name);
        if (out) {
            tensor part = tensor_of(narrow, to, k * width);
            host_convert(part, tensor_of(y, F32, k * width));
            writer_tensor(out, part);
        }
    }
    free(narrow);
    free(y);
    weights_done(s.w);
}

/* ---- the document ---- */

static void describe(document *d, weights *w, const adapters *a)
{
    json_t *list = json_array();
    carry_metadata(d, w);
    carry_config(d, w);
    for (int i = 0; i < a->files; i++)
        json_array_append_new(list, json_pack("{s:s, s:f}", "weights", weights_digest(a->file[i].w),
                                              "strength", a->file[i].strength));
    json_t *stamp =
        json_pack("{s:s, s:s, s:o}", "device", "cpu", "weights", weights_digest(w), "loras", list);
    json_object_set_new(stamp, "input", json_sprintf("weights:%s", weights_digest(w)));
    const char *said = metadata_get(d, "config");
    json_object_set_new(stamp, "config",
                        said ? json_string(digest_of_text(said).hex) : json_null());
    provenance_add(d, options, NUMERICS, stamp);
}

static int place_of(const weights *w, const char *name)
{
    for (int i = 0; i < weights_count(w); i++)
        if (strcmp(weights_name(w, i), name) == 0)
            return i;
    return -1;
}

static void write_model(weights *w, const adapters *a)
{
    document d = {0};
    writer out;
    int n = weights_count(w), changed = 0, count;
    tensor_type *to = new_bytes((size_t)n * sizeof *to);
    stats_phase("read");
    for (int i = 0; i < n; i++) {
        to[i] = becomes(w, i);
        if (to[i] == TENSOR_TYPES)
            continue;
        adapters_of(a, weights_name(w, i), &count);
        changed += count > 0;
        merge(w, a, weights_name(w, i), to[i], NULL);
        progress("reading", i + 1, n);
    }
    stats_phase("write");
    describe(&d, w, a);
    for (int i = 0; i < n; i++)
        if (to[i] != TENSOR_TYPES) {
            tensor t = weights_shape(w, i);
            document_add(&d, weights_name(w, i), tensor_make(NULL, to[i], t.rank, t.dim));
        }
    writer_open(&out, stdout, "standard output");
    writer_header(&out, &d);
    for (int i = 0; i < d.entries; i++) {
        merge(w, a, d.entry[i].name, to[place_of(w, d.entry[i].name)], &out);
        progress("writing", i + 1, d.entries);
    }
    writer_end(&out);
    note("%d of %d tensors are merged with %d LoRA%s", changed, d.entries, a->files,
         a->files == 1 ? "" : "s");
    stats_set("tensors_merged", changed);
    document_free(&d);
    writer_close(&out);
    free(to);
}

/* ---- the program ---- */

static void check_options(int argc, char **argv, int operands)
{
    static const char *const types[] = {"fp32", "fp16", "bf16"};
    static const tensor_type are[] = {F32, F16, BF16};
    for (int i = 0; type && i < 3; i++)
        if (strcmp(type, types[i]) == 0)
            wanted = are[i];
    if (type && wanted == TENSOR_TYPES)
        usage_error("-t is fp16, bf16 or fp32, not '%s'", type);
    if (operands < argc)
        usage_error("unwanted operand '%s'", argv[operands]);
    if (!model)
        usage_error("-m is needed: the model that LoRAs are merged into");
    if (!loras.n)
        usage_error("-l is needed: a LoRA, once for each");
}

int main(int argc, char **argv)
{
    adapters a = {0};
    check_options(argc, argv, program_begin(argc, argv, options, usage));
    weights *w = model_find(model, PART_TRANSFORMER);
    weights_digest_begin(w);
    for (int i = 0; i < loras.n; i++)
        adapters_read(&a, loras.text[i]);
    adapters_check(&a, w);
    if (dry) {
        document d = {0};
        writer out;
        writer_open(&out, stdout, "standard output");
        describe(&d, w, &a);
        recipe_write(&out, &d);
        document_free(&d);
    } else {
        write_model(w, &a);
    }
    adapters_free(&a);
    weights_close(w);
    return program_end();
}
