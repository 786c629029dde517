/*
** tiny.h: the decoder of a tiny video autoencoder, for previews: one latent frame in, one or four
** pictures out, as decoder.h has them.
*/
#ifndef TINY_H
#define TINY_H

#include "../vae.h"

/* x = relu(conv3(relu(conv2(relu(conv1(x, the frame before))))) + x) */
typedef struct {
    conv_weight conv1, conv2, conv3;
    tensor before, now; /* A [1, Y, X, C]: frames that came in; now is where the next one is made */
    bool seen;          /* there is a frame before */
} memory_block;

enum { TINY_STAGES = 3, MEMORIES = 3 };

/* Blocks, then more frames of each and twice the size. */
typedef struct {
    memory_block memory[MEMORIES];
    linear_weight grow; /* C to frames x C */
    conv_weight conv;   /* on pictures of twice the size */
    int64_t in, out, frames;
} tiny_stage;

typedef struct {
    tensor_type A;
    conv_weight first, last;
    tiny_stage stage[TINY_STAGES];
    int64_t width;       /* of first's output */
    int64_t space, time; /* pixels a latent's side, frames a latent frame */
    int64_t left_out;    /* frames of the first latent frame that are still to be left out */
    tensor ones;         /* F32 [1, H, W, 3] */
} tiny_decoder;

/* Is it one, by its tensors' names? */
bool is_tiny(const weights *w);
/* As decoder_load(), decoder_start() and decoder_frame(), on one device. */
void tiny_load(tiny_decoder *v, weights *w, tensor_type dtype);
void tiny_start(tiny_decoder *v, int64_t Y, int64_t X);
int64_t tiny_frame(tiny_decoder *v, tensor video, tensor latents, int64_t t);

#endif
