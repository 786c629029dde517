/*
** vae.c: the decoder of Wan's video autoencoder as equations (Wan2.1, wan/modules/vae.py).
**
** A latent frame passes conv2, conv1, the middle, a list of residual blocks and upsamplings, and
** the head. All convolutions in time look back only, so any number of frames may be taken at once
** with the same result. The hard idea is to take one: where an upsampling makes two frames of one,
** the first goes down the rest of the list to its picture before the second starts (layers_from).
** What a convolution needs of the past it keeps itself. So memory holds one frame a level and the
** pasts, however long the video is, and a quarter of what four frames at once would take. Several
** ranks each make a band of every picture (band.h); Y is then the rows of that, with its halo.
**
** It refuses checkpoints with other layers than these, other kernels than 3 x 3 x 3, and latents
** of other than 16 channels (their mean and deviation are constants of the trained model).
*/
#include "vae.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/checkpoint/config.h"
#include "../../common/die.h"
#include "../load.h"

/* Mean and standard deviation of the latents the model was trained on (WanVAE.__init__). */
static const float latent_mean[LATENT_CHANNELS] = {
    -0.7571f, -0.7089f, -0.9113f, 0.1075f,  -0.1745f, 0.9653f,  -0.1517f, 1.5508f,
    0.4134f,  -0.0715f, 0.5517f,  -0.3632f, -0.1922f, -0.9497f, 0.2503f,  -0.2921f};
static const float latent_std[LATENT_CHANNELS] = {
    2.8184f, 1.4541f, 2.3275f, 2.6558f, 1.2196f, 1.7708f, 2.6052f, 2.0743f,
    3.2687f, 2.1526f, 2.8652f, 1.5579f, 1.6382f, 1.1253f, 2.8251f, 1.9160f};

/* The reference divides by max(|x|, 1e-12): this is that, for all x that are not almost zero. */
static const float norm_eps = 1e-24f;

/* ---- loading: names are the reference's; sizes are the checkpoint's ---- */

typedef struct {
    char text[192];
} long_name;

static long_name joined(const char *prefix, const char *name)
{
    long_name full;
    int n = snprintf(full.text, sizeof full.text, "%s%s", prefix, name);
    assert(n > 0 && n < (int)sizeof full.text);
    return full;
}

/* A 1 x 1 convolution, which has a bias here. */
static linear_weight product(weights *w, const char *name, int64_t out, int64_t in,
                             tensor_type type)
{
    weights_tensor(w, joined(name, ".bias").text, out);
    return load_linear(w, name, out, in, type);
}

/* Channels out of a convolution, as the file has them; loaded they are load_channels() of that. */
static int64_t channels_out(weights *w, const char *name)
{
    return weights_tensor(w, joined(name, ".bias").text, -1).dim[0];
}

/* A kernel of three frames, k x k; out < 0 takes what the file has. */
static causal_conv causal(weights *w, const char *name, int64_t out, int64_t in, int k,
                          tensor_type type)
{
    weights_tensor(w, joined(name, ".weight").text, out, in, PAST + 1, k, k);
    causal_conv c = {.w = load_conv(w, name, out, in, type), .in = load_channels(in)};
    c.out = tensor_count(c.w.b);
    return c;
}

/* Returns the channels that go out. */
static int64_t residual_load(residual_block *b, weights *w, const char *prefix, int64_t in,
                             tensor_type type)
{
    *b = (residual_block){.gamma1 = load_gains(w, joined(prefix, "residual.0.gamma").text, in)};
    int64_t out = channels_out(w, joined(prefix, "residual.2").text);
    b->gamma2 = load_gains(w, joined(prefix, "residual.3.gamma").text, out);
    b->conv1 = causal(w, joined(prefix, "residual.2").text, out, in, 3, type);
    b->conv2 = causal(w, joined(prefix, "residual.6").text, out, out, 3, type);
    if (in != out)
        b->shortcut = load_pointwise(w, joined(prefix, "shortcut").text, out, in, type);
    return out;
}

static attention_block attention_load(weights *w, const char *prefix, int64_t C, tensor_type type)
{
    attention_block b;
    b.gamma = load_vector(w, joined(prefix, "norm.gamma").text, C);
    b.to_qkv = product(w, joined(prefix, "to_qkv").text, 3 * C, C, type);
    b.proj = product(w, joined(prefix, "proj").text, C, C, type);
    return b;
}

