/*
** load.c: parameters by name: shape checked, converted, finite, counted.
**
** A wait for each parameter would empty the bus each time. So whether it is finite is asked as soon
** as it is there, and heard for all of them in load_end().
*/
#include "load.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/checkpoint/stored.h"
#include "../common/die.h"
#include "../common/program.h"

static void count_bytes(tensor t)
{
    char name[32];
    snprintf(name, sizeof name, "weight_bytes.%s", type_name(t.type));
    stats_add(name, (double)tensor_bytes(t));
}

/* ---- what is not finite ---- */

/* Parameters whose values have been looked at, but not yet what was found. */
enum { MOST_ASKED = 2048 };
static struct {
    weights *w;
    tensor count; /* I64 [MOST_ASKED], on the device */
    int n;
    char *name[MOST_ASKED];
    tensor_type type[MOST_ASKED];
} asked;

void load_begin(weights *w)
{
    asked.w = w;
    asked.n = 0;
    asked.count = scratch(I64, MOST_ASKED);
}

/* Waits for the answers. */
static void hear(void)
{
    static int64_t found[MOST_ASKED];
    if (asked.n)
        download(tensor_of(found, I64, asked.n), slice(asked.count, 0, asked.n));
    for (int i = 0; i < asked.n; i++) {
        if (found[i])
            die("%s in %s has %lld values that are not finite%s", asked.name[i],
                weights_path(asked.w), (long long)found[i],
                asked.type[i] == F16 ? " as F16 (if they are in the file, --dtype bf16 holds them)"
                                     : "");
        free(asked.name[i]);
    }
    asked.n = 0;
}

void load_end(void)
{
    hear();
    weights_report_unused(asked.w);
    asked.w = NULL;
}

static void ask_finite(const char *name, tensor t)
{
    assert(asked.w);
    if (t.type == I8 || t.type == U4 || t.type == F4)
        return;
    if (asked.n == MOST_ASKED)
        hear();
    asked.name[asked.n] = new_format("%s", weights_called(asked.w, name));
    asked.type[asked.n] = t.type;
    nonfinite_count(slice(asked.count, asked.n++, 1), t);
}

/* ---- parameters ---- */

/* NAME.weight as it is stored, [out, in]: a convolution whose kernel is one pixel, or as large as
 * its stride, is a product, whatever its rank. */
static stored as_matrix(weights *w, const char *name, int64_t out, int64_t in)
{
    char full[256];
    snprintf(full, sizeof full, "%s.weight", name);
    stored s = weights_stored(w, name);
    int64_t first = s.w.rank ? s.w.dim[0] : 1, rest = first ? tensor_count(s.w) / first : 0;
    if (s.w.rank < 2 || (out >= 0 && first != out) || (in >= 0 && rest != in))
        weights_tensor(w, full, out, in); /* dies, naming both shapes */
    s.w = reshape(s.w, first, rest);
    if (rest % type_block(s.w.type))
        die("%s is %s in %s: its rows of %lld are no whole blocks of %lld", weights_called(w, full),
            type_name(s.w.type), weights_path(w), (long long)rest, (long long)type_block(s.w.type));
    return s;
}

/* A parameter that is no weight, a bias say, has no scales: it is floats. */
static tensor floats_alone(const weights *w, const char *name, tensor t)
{
    bool is_float = t.type == F64 || t.type == F32 || t.type == F16 || t.type == BF16;
    if (!is_float && t.type != F8_E4M3 && t.type != F8_E5M2 && type_block(t.type) < 2)
        die("%s is %s in %s: it must be floats", weights_called(w, name), tensor_text(t),
            weights_path(w));
    if (!type_has_values(t.type))
        die("%s is %s in %s, a type that is not read", weights_called(w, name), tensor_text(t),
            weights_path(w));
    return t;
}

static tensor read_bias(weights *w, const char *name, int64_t n)
{
    return floats_alone(w, name, weights_tensor(w, name, n));
}

/* One of several weights whose rows are joined. */
typedef struct {
    stored s;
    tensor bias; /* or absent */
    char name[256];
} part;

