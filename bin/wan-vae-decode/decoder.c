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
#include "decoder.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/checkpoint/config.h"
#include "../../common/die.h"
#include "../load.h"

/* ---- loading: names are the reference's; sizes are the checkpoint's ---- */

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
        b->time_conv = causal_load(w, joined(prefix, "time_conv").text, 2 * in, in, 1, type);
    return vae_channels_out(w, conv.text);
}

/* Layer i of the list, which is told by its names; in: the width that comes in. Returns the width
 * that goes out. */
static int64_t layer_load(vae_decoder *v, int i, weights *w, int64_t in, tensor_type type)
{
    char prefix[64];
    snprintf(prefix, sizeof prefix, "decoder.upsamples.%d.", i);
    layer *l = &v->layer[i];
    l->is_upsample = vae_has(w, joined(prefix, "resample.").text);
    if (!l->is_upsample)
        return residual_load(&l->residual, w, prefix, in, type);
    bool doubles = vae_has(w, joined(prefix, "time_conv.").text);
    v->space *= 2;
    v->time *= doubles ? 2 : 1;
    return upsample_load(&l->upsample, w, prefix, in, doubles, type);
}

/* Rows of halo that a level needs: one for each convolution of three rows until it is fetched
 * again, and so many that twice as many are the next level's. */
static void count_halos(vae_decoder *v)
{
    int *halo = v->in.band.halo, last = 0;
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

void decoder_load(vae_decoder *v, weights *w, tensor_type dtype, band ours)
{
    vae_check_config(w);
    weights_pass_over(w, "encoder.*");
    weights_pass_over(w, "conv1.*");
    *v = (vae_decoder){.in = {.A = operand_type(dtype), .band = ours}, .space = 1, .time = 1};
    v->layers = vae_layers(w, "decoder.upsamples");
    v->layer = new_bytes((unsigned long)v->layers * sizeof *v->layer);
    vae_rooms(&v->in, v->layers);
    load_begin(w);
    if (vae_channels_out(w, "conv2") != LATENT_CHANNELS)
        die("%s is a VAE of latents of %lld channels, not %d%s", weights_path(w),
            (long long)vae_channels_out(w, "conv2"), LATENT_CHANNELS,
            vae_channels_out(w, "conv2") == 48 ? ": Wan 2.2's" : "");
    v->conv2 = vae_product(w, "conv2", LATENT_CHANNELS, LATENT_CHANNELS, dtype);
    v->conv1 = causal_load(w, "decoder.conv1", -1, LATENT_CHANNELS, 3, dtype);
    int64_t C = v->conv1.out;
    residual_load(&v->middle0, w, "decoder.middle.0.", C, dtype);
    v->middle1 = attention_load(w, "decoder.middle.1.", C, dtype);
    residual_load(&v->middle2, w, "decoder.middle.2.", C, dtype);
    for (int i = 0; i < v->layers; i++)
        C = layer_load(v, i, w, C, dtype);
    v->head_gamma = load_gains(w, "decoder.head.0.gamma", C);
    v->head = causal_load(w, "decoder.head.2", 3, C, 3, dtype);
    load_end();
    count_halos(v);
}

/* ---- memory that lives as long as a video ---- */

void decoder_start(vae_decoder *v, int64_t Y, int64_t X)
{
    int level = 0;
    band_start(&v->in.band, Y, X);
    Y = band_rows(&v->in.band, level);
    v->in.rooms = 0;
    causal_start(&v->in, &v->conv1, Y, X);
    residual_start(&v->in, &v->middle0, Y, X);
    residual_start(&v->in, &v->middle2, Y, X);
    for (layer *l = v->layer; l < v->layer + v->layers; l++) {
        if (!l->is_upsample) {
            residual_start(&v->in, &l->residual, Y, X);
            continue;
        }
        l->upsample.started = false;
        if (l->upsample.doubles)
            causal_start(&v->in, &l->upsample.time_conv, Y, X);
        Y = band_rows(&v->in.band, ++level);
        X *= 2;
    }
    causal_start(&v->in, &v->head, Y, X);
}

/* ---- the equations; x is F32 [1, Y, X, C] from block to block ---- */

/* The one or two frames A [., Y, X, C] that x becomes: two = split(time_conv(x)), except that the
 * first frame of all stays one, and is not seen by time_conv. */
static tensor double_time(vae_decoder *v, upsample_block *b, tensor x)
{
    int64_t C = x.dim[3];
    if (!b->doubles || !b->started) {
        tensor same = picture_like(x, v->in.A, C);
        b->started = true;
        copy(same, x);
        return same;
    }
    tensor two = scratch(v->in.A, 2, x.dim[1], x.dim[2], C);
    size_t mark = scratch_mark();
    tensor both = picture_like(x, v->in.A, 2 * C);
    copy(*b->time_conv.room, x);
    convolve(both, &b->time_conv, false);
    split_frames(two, both);
    scratch_reset(mark);
    return two;
}

/* y = conv(x with every pixel read as 2 x 2) */
static tensor double_space(vae_decoder *v, upsample_block *b, tensor x)
{
    tensor y = scratch(F32, 1, 2 * x.dim[1], 2 * x.dim[2], b->out);
    conv3d(y, x, 0, NULL, &b->conv, true);
    y = band_doubled(&v->in.band, y);
    band_lend(&v->in.band, y);
    return y;
}

/* picture F32 [1, H, W, 3] = head(silu(norm(x))), all bands */
static void head(vae_decoder *v, tensor picture, tensor x)
{
    tensor y = picture_like(x, F32, 3);
    rms_norm_silu(*v->head.room, x, v->head_gamma, vae_norm_eps);
    convolve(y, &v->head, false);
    y = band_own(&v->in.band, y);
    copy(picture, band_all(&v->in.band, reshape(y, tensor_rows(y), 3)));
}

/* The layers from i on: every frame that comes of x goes to its picture, the next of video. */
static void layers_from(vae_decoder *v, int i, tensor x, tensor video, int64_t *made)
{
    for (; i < v->layers && !v->layer[i].is_upsample; i++)
        x = residual(&v->in, &v->layer[i].residual, x);
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

int64_t decoder_frame(vae_decoder *v, tensor video, tensor latents, int64_t t)
{
    assert(latents.rank == 4 && latents.dim[0] == LATENT_CHANNELS && latents.type == F32);
    size_t mark = scratch_mark();
    int64_t Y = band_rows(&v->in.band, 0), X = latents.dim[3], made = 0;
    float *host = new_bytes((unsigned long)(Y * X) * LATENT_CHANNELS * sizeof *host);
    unnormalise(host, latents, t, band_first(&v->in.band, 0), Y);
    tensor z = scratch(F32, Y * X, LATENT_CHANNELS);
    upload_into(z, tensor_of(host, F32, Y * X, LATENT_CHANNELS));
    free(host);
    tensor x = scratch(F32, 1, Y, X, v->conv1.out);
    linear(reshape(*v->conv1.room, Y * X, LATENT_CHANNELS), z, &v->conv2);
    convolve(x, &v->conv1, false);
    x = residual(&v->in, &v->middle0, x);
    attend(&v->in, &v->middle1, x);
    band_lend(&v->in.band, x);
    x = residual(&v->in, &v->middle2, x);
    layers_from(v, 0, x, video, &made);
    scratch_reset(mark);
    return made;
}