/* Returns the channels that go out. */
static int64_t upsample_load(upsample_block *b, weights *w, const char *prefix, int64_t in,
                             bool doubles, tensor_type type)
{
    *b = (upsample_block){.doubles = doubles};
    long_name conv = joined(prefix, "resample.1");
    weights_tensor(w, joined(conv.text, ".weight").text, -1, in, 3, 3);
    b->conv = load_conv(w, conv.text, -1, in, type);
    b->out = tensor_count(b->conv.b);
    if (doubles && in != load_channels(in))
        die("%stime_conv in %s has %lld channels, but only multiples of 8 are doubled in time",
            prefix, weights_path(w), (long long)in);
    if (doubles)
        b->time_conv = causal(w, joined(prefix, "time_conv").text, 2 * in, in, 1, type);
    return channels_out(w, conv.text);
}

static bool has_any(const weights *w, const char *prefix)
{
    for (int i = 0; i < weights_count(w); i++)
        if (strncmp(weights_name(w, i), prefix, strlen(prefix)) == 0)
            return true;
    return false;
}

/* One more than the greatest N of decoder.upsamples.N: an index that is missing below it is an
 * error, not the end. */
static int count_layers(const weights *w)
{
    int count = 0, n;
    for (int i = 0; i < weights_count(w); i++)
        if (sscanf(weights_name(w, i), "decoder.upsamples.%4d.", &n) == 1 && n >= count)
            count = n + 1;
    if (count == 0)
        die("%s has no tensor decoder.upsamples.0.residual.2.weight: it is no Wan video VAE",
            weights_path(w));
    return count;
}

/* Layer i of the list, which is told by its names; in: the width that comes in. Returns the width
 * that goes out. */
static int64_t layer_load(vae *v, int i, weights *w, int64_t in, tensor_type type)
{
    char prefix[64];
    snprintf(prefix, sizeof prefix, "decoder.upsamples.%d.", i);
    layer *l = &v->layer[i];
    l->is_upsample = has_any(w, joined(prefix, "resample.").text);
    if (!l->is_upsample)
        return residual_load(&l->residual, w, prefix, in, type);
    bool doubles = has_any(w, joined(prefix, "time_conv.").text);
    v->space *= 2;
    v->time *= doubles ? 2 : 1;
    return upsample_load(&l->upsample, w, prefix, in, doubles, type);
}

/* Rows of halo that a level needs: one for each convolution of three rows until it is fetched
 * again, and so many that twice as many are the next level's. */
static void count_halos(vae *v)
{
    int *halo = v->band.halo, last = 0;
    halo[0] = 2; /* middle2 */
    for (layer *l = v->layer; l < v->layer + v->layers; l++) {
        halo[last] += l->is_upsample ? 1 : 2;
        last += l->is_upsample;
        if (last == MOST_LEVELS)
            die("the VAE doubles pictures more than %d times", MOST_LEVELS - 1);
    }
    halo[last]++; /* the head */
    for (int i = last - 1; i >= 0; i--)
        if (2 * halo[i] < halo[i + 1])
            halo[i] = (halo[i + 1] + 1) / 2;
    if (halo[0] < 3) /* conv1 and middle0, before the first fetching */
        halo[0] = 3;
}

/* What diffusers says of it must be what is computed here. */
static void check_config(const weights *w)
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

void vae_load(vae *v, weights *w, tensor_type dtype, band ours)
{
    check_config(w);
    *v = (vae){.A = operand_type(dtype), .space = 1, .time = 1, .band = ours};
    v->layers = count_layers(w);
    v->layer = new_bytes((unsigned long)v->layers * sizeof *v->layer);
    load_begin(w);
    if (channels_out(w, "conv2") != LATENT_CHANNELS)
        die("%s is a VAE of latents of %lld channels, not %d%s", weights_path(w),
            (long long)channels_out(w, "conv2"), LATENT_CHANNELS,
            channels_out(w, "conv2") == 48 ? ": Wan 2.2's" : "");
    v->conv2 = product(w, "conv2", LATENT_CHANNELS, LATENT_CHANNELS, dtype);
    v->conv1 = causal(w, "decoder.conv1", -1, LATENT_CHANNELS, 3, dtype);
    int64_t C = v->conv1.out;
    residual_load(&v->middle0, w, "decoder.middle.0.", C, dtype);
    v->middle1 = attention_load(w, "decoder.middle.1.", C, dtype);
    residual_load(&v->middle2, w, "decoder.middle.2.", C, dtype);
    for (int i = 0; i < v->layers; i++)
        C = layer_load(v, i, w, C, dtype);
    v->head_gamma = load_gains(w, "decoder.head.0.gamma", C);
    v->head = causal(w, "decoder.head.2", 3, C, 3, dtype);
    load_end();
    count_halos(v);
}

