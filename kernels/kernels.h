/*
** kernels.h: every operation that touches a model's numbers. kernels/cpu and kernels/cuda export
** these same symbols, and the linker chooses. The CPU file of an op is its specification: plain
** loops, F32 sums.
**
** Order: outputs, inputs, parameters. Ops see tensors as matrices [rows, width] (tensor.h), check
** shapes and die naming them. Device tensors come from scratch(), upload() and the *_upload()s;
** an op never takes a host tensor, unless its comment says so.
**
**    L  tokens (of both guidance passes where these are stacked)     D  width of the model
**    H  heads                                                        d  width of a head
**    N  rows of any matrix                                           B  equal sequences, stacked
**    T, Y, X  frames, height, width of a latent or picture           C  channels, which come last
**
** A is the type of activations, operand_type(): what tensor cores take as operands. On the CPU it
** is always F32. Sums are F32 everywhere.
*/
#ifndef KERNELS_H
#define KERNELS_H

#include "../common/formats.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the device ---- */

/* Looks for the device and holds nothing of it: for programs that wait for their input. Dies with
** the reason if there is none that can be used. */
void device_find(void);
/* Claims it; nothing is allocated on it before. */
void device_open(void);
/* What the program's user can do when memory is out ("--dtype fp16 needs less"): the end of that
** message, since ops know no options. The text must stay. */
void device_advice(const char *text);
/* "cpu", "cuda: NVIDIA H200" */
const char *device_name(void);
/* "cpu-fma", "cpu-plain", "cuda": without looking for it. Processors of one kind make the same
** bits. */
const char *device_kind(void);
/* "cpu: avx512", "cuda: NVIDIA H200": what --stats says. */
const char *device_details(void);
/* The most that was held at one time, weights and scratch. Mapped files do not count. */
size_t device_peak_bytes(void);
/* Waits until all that was asked for is done: before stopping a clock. */
void device_wait(void);

/* The type of activations that meet weights of this type: F32 on the CPU; on CUDA F16 and BF16 for
** those, else F32. With codes the caller decides. */
tensor_type operand_type(tensor_type type);

/* ---- memory: one stack; reset frees all that was taken since the mark ---- */

size_t scratch_mark(void);
void scratch_reset(size_t mark);
/* scratch(F32, 3, 4) is a new [3, 4], not initialised. */
#define scratch(type, ...)                                                                         \
    scratch_tensor(type, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t),                       \
                   (int64_t[]){__VA_ARGS__})
tensor scratch_tensor(tensor_type type, int rank, const int64_t *dim);

/* Host to device, on the stack. On the CPU a tensor that has the type already is returned as it
** is (a view of the mapped file). */
tensor upload(tensor host, tensor_type type);
/* Into y, which has the same type and count; the host memory may change once this returns. */
void upload_into(tensor y, tensor host);
/* Into host memory of the same type and count; waits. */
void download(tensor host, tensor x);
/* The same without waiting: the values are there after download_finish(), which waits for what was
** asked for before these downloads, but not for what comes after. */
void download_start(tensor host, tensor x);
void download_finish(void);
/* Device to device; types may differ (F32, F16, BF16), rows may be strided. */
void copy(tensor y, tensor x);
void zero(tensor y);

/* ---- layers that pass through: a model that is larger than the device ---- */

/* Double buffering. What is asked for in between (uploads, copies, counts: no ops that compute)
** goes to one of two buffers, on a CUDA stream of its own, while the ops asked for before go on.
** Layer i (from 0) takes buffer i mod 2, so layer_begin(i) overwrites layer i - 2. On the CPU they
** lie on the stack as everything does, and a reset frees them. */
void layer_begin(int i);
void layer_end(void);

/* A layer between its turns: on the host, page-locked, where the bus reads by itself. */
typedef struct {
    void *was, *host; /* where its first byte was on the device; where it is */
    size_t bytes;     /* 0: it is where it was */
} layer_away;
/* All that was taken of the stack since the mark leaves, and the stack is reset to it. On the CPU
** nothing happens, and the mark is not used. */
layer_away layer_park(size_t mark);
/* Between layer_begin() and layer_end(): it comes to their place. Returns the distance from where
** it was, in bytes, for all pointers into it. */
ptrdiff_t layer_bring(const layer_away *a);
/* The same for good, in memory of its own; its place on the host is free. */
ptrdiff_t layer_settle(const layer_away *a);

