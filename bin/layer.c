/*
** layer.c: what happens to a linear's inputs on their way into the product.
**
** Seen first: by taps and statistics, as the unquantised model would multiply them. Then rotated,
** if the weight is, and where --act chose the linear made into codes, a token at a time, which are
** multiplied as they are if the weight's are such and the device has such products; else rounded to
** what codes hold, in F32, into a copy: others may read the input as well. Linears that share a
** product are products of their own, each in the columns that are its, where they are not all alike
** in that, or may be exchanged one by one. A branch of low rank (SVDQuant) takes the inputs as they
** come; both sums meet in F32, some rows at a time.
*/
#include "layer.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "../common/die.h"
#include "inspect.h"
#include "patterns.h"

static struct {
    const char *type; /* NULL: nothing is quantised */
    row_codes codes;
    name_list patterns;
    int as_codes, rounded; /* so many linears of the model */
} act;

static bool divide; /* every layer of several linears */

/* ---- what is asked for ---- */

void layers_quantise(const char *type, const option_list *patterns)
{
    static const char *const names[] = {"int8", "int4", "fp8"};
    static const row_codes codes[] = {ROWS_INT8, ROWS_INT4, ROWS_FP8};
    if (!type && patterns->n)
        usage_error("--layer is for --act");
    if (!type)
        return;
    for (int i = 0; i < 3; i++)
        if (strcmp(type, names[i]) == 0) {
            act.type = names[i];
            act.codes = codes[i];
        }
    if (!act.type)
        usage_error("--act is int8, fp8 or int4, not '%s'", type);
    patterns_add_all(&act.patterns, "--layer", patterns);
    if (!act.patterns.n)
        patterns_add(&act.patterns, "blocks.*");
}

const name_list *layers_patterns(void) { return &act.patterns; }

void layers_stamp(json_t *stamp)
{
    if (!act.type)
        return;
    json_object_set_new(stamp, "act", json_string(act.type));
    json_object_set_new(stamp, "act_layers", names_json(&act.patterns, "--layer"));
    if (act.as_codes + act.rounded)
        json_object_set_new(stamp, "act_products",
                            json_string(!act.rounded    ? "codes"
                                        : !act.as_codes ? "rounded"
                                                        : "codes and rounded"));
}

void layers_divide(void) { divide = true; }

dit_layer layer_named(int n, const char *prefix, const char *const suffix[])
{
    dit_layer l = {.n = n};
    assert(n <= MOST_JOINED);
    for (int i = 0; i < n; i++) {
        l.name[i] = new_format("%s%s", prefix, suffix[i]);
        l.act[i] = patterns_fit(&act.patterns, 0, l.name[i]) >= 0;
    }
    return l;
}

bool layer_divided(const dit_layer *l)
{
    for (int i = 1; i < l->n; i++)
        if (divide || l->act[i] != l->act[0] || l->rotated[i] != l->rotated[0])
            return true;
    return false;
}

/* The type of the inputs' codes, if there are products of such. */
static tensor_type codes_type(void)
{
    return act.codes == ROWS_INT8 ? I8 : act.codes == ROWS_FP8 ? F8_E4M3 : U4;
}

/* Does this part of a weight, without those below it? */
static bool part_takes_codes(const linear_weight *w)
{
    linear_weight part = *w;
    part.below = NULL;
    return linear_takes_codes(&part, codes_type());
}

void layer_loaded(const dit_layer *l)
{
    int64_t rows = 0, at = 0;
    for (const linear_weight *w = &l->weight; w; w = w->below)
        rows += w->w.dim[0];
    for (const linear_weight *w = &l->weight; w; at += w->w.dim[0], w = w->below)
        for (int64_t i = at * l->n / rows; i < (at + w->w.dim[0]) * l->n / rows; i++)
            if (l->act[i])
                ++*(part_takes_codes(w) ? &act.as_codes : &act.rounded);
    if (act.type) {
        stats_set("act_as_codes", act.as_codes);
        stats_set("act_rounded", act.rounded);
    }
}

linear_weight *layer_part(dit_layer *l, int i)
{
    linear_weight *part = &l->weight;
    assert(i < l->n && (l->n == 1 || layer_divided(l)));
    for (; i > 0; i--) /* load_apart's, which are ours to change */
        part = (linear_weight *)part->below;
    return part;
}

/* All that belongs to one linear, but for the name. */
typedef struct {
    linear_weight weight, down, up;
    bool act, rotated;
} description;

