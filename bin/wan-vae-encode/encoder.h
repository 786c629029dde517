/*
** encoder.h: the encoder of Wan's video autoencoder: pictures in, one latent frame for the first
** and one for every four more.
**
** Sizes: pictures [N, H, W, 3], latents [16, T, H / 8, W / 8] with N = 4 (T - 1) + 1 for the real
** model: both factors are counted from the layers in the checkpoint.
*/
#ifndef ENCODER_H
#define ENCODER_H

#include "../vae.h"

typedef struct {
    conv_weight conv;      /* 3 x 3 on every second line and column */
    bool halves;           /* half the frames, too, but for the first of all */
    causal_conv time_conv; /* C to C, three frames deep, on every second frame */
    int64_t frames;        /* that it saw */
} downsample_block;

typedef struct {
    bool is_downsample;
    residual_block residual;
    downsample_block downsample;
} encoder_layer;

typedef struct {
    vae_place in;
    causal_conv conv1;
    int layers;
    encoder_layer *layer;
    residual_block middle0, middle2;
    attention_block middle1;
    tensor head_gamma;
    causal_conv head;
    linear_weight moments; /* to mean and log of the variance; the official code's conv1 */
    int64_t space, time;   /* pixels a latent's side, frames a latent frame: 8 and 4 */
} vae_encoder;

/* The encoder's parameters onto the device, stored as dtype. */
void encoder_load(vae_encoder *v, weights *w, tensor_type dtype);

/* Forgets what was seen, and takes memory for pictures of H x W, whole latents: on the stack, freed
 * by the caller's scratch_reset. */
void encoder_start(vae_encoder *v, int64_t H, int64_t W);

/* The next picture, levels U8 or values F32 [H, W, 3] in host memory. True if it completes a latent
 * frame, as the first does and then every v->time-th: then latents, host F32 [Y X, 16], has it,
 * normalised. */
bool encoder_frame(vae_encoder *v, tensor latents, tensor picture);

#endif
