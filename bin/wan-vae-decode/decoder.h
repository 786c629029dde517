/*
** decoder.h: the decoder of Wan's video autoencoder: one latent frame in, one or four pictures out.
**
** Sizes: latents [16, T, Y, X]; pictures [N, H, W, 3] with H = 8 Y, W = 8 X, N = 4 (T - 1) + 1 for
** the real model: both factors are counted from the layers in the checkpoint. Device tensors have
** their channels last.
*/
#ifndef DECODER_H
#define DECODER_H

#include "../vae.h"

typedef struct {
    bool doubles;          /* twice the frames, too, but for the first frame of all */
    bool started;          /* that first frame has passed */
    causal_conv time_conv; /* C to 2 C, three frames deep */
    conv_weight conv;      /* 3 x 3 on pictures of twice the size */
    int64_t out;
} upsample_block;

typedef struct {
    bool is_upsample;
    residual_block residual;
    upsample_block upsample;
} layer;

typedef struct {
    vae_place in;
    linear_weight conv2;
    causal_conv conv1;
    residual_block middle0, middle2;
    attention_block middle1;
    int layers;
    layer *layer;
    tensor head_gamma;
    causal_conv head;
    int64_t space, time; /* pixels a latent's side, frames a latent frame: 8 and 4 */
} vae_decoder;

/* The decoder's parameters onto the device, stored as dtype; ours: band_of() this rank. */
void decoder_load(vae_decoder *v, weights *w, tensor_type dtype, band ours);

/* Forgets what was seen, and takes memory for our band of Y x X latents: on the stack, freed by the
 * caller's scratch_reset. */
void decoder_start(vae_decoder *v, int64_t Y, int64_t X);

/* The pictures of frame t of latents, F32 [16, T, Y, X] in host memory, t = 0, 1, 2... in turn.
** video: device F32 [time, H, W, 3], before clamping: whole pictures, on every rank. Returns how
** many it makes: 1, then v->time. Does not wait for them. */
int64_t decoder_frame(vae_decoder *v, tensor video, tensor latents, int64_t t);

#endif