static description described(dit_layer *l, int i)
{
    return (description){*layer_part(l, i), l->down[i], l->up[i], l->act[i], l->rotated[i]};
}

static void describe(dit_layer *l, int i, const description *d)
{
    linear_weight *part = layer_part(l, i);
    const linear_weight *below = part->below;
    *part = d->weight;
    part->below = below;
    l->down[i] = d->down;
    l->up[i] = d->up;
    l->act[i] = d->act;
    l->rotated[i] = d->rotated;
}

void layer_exchange(dit_layer *a, dit_layer *b, int i)
{
    description of_a = described(a, i), of_b = described(b, i);
    describe(a, i, &of_b);
    describe(b, i, &of_a);
}

/* ---- inputs ---- */

static void look(tensor x, const dit_layer *l)
{
    char name[80];
    for (int i = 0; inspect_any() && i < l->n; i++) {
        snprintf(name, sizeof name, "%s:in", l->name[i]);
        inspect_see(name, x);
    }
    if (l->statistics)
        statistics_add(l->statistics, x);
}

/* x as the i-th linear multiplies it with its weight w. */
static layer_input prepared(tensor x, const dit_layer *l, int i, const linear_weight *w)
{
    int64_t N = tensor_rows(x), D = tensor_width(x);
    bool codes = l->act[i] && linear_takes_codes(w, codes_type());
    if (codes) {
        layer_input in = {scratch(codes_type(), N, D), scratch(F32, N)};
        quantize_rows(in.x, in.scale, x, l->rotated[i]);
        return in;
    }
    tensor y = l->rotated[i] || l->act[i] ? scratch(x.type, N, D) : x;
    if (l->rotated[i]) {
        hadamard(y, x);
        x = y;
    }
    if (l->act[i])
        round_rows(y, x, act.codes);
    return (layer_input){.x = y};
}

/* ---- products ---- */

static void times(tensor y, layer_input in, const linear_weight *w)
{
    if (in.scale.data)
        linear_codes(y, in.x, in.scale, w);
    else
        linear(y, in.x, w);
}

static void times_gelu(tensor y, layer_input in, const linear_weight *w)
{
    if (in.scale.data)
        linear_codes_gelu(y, in.x, in.scale, w);
    else
        linear_gelu(y, in.x, w);
}

static void times_add(tensor y, layer_input in, const linear_weight *w, tensor gate)
{
    if (in.scale.data)
        linear_codes_add(y, in.x, in.scale, w, gate);
    else
        linear_add(y, in.x, w, gate);
}

/* Are its inputs quantised, and codes for some parts of its weight, but not for all? */
static bool codes_in_part(const dit_layer *l)
{
    int parts = 0, codes = 0;
    for (const linear_weight *w = &l->weight; l->act[0] && w; w = w->below, parts++)
        codes += part_takes_codes(w);
    return codes && codes < parts;
}

/* The parts of a weight, each with its own inputs. */
static void multiply_parts(tensor y, tensor x, const dit_layer *l)
{
    int64_t at = 0;
    for (const linear_weight *w = &l->weight; w; at += w->w.dim[0], w = w->below) {
        linear_weight part = *w;
        int i = (int)(at * l->n / tensor_width(y)); /* the first linear that it has rows of */
        part.below = NULL;
        size_t mark = scratch_mark();
        times(columns(y, at, w->w.dim[0]), prepared(x, l, i, &part), &part);
        scratch_reset(mark);
    }
    assert(at == tensor_width(y));
}

static void multiply(tensor y, tensor x, const dit_layer *l)
{
    size_t mark = scratch_mark();
    if (layer_divided(l) || codes_in_part(l))
        multiply_parts(y, x, l);
    else
        times(y, prepared(x, l, 0, &l->weight), &l->weight);
    scratch_reset(mark);
}

/* ---- branches of low rank ---- */

/* Rows whose sums are made in F32 at a time. */
enum { BRANCH_ROWS = 2048 };

static bool branched(const dit_layer *l)
{
    for (int i = 0; i < l->n; i++)
        if (l->down[i].w.data)
            return true;
    return false;
}

/* y F32 += gate * (x down^T) up^T, each linear in its columns */
static void add_branches(tensor y, tensor x, const dit_layer *l, tensor gate)
{
    int64_t out = tensor_width(y) / l->n;
    for (int i = 0; i < l->n; i++) {
        if (!l->down[i].w.data)
            continue;
        size_t mark = scratch_mark();
        tensor h = scratch(x.type, tensor_rows(x), l->down[i].w.dim[0]);
        linear(h, x, &l->down[i]);
        linear_add(columns(y, i * out, out), h, &l->up[i], gate);
        scratch_reset(mark);
    }
}