static part read_part(weights *w, const char *prefix, const char *suffix, int64_t out, int64_t in)
{
    part p;
    char bias[300];
    snprintf(p.name, sizeof p.name, "%s%s", prefix, suffix);
    snprintf(bias, sizeof bias, "%s.bias", p.name);
    p.s = as_matrix(w, p.name, out, in);
    p.bias = weights_has(w, bias) ? read_bias(w, bias, p.s.w.dim[0]) : (tensor){0};
    return p;
}

/* Can their rows be stored as one? Floats become one type; codes are as they are. */
static bool alike(const part *a, const part *b)
{
    if (!a->bias.data != !b->bias.data)
        return false;
    if (!is_codes(a->s.w.type) && !is_codes(b->s.w.type))
        return true;
    if (format_of(&a->s) != format_of(&b->s) || !a->s.scale.data != !b->s.scale.data)
        return false;
    return !a->s.step.data ||
           (a->s.step.dim[1] == b->s.step.dim[1] && a->s.w.dim[0] % step_high(&a->s) == 0);
}

/* Have the n parts that l joins finite values only? */
static void ask_parts(const linear_weight *l, int n, const part p[])
{
    static const char *const ends[] = {".weight", ".weight_scale", ".bias"};
    const tensor whole[] = {l->w, l->scale, l->b};
    char name[300];
    int64_t at = 0;
    for (int i = 0; i < n; at += p[i++].s.w.dim[0])
        for (int k = 0; k < 3; k++) {
            snprintf(name, sizeof name, "%s%s", p[i].name, ends[k]);
            if (whole[k].data)
                ask_finite(name, slice(whole[k], at, p[i].s.w.dim[0]));
        }
}

/* The rows of n parts that are alike. */
static linear_weight upload_parts(int n, const part p[], tensor_type type)
{
    enum { MOST = 4 };
    stored weight[MOST];
    tensor bias[MOST];
    for (int i = 0; i < n; i++) {
        weight[i] = p[i].s;
        bias[i] = p[i].bias;
    }
    linear_weight l = linear_upload(n, weight, bias, type);
    ask_parts(&l, n, p);
    const tensor all[] = {l.w, l.scale, l.step, l.zero, l.b};
    for (int i = 0; i < 5; i++)
        if (all[i].data)
            count_bytes(all[i]);
    for (int i = 0; i < n; i++)
        if (l.w.data != weight[i].w.data)
            weights_done(weight[i].w);
    return l;
}

linear_weight load_joined(weights *w, const char *prefix, int n, const char *const suffix[],
                          int64_t out, int64_t in, tensor_type type)
{
    enum { MOST = 4 };
    part p[MOST];
    linear_weight first = {.below = NULL}, *last = &first;
    if (n < 1 || n > MOST)
        die("cannot join %d weights", n);
    for (int i = 0; i < n; i++)
        p[i] = read_part(w, prefix, suffix[i], out, in);
    for (int i = 0, k; i < n; i = k) {
        for (k = i + 1; k < n && alike(p + i, p + k);)
            k++;
        linear_weight l = upload_parts(k - i, p + i, type);
        if (i) {
            linear_weight *below = weights_keep(w, new_bytes(sizeof *below));
            last->below = below;
            last = below;
        }
        *last = l;
    }
    return first;
}

linear_weight load_linear(weights *w, const char *name, int64_t out, int64_t in, tensor_type type)
{
    const char *suffix[] = {""};
    return load_joined(w, name, 1, suffix, out, in, type);
}

linear_weight load_matrix(weights *w, const char *name, int64_t out, int64_t in, tensor_type type)
{
    stored s = {.w = floats_alone(w, name, weights_tensor(w, name, out, in))};
    linear_weight l = linear_upload(1, &s, NULL, type);
    ask_finite(name, l.w);
    count_bytes(l.w);
    return l;
}

