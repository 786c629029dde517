/*
** kernels.h: every operation that touches a model's numbers. kernels/cpu and kernels/cuda export
** these same symbols, and the linker chooses. The CPU file of an op is its specification: plain
** loops, F32 sums.
**
** Order: outputs, inputs, parameters. Ops see tensors as matrices [rows, width] (tensor.h), check
** shapes and die naming them. Device tensors come from scratch(), upload() and the *_upload()s;
** host tensors are never given to an op, but for those whose comment says so.
**
** Sizes:  L tokens, of both guidance passes where they are stacked    D width of the model    d
** width of a head
**         N rows of any matrix            H heads         B batch: sequences of equal length, one
*below the other
**         T Y X frames, height, width of a latent or picture, channels last               C
*channels
**
** A means the type of activations, operand_type(): what tensor cores take as operands. On the CPU
** it is always F32. Sums are F32 everywhere.
*/
#ifndef KERNELS_H
#define KERNELS_H

#include "../common/tensor.h"

/* ---- the device ---- */

/* Claims the device; until then nothing is allocated on it. Dies with the reason if there is none.
 */
void device_open(void);
const char *device_name(void); /* "cpu", "cuda: NVIDIA H200" */
size_t device_peak_bytes(
    void); /* most that was held at one time, weights and scratch; mapped files do not count */
/* Waits until all that was asked for is done: before stopping a clock. */
void device_wait(void);

/* The type of activations that meet weights of this type: F32 on the CPU; F16 or BF16 for those on
*CUDA, else F32.
** For I8 the caller says which with its --dtype. */
tensor_type operand_type(tensor_type stored);

/* ---- memory: one stack. What is taken before a mark stays; reset frees all that came after it.
 * ---- */

size_t scratch_mark(void);
void scratch_reset(size_t mark);
#define scratch(type, ...)                                                                         \
    scratch_tensor(type, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t),                       \
                   (int64_t[]){__VA_ARGS__})
tensor scratch_tensor(tensor_type type, int rank, const int64_t *dim); /* not initialised */

/* Host to device. On the CPU a tensor that has the type already is returned as it is (a view of the
*mapped file);
** else a converted copy on the stack. */
tensor upload(tensor host, tensor_type type);
/* Into memory that is there; same type, same count. */
void upload_into(tensor y, tensor host);
void download(tensor host, tensor x); /* same type; waits */
void copy(tensor y,
          tensor x); /* device to device; types may differ (F32 F16 BF16); rows may be strided */
void zero(tensor y);

/* ---- parameters ---- */

/* y = x w^T, times scale (if I8), plus b (if present). */
typedef struct {
    tensor w;     /* [out, in] F32 F16 BF16 I8 */
    tensor scale; /* [out] F32, with I8 only */
    tensor b;     /* [out] F32, or absent (data NULL) */
} linear_weight;

/* The rows of n host weights joined into one (q, k and v as one product). w[i] [out_i, in];
*scale[i] [out_i] (any rank) with I8, else NULL or
** absent; b[i] [out_i] or absent in all. Stored as `type`, unless w is I8, which stays. n = 1
** copies nothing on the CPU if the type is the stored one. */
linear_weight linear_upload(int n, const tensor w[], const tensor scale[], const tensor b[],
                            tensor_type type);

/* A convolution's weight in the layout the device wants. */
typedef struct {
    tensor w; /* [C_out, kt, ky, kx, C_in] on the CPU: channels last, as the pictures are */
    tensor b; /* [C_out] F32 */
    int kt, ky, kx;
} conv_weight;

/* w: host [C_out, C_in, kt, ky, kx] or [C_out, C_in, ky, kx] (kt = 1). */
conv_weight conv_upload(tensor w, tensor b, tensor_type type);

/* ---- products ---- */

void linear(tensor y, tensor x,
            const linear_weight *l); /* y [N, out] A or F32, x [N, in] A or F32 */
