/*
** layout-out.c: --layout: names, companions and metadata as other programs have them.
**
** diffusers: its names, and codes as torchao's flatten_tensor_state_dict() lays them out, which is
** what diffusers' save_pretrained() writes and from_pretrained() reads under TorchAoConfig: of a
** tensor X.weight of codes X._weight_qdata, X._weight_scale, and in the metadata what class they
** are of, as JSON under the name of each tensor.
**
** ComfyUI: official names. Codes of ggml's blocks go into GGUF, in the types that ComfyUI-GGUF's
** convert.py chooses for the rest. Others have a tensor X.comfy_quant beside them, JSON in bytes,
** which names the format, and asks that products be computed in full precision: without that it
** would quantize activations too.
**
** What has no form that their programs read is refused, by name. Seen with torchao 0.18, diffusers
** 0.42.1, comfy-kitchen 0.2.40, gguf 0.19.
*/
#include "layout-out.h"

#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../common/checkpoint/gguf.h"
#include "../../common/checkpoint/layout.h"
#include "../../common/checkpoint/stored.h"
#include "../../common/die.h"
#include "../../common/text.h"

static const char *const layout_names[] = {"official", "diffusers", "comfyui"};

/* ---- forms ---- */

static const struct {
    const char *rule;
    const char *torchao; /* the class of the tensor */
    const char *comfy;   /* its format, or NULL */
} forms[] = {
    {"int8", "Int8Tensor", "int8_tensorwise"},
    {"int8-127", "Int8Tensor", "int8_tensorwise"},
    {"fp8-tensor", "Float8Tensor", "float8_e4m3fn"},
    {"fp8-row", "Float8Tensor", NULL},
};
enum { FORMS = sizeof forms / sizeof *forms };

static const char *form_of(const rule *r, out_layout layout)
{
    for (int i = 0; i < FORMS; i++)
        if (strcmp(rule_name(r), forms[i].rule) == 0)
            return layout == LAYOUT_DIFFUSERS ? forms[i].torchao : forms[i].comfy;
    return NULL;
}

/* Has it ggml's blocks? */
static bool is_ggml(const rule *r) { return rule_ranges(r, 256, 256) == 0; }

static void refuse_rule(const rule *r, out_layout layout) __attribute__((noreturn));
static void refuse_rule(const rule *r, out_layout layout)
{
    bool diffusers = layout == LAYOUT_DIFFUSERS;
    usage_error("--layout %s has no form for %s: it has %s; --fake goes into any layout",
                layout_names[layout], rule_name(r),
                !diffusers   ? "int8, int8-127, fp8-tensor, or ggml's q8_0, q4_0, q4_k, q5_k, q6_k"
                : is_ggml(r) ? "int8, int8-127, fp8-tensor and fp8-row, and diffusers reads the "
                               "GGUF of --layout comfyui"
                             : "int8, int8-127, fp8-tensor and fp8-row");
}

void layout_check(target *t)
{
    const rule *blocks = NULL, *other = NULL;
    if (t->layout == LAYOUT_OFFICIAL || t->to != TENSOR_TYPES || t->fake)
        return;
    for (int i = 0; i <= t->codes.patterns->n; i++) {
        const rule *r = choice_rule(&t->codes, i);
        if (!r)
            continue;
        bool ggml = is_ggml(r) && t->layout == LAYOUT_COMFYUI;
        if (!ggml && !form_of(r, t->layout))
            refuse_rule(r, t->layout);
        blocks = ggml ? r : blocks;
        other = ggml ? other : r;
    }
    if (blocks && other)
        usage_error("--layout comfyui has no file for %s and %s: the one goes into GGUF, the other "
                    "into safetensors",
                    rule_name(blocks), rule_name(other));
    t->gguf = blocks != NULL;
}

/* ---- names ---- */

static char *name_in(const char *official, out_layout layout)
{
    char *theirs = layout == LAYOUT_DIFFUSERS ? diffusers_name(official) : NULL;
    return theirs ? theirs : new_format("%s", official);
}

/* X of X.weight as the layout has it. */
static char *layer_in(const plan *p, out_layout layout)
{
    char *name = name_in(p->name, layout);
    name[strlen(name) - strlen(".weight")] = 0;
    return name;
}

static void rename_part(plan *p, int i, const char *layer, const char *ending)
{
    free(p->part_name[i]);
    p->part_name[i] = new_format("%s%s", layer, ending);
}

static void add_part(plan *p, const char *layer, const char *ending, tensor t)
{
    assert(p->parts < RULE_PARTS);
    p->part[p->parts] = t;
    p->part_name[p->parts++] = new_format("%s%s", layer, ending);
}

/* ---- codes ---- */

static tensor scales_shape(const plan *p) /* [out, 1], [1, 1] */
{
    return tensor_of(NULL, F32, tensor_count(p->part[1]), 1);
}

static void torchao_parts(weights *w, plan *p, const char *layer)
{
    static const char *const endings[] = {"._weight_qdata", "._weight_scale"};
    for (int i = 0; i < 2; i++)
        rename_part(p, i, layer, endings[i]);
    p->part[1] = scales_shape(p);
    if (p->part[0].type == I8) {
        tensor zero = tensor_of(NULL, I8, p->part[0].dim[0], 1);
        zero.data = weights_keep(w, new_bytes(tensor_bytes(zero)));
        add_part(p, layer, "._weight_zero_point", zero);
    }
}