/* F32 [n] on the device of n codes and their scales. */
static tensor upload_scaled(const stored *s, int64_t n)
{
    tensor values = stored_expanded(s), v = scratch(F32, n);
    upload_into(v, reshape(values, n));
    free(values.data);
    return v;
}

/* NAME as it is stored. A weight (a norm's, say) may have scales, another parameter has none. */
static stored as_vector(weights *w, const char *name)
{
    size_t n = strlen(name), k = strlen(".weight");
    char base[256];
    if (n <= k || strcmp(name + n - k, ".weight") != 0)
        return (stored){.w = floats_alone(w, name, weights_any(w, name))};
    snprintf(base, sizeof base, "%.*s", (int)(n - k), name);
    return weights_stored(w, base);
}

tensor load_vector(weights *w, const char *name, int64_t n)
{
    stored s = as_vector(w, name);
    tensor t = s.w;
    if (tensor_count(t) != n)
        die("%s is %s in %s, but %lld elements are needed", weights_called(w, name), tensor_text(t),
            weights_path(w), (long long)n);
    tensor v = s.scale.data ? upload_scaled(&s, n) : upload(reshape(t, n), F32);
    ask_finite(name, v);
    count_bytes(v);
    return v;
}

/* ---- channels ---- */

int64_t load_channels(int64_t n) { return (n + 7) / 8 * 8; }

/* Host t [n, m, ...] with zeros up to [N, M, ...]: t itself, or new memory. A vector has M = 1. */
static tensor with_zeros(tensor t, int64_t N, int64_t M)
{
    int64_t n = t.dim[0], m = t.rank > 1 ? t.dim[1] : 1;
    if (n == N && m == M)
        return t;
    size_t each = tensor_bytes(t) / (size_t)(n * m);
    tensor y = t;
    y.dim[0] = N;
    if (t.rank > 1)
        y.dim[1] = M;
    y = tensor_make(new_bytes((size_t)(N * M) * each), t.type, t.rank, y.dim);
    for (int64_t i = 0; i < n; i++)
        memcpy((char *)y.data + (size_t)(i * M) * each, (char *)t.data + (size_t)(i * m) * each,
               (size_t)m * each);
    return y;
}

/* A kernel [out, in, ...] and its bias [out], as they are and as the device is to get them. */
typedef struct {
    tensor t, b, weight, bias;
} channels;

static channels channels_of(weights *w, const char *name, tensor t, bool biased)
{
    char full[256];
    snprintf(full, sizeof full, "%s.bias", name);
    tensor b = biased ? read_bias(w, full, t.dim[0]) : (tensor){0};
    int64_t N = t.dim[0] < 8 ? t.dim[0] : load_channels(t.dim[0]), M = load_channels(t.dim[1]);
    return (channels){t, b, with_zeros(t, N, M), biased ? with_zeros(b, N, 1) : b};
}

/* Gives back what with_zeros() made of t, unless the device uses it where it is (the CPU does). */
static void done_with(tensor made, tensor t, tensor on_device)
{
    if (made.data != t.data && made.data != on_device.data)
        free(made.data);
}

/* They have become weight and bias on the device. */
static void channels_done(const channels *c, const char *name, tensor weight, tensor bias)
{
    char full[256];
    if (bias.data) {
        snprintf(full, sizeof full, "%s.bias", name);
        ask_finite(full, bias);
        count_bytes(bias);
        done_with(c->bias, c->b, bias);
    }
    snprintf(full, sizeof full, "%s.weight", name);
    ask_finite(full, weight);
    count_bytes(weight);
    done_with(c->weight, c->t, weight);
    if (c->t.data != weight.data)
        weights_done(c->t);
}

/* NAME.weight as floats: codes become F32, in memory that stays with w. */
static tensor as_floats(weights *w, const char *name)
{
    stored s = weights_stored(w, name);
    if (!is_codes(s.w.type))
        return s.w;
    tensor y = stored_expanded(&s);
    weights_keep(w, y.data);
    return y;
}

