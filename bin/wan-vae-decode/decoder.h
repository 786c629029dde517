/*
** vae.h: the decoder of Wan's video autoencoder: one latent frame in, one or four pictures out.
**
** Sizes: latents [16, T, Y, X]; pictures [N, H, W, 3] with H = 8 Y, W = 8 X, N = 4 (T - 1) + 1 for
** the real model: both factors are counted from the layers in the checkpoint. Device tensors have
** their channels last.
*/
#ifndef VAE_H
#define VAE_H

#include "../../common/checkpoint/weights.h"
#include "../../kernels/kernels.h"
#include "band.h"

enum { LATENT_CHANNELS = 16, PAST = 2 }; /* frames that a kernel of three looks back on */

/* A convolution that looks back: the frames before the current one are kept from call to call. A
** frame is made where it will be kept; the memory of the one that is then forgotten becomes the
** room for the next, of any convolution of this size. */
typedef struct {
    conv_weight w;
    int64_t in, out;
    tensor past[PAST]; /* A [1, Y, X, in]: the last frames that it saw, the oldest first */
    int seen;          /* how many of them there are: 0, 1, 2 */
    tensor *room;      /* A [1, Y, X, in]: for the next one */
} causal_conv;

typedef struct {
    tensor gamma1, gamma2; /* F32 [in], [out] */
    causal_conv conv1, conv2;
    linear_weight shortcut; /* [out, in]; absent where in = out */
} residual_block;

typedef struct {
    tensor gamma; /* F32 [C] */
    linear_weight to_qkv, proj;
} attention_block;

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
    tensor_type A; /* of what enters products */
    linear_weight conv2;
    causal_conv conv1;
    residual_block middle0, middle2;
    attention_block middle1;
    int layers;
    layer *layer;
    tensor head_gamma;
    causal_conv head;
    int64_t space, time; /* pixels a latent's side, frames a latent frame: 8 and 4 */
    band band;           /* the rows that this rank makes */
    tensor room[16];     /* for the next frame, one of each size */
    int rooms;
} vae;

/* The decoder's parameters onto the device, stored as dtype; ours: band_of() this rank. */
void vae_load(vae *v, weights *w, tensor_type dtype, band ours);

/* Forgets what was seen, and takes memory for our band of Y x X latents: on the stack, freed by the
 * caller's scratch_reset. */
void vae_start(vae *v, int64_t Y, int64_t X);

/* The pictures of frame t of latents, F32 [16, T, Y, X] in host memory, t = 0, 1, 2... in turn.
** video: device F32 [time, H, W, 3], before clamping: whole pictures, on every rank. Returns how
** many it makes: 1, then v->time. Does not wait for them. */
int64_t vae_decode(vae *v, tensor video, tensor latents, int64_t t);

#endif