static void comfy_parts(weights *w, plan *p, const char *layer)
{
    char *said =
        weights_keep(w, new_format("{\"format\": \"%s\", \"full_precision_matrix_mult\": true}",
                                   form_of(p->rule, LAYOUT_COMFYUI)));
    p->part[1] = tensor_count(p->part[1]) == 1 && p->part[0].type == F8_E4M3
                     ? tensor_make(NULL, F32, 0, NULL)
                     : scales_shape(p);
    add_part(p, layer, ".comfy_quant", tensor_of(said, U8, (int64_t)strlen(said)));
}

/* What stands beside codes and is no scale or zero of the rule's: a rotation, a branch. */
static void refuse_more(const plan *p, const target *t)
{
    rule_part part[RULE_PARTS];
    int of_rule = rule_parts(p->rule, &p->made, part);
    if (!t->fake && p->parts > of_rule)
        die("--layout %s has no form for %s: --fake stores what is meant, in any layout",
            layout_names[t->layout], p->part_name[of_rule]);
}

static void apply_codes(weights *w, plan *p, const target *t)
{
    refuse_more(p, t);
    char *layer = layer_in(p, t->layout);
    if (t->fake)
        rename_part(p, 0, layer, ".weight");
    else if (t->gguf) /* with its type, which safetensors has not */
        p->part[0] = p->made.w;
    else if (t->layout == LAYOUT_DIFFUSERS)
        torchao_parts(w, p, layer);
    else
        comfy_parts(w, p, layer);
    free(layer);
}

/* ---- what stays ---- */

/* convert.py's choice: these are F32 if they were wider than F16; here always. */
static bool is_f32_in_gguf(const plan *p)
{
    enum { SMALL = 1024, MOST_DIMENSIONS = 4 };
    tensor s = p->from.w;
    return s.rank <= 1 || s.rank > MOST_DIMENSIONS || tensor_count(s) <= SMALL ||
           ends_with(p->name, ".modulation");
}

static void apply_other(const weights *w, plan *p, const target *t)
{
    tensor_type type = p->from.w.type;
    bool small = t->gguf && is_f32_in_gguf(p), is_float = codes_readable(type) || type == F64;
    bool blocks = t->gguf && !small && type_block(type) > 1 && p->to == F32;
    if (strcmp(p->name, "scaled_fp8") == 0) /* ComfyUI's mark of a file of an older kind */
        p->to = TENSOR_TYPES;
    if (p->to == TENSOR_TYPES)
        return;
    if (blocks && gguf_type(type) >= 0)
        p->to = type;
    else if (is_float && (small || p->to == F64))
        p->to = F32;
    if (p->to != F32 && p->to != F16 && p->to != BF16 && !(blocks && p->to == type))
        die("%s is %s in %s: --layout %s has no form for it as it is%s", weights_called(w, p->name),
            tensor_text(p->from.w), weights_path(w), layout_names[t->layout],
            stored_as_codes(type) ? "; give it a rule" : "");
    p->as = name_in(p->name, t->layout);
}

void layout_apply(weights *w, plan *p, const target *t)
{
    const char *wanted = part_name(PART_TRANSFORMER), *what = weights_what(w);
    if (t->layout == LAYOUT_OFFICIAL)
        return;
    if (!what || strncmp(what, wanted, strlen(wanted)) != 0)
        die("%s is %s: --layout %s is for %s", weights_path(w), what ? what : "of no known layout",
            layout_names[t->layout], wanted);
    for (int i = 0; i < weights_count(w); i++)
        if (p[i].rule)
            apply_codes(w, p + i, t);
        else
            apply_other(w, p + i, t);
}

/* ---- metadata ---- */

static json_t *torch_type(tensor_type type)
{
    return json_pack("{s:s, s:s}", "_type", "torch.dtype", "_data",
                     type == F16    ? "float16"
                     : type == BF16 ? "bfloat16"
                                    : "float32");
}

/* What torchao makes its tensor of, beside codes and scales. */
static json_t *torchao_tensor(const plan *p)
{
    tensor w = p->part[0];
    bool rows =
        tensor_count(p->part[1]) == w.dim[0] && strcmp(rule_name(p->rule), "fp8-tensor") != 0;
    json_t *data =
        json_pack("{s:[I, I], s:n, s:o}", "block_size", (json_int_t)(rows ? 1 : w.dim[0]),
                  (json_int_t)w.dim[1], "act_quant_kwargs", "dtype", torch_type(p->from.w.type));
    json_t *parts = json_pack("[s, s]", "qdata", "scale");
    if (w.type == I8) {
        json_object_set_new(data, "reduce_range", json_false());
        json_array_append_new(parts, json_string("zero_point"));
    } else {
        json_object_set_new(data, "mm_config", json_null());
        json_object_set_new(data, "kernel_preference",
                            json_pack("{s:s, s:s}", "_type", "KernelPreference", "_data", "AUTO"));
    }
    return json_pack("{s:s, s:o, s:o}", "_type", form_of(p->rule, LAYOUT_DIFFUSERS), "_data", data,
                     "_tensor_data_names", parts);
}

static void set_json(document *d, const char *key, json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT);
    metadata_set(d, key, text);
    free(text);
    json_decref(value);
}

void layout_metadata(document *d, const weights *w, const plan *p, const target *t)
{
    if (t->layout != LAYOUT_DIFFUSERS)
        return;
    metadata_set(d, "format", "pt");
    if (t->to != TENSOR_TYPES || t->fake)
        return;
    json_t *names = json_array();
    for (int i = 0; i < weights_count(w); i++) {
        if (!p[i].rule && p[i].to == TENSOR_TYPES)
            continue;
        char *name = name_in(p[i].name, t->layout);
        json_array_append_new(names, json_string(name));
        set_json(d, name,
                 p[i].rule ? torchao_tensor(p + i) : json_pack("{s:s}", "_type", "Tensor"));
        free(name);
    }
    set_json(d, "tensor_names", names);
}