/* ---- memory that lives as long as a video ---- */

static tensor *room_for(vae *v, int64_t Y, int64_t X, int64_t C)
{
    for (tensor *r = v->room; r < v->room + v->rooms; r++)
        if (r->dim[1] == Y && r->dim[2] == X && r->dim[3] == C)
            return r;
    assert(v->rooms < (int)(sizeof v->room / sizeof *v->room));
    v->room[v->rooms] = scratch(v->A, 1, Y, X, C);
    return v->room + v->rooms++;
}

static void causal_start(vae *v, causal_conv *c, int64_t Y, int64_t X)
{
    for (int i = 0; i < PAST; i++)
        c->past[i] = scratch(v->A, 1, Y, X, c->in);
    c->seen = 0;
    c->room = room_for(v, Y, X, c->in);
}

static void residual_start(vae *v, residual_block *b, int64_t Y, int64_t X)
{
    causal_start(v, &b->conv1, Y, X);
    causal_start(v, &b->conv2, Y, X);
}

void vae_start(vae *v, int64_t Y, int64_t X)
{
    int level = 0;
    band_start(&v->band, Y, X);
    Y = band_rows(&v->band, level);
    v->rooms = 0;
    causal_start(v, &v->conv1, Y, X);
    residual_start(v, &v->middle0, Y, X);
    residual_start(v, &v->middle2, Y, X);
    for (layer *l = v->layer; l < v->layer + v->layers; l++) {
        if (!l->is_upsample) {
            residual_start(v, &l->residual, Y, X);
            continue;
        }
        l->upsample.started = false;
        if (l->upsample.doubles)
            causal_start(v, &l->upsample.time_conv, Y, X);
        Y = band_rows(&v->band, ++level);
        X *= 2;
    }
    causal_start(v, &v->head, Y, X);
}

/* ---- the equations; x is F32 [1, Y, X, C] from block to block ---- */

static tensor like(tensor x, tensor_type type, int64_t C)
{
    return scratch(type, x.dim[0], x.dim[1], x.dim[2], C);
}

/* y = w * (the two frames before x, x), or y += that; x is what was made in c->room. */
static void convolve(tensor y, causal_conv *c, bool to_sum)
{
    tensor x = *c->room;
    if (to_sum)
        conv3d_add(y, x, c->seen, c->past, &c->w, false);
    else
        conv3d(y, x, c->seen, c->past, &c->w, false);
    if (c->seen < PAST) {
        *c->room = c->past[c->seen];
        c->past[c->seen++] = x;
        return;
    }
    *c->room = c->past[0];
    c->past[0] = c->past[1];
    c->past[1] = x;
}

/* shortcut(x) + conv2(silu(norm2(conv1(silu(norm1(x)))))); in place where the width stays */
static tensor residual(vae *v, residual_block *b, tensor x)
{
    int64_t out = b->conv1.out;
    bool same = !b->shortcut.w.data;
    tensor y = same ? x : like(x, F32, out);
    size_t mark = scratch_mark();
    tensor h = like(x, v->A, out);
    rms_norm_silu(*b->conv1.room, x, b->gamma1, norm_eps);
    convolve(h, &b->conv1, false);
    rms_norm_silu(*b->conv2.room, h, b->gamma2, norm_eps);
    if (!same)
        linear(y, x, &b->shortcut);
    convolve(y, &b->conv2, true);
    scratch_reset(mark);
    return y;
}

/* x += proj(softmax(q k^T / sqrt(C)) v), q k v = to_qkv(norm(x)): one head, over the pixels of a
 * frame: k and v of all bands */
static void attend(vae *v, attention_block *b, tensor x)
{
    size_t mark = scratch_mark();
    x = band_own(&v->band, x);
    int64_t C = x.dim[3], L = x.dim[1] * x.dim[2];
    tensor a = scratch(v->A, L, C), qkv = scratch(v->A, L, 3 * C), absent = {0};
    attention_spec one_head = {.batch = 1, .heads = 1, .scale = 1.0f / sqrtf((float)C)};
    rms_norm(a, reshape(x, L, C), b->gamma, norm_eps);
    linear(qkv, a, &b->to_qkv);
    tensor kv = band_all(&v->band, columns(qkv, C, 2 * C));
    attention(a, columns(qkv, 0, C), columns(kv, 0, C), columns(kv, C, C), &one_head);
    linear_add(reshape(x, L, C), a, &b->proj, absent);
    scratch_reset(mark);
}