static void multiply_branched(tensor y, tensor x, const dit_layer *l, bool with_gelu)
{
    tensor none = {0};
    for (int64_t at = 0, n, all = tensor_rows(x); at < all; at += n) {
        size_t mark = scratch_mark();
        n = all - at < BRANCH_ROWS ? all - at : BRANCH_ROWS;
        tensor sum = scratch(F32, n, tensor_width(y)), part = rows(x, at, n);
        multiply(sum, part, l);
        add_branches(sum, part, l, none);
        if (with_gelu)
            gelu(sum, sum);
        copy(rows(y, at, n), sum);
        scratch_reset(mark);
    }
}

/* ---- inputs that come from a norm ---- */

/* Are codes all that anybody wants of its inputs? */
static bool only_codes(const dit_layer *l)
{
    return l->act[0] && !layer_divided(l) && !branched(l) && !inspect_any() && !l->statistics &&
           linear_takes_codes(&l->weight, codes_type());
}

/* Room for codes where h has room for values. */
static layer_input room_for_codes(tensor h)
{
    const int64_t dim[] = {tensor_rows(h), tensor_width(h)};
    return (layer_input){tensor_make(h.data, codes_type(), 2, dim), scratch(F32, dim[0])};
}

layer_input layer_modulated(tensor h, tensor x, tensor scale, tensor shift, float eps,
                            const dit_layer *l)
{
    layer_input in = {.x = h};
    if (only_codes(l)) {
        in = room_for_codes(h);
        modulated_norm_codes(in.x, in.scale, h.type, x, scale, shift, eps, l->rotated[0]);
    } else
        modulated_norm(h, x, scale, shift, eps);
    return in;
}

layer_input layer_normed(tensor h, tensor x, tensor gamma, tensor beta, float eps,
                         const dit_layer *l)
{
    layer_input in = {.x = h};
    if (only_codes(l)) {
        in = room_for_codes(h);
        layer_norm_codes(in.x, in.scale, h.type, x, gamma, beta, eps, l->rotated[0]);
    } else
        layer_norm(h, x, gamma, beta, eps);
    return in;
}

layer_input input_rows(layer_input in, int64_t at, int64_t n)
{
    in.x = rows(in.x, at, n);
    if (in.scale.data)
        in.scale = slice(in.scale, at, n);
    return in;
}

/* ---- layers ---- */

void layer_of(tensor y, layer_input in, const dit_layer *l)
{
    if (in.scale.data) {
        times(y, in, &l->weight);
        return;
    }
    look(in.x, l);
    if (branched(l))
        multiply_branched(y, in.x, l, false);
    else
        multiply(y, in.x, l);
}

void layer(tensor y, tensor x, const dit_layer *l) { layer_of(y, (layer_input){.x = x}, l); }

void layer_gelu_of(tensor y, layer_input in, const dit_layer *l)
{
    size_t mark = scratch_mark();
    assert(l->n == 1);
    if (!in.scale.data) {
        look(in.x, l);
        if (!branched(l))
            in = prepared(in.x, l, 0, &l->weight);
    }
    if (branched(l))
        multiply_branched(y, in.x, l, true);
    else
        times_gelu(y, in, &l->weight);
    scratch_reset(mark);
}

void layer_gelu(tensor y, tensor x, const dit_layer *l)
{
    layer_gelu_of(y, (layer_input){.x = x}, l);
}

void layer_add(tensor y, tensor x, const dit_layer *l, tensor gate, tensor product)
{
    size_t mark = scratch_mark();
    assert(l->n == 1);
    look(x, l);
    if (product.data && branched(l))
        multiply_branched(product, x, l, false);
    else if (product.data)
        times(product, prepared(x, l, 0, &l->weight), &l->weight);
    add_branches(y, x, l, gate);
    times_add(y, prepared(x, l, 0, &l->weight), &l->weight, gate);
    scratch_reset(mark);
}

void layer_f32(tensor y, tensor x, const dit_layer *l)
{
    size_t mark = scratch_mark();
    linear_weight wide = l->weight;
    assert(l->n == 1);
    look(x, l);
    if (wide.w.type == F16 || wide.w.type == BF16) {
        wide.w = scratch(F32, wide.w.dim[0], wide.w.dim[1]);
        copy(wide.w, l->weight.w);
    }
    times(y, prepared(x, l, 0, &wide), &wide);
    add_branches(y, x, l, (tensor){0});
    scratch_reset(mark);
}
