/*
** dit.h: Wan's diffusion transformer: the velocity of latents at a timestep, given a text.
**
** The model (Wan2.1 text-to-video, any size): patches of 1 x 2 x 2 latents are tokens; each block
** adds self-attention over all tokens, cross-attention to the text and an ffn, modulated by the
** time; a head makes patches of velocity again. Sizes come from the weights. Intermediates are
** shown by their official names as they are made (inspect.h); of stacked passes, the first.
*/
#ifndef DIT_H
#define DIT_H

#include "../common/checkpoint/weights.h"
#include "../kernels/kernels.h"
#include "account.h"
#include "layer.h"
#include "share.h"

enum { LATENT_CHANNELS = 16, GUIDANCE_PASSES = 2 };

typedef struct {
    tensor modulation;               /* F32 [6, D]: shift, scale, gate of attention, then of ffn */
    dit_layer qkv, o;                /* self-attention: q, k, v as one product [3D, D]; [D, D] */
    tensor norm_qk;                  /* F32 [2, D]: each over the whole width */
    tensor norm3_gamma, norm3_beta;  /* F32 [D] */
    dit_layer text_q, text_kv;       /* cross-attention: [D, D]; k, v as one product [2D, D] */
    dit_layer text_o;                /* [D, D] */
    tensor text_norm_q, text_norm_k; /* F32 [D] */
    dit_layer up, down;              /* ffn: [ffn, D], [D, ffn] */
} dit_block;

typedef struct {
    int64_t dim, ffn, freq, text_dim, text_len;
    int layers, heads, patch[3];
    float eps;
    tensor_type type, A;          /* of weights that are floats; of activations */
    attention_operands attention; /* of self-attention's products */
    dit_share share;              /* what of a forward pass is made by this rank */
    dit_layer patch_embedding, text_0, text_2, time_0, time_2, time_projection, head;
    tensor head_modulation; /* F32 [2, D] */
    dit_block *block;
    struct dit_memory *memory; /* of blocks that come and go, or NULL: all stay */
} dit;

/* What cross-attention needs of the texts of the passes made here, stacked: keys, normed, beside
 * values, for every block. */
typedef struct {
    tensor *kv;  /* [layers] A [passes x keys, 2D] */
    float alike; /* how many rows of padding each last row stands for; 1 where there is none */
} dit_text;

/* dit-load.c. path is the directory or file that -m names. dit_open: sizes from headers and
 * config.json alone; nothing is loaded. Dies if the heads cannot be shared so. */
weights *dit_find(const char *path);
void dit_open(dit *m, weights *w, const char *path, tensor_type dtype, dit_share share);
/* Onto the device: all parameters on every rank. */
void dit_load(dit *m, weights *w);

/* dit-memory.c: before dit_load(): no more device memory than so many MB, if that will do. */
struct dit_memory *dit_memory_open(int64_t megabytes, int layers);
/* What was loaded of block i, since the mark, may leave. */
void dit_memory_park(struct dit_memory *y, int i, size_t mark);
/* Block i with its parameters on the device, until the next but one is asked for. */
const dit_block *dit_block_here(const dit *m, int i);
/* A pass is done: what it took is known, and blocks that there is room for stay. */
void dit_memory_settle(const dit *m);

/* How many rows of a text of n tokens differ: those and, unless it is as long as the model takes,
 * one of padding. */
int64_t dit_text_rows(const dit *m, int64_t n);
/* context: host F32 [n, text_dim], n <= text_len, of all `passes`, whoever makes them: all get as
 * many keys as the longest needs. The keys and values stay on the stack. */
dit_text dit_read_text(const dit *m, int passes, const tensor context[]);
/* F32 [L, d/2, 2]: cos and sin of each token's place, for latents [16, T, Y, X]. Dies if there are
 * not as many tokens as ranks that share them. */
tensor dit_rope(const dit *m, tensor latents);

/* The text of the first of `passes` alone: a view, whose kv is to be freed. */
dit_text dit_first_text(const dit *m, const dit_text *text, int passes);

/* How an evaluation is not as it is by itself. */
typedef struct {
    const bool *omitted; /* [layers]: blocks that the second pass goes without; NULL: none */
    tensor residual; /* F32 [dit_rows, D]: what the blocks add to their input; absent: not asked */
    bool answered;   /* it is taken for what they would add; else it is written */
} dit_variation;

/* The rows of the residual stream on this rank. */
int64_t dit_rows(const dit *m, int passes, tensor rope);

/* v[p] = the velocity of latents at timestep t given text[p], p < passes; all F32 [16, T, Y, X].
 * Every rank gets all of them. how: NULL, as it is by itself. */
void dit_forward(const dit *m, int passes, const tensor v[], tensor latents, double t,
                 const dit_text *text, tensor rope, const dit_variation *how);

/* y, host: the time's embedding [D], or projected, what all modulations share [6 D]. */
void dit_time(const dit *m, double t, bool projected, float *y);

#endif
