/*
** plan.c: what becomes of each tensor: codes and scales, another float type, or what it was.
**
** What is codes already (fp8, ggml's blocks, int8) is expanded, its scales multiplied in and left
** out; so every float of the result has the type that was asked for. All weights are looked at
** before anything is written: the scales need that anyway, and a weight that is not finite, or that
** the type cannot hold, ends the run with nothing written.
*/
#include "plan.h"

#include <stdio.h>
#include <stdlib.h>

#include "../../common/die.h"
#include "../../common/program.h"

enum { ROOM = 1 << 20 }; /* floats */

static bool is_float(tensor_type t) { return t == F64 || codes_readable(t); }

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), k = strlen(end);
    return n > k && strcmp(s + n - k, end) == 0;
}

/* ---- which ---- */

/* The weight of an nn.Linear: 2-D, and not a table of embeddings. */
static bool is_linear(const char *name, tensor t)
{
    return t.rank == 2 && tensor_count(t) && ends_with(name, ".weight") &&
           !ends_with(name, "embedding.weight") && (is_float(t.type) || stored_as_codes(t.type));
}

/* TorchAoConfig in diffusers leaves alone what diffusers keeps in F32. */
static bool is_chosen(const char *name, layer_choice layers)
{
    bool in_block = strncmp(name, "blocks.", 7) == 0;
    return layers == LAYERS_ALL || in_block ||
           (layers == LAYERS_DIFFUSERS && strncmp(name, "time_embedding.", 15) != 0);
}

static tensor_type becomes(const char *name, tensor t, const target *to)
{
    bool codes = stored_as_codes(t.type) && (t.type != I8 || ends_with(name, ".weight"));
    bool floats = is_float(t.type) || codes;
    if (to->to == I8 && is_linear(name, t) && is_chosen(name, to->layers))
        return I8;
    if (to->to == I8) /* what no stream holds is expanded, exactly */
        return type_in_streams(t.type) ? t.type : F32;
    return floats ? to->to : t.type;
}

/* ---- plans ---- */

static void plan_codes(weights *w, plan *p, const target *to)
{
    tensor_type type = p->from.w.type;
    if (type == I8)
        die("%s is I8 in %s: the model is quantized already", weights_called(w, p->name),
            weights_path(w));
    if (!codes_readable(type) && !stored_as_codes(type))
        die("%s is %s in %s; only F32, F16, BF16 and codes that stand for them can be quantized",
            weights_called(w, p->name), type_name(type), weights_path(w));
    if (to->rule.weight_type && !codes_readable(type))
        die("%s is %s in %s: --scale-type weight is for weights of F32, F16 and BF16",
            weights_called(w, p->name), type_name(type), weights_path(w));
    p->scale_name = new_format("%s_scale", p->name);
    p->scale = new_bytes((size_t)p->from.w.dim[0] * sizeof *p->scale);
    if (weights_has(w, p->scale_name) && codes_readable(type))
        die("%s is in %s: the model is quantized already", p->scale_name, weights_path(w));
}

/* With its scales, if it is codes; dies for what stands beside it and is not known. */
static void fetch(weights *w, plan *p)
{
    if (p->from.w.rank >= 1 && ends_with(p->name, ".weight")) {
        char *base = new_format("%.*s", (int)(strlen(p->name) - strlen(".weight")), p->name);
        p->from = weights_stored(w, base);
        free(base);
    } else {
        p->from.w = weights_any(w, p->name);
    }
}

static plan plan_tensor(weights *w, int i, const target *to)
{
    plan p = {.name = weights_name(w, i), .from = {.w = weights_shape(w, i)}};
    const char *owner = stored_owner(w, p.name);
    tensor t = p.from.w;
    if (owner) { /* goes with the weight that it belongs to */
        tensor whose = weights_any(w, owner);
        p.to = stored_as_codes(whose.type) && becomes(owner, whose, to) != whose.type ? TENSOR_TYPES
                                                                                      : t.type;
        return p;
    }
    p.to = becomes(p.name, t, to);
    if (t.rank >= 2 && ends_with(p.name, ".weight") && !is_float(t.type) && t.type != I8)
        fetch(w, &p); /* dies, if it is no weight */
    if (to->to != I8 && strcmp(p.name, "scaled_fp8") == 0)
        p.to = TENSOR_TYPES;
    if (to->to != I8 && p.to != TENSOR_TYPES && !type_has_values(t.type))
        die("%s is %s in %s: what is of that type cannot be made %s", weights_called(w, p.name),
            tensor_text(t), weights_path(w), type_name(to->to));
    if (p.to == I8 && to->to == I8 && t.type != I8)
        plan_codes(w, &p, to);
    else if (p.to == I8 && to->to == I8 && is_linear(p.name, t) && is_chosen(p.name, to->layers))
        plan_codes(w, &p, to); /* dies */
    return p;
}

