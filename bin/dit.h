/*
** dit.h: Wan's diffusion transformer: the velocity of latents at a timestep, given a text.
**
** The model (Wan2.1 text-to-video, any size): patches of 1 x 2 x 2 latents are tokens; each block
** adds self-attention over all tokens, cross-attention to the text and an ffn, modulated by the
** time; a head turns tokens into patches of velocity. Sizes come from the weights. Intermediates
** are passed to inspect.h under their official names as they are computed; if two passes are
** stacked, those of the first pass.
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
    dit_share share;              /* the part of a forward pass that this rank computes */
    dit_layer patch_embedding, text_0, text_2, time_0, time_2, time_projection, head;
    tensor head_modulation; /* F32 [2, D] */
    dit_block *block;
    struct dit_memory *memory; /* of blocks that are offloaded to the host; NULL: all stay */
} dit;

/* The text's keys and values for cross-attention, of all blocks, for the passes that this rank
 * computes, stacked. Keys are normalised. */
typedef struct {
    tensor *kv;  /* [layers] A [passes x keys, 2D]: keys beside values */
    float alike; /* the number of padding rows that the last row of each text counts for; or 1 */
} dit_text;

/* dit-load.c. path is the directory or file that -m names. dit_open: reads sizes from headers and
 * config.json; loads nothing. Dies if the share's parts do not divide the heads. */
weights *dit_find(const char *path);
void dit_open(dit *m, weights *w, const char *path, tensor_type dtype, dit_share share);
/* Loads all parameters to the device, on every rank. */
void dit_load(dit *m, weights *w);

/* dit-memory.c. Called before dit_load(): limits device memory to so many MB, if possible. */
struct dit_memory *dit_memory_open(int64_t megabytes, int layers);
/* Block i was loaded, since the mark: moves its parameters to the host. */
void dit_memory_park(struct dit_memory *y, int i, size_t mark);
/* Block i with its parameters on the device. The second next call overwrites them, since there are
 * two buffers (double buffering). */
const dit_block *dit_block_here(const dit *m, int i);
/* After the first pass, when its use of memory is known: moves as many blocks as fit to the device
 * for good. */
void dit_memory_settle(const dit *m);

/* The number of different rows of a text of n tokens: n, and one of padding unless the text has the
 * model's greatest length. */
int64_t dit_text_rows(const dit *m, int64_t n);
/* context: host F32 [n, text_dim], n <= text_len, of all `passes`, also of those that other ranks
 * compute: every text gets as many keys as the longest needs. Keys and values stay on the stack. */
dit_text dit_read_text(const dit *m, int passes, const tensor context[]);
/* The rotation table (RoPE) F32 [L, d/2, 2] for latents [16, T, Y, X]: cos and sin for each token's
 * position. Dies if there are fewer tokens than ranks that divide them. */
tensor dit_rope(const dit *m, tensor latents);

/* The text of the first of `passes` alone: a view, whose kv is to be freed. */
dit_text dit_first_text(const dit *m, const dit_text *text, int passes);

/* Variations of an evaluation. */
typedef struct {
    const bool *omitted; /* [layers]: blocks that the second pass leaves out; NULL: none */
    tensor residual; /* F32 [dit_rows, D]: what all blocks together add to their input; or absent */
    bool answered; /* true: residual is added instead of running the blocks; false: it is written */
} dit_variation;

/* The rows of the residual stream on this rank. */
int64_t dit_rows(const dit *m, int passes, tensor rope);

/* v[p] = the velocity of latents at timestep t given text[p], p < passes; all F32 [16, T, Y, X].
 * Every rank gets all of them. how: variations, or NULL. */
void dit_forward(const dit *m, int passes, const tensor v[], tensor latents, double t,
                 const dit_text *text, tensor rope, const dit_variation *how);

/* y, host: the time embedding [D]; or projected [6 D], as all modulations use it. */
void dit_time(const dit *m, double t, bool projected, float *y);

#endif
