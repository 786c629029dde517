/*
** ours.c: how our own quantized checkpoints are to be read: the metadata key `quantization`.
**
**     {"version": 1, "stored": "codes", "layers": {"blocks.0.ffn.0": "int4-g128", ...}, ...}
**
** safetensors has no type for codes of four bits that are whole numbers, nor for ggml's blocks:
** they lie in U8 [out, bytes of a row]. And what it has says neither how wide groups are nor, of
** F4, in which order a byte's halves go or which way scales multiply: three programs write NVFP4 in
** three ways. So nothing is guessed from shapes: a layer that is listed here is ours and is read as
** common/formats.h says, and a key of that name without our version is another program's.
*/
#include <jansson.h>

#include "../die.h"
#include "stored.h"
#include "table.h"

enum { VERSION = 1 };

/* Type and shape of a weight whose file has `t`, bytes of a row where our types are not its own. */
static tensor retyped(const weights *w, const item *t, const weight_format *f, const char *rule)
{
    tensor y = t->shape, x = t->shape;
    bool packed = x.type != f->codes && !type_in_streams(f->codes); /* GGUF has the types */
    int64_t size = (int64_t)type_size(f->codes), block = type_block(f->codes);
    if (x.rank != 2 || x.type != (packed ? U8 : f->codes) || (packed && x.dim[1] % size))
        die("%s is %s in %s, which says that it is %s", t->raw, tensor_text(x), w->path, rule);
    if (packed)
        y.dim[1] = x.dim[1] / size * block;
    return tensor_make(x.data, f->codes, 2, y.dim);
}

static void read_format(weights *w, const char *layer, const char *rule)
{
    char *name = new_format("%s.weight", layer);
    item *t = weights_item(w, name);
    int group;
    const weight_format *f = rule ? format_named(rule, &group) : NULL;
    free(name);
    if (!rule || !f)
        die("%s says that %s is '%.40s', a format that is not read", w->path, layer,
            rule ? rule : "?");
    if (!t) /* a part of a model, as tensor-pick makes it */
        return;
    t->shape = retyped(w, t, f, rule);
    t->format = f;
    t->group = group;
}

void weights_read_formats(weights *w)
{
    const char *said = weights_metadata(w, "quantization"), *layer;
    json_t *o = said && *said == '{' ? json_loads(said, 0, NULL) : NULL, *rule;
    json_t *version = json_object_get(o, "version"), *layers = json_object_get(o, "layers");
    if (!json_is_integer(version) || !json_is_object(layers)) {
        json_decref(o);
        return;
    }
    if (json_integer_value(version) != VERSION)
        die("%s was quantized by another wan-quantize: its version is %lld, not %d", w->path,
            (long long)json_integer_value(version), VERSION);
    w->quantization = o;
    const char *how = json_string_value(json_object_get(o, "stored"));
    if (how && strcmp(how, "fake") == 0)
        return;
    json_object_foreach(layers, layer, rule) read_format(w, layer, json_string_value(rule));
}

const json_t *weights_quantization(const weights *w, const char *key)
{
    return json_object_get(w->quantization, key);
}

const char *weights_rule(const weights *w, const char *layer)
{
    return json_string_value(json_object_get(weights_quantization(w, "layers"), layer));
}

/* ---- what stands beside such a weight ---- */

static tensor beside(weights *w, const char *name, const char *end, tensor_type type, int64_t rows,
                     int64_t width)
{
    char *full = new_format("%s%s", name, end);
    const item *t = weights_item(w, full);
    const int64_t dim[] = {rows, width};
    if (!t || t->shape.type != type || t->shape.rank != 2 || t->shape.dim[0] != rows ||
        t->shape.dim[1] != width)
        die("%s is %s in %s, but %s %s is needed", full, t ? tensor_text(t->shape) : "not", w->path,
            type_name(type), shape_text(2, dim));
    tensor x = weights_any(w, full);
    free(full);
    return x;
}

/* Steps are finite, and not negative. */
static void check_steps(const weights *w, const char *name, tensor step)
{
    enum { PIECE = 256 };
    float value[PIECE];
    int64_t count = tensor_count(step);
    size_t size = type_size(step.type);
    for (int64_t at = 0, n; at < count; at += n) {
        n = count - at < PIECE ? count - at : PIECE;
        host_widen(value, (const char *)step.data + (size_t)at * size, step.type, n);
        for (int64_t i = 0; i < n; i++)
            if (!(value[i] >= 0 && value[i] <= 0x1.fffffep127f))
                die("%s.weight_scale %s in %s has %g: scales must be finite and positive", name,
                    tensor_text(step), w->path, (double)value[i]);
    }
}

void stored_groups(stored *s, weights *w, const char *name)
{
    char *full = new_format("%s.weight", name);
    item *t = weights_item(w, full);
    const weight_format *f = t ? t->format : NULL;
    free(full);
    if (!f || f->step == TENSOR_TYPES)
        return;
    int64_t out = s->w.dim[0], in = s->w.dim[1], wide = t->group ? t->group : f->wide;
    if (f->high == 1 && in % wide)
        die("%s is %s in %s: its rows are no whole groups of %lld", t->raw, tensor_text(s->w),
            w->path, (long long)wide);
    int64_t across = (in + wide - 1) / wide, down = (out + f->high - 1) / f->high;
    s->step = beside(w, name, ".weight_scale", f->step, down, across);
    if (f->zero) {
        tensor packed = beside(w, name, ".weight_zero", U8, out, (across + 1) / 2);
        s->zero = tensor_of(packed.data, U4, out, (across + 1) / 2 * 2);
    }
    if (!t->looked_at)
        check_steps(w, name, s->step);
    t->looked_at = true;
}