/* ---- several devices: ranks, processes that run the same program, each with its own ---- */

enum { MOST_RANKS = 64 };

/* The host memory that `count` > 1 ranks share; called once, before they are started. Dies if this
** program was built without what connects devices. */
void *ranks_share(int count);
/* In each rank, before device_find(): its number of how many; without this it is the only one. */
void ranks_join(int rank, int count, void *shared);
/* Message i of n: x[i] goes to rank peer[i], and what that rank sends is received in y[i]; either
** may be absent. Messages between two ranks are matched in their order. All ranks call this
** together, also those with no message. Tensors are contiguous, and must not be touched before
** exchange_wait(); other work may be asked for in between, and further exchanges. */
void exchange(int n, const int peer[], const tensor y[], const tensor x[]);
/* What is asked for from here on sees all that was exchanged. */
void exchange_wait(void);
/* The greatest x of all ranks, a number of the host; all ranks call this together. */
double ranks_greatest(double x);

/* ---- parameters ---- */

/* y = x w^T + b, w being the values that `stored` has (common/formats.h), but that scales of rows
** meet the sum: y = (x w^T) scale + b. */
typedef struct linear_weight {
    tensor w, scale, step, zero;       /* as in `stored` */
    tensor b;                          /* [out] F32, or absent (data NULL) */
    const struct linear_weight *below; /* more rows, stored in another way, under these; or NULL */
} linear_weight;

static inline stored linear_stored(const linear_weight *l)
{
    stored s = {l->w, l->scale, l->step, l->zero};
    return s;
}

/* The rows of n host weights joined into one (q, k and v as one product): w[i].w [out_i, in], all
** of one format if they are codes, and out_i whole squares where these share steps; b[i] [out_i],
** or absent in all. Stored as `type`, unless they are codes, which stay. On the CPU n = 1 copies
** nothing if the type is the stored one. */
linear_weight linear_upload(int n, const stored w[], const tensor b[], tensor_type type);

/* A convolution's weight in the layout the device wants. */
typedef struct {
    tensor w; /* [C_out, kt, ky, kx, C_in] on the CPU: channels last, as the pictures are */
    tensor b; /* [C_out] F32 */
    int kt, ky, kx;
} conv_weight;

/* w: host [C_out, C_in, kt, ky, kx] or [C_out, C_in, ky, kx] (kt = 1). */
conv_weight conv_upload(tensor w, tensor b, tensor_type type);

/* ---- products ---- */

/* y [N, out] A or F32 = x [N, in] (A or F32) w^T * scale + b */
void linear(tensor y, tensor x, const linear_weight *l);
/* y = gelu(linear(x)), gelu in its tanh form */
void linear_gelu(tensor y, tensor x, const linear_weight *l);
/* y F32 [N, out] += gate * linear(x), x A [N, in]; gate F32 [out], or absent: 1 */
void linear_add(tensor y, tensor x, const linear_weight *l, tensor gate);

/* The same of inputs that are codes with a scale for each row (quantize_rows): codes [N, in] I8 or
** F8_E4M3, scale F32 [N]. Codes are multiplied by codes: sums of I8 are exact, those of e4m3 F32;
** scales, bias and gate meet the sums. For weights that linear_takes_codes(): all parts have codes
** of that type, with scales of rows or of squares, and the device has products of such. */
bool linear_takes_codes(const linear_weight *l, tensor_type codes);
void linear_codes(tensor y, tensor codes, tensor scale, const linear_weight *l);
void linear_codes_gelu(tensor y, tensor codes, tensor scale, const linear_weight *l);
void linear_codes_add(tensor y, tensor codes, tensor scale, const linear_weight *l, tensor gate);

/* What meets in attention's two products (kernels/cpu/attention_codes.c): what there is; q and k in
** int8; the weights and v in e4m3 as well. */
typedef enum { ATTENTION_16, ATTENTION_INT8, ATTENTION_FP8 } attention_operands;

