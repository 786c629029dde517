/*
** vae.c: what the encoder and the decoder of Wan's video autoencoder share (Wan2.1,
** wan/modules/vae.py).
**
** All convolutions in time look back only, so any number of frames may be taken at once with the
** same result: here it is one. What a convolution needs of the past it keeps itself.
**
** It refuses checkpoints with other kernels than 3 x 3 x 3 and 3 x 1 x 1, and latents whose mean
** and deviation are not the constants of the trained model.
*/
#include "vae.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../common/checkpoint/config.h"
#include "../common/die.h"
#include "load.h"

/* WanVAE.__init__ */
const float latent_mean[LATENT_CHANNELS] = {
    -0.7571f, -0.7089f, -0.9113f, 0.1075f,  -0.1745f, 0.9653f,  -0.1517f, 1.5508f,
    0.4134f,  -0.0715f, 0.5517f,  -0.3632f, -0.1922f, -0.9497f, 0.2503f,  -0.2921f};
const float latent_std[LATENT_CHANNELS] = {2.8184f, 1.4541f, 2.3275f, 2.6558f, 1.2196f, 1.7708f,
                                           2.6052f, 2.0743f, 3.2687f, 2.1526f, 2.8652f, 1.5579f,
                                           1.6382f, 1.1253f, 2.8251f, 1.9160f};

/* ---- loading ---- */

/* What diffusers says of it must be what is computed here. */
void vae_check_config(const weights *w)
{
    config *c = config_open(w, PART_VAE, false);
    double numbers[LATENT_CHANNELS];
    config_agree(c, "z_dim", LATENT_CHANNELS);
    for (int k = 0; k < 2; k++) {
        const char *key = k ? "latents_std" : "latents_mean";
        bool there = config_numbers(c, key, numbers, LATENT_CHANNELS);
        for (int i = 0; there && i < LATENT_CHANNELS; i++)
            if ((float)numbers[i] != (k ? latent_std : latent_mean)[i])
                die("%s has other %s than Wan 2.1", config_from(c), key);
    }
    config_close(c);
}

long_name joined(const char *prefix, const char *name)
{
    long_name full;
    int n = snprintf(full.text, sizeof full.text, "%s%s", prefix, name);
    assert(n > 0 && n < (int)sizeof full.text);
    return full;
}

bool vae_has(const weights *w, const char *prefix)
{
    for (int i = 0; i < weights_count(w); i++)
        if (strncmp(weights_name(w, i), prefix, strlen(prefix)) == 0)
            return true;
    return false;
}

int vae_layers(const weights *w, const char *list)
{
    char format[64];
    int count = 0, n;
    snprintf(format, sizeof format, "%s.%%4d.", list);
    for (int i = 0; i < weights_count(w); i++)
        if (sscanf(weights_name(w, i), format, &n) == 1 && n >= count)
            count = n + 1;
    if (count == 0)
        die("%s has no tensor %s.0.residual.2.weight: it is no Wan video VAE%s", weights_path(w),
            list, vae_has(w, "decoder.") ? "'s encoder" : "");
    return count;
}

int64_t vae_channels_out(weights *w, const char *name)
{
    return weights_tensor(w, joined(name, ".bias").text, -1).dim[0];
}

linear_weight vae_product(weights *w, const char *name, int64_t out, int64_t in, tensor_type type)
{
    weights_tensor(w, joined(name, ".bias").text, out);
    return load_linear(w, name, out, in, type);
}

causal_conv causal_load(weights *w, const char *name, int64_t out, int64_t in, int k,
                        tensor_type type)
{
    weights_tensor(w, joined(name, ".weight").text, out, in, PAST + 1, k, k);
    causal_conv c = {.w = load_conv(w, name, out, in, type), .in = load_channels(in)};
    c.out = tensor_count(c.w.b);
    return c;
}

int64_t residual_load(residual_block *b, weights *w, const char *prefix, int64_t in,
                      tensor_type type)
{
    *b = (residual_block){.gamma1 = load_gains(w, joined(prefix, "residual.0.gamma").text, in)};
    int64_t out = vae_channels_out(w, joined(prefix, "residual.2").text);
    b->gamma2 = load_gains(w, joined(prefix, "residual.3.gamma").text, out);
    b->conv1 = causal_load(w, joined(prefix, "residual.2").text, out, in, 3, type);
    b->conv2 = causal_load(w, joined(prefix, "residual.6").text, out, out, 3, type);
    if (in != out)
        b->shortcut = load_pointwise(w, joined(prefix, "shortcut").text, out, in, type);
    return out;
}

