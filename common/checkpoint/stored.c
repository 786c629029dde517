/*
** stored.c: a weight and its companions: the tensors that quantisers write beside it.
**
** Scales may be F32, F16, BF16 or F64: one for the whole weight or one for each row, [out] or
** [out, 1]. Any other tensor with the weight's name and an ending that is not listed here could
** change the values in an unknown way, so it is an error and never ignored. The companion
** comfy_quant is JSON; only formats in which a value is a code times a scale are accepted.
*/
#include "stored.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../die.h"
#include "table.h"

bool stored_as_codes(tensor_type type)
{
    return type == I8 || type == F8_E4M3 || type == F8_E5M2 || type_block(type) > 1;
}

const char *stored_owner(const weights *w, const char *name)
{
    static const char *const endings[] = {
        ".weight_scale",         ".weight_zero_point", ".comfy_quant",    ".input_scale",
        ".scale_input",          ".weight_zero",       ".weight_scale_2", ".weight_hadamard",
        ".weight_low_rank_down", ".weight_low_rank_up"};
    static char full[512];
    size_t n = strlen(name);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t k = strlen(endings[i]);
        if (n > k && n < sizeof full - 8 && strcmp(name + n - k, endings[i]) == 0) {
            snprintf(full, sizeof full, "%.*s.weight", (int)(n - k), name);
            return weights_has(w, full) ? full : NULL;
        }
    }
    return NULL;
}

/* What the file calls NAME.END. */
static const char *called(const weights *w, const char *name, const char *end)
{
    static char full[4][256];
    static int next;
    char *s = full[next++ & 3];
    snprintf(s, sizeof full[0], "%s%s", name, end);
    return weights_called(w, s);
}

static tensor companion(weights *w, const char *name, const char *end)
{
    char full[256];
    snprintf(full, sizeof full, "%s%s", name, end);
    return weights_has(w, full) ? weights_any(w, full) : (tensor){0};
}

/* ---- scales ---- */

/* One for all, or one a row: [out] or [out, 1, ...]. */
static bool is_row_scale(tensor scale, int64_t rows)
{
    return tensor_count(scale) == 1 || (tensor_count(scale) == rows && scale.dim[0] == rows);
}

static bool is_float_type(tensor_type t) { return t == F64 || t == F32 || t == F16 || t == BF16; }

/* Converts the scales to F32, one for each row, and checks that they are finite and positive. */
static void read_scales(weights *w, const char *name, const char *end, tensor weight, tensor scale,
                        float *to, int64_t rows)
{
    const char *raw = called(w, name, end);
    int64_t n = tensor_count(scale);
    if (!is_float_type(scale.type))
        die("%s is %s in %s: scales are F32, F16, BF16 or F64", raw, tensor_text(scale),
            weights_path(w));
    if (!is_row_scale(scale, rows))
        die("%s is %s in %s: only one scale for all of %s %s, or one a row, is read", raw,
            tensor_text(scale), weights_path(w), called(w, name, ".weight"), tensor_text(weight));
    host_convert(tensor_of(to, F32, n), reshape(scale, n));
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(to[i]) || to[i] <= 0)
            die("%s %s in %s has %g: scales must be finite and positive", raw, tensor_text(scale),
                weights_path(w), (double)to[i]);
    for (int64_t i = n; i < rows; i++)
        to[i] = to[0];
}

/* The scales as F32 [rows]. They are converted and checked once, and kept with the item of the
 * checkpoint. */
static tensor row_scales(weights *w, const char *name, const char *end, tensor weight, tensor scale)
{
    char full[256];
    snprintf(full, sizeof full, "%s%s", name, end);
    item *t = weights_item(w, full);
    int64_t rows = weight.rank ? weight.dim[0] : 1, n = tensor_count(scale);
    if (!t->scales) {
        float *made = new_bytes((size_t)(rows > n ? rows : n) * 4);
        read_scales(w, name, end, weight, scale, made, rows);
        t->scales = made;
    }
    return tensor_of(t->scales, F32, rows);
}

/* ---- other companions ---- */

static void check_zero_point(weights *w, const char *name)
{
    tensor zero = companion(w, name, ".weight_zero_point");
    const unsigned char *p = zero.data;
    size_t n = zero.data ? tensor_bytes(zero) : 0;
    for (size_t i = 0; i < n; i++)
        if (p[i] && !(p[i] == 0x80 && is_float_type(zero.type))) /* -0.0 */
            die("%s %s in %s is not zero: only symmetric codes are read",
                called(w, name, ".weight_zero_point"), tensor_text(zero), weights_path(w));
}

/* Checks an object such as {"format": "float8_e4m3fn", ...}. A further key that is true or a number
 * other than 0 means that the values need one more operation, which is not known here. */
static void check_format(const weights *w, const char *whose, json_t *o)
{
    static const char *const formats[] = {"float8_e4m3fn", "float8_e5m2", "int8", "int8_rowwise",
                                          "int8_tensorwise"};
    static const char *const harmless[] = {"format",
                                           "full_precision_matrix_mult",
                                           "convrot_groupsize",
                                           "is_weight",
                                           "orig_dtype",
                                           "orig_shape",
                                           "per_channel",
                                           "per_row"};
    const char *key, *format = json_string_value(json_object_get(o, "format"));
    json_t *value;
    bool known = !format && json_is_object(o);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        known |= format && strcmp(format, formats[i]) == 0;
    if (!known)
        die("%s in %s says the format '%.40s': only fp8 and int8 with scales are read", whose,
            weights_path(w), format ? format : "?");
    json_object_foreach(o, key, value)
    {
        bool fine = json_is_false(value) || json_is_null(value) ||
                    (json_is_number(value) && json_number_value(value) == 0);
        for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
            fine |= strcmp(key, harmless[i]) == 0;
        if (!fine)
            die("%s in %s says %.40s: its weights are not codes times scales, and are not read",
                whose, weights_path(w), key);
    }
}

