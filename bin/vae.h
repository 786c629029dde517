/*
** vae.h: what the encoder and the decoder of Wan's video autoencoder are both made of: convolutions
** that look back, residual blocks, and attention over the pixels of a frame.
**
** One frame at a time passes them, as pictures F32 [1, Y, X, C] from block to block. Device tensors
** have their channels last.
*/
#ifndef VAE_H
#define VAE_H

#include "../common/checkpoint/weights.h"
#include "../kernels/kernels.h"
#include "band.h"

enum { LATENT_CHANNELS = 16, PAST = 2 }; /* frames that a kernel of three looks back on */

/* Mean and standard deviation of the latents that the model was trained on. */
extern const float latent_mean[LATENT_CHANNELS], latent_std[LATENT_CHANNELS];

/* The reference divides by max(|x|, 1e-12): this is that, for all x that are not almost zero. */
static const float vae_norm_eps = 1e-24f;

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

/* What all blocks of a model work in. */
typedef struct {
    tensor_type A;   /* of what enters products */
    band band;       /* the rows that this rank makes */
    tensor *room;    /* for the next frame, one of each size */
    tensor *spare;   /* and for what is made of that, where that becomes the next frame */
    int rooms, most; /* how many sizes there are, and can be */
} vae_place;

/* ---- loading: names are the reference's; sizes are the checkpoint's ---- */

/* Dies unless what the checkpoint's config.json says, if there is one, is what is computed here. */
void vae_check_config(const weights *w);

typedef struct {
    char text[192];
} long_name;

long_name joined(const char *prefix, const char *name);
bool vae_has(const weights *w, const char *prefix);
/* One more than the greatest N of LIST.N: an index that is missing below it is an error, not the
 * end. */
int vae_layers(const weights *w, const char *list);
/* Channels out of a convolution, as the file has them; loaded they are load_channels() of that. */
int64_t vae_channels_out(weights *w, const char *name);
/* A 1 x 1 convolution, which has a bias here. */
linear_weight vae_product(weights *w, const char *name, int64_t out, int64_t in, tensor_type type);
/* A kernel of three frames, k x k; out < 0 takes what the file has. */
causal_conv causal_load(weights *w, const char *name, int64_t out, int64_t in, int k,
                        tensor_type type);
/* Returns the channels that go out. */
int64_t residual_load(residual_block *b, weights *w, const char *prefix, int64_t in,
                      tensor_type type);
attention_block attention_load(weights *w, const char *prefix, int64_t C, tensor_type type);

/* ---- memory that lives as long as a video, on the stack, and forgetting ---- */

/* For a list of so many layers. */
void vae_rooms(vae_place *v, int layers);
void causal_start(vae_place *v, causal_conv *c, int64_t Y, int64_t X);
void residual_start(vae_place *v, residual_block *b, int64_t Y, int64_t X);

/* ---- the equations ---- */

/* scratch() of the size of x with C channels. */
tensor picture_like(tensor x, tensor_type type, int64_t C);
/* What was made in c->room becomes the youngest frame of the past. */
void remember(causal_conv *c);
/* y = w * (the two frames before x, x), or y += that; x is what was made in c->room, which is
 * remembered. */
void convolve(tensor y, causal_conv *c, bool to_sum);
/* shortcut(x) + conv2(silu(norm2(conv1(silu(norm1(x)))))); in place where the width stays */
tensor residual(vae_place *v, residual_block *b, tensor x);
/* x += proj(softmax(q k^T / sqrt(C)) v), q k v = to_qkv(norm(x)): one head, over the pixels of a
 * frame: k and v of all bands */
void attend(vae_place *v, attention_block *b, tensor x);

#endif