void linear_gelu(tensor y, tensor x,
                 const linear_weight *l); /* y = gelu(linear), gelu in its tanh form */

/* softmax(q k^T * scale + bias) v, per head, without an L x L matrix. Rows may be strided. */
typedef struct {
    int batch; /* B: rows of q are B x Lq, of k and v B x Lk */
    int heads; /* H: width is H x d */
    float scale;
    tensor bias; /* F32 [H, Lq + Lk - 1] or absent: row h, column j - i + Lq - 1 is added to logit
                    (i, j) */
    float last_key_count; /* the last key stands for this many equal ones: its logit gets log of it;
                             1 or 0: for itself */
    bool causal;          /* query i sees keys j <= i */
} attention_spec;

void attention(tensor y, tensor q, tensor k, tensor v, const attention_spec *spec); /* all A */

/* ---- between products; x and y may be the same tensor unless said otherwise ---- */

void rms_norm(tensor y, tensor x, tensor gamma,
              float eps); /* y A or F32 = x / sqrt(mean(x^2) + eps) * gamma [D] F32 */
/* y = rotate(rms_norm(x)): the norm is over the whole width D = H x d. rope F32 [N', d/2, 2]: cos
*and sin per position; row n of x has position
** n mod N'. Neighbours (2i, 2i+1) are a pair. */
void rms_norm_rope(tensor y, tensor x, tensor gamma, float eps, tensor rope);
void rms_norm_silu(tensor y, tensor x, tensor gamma, float eps); /* y = silu(rms_norm(x)) */
void layer_norm(tensor y, tensor x, tensor gamma, tensor beta,
                float eps); /* gamma, beta F32 [D] or both absent */
/* y A [N, D] = (1 + scale) * layer_norm(x) + shift;  x F32 [N, D]; scale, shift F32 [D] */
void modulated_norm(tensor y, tensor x, tensor scale, tensor shift, float eps);
void add(tensor x, tensor y); /* x F32 [N, D] += y [N, D] A or F32 */
void add_gated(tensor x, tensor y,
               tensor gate); /* x F32 [N, D] += gate F32 [D] * y [N, D] A or F32 */
void mul_gelu(tensor y, tensor gate, tensor up); /* y = gelu(gate) * up, all A [N, D] */
void silu(tensor y, tensor x);
/* y F32 = sum over n of c[i] * x[i], all F32 of one count; y may be one of the x. A solver's step
 * is one of these; n <= 8. */
void linear_combination(tensor y, int n, const tensor x[], const double c[]);
int64_t count_nonfinite(tensor x); /* NaN and infinities in x (A or F32); waits */

/* ---- latents and pictures ---- */

/* tokens A [L, C*pt*py*px] (order: channel, t, y, x) of latents F32 [C, T, Y, X]; token order t, y,
 * x; patch {pt, py, px}. */
void patchify(tensor tokens, tensor latents, const int patch[3]);
/* latents F32 [C, T, Y, X] of tokens F32 or A [L, pt*py*px*C] (channel last: not the inverse of
 * patchify). */
void unpatchify(tensor latents, tensor tokens, const int patch[3]);

/* Causal convolution, channels last: y A [T, Y, X, C_out] of x A [T, Y, X, C_in] with the frames
*`past` A [P, Y, X, C_in] in front of it,
** P <= kt - 1, zeros before those (past absent: P = 0). Height and width are padded with zeros to
** keep their size. upsample: x (not y) is [T, Y/2, X/2, C_in] and each of its pixels is read as 2 x
** 2 (nearest). y is not x. */
void conv3d(tensor y, tensor x, tensor past, const conv_weight *w, bool upsample);
/* y [2T, Y, X, C] of x [T, Y, X, 2C]: frame 2t has the first half of the channels of frame t, 2t +
 * 1 the second. */
void split_frames(tensor y, tensor x);
/* y U8 = trunc((clamp(x, -1, 1) + 1) / 2 * 255) */
void quantize_frames(tensor y, tensor x);

#endif