/* Checks what ComfyUI writes about a weight: a tensor beside it, or an entry of the metadata. */
static void check_comfy(weights *w, const char *name)
{
    tensor t = companion(w, name, ".comfy_quant");
    const char *said = weights_metadata(w, "_quantization_metadata");
    if (t.data) {
        json_t *o = t.type == U8 ? json_loadb(t.data, tensor_bytes(t), 0, NULL) : NULL;
        check_format(w, called(w, name, ".comfy_quant"), o);
        json_decref(o);
    }
    if (!said)
        return;
    json_t *all = json_loads(said, 0, NULL), *layers = json_object_get(all, "layers");
    if (!all)
        die("%s: its metadata's _quantization_metadata, which says how its layers are stored, is "
            "no "
            "JSON",
            weights_path(w));
    const char *raw = called(w, name, ".weight"), *key;
    size_t n = strlen(raw), end = n > 7 && !strcmp(raw + n - 7, ".weight") ? n - 7 : n;
    json_t *o;
    json_object_foreach(layers, key, o)
    {
        size_t k = strlen(key);
        bool about_it =
            k <= end && memcmp(raw + end - k, key, k) == 0 && (k == end || raw[end - k - 1] == '.');
        if (about_it)
            check_format(w, raw, o);
    }
    json_decref(all);
}

/* Refuses all other tensors that begin with the weight's name. */
static void check_others(const weights *w, const char *name, bool groups)
{
    static const char *const known[] = {
        "weight",      "bias",        "weight_scale", "weight_zero_point",
        "comfy_quant", "input_scale", "scale_input"};
    static const char *const of_groups[] = {"weight_zero", "weight_scale_2"};
    static const char *const extras[] = {"weight_hadamard", "weight_low_rank_down",
                                         "weight_low_rank_up"};
    size_t count[] = {sizeof known / sizeof *known, groups ? 2 : 0, w->extras ? 3 : 0};
    const char *const *list[] = {known, of_groups, extras};
    size_t n = strlen(name);
    for (int i = weights_first(w, name); i < w->items; i++) {
        const item *t = w->item + w->order[i];
        bool is_known = false;
        if (strncmp(t->name, name, n) != 0)
            return;
        if (t->name[n] != '.')
            continue;
        for (int of = 0; of < 3; of++)
            for (size_t k = 0; k < count[of]; k++)
                is_known |= strcmp(t->name + n + 1, list[of][k]) == 0;
        for (size_t k = 0; k < sizeof extras / sizeof *extras; k++)
            if (!w->extras && strcmp(t->name + n + 1, extras[k]) == 0)
                die("%s in %s is part of %s: wan-denoise and wan-sensitivity apply it, and nothing "
                    "else does (wan-quantize --fake makes floats from the beginning)",
                    t->raw, weights_path(w), called(w, name, ".weight"));
        if (!is_known && !strchr(t->name + n + 1, '.'))
            die("%s in %s belongs to %s, and what it does to it is not known", t->raw,
                weights_path(w), called(w, name, ".weight"));
    }
}

/* ---- the weight ---- */

static void check_type(weights *w, const char *name, tensor t, bool scaled)
{
    const char *raw = called(w, name, ".weight");
    if (!type_has_values(t.type) || t.type == F4 || t.type == F8_E8M0) /* F4: ours are listed */
        die("%s is %s in %s, a type that is not read", raw, tensor_text(t), weights_path(w));
    if (t.type == U8)
        die("%s is %s in %s: codes of 8 bits are read as I8 alone; U8 is packed, or has a zero "
            "point",
            raw, tensor_text(t), weights_path(w));
    if (!is_float_type(t.type) && !stored_as_codes(t.type))
        die("%s is %s in %s: weights are floats, or I8 with scales", raw, tensor_text(t),
            weights_path(w));
    if (t.type == I8 && !scaled)
        die("%s is %s in %s, but has no scales (%s_scale)", raw, tensor_text(t), weights_path(w),
            raw);
    if (scaled && is_float_type(t.type))
        die("%s is %s in %s, and has scales: those of codes alone are read", raw, tensor_text(t),
            weights_path(w));
    if (scaled && type_block(t.type) > 1)
        die("%s is %s in %s, which has its scales inside, and has others", raw, tensor_text(t),
            weights_path(w));
}

stored weights_stored(weights *w, const char *name)
{
    char full[256];
    snprintf(full, sizeof full, "%s.weight", name);
    stored s = {.w = weights_any(w, full)};
    const weight_format *f = weights_item(w, full)->format;
    bool groups = f && f->step != TENSOR_TYPES;
    stored_groups(&s, w, name);
    const char *end = groups ? ".weight_scale_2" : ".weight_scale";
    tensor scale = companion(w, name, end);
    if (groups && !scale.data != (f->scales != SCALES_ROWS))
        die("%s%s is %s in %s, whose %s is %s", name, end, scale.data ? "there" : "not", w->path,
            called(w, name, ".weight"), f->name);
    if (!groups)
        check_type(w, name, s.w, scale.data != NULL);
    check_zero_point(w, name);
    check_comfy(w, name);
    check_others(w, name, groups);
    if (scale.data)
        s.scale = row_scales(w, name, end, s.w, scale);
    return s;
}

tensor stored_expanded(const stored *s)
{
    tensor y = tensor_make(NULL, F32, s->w.rank, s->w.dim);
    y.data = new_bytes(tensor_bytes(y));
    stored_values(y.data, s, 0, tensor_count(y));
    return y;
}
