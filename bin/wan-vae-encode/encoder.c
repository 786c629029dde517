/*
** encoder.c: the encoder of Wan's video autoencoder as equations (Wan2.1, wan/modules/vae.py).
**
** A picture passes conv1, a list of residual blocks and downsamplings, the middle, the head and a
** product. The official code takes the first picture and then four at a time, and keeps of each
** chunk what the next one needs. All convolutions in time look back only, so one picture at a time
** gives the same, and that is the idea here: where a downsampling makes one frame of two, a frame
** that completes no pair is kept and goes no further. So memory holds one frame a level and the
** pasts, however long the video is.
**
** It refuses checkpoints with other layers than these, other kernels than 3 x 3 x 3, and latents
** of other than 16 channels (their mean and deviation are constants of the trained model).
*/
#include "encoder.h"

#include <assert.h>
#include <stdio.h>

#include "../../common/die.h"
#include "../load.h"

/* ---- loading ---- */

/* Returns the channels that go out. */
static int64_t downsample_load(downsample_block *b, weights *w, const char *prefix, int64_t in,
                               bool halves, tensor_type type)
{
    *b = (downsample_block){.halves = halves};
    long_name conv = joined(prefix, "resample.1");
    weights_tensor(w, joined(conv.text, ".weight").text, -1, in, 3, 3);
    b->conv = load_conv(w, conv.text, -1, in, type);
    int64_t out = vae_channels_out(w, conv.text);
    if (halves)
        b->time_conv = causal_load(w, joined(prefix, "time_conv").text, out, out, 1, type);
    return out;
}

/* Layer i of the list, which is told by its names; in: the width that comes in. Returns the width
 * that goes out. */
static int64_t layer_load(vae_encoder *v, int i, weights *w, int64_t in, tensor_type type)
{
    char prefix[64];
    snprintf(prefix, sizeof prefix, "encoder.downsamples.%d.", i);
    encoder_layer *l = &v->layer[i];
    l->is_downsample = vae_has(w, joined(prefix, "resample.").text);
    if (!l->is_downsample)
        return residual_load(&l->residual, w, prefix, in, type);
    bool halves = vae_has(w, joined(prefix, "time_conv.").text);
    v->space *= 2;
    v->time *= halves ? 2 : 1;
    return downsample_load(&l->downsample, w, prefix, in, halves, type);
}

void encoder_load(vae_encoder *v, weights *w, tensor_type dtype)
{
    enum { MOMENTS = 2 * LATENT_CHANNELS };
    vae_check_config(w);
    weights_pass_over(w, "decoder.*");
    weights_pass_over(w, "conv2.*");
    *v = (vae_encoder){
        .in = {.A = operand_type(dtype), .band = band_of(0, 1)}, .space = 1, .time = 1};
    v->layers = vae_layers(w, "encoder.downsamples");
    v->layer = new_bytes((unsigned long)v->layers * sizeof *v->layer);
    vae_rooms(&v->in, v->layers);
    load_begin(w);
    int64_t moments = vae_channels_out(w, "conv1");
    if (moments != MOMENTS)
        die("%s is a VAE of latents of %lld channels, not %d%s", weights_path(w),
            (long long)moments / 2, LATENT_CHANNELS, moments == 96 ? ": Wan 2.2's" : "");
    v->conv1 = causal_load(w, "encoder.conv1", -1, 3, 3, dtype);
    int64_t C = vae_channels_out(w, "encoder.conv1");
    for (int i = 0; i < v->layers; i++)
        C = layer_load(v, i, w, C, dtype);
    residual_load(&v->middle0, w, "encoder.middle.0.", C, dtype);
    v->middle1 = attention_load(w, "encoder.middle.1.", C, dtype);
    residual_load(&v->middle2, w, "encoder.middle.2.", C, dtype);
    v->head_gamma = load_gains(w, "encoder.head.0.gamma", C);
    v->head = causal_load(w, "encoder.head.2", MOMENTS, C, 3, dtype);
    v->moments = vae_product(w, "conv1", MOMENTS, MOMENTS, dtype);
    load_end();
}