attention_block attention_load(weights *w, const char *prefix, int64_t C, tensor_type type)
{
    attention_block b;
    b.gamma = load_vector(w, joined(prefix, "norm.gamma").text, C);
    b.to_qkv = vae_product(w, joined(prefix, "to_qkv").text, 3 * C, C, type);
    b.proj = vae_product(w, joined(prefix, "proj").text, C, C, type);
    return b;
}

/* ---- memory ---- */

/* A layer has at most two convolutions that keep frames; beside the list there are the first, the
 * last and two blocks. */
void vae_rooms(vae_place *v, int layers)
{
    v->most = 2 * layers + 6;
    v->room = new_bytes((unsigned long)v->most * sizeof *v->room);
    v->spare = new_bytes((unsigned long)v->most * sizeof *v->spare);
}

static tensor *room_for(vae_place *v, int64_t Y, int64_t X, int64_t C)
{
    for (tensor *r = v->room; r < v->room + v->rooms; r++)
        if (r->dim[1] == Y && r->dim[2] == X && r->dim[3] == C)
            return r;
    assert(v->rooms < v->most);
    v->spare[v->rooms] = (tensor){0};
    v->room[v->rooms] = scratch(v->A, 1, Y, X, C);
    return v->room + v->rooms++;
}

void causal_start(vae_place *v, causal_conv *c, int64_t Y, int64_t X)
{
    for (int i = 0; i < PAST; i++)
        c->past[i] = scratch(v->A, 1, Y, X, c->in);
    c->seen = 0;
    c->room = room_for(v, Y, X, c->in);
}

void residual_start(vae_place *v, residual_block *b, int64_t Y, int64_t X)
{
    causal_start(v, &b->conv1, Y, X);
    causal_start(v, &b->conv2, Y, X);
    tensor *spare = v->spare + (b->conv2.room - v->room);
    if (!spare->data)
        *spare = scratch(v->A, 1, Y, X, b->conv2.in);
}

/* ---- the equations ---- */

tensor picture_like(tensor x, tensor_type type, int64_t C)
{
    return scratch(type, x.dim[0], x.dim[1], x.dim[2], C);
}

void remember(causal_conv *c)
{
    tensor x = *c->room;
    if (c->seen < PAST) {
        *c->room = c->past[c->seen];
        c->past[c->seen++] = x;
        return;
    }
    *c->room = c->past[0];
    c->past[0] = c->past[1];
    c->past[1] = x;
}

void convolve(tensor y, causal_conv *c, bool to_sum)
{
    tensor x = *c->room;
    if (to_sum)
        conv3d_add(y, x, c->seen, c->past, &c->w, false);
    else
        conv3d(y, x, c->seen, c->past, &c->w, false);
    remember(c);
}

/* silu(norm(w * (the two frames before x, x))) for the next convolution. */
static void convolve_for(vae_place *v, causal_conv *next, causal_conv *c, tensor gamma)
{
    tensor *spare = v->spare + (next->room - v->room), made = *spare;
    conv3d_norm_silu(made, *c->room, c->seen, c->past, &c->w, gamma, vae_norm_eps);
    remember(c);
    *spare = *next->room;
    *next->room = made;
}

tensor residual(vae_place *v, residual_block *b, tensor x)
{
    int64_t out = b->conv1.out;
    bool same = !b->shortcut.w.data;
    tensor y = same ? x : picture_like(x, F32, out);
    size_t mark = scratch_mark();
    rms_norm_silu(*b->conv1.room, x, b->gamma1, vae_norm_eps);
    convolve_for(v, &b->conv2, &b->conv1, b->gamma2);
    if (!same)
        linear(y, x, &b->shortcut);
    convolve(y, &b->conv2, true);
    scratch_reset(mark);
    return y;
}

void attend(vae_place *v, attention_block *b, tensor x)
{
    size_t mark = scratch_mark();
    x = band_own(&v->band, x);
    int64_t C = x.dim[3], L = x.dim[1] * x.dim[2];
    tensor a = scratch(v->A, L, C), qkv = scratch(v->A, L, 3 * C), absent = {0};
    attention_spec one_head = {.batch = 1, .heads = 1, .scale = 1.0f / sqrtf((float)C)};
    rms_norm(a, reshape(x, L, C), b->gamma, vae_norm_eps);
    linear(qkv, a, &b->to_qkv);
    tensor kv = band_all(&v->band, columns(qkv, C, 2 * C));
    attention(a, columns(qkv, 0, C), columns(kv, 0, C), columns(kv, C, C), &one_head);
    linear_add(reshape(x, L, C), a, &b->proj, absent);
    scratch_reset(mark);
}