/* The one or two frames A [., Y, X, C] that x becomes: two = split(time_conv(x)), except that the
 * first frame of all stays one, and is not seen by time_conv. */
static tensor double_time(vae *v, upsample_block *b, tensor x)
{
    int64_t C = x.dim[3];
    if (!b->doubles || !b->started) {
        tensor same = like(x, v->A, C);
        b->started = true;
        copy(same, x);
        return same;
    }
    tensor two = scratch(v->A, 2, x.dim[1], x.dim[2], C);
    size_t mark = scratch_mark();
    tensor both = like(x, v->A, 2 * C);
    copy(*b->time_conv.room, x);
    convolve(both, &b->time_conv, false);
    split_frames(two, both);
    scratch_reset(mark);
    return two;
}

/* y = conv(x with every pixel read as 2 x 2) */
static tensor double_space(vae *v, upsample_block *b, tensor x)
{
    tensor y = scratch(F32, 1, 2 * x.dim[1], 2 * x.dim[2], b->out);
    conv3d(y, x, 0, NULL, &b->conv, true);
    y = band_doubled(&v->band, y);
    band_lend(&v->band, y);
    return y;
}

/* picture F32 [1, H, W, 3] = head(silu(norm(x))), all bands */
static void head(vae *v, tensor picture, tensor x)
{
    tensor y = like(x, F32, 3);
    rms_norm_silu(*v->head.room, x, v->head_gamma, norm_eps);
    convolve(y, &v->head, false);
    y = band_own(&v->band, y);
    copy(picture, band_all(&v->band, reshape(y, tensor_rows(y), 3)));
}

/* The layers from i on: every frame that comes of x goes to its picture, the next of video. */
static void layers_from(vae *v, int i, tensor x, tensor video, int64_t *made)
{
    for (; i < v->layers && !v->layer[i].is_upsample; i++)
        x = residual(v, &v->layer[i].residual, x);
    if (i == v->layers) {
        head(v, slice(video, (*made)++, 1), x);
        return;
    }
    upsample_block *b = &v->layer[i].upsample;
    tensor frames = double_time(v, b, x);
    for (int64_t f = 0; f < frames.dim[0]; f++) {
        size_t mark = scratch_mark();
        layers_from(v, i + 1, double_space(v, b, slice(frames, f, 1)), video, made);
        scratch_reset(mark);
    }
}

/* z / (1 / std) + mean, channels last: host F32 [n X, 16] of n rows of frame t of [16, T, Y, X] */
static void unnormalise(float *z, tensor latents, int64_t t, int64_t first, int64_t n)
{
    int64_t T = latents.dim[1], Y = latents.dim[2], X = latents.dim[3];
    for (int c = 0; c < LATENT_CHANNELS; c++) {
        const float *from = (const float *)latents.data + ((c * T + t) * Y + first) * X;
        float scale = 1.0f / latent_std[c];
        for (int64_t i = 0; i < n * X; i++)
            z[i * LATENT_CHANNELS + c] = from[i] / scale + latent_mean[c];
    }
}

int64_t vae_decode(vae *v, tensor video, tensor latents, int64_t t)
{
    assert(latents.rank == 4 && latents.dim[0] == LATENT_CHANNELS && latents.type == F32);
    size_t mark = scratch_mark();
    int64_t Y = band_rows(&v->band, 0), X = latents.dim[3], made = 0;
    float *host = new_bytes((unsigned long)(Y * X) * LATENT_CHANNELS * sizeof *host);
    unnormalise(host, latents, t, band_first(&v->band, 0), Y);
    tensor z = scratch(F32, Y * X, LATENT_CHANNELS);
    upload_into(z, tensor_of(host, F32, Y * X, LATENT_CHANNELS));
    free(host);
    tensor x = scratch(F32, 1, Y, X, v->conv1.out);
    linear(reshape(*v->conv1.room, Y * X, LATENT_CHANNELS), z, &v->conv2);
    convolve(x, &v->conv1, false);
    x = residual(v, &v->middle0, x);
    attend(v, &v->middle1, x);
    band_lend(&v->band, x);
    x = residual(v, &v->middle2, x);
    layers_from(v, 0, x, video, &made);
    scratch_reset(mark);
    return made;
}