void encoder_start(vae_encoder *v, int64_t H, int64_t W)
{
    assert(H % v->space == 0 && W % v->space == 0);
    band_start(&v->in.band, H / v->space, W / v->space);
    v->in.rooms = 0;
    causal_start(&v->in, &v->conv1, H, W);
    for (encoder_layer *l = v->layer; l < v->layer + v->layers; l++) {
        if (!l->is_downsample) {
            residual_start(&v->in, &l->residual, H, W);
            continue;
        }
        H /= 2;
        W /= 2;
        l->downsample.frames = 0;
        if (l->downsample.halves)
            causal_start(&v->in, &l->downsample.time_conv, H, W);
    }
    residual_start(&v->in, &v->middle0, H, W);
    residual_start(&v->in, &v->middle2, H, W);
    causal_start(&v->in, &v->head, H, W);
}

/* ---- the equations; x is F32 [1, Y, X, C] from block to block ---- */

/* conv(every second line and column of x); for every second frame time_conv(that and the two frames
 * before), for the others nothing: false. The first frame of all passes, and is then the past of
 * the third. */
static bool downsample(vae_encoder *v, downsample_block *b, tensor *x)
{
    int64_t C = tensor_count(b->conv.b);
    tensor from = *x, half = scratch(F32, 1, x->dim[1] / 2, x->dim[2] / 2, C);
    if (v->in.A != F32) {
        from = picture_like(*x, v->in.A, x->dim[3]);
        copy(from, *x);
    }
    conv_halve(half, from, &b->conv);
    *x = half;
    if (!b->halves)
        return true;
    int64_t frame = b->frames++;
    copy(*b->time_conv.room, half);
    if (frame == 0 || frame % 2 == 1) {
        remember(&b->time_conv);
        return frame == 0;
    }
    tensor one = picture_like(half, F32, C);
    convolve(one, &b->time_conv, false);
    *x = one;
    return true;
}

/* conv1(head(silu(norm(x)))): F32 [Y X, 32], the mean of the latents and the log of their variance
 */
static tensor moments(vae_encoder *v, tensor x)
{
    tensor h = picture_like(x, F32, v->head.out);
    rms_norm_silu(*v->head.room, x, v->head_gamma, vae_norm_eps);
    convolve(h, &v->head, false);
    tensor y = scratch(F32, tensor_rows(h), v->head.out);
    linear(y, reshape(h, tensor_rows(h), v->head.out), &v->moments);
    return y;
}

/* (mean - latent_mean) * (1 / latent_std) of rows [16] of means */
static void normalise(tensor latents)
{
    float *z = latents.data;
    for (int64_t i = 0; i < tensor_count(latents); i++) {
        int64_t c = i % LATENT_CHANNELS;
        z[i] = (z[i] - latent_mean[c]) * (1.0f / latent_std[c]);
    }
}

/* The middle and the head; waits. */
static void finish(vae_encoder *v, tensor latents, tensor x)
{
    residual(&v->in, &v->middle0, x);
    attend(&v->in, &v->middle1, x);
    residual(&v->in, &v->middle2, x);
    tensor mean = scratch(F32, tensor_rows(x), LATENT_CHANNELS);
    copy(mean, columns(moments(v, x), 0, LATENT_CHANNELS));
    download(latents, mean);
    normalise(latents);
}

bool encoder_frame(vae_encoder *v, tensor latents, tensor picture)
{
    size_t mark = scratch_mark();
    int64_t H = picture.dim[0], W = picture.dim[1];
    tensor pixels = scratch(picture.type, H * W, 3);
    upload_into(pixels, picture);
    spread_frames(reshape(*v->conv1.room, H * W, v->conv1.in), pixels);
    tensor x = scratch(F32, 1, H, W, v->conv1.out);
    convolve(x, &v->conv1, false);
    bool whole = true;
    for (encoder_layer *l = v->layer; whole && l < v->layer + v->layers; l++)
        if (l->is_downsample)
            whole = downsample(v, &l->downsample, &x);
        else
            x = residual(&v->in, &l->residual, x);
    if (whole)
        finish(v, latents, x);
    scratch_reset(mark);
    return whole;
}