int64_t plan_rows_in(const plan *p, int64_t floats)
{
    int64_t rows = p->from.w.rank ? p->from.w.dim[0] : 1;
    int64_t width = rows ? tensor_count(p->from.w) / rows : 0, n = width ? floats / width : rows;
    return n < 1 ? 1 : n > rows ? rows : n;
}

tensor plan_rows(const plan *p, int64_t first, int64_t n, float *room)
{
    tensor t = p->from.w;
    int64_t rows = t.rank ? t.dim[0] : 1, width = rows ? tensor_count(t) / rows : 0;
    if (is_float(t.type) && !p->from.scale.data) {
        tensor all = tensor_of(t.data, t.type, rows, width);
        return slice(all, first, n);
    }
    stored_values(room, &p->from, first * width, n * width);
    return tensor_of(room, F32, n, width);
}

/* Reads the tensor once: its scales, and that all of it can be written. */
static void survey(weights *w, plan *p, const target *to)
{
    bool finite = true, fits = true;
    tensor t = p->from.w;
    if (p->to == TENSOR_TYPES || (!codes_readable(t.type) && p->to == t.type))
        return;
    fetch(w, p);
    int64_t rows = t.rank ? t.dim[0] : 1, n = plan_rows_in(p, ROOM);
    int64_t width = rows ? tensor_count(t) / rows : 0;
    float *room = codes_readable(t.type) ? NULL : new_bytes((size_t)(n * width) * 4);
    for (int64_t row = 0; row < rows; row += n) {
        n = rows - row < n ? rows - row : n;
        tensor part = plan_rows(p, row, n, room);
        if (p->scale) {
            finite &= code_scales(p->scale + row, part, to->rule);
        } else {
            if (part.type == F64) {
                host_convert(tensor_of(room, F32, n, width), part);
                part = tensor_of(room, F32, n, width);
            }
            float most = absmax(part);
            finite &= most <= 0x1.fffffep127f;
            fits &= p->to != F16 || most < 65520.0f; /* from there on F16 is infinite */
        }
    }
    free(room);
    weights_done(p->from.w);
    if (!finite)
        die("%s in %s has values that are not finite", weights_called(w, p->name), weights_path(w));
    if (!fits)
        die("%s in %s has values that fp16 cannot hold; bf16 can", weights_called(w, p->name),
            weights_path(w));
}

static void nothing_to_do(const weights *w, const target *to) __attribute__((noreturn));
static void nothing_to_do(const weights *w, const target *to)
{
    static const char *const where[] = {" in blocks.*", "", ""};
    const char *what = weights_what(w);
    if (to->to == I8)
        die("nothing to quantize: %s%s%s%s has no linear layer%s", weights_path(w),
            what ? " (" : "", what ? what : "", what ? ")" : "", where[to->layers]);
    if (weights_count(w) == 0)
        die("nothing to convert: %s has no tensors", weights_path(w));
    die("nothing to convert: %s is stored as %s", weights_path(w),
        to->to == F32   ? "fp32"
        : to->to == F16 ? "fp16"
                        : "bf16");
}

plan *plan_model(weights *w, const target *to)
{
    int n = weights_count(w), changed = 0;
    plan *p = new_bytes((size_t)n * sizeof *p);
    for (int i = 0; i < n; i++) {
        p[i] = plan_tensor(w, i, to);
        changed += to->to == I8 ? p[i].scale != NULL : p[i].to != p[i].from.w.type;
    }
    if (!changed)
        nothing_to_do(w, to);
    for (int i = 0; i < n; i++) {
        survey(w, &p[i], to);
        progress("reading", i + 1, n);
    }
    return p;
}

void plan_free(plan *p, int n)
{
    for (int i = 0; i < n; i++) {
        free(p[i].scale_name);
        free(p[i].scale);
    }
    free(p);
}