typedef struct {
    int batch; /* B: rows of q are B x Lq, of k and v B x Lk */
    int heads; /* H: widths are H x d */
    float scale;
    tensor bias;           /* F32 [H, Lq + Lk - 1] or absent; logit (i, j): (h, j - i + Lq - 1) */
    float last_key_count;  /* the last key stands for so many equal ones: + log of it; 0: one */
    bool causal;           /* query i sees keys j <= i */
    attention_operands in; /* in 8 bits: without bias, last_key_count and causal */
} attention_spec;

/* y = softmax(q k^T * scale + bias) v for each head, all A, without an L x L matrix. Rows may be
** strided. */
void attention(tensor y, tensor q, tensor k, tensor v, const attention_spec *spec);

/* ---- between products; y may be x unless said otherwise ---- */

/* y = x / sqrt(mean(x^2) + eps) * gamma;  y, x A or F32 [N, D]; gamma F32 [D] */
void rms_norm(tensor y, tensor x, tensor gamma, float eps);
/* y = rotate(rms_norm(x)) of q and k side by side: y, x [N, n D], gamma F32 [n, D]; each of the n
** parts has a norm of its own, over its whole width D = H x d. rope F32 [P, d/2, 2]: cos and sin of
** each position; row i has position i mod P. Neighbours (2i, 2i+1) are a pair. */
void rms_norm_rope(tensor y, tensor x, tensor gamma, float eps, tensor rope);
/* y = silu(rms_norm(x)) */
void rms_norm_silu(tensor y, tensor x, tensor gamma, float eps);
/* y = (x - mean(x)) / sqrt(var(x) + eps) * gamma + beta;  gamma, beta F32 [D], or both absent */
void layer_norm(tensor y, tensor x, tensor gamma, tensor beta, float eps);
/* y A = (1 + scale) * layer_norm(x) + shift;  x F32 [N, D]; scale, shift F32 [D] */
void modulated_norm(tensor y, tensor x, tensor scale, tensor shift, float eps);

/* What quantize_rows(.., rotated) makes of these norms of x F32, stored as A: codes I8 or F8_E4M3
** [N, D], row_scale F32 [N] */
void layer_norm_codes(tensor codes, tensor row_scale, tensor_type A, tensor x, tensor gamma,
                      tensor beta, float eps, bool rotated);
void modulated_norm_codes(tensor codes, tensor row_scale, tensor_type A, tensor x, tensor scale,
                          tensor shift, float eps, bool rotated);

/* x F32 [N, D] += y [N, D] A or F32 */
void add(tensor x, tensor y);
/* x F32 [N, D] += gate F32 [D] * y [N, D] A or F32 */
void add_gated(tensor x, tensor y, tensor gate);
/* y = gelu(gate) * up, all A [N, D]; gelu in its tanh form */
void mul_gelu(tensor y, tensor gate, tensor up);
/* y = max(x + h, 0), all A [N, D]; h may be absent */
void add_relu(tensor y, tensor x, tensor h);
/* y = gelu(x), in its tanh form */
void gelu(tensor y, tensor x);
/* y = x / (1 + exp(-x)) */
void silu(tensor y, tensor x);
/* y = x / (1 + exp(-1.702 x)), CLIP's gelu */
void quick_gelu(tensor y, tensor x);
/* y = x Phi(x), gelu itself: Phi is the normal distribution's, (1 + erf(x / sqrt 2)) / 2 */
void exact_gelu(tensor y, tensor x);
/* y = x H on each 256 columns, both A or F32 [N, D]: H the regular Hadamard matrix, H H = 1 */
void hadamard(tensor y, tensor x);
/* y = sum of c[i] * x[i] over n <= 8, all F32 and of one count. A solver's step is one of these. */
void linear_combination(tensor y, int n, const tensor x[], const double c[]);
/* How many values of x (any that a weight may be stored as) are NaN or infinite; waits. */
int64_t count_nonfinite(tensor x);
/* n, one I64, is that. */
void nonfinite_count(tensor n, tensor x);

/* ---- inputs of products: as few bits would hold them, and what is known of many of them ---- */