/* NAME.weight [out, in, ...] of rank 4, or of 5 at most. */
static tensor kernel_named(weights *w, const char *name, int64_t out, int64_t in, int most)
{
    tensor t = as_floats(w, name);
    if (t.rank < 4 || t.rank > most || (out >= 0 && t.dim[0] != out) || (in >= 0 && t.dim[1] != in))
        die("%s.weight is %s in %s, but [%lld, %lld, ...] of rank 4%s is needed", name,
            tensor_text(t), weights_path(w), (long long)out, (long long)in,
            most > 4 ? " or 5" : "");
    return t;
}

static conv_weight conv_onto(weights *w, const char *name, tensor t, bool biased, tensor_type type)
{
    channels c = channels_of(w, name, t, biased);
    conv_weight conv = conv_upload(c.weight, c.bias, type);
    channels_done(&c, name, conv.w, conv.b);
    return conv;
}

conv_weight load_conv(weights *w, const char *name, int64_t out, int64_t in, tensor_type type)
{
    return conv_onto(w, name, kernel_named(w, name, out, in, 5), true, type);
}

conv_weight load_bare_conv(weights *w, const char *name, int64_t out, int64_t in, tensor_type type)
{
    return conv_onto(w, name, kernel_named(w, name, out, in, 5), false, type);
}

conv_weight load_pair_conv(weights *w, const char *name, int64_t out, int64_t in, tensor_type type)
{
    tensor t = kernel_named(w, name, out, 2 * in, 4);
    int64_t ky = t.dim[2], kx = t.dim[3];
    size_t size = (size_t)(ky * kx) * type_size(t.type);
    tensor y = tensor_of(new_bytes(tensor_bytes(t)), t.type, t.dim[0], in, 2, ky, kx);
    for (int64_t o = 0; o < t.dim[0]; o++)
        for (int64_t i = 0; i < in; i++)
            for (int before = 0; before < 2; before++)
                memcpy((char *)y.data + (size_t)((o * in + i) * 2 + 1 - before) * size,
                       (char *)t.data + (size_t)(o * 2 * in + before * in + i) * size, size);
    weights_keep(w, y.data);
    return conv_onto(w, name, y, true, type);
}

linear_weight load_pointwise(weights *w, const char *name, int64_t out, int64_t in,
                             tensor_type type)
{
    tensor t = as_matrix(w, name, out, in).w;
    if (is_codes(t.type))
        t = reshape(as_floats(w, name), t.dim[0], t.dim[1]);
    channels c = channels_of(w, name, t, true);
    linear_weight l = linear_upload(1, &(stored){.w = c.weight}, &c.bias, type);
    channels_done(&c, name, l.w, l.b);
    return l;
}

tensor load_gains(weights *w, const char *name, int64_t n)
{
    int64_t N = load_channels(n);
    if (n == N)
        return load_vector(w, name, n);
    tensor t = floats_alone(w, name, weights_any(w, name));
    if (tensor_count(t) != n)
        return load_vector(w, name, n); /* dies */
    tensor gains = tensor_of(new_bytes((size_t)N * 4), F32, N);
    host_convert(slice(gains, 0, n), reshape(t, n));
    for (int64_t i = 0; i < n; i++)
        ((float *)gains.data)[i] *= sqrtf((float)n / (float)N);
    tensor v = upload(gains, F32);
    ask_finite(name, v);
    count_bytes(v);
    done_with(gains, t, v);
    return v;
}

tensor_type dtype_named(const char *dtype)
{
    if (strcmp(dtype, "fp32") == 0)
        return F32;
    if (strcmp(dtype, "fp16") == 0)
        return F16;
    if (strcmp(dtype, "bf16") == 0)
        return BF16;
    usage_error("--dtype is fp32, fp16 or bf16, not '%s'", dtype);
}

json_t *load_provenance(weights *w, bool dry)
{
    json_t *all = json_object();
    if (!dry) {
        json_object_set_new(all, "device", json_string(device_name()));
        stats_set_device(device_details());
    }
    json_object_set_new(all, "backend", json_string(device_kind()));
    if (w)
        json_object_set_new(all, "weights", json_string(weights_digest(w)));
    return all;
}
