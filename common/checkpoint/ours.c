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
**
** What is listed must be there as it is said: what stands beside a weight too, for a rotated weight
** whose mark is lost would be multiplied as if it were none.
*/
#include <fnmatch.h>
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

/* A layer that is said to have it. */
static void check_beside(const weights *w, const char *layer, const char *end, const char *what)
{
    char *name = new_format("%s%s", layer, end);
    if (!weights_has(w, name))
        die("%s is not in %s, which says that %s is %s", name, w->path, layer, what);
    free(name);
}

/* rotate: "h256" or "h256:PATTERN", of X or X.weight; rank: a number */
static void check_extras(const weights *w, const char *layer, const char *name)
{
    const char *rotate = json_string_value(json_object_get(w->quantization, "rotate"));
    const char *pattern = rotate ? strchr(rotate, ':') : NULL;
    if (rotate && (!pattern || !fnmatch(pattern + 1, layer, 0) || !fnmatch(pattern + 1, name, 0)))
        check_beside(w, layer, ".weight_hadamard", "rotated");
    if (json_integer_value(json_object_get(w->quantization, "rank")) > 0) {
        check_beside(w, layer, ".weight_low_rank_down", "with a branch");
        check_beside(w, layer, ".weight_low_rank_up", "with a branch");
    }
}

static void read_format(weights *w, const char *layer, const char *rule, bool fake)
{
    char *name = new_format("%s.weight", layer);
    item *t = weights_item(w, name);
    int group;
    const weight_format *f = rule ? format_named(rule, &group) : NULL;
    if (!rule || !f)
        die("%s says that %s is '%.40s', a format that is not read", w->path, layer,
            rule ? rule : "?");
    if (t && fake && stored_as_codes(t->shape.type))
        die("%s is %s in %s, which says that its codes are stored as floats", t->raw,
            tensor_text(t->shape), w->path);
    if (t && !fake) { /* else a part of a model, as tensor-pick makes it */
        t->shape = retyped(w, t, f, rule);
        t->format = f;
        t->group = group;
        check_extras(w, layer, name);
    }
    free(name);
}

/* Of whichever shard has it, and the others may not say otherwise. */
const char *weights_quantization_text(const weights *w)
{
    const char *said = NULL;
    for (int i = 0; i < w->files; i++) {
        const char *text = w->file[i].p ? NULL : metadata_get(&w->file[i].d, "quantization");
        if (text && !*text) /* as tensor-pick -k takes it away */
            continue;
        if (text && said && strcmp(text, said) != 0)
            die("the shards of %s do not agree in how they are quantized: %s has another metadata "
                "key quantization than one before it",
                w->path, w->file[i].path);
        said = text ? text : said;
    }
    return said;
}

/* The metadata's text as JSON, or NULL if it is no object. */
static json_t *said_of(const weights *w)
{
    const char *said = weights_quantization_text(w);
    if (!said || *said != '{')
        return NULL;
    json_t *o = json_loads(said, JSON_REJECT_DUPLICATES, NULL);
    if (!o)
        die("%s: its metadata's quantization, which says how its layers are stored, is no JSON, or "
            "says something twice",
            w->path);
    return o;
}

void weights_read_formats(weights *w)
{
    const char *layer;
    json_t *o = said_of(w), *rule;
    json_t *version = json_object_get(o, "version"), *layers = json_object_get(o, "layers");
    if (!json_is_integer(version) || !json_is_object(layers)) {
        json_decref(o);
        return;
    }
    if (json_integer_value(version) != VERSION)
        die("%s was quantized by another wan-quantize: its version is %lld, not %d", w->path,
            (long long)json_integer_value(version), VERSION);
    w->quantization = o;
    json_t *form = json_object_get(o, "stored");
    const char *how = form ? json_string_value(form) : "codes";
    bool fake = how && strcmp(how, "fake") == 0;
    if (!how || (!fake && strcmp(how, "codes") != 0))
        die("%s says that '%.40s' are stored: codes or fake is read", w->path, how ? how : "?");
    json_object_foreach(layers, layer, rule) read_format(w, layer, json_string_value(rule), fake);
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

/* Steps are finite, and not negative; those that their type makes zero are. */
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
                die("%s.weight_scale %s in %s has %g: scales must be finite and not negative", name,
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