typedef enum { ROWS_INT8, ROWS_INT4, ROWS_FP8 } row_codes;
/* y = s * round(x / s) of each row, s = max |x| / 127, 7 or 448; to whole numbers, or to e4m3fn; in
** F32. y, x A or F32 of one type. A row that is not finite becomes NaN. */
void round_rows(tensor y, tensor x, row_codes codes);
/* Those codes, I8 or F8_E4M3 [N, D], and s, F32 [N], NaN if the row is not finite. rotated: of what
** hadamard() makes of x. */
void quantize_rows(tensor codes, tensor scale, tensor x, bool rotated);
/* Over the rows of x [N, D] (A or F32), each of which stands for so many copies: absmax F32 [D] =
** max(absmax, |x|), sum F64 [D] += x, squares F64 [D] += x^2 */
void add_moments(tensor absmax, tensor sum, tensor squares, tensor x, int copies);
/* gram F64 [D, D] += copies * x^T x;  on a GPU products of 512 rows have F32 sums */
void add_gram(tensor gram, tensor x, int copies);

/* ---- latents and pictures ---- */

/* tokens A [L, C*pt*py*px] of latents F32 [C, T, Y, X]: tokens run over t, y, x; within one, over
** channel, t, y, x. patch is {pt, py, px}. */
void patchify(tensor tokens, tensor latents, const int patch[3]);
/* rows A or F32 [T*V*U, C*side*side and zeros beyond] of pictures F32 [C, T, Y, X]: patches of
 * side x side that begin `step` pixels apart, `pad` before the first; what lies outside is zeros.
 * V = (Y + 2 pad - side) / step + 1, U alike. Within a row the order is channel, y, x: a
 * convolution of any step is unfold() and linear(). */
void unfold(tensor rows, tensor pictures, int side, int step, int pad);
/* y [T, V, U, C] = the greatest of side x side pixels of x [T, Y, X, C], both A or F32, that begin
 * `step` apart; V = (Y - side) / step + 1, U alike. A NaN is the greatest. */
void max_pool(tensor y, tensor x, int side, int step);
/* latents F32 [C, T, Y, X] of tokens A or F32 [L, pt*py*px*C]: here the channel runs fastest. */
void unpatchify(tensor latents, tensor tokens, const int patch[3]);

/* y A or F32 [T, Y, X, C_out] = causal convolution of x A [T, Y, X, C_in]: the `before` <= kt - 1
** frames past[i] A [Y, X, C_in], the oldest first, go before it and zeros before those; height and
** width are padded with zeros to keep their size. upsample: x and past are [.., Y/2, X/2, C_in] and
** each of their pixels is read as 2 x 2. y is not x. */
void conv3d(tensor y, tensor x, int before, const tensor past[], const conv_weight *w,
            bool upsample);
/* y F32 += what conv3d makes */
void conv3d_add(tensor y, tensor x, int before, const tensor past[], const conv_weight *w,
                bool upsample);
/* y A = silu(rms_norm(what conv3d makes)), of each pixel; gamma F32 [C_out] */
void conv3d_norm_silu(tensor y, tensor x, int before, const tensor past[], const conv_weight *w,
                      tensor gamma, float eps);
/* y A or F32 [T, Y/2, X/2, C_out] = of every second line and column of x A [T, Y, X, C_in], Y and X
 * even, a convolution within each frame (kt = 1) whose kernel begins at that pixel: zeros follow
 * the last line and column. */
void conv_halve(tensor y, tensor x, const conv_weight *w);
/* y [2T, Y, X, C] of x [T, Y, X, 2C]: frame t's first channels are frame 2t, the others 2t + 1. */
void split_frames(tensor y, tensor x);
/* y U8 = trunc((clamp(x, -1, 1) + 1) / 2 * 255) */
void quantize_frames(tensor y, tensor x);
/* y A or F32 [N, C], C >= 3, of pixels x [N, 3]: levels U8 become (x / 255 - 0.5) / 0.5, values F32
 * clamp(x, -1, 1); channels from the fourth on are zeros. */
void spread_frames(tensor y, tensor x);

#ifdef __cplusplus
}
#endif

#endif
