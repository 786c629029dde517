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

/* Looks for the device, but takes no memory of it: for programs that still wait for their input.
** Dies with the reason if no device can be used. */
void device_find(void);
/* Claims the device; nothing is allocated on it before. */
void device_open(void);
/* Sets the end of the message for too little device memory: what the user can do about it ("--dtype
** fp16 needs less"), since ops know no options. The text is not copied. */
void device_advice(const char *text);
/* "cpu", "cuda: NVIDIA H200" */
const char *device_name(void);
/* "cpu-fma", "cpu-plain", "cuda": known without looking for the device. Processors of one kind give
** the same bits. */
const char *device_kind(void);
/* "cpu: avx512", "cuda: NVIDIA H200": for --stats. */
const char *device_details(void);
/* The peak of allocated memory, weights and scratch. Mapped files do not count. */
size_t device_peak_bytes(void);
/* Waits until all operations are finished: before stopping a clock. */
void device_wait(void);

/* The type of activations that meet weights of this type: F32 on the CPU; on CUDA F16 and BF16 for
** those, else F32. With codes the caller decides. */
tensor_type operand_type(tensor_type type);

/* ---- memory: one stack; a reset frees all that was allocated since the mark ---- */

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
/* The same without waiting: the values are there after download_finish(), which waits for all
** operations that were started before these downloads, but not for later ones. */
void download_start(tensor host, tensor x);
void download_finish(void);
/* Device to device; types may differ (F32, F16, BF16), rows may be strided. */
void copy(tensor y, tensor x);
void zero(tensor y);

/* ---- offloading: layers that are copied to the device one after another ---- */

/* Double buffering. Between layer_begin() and layer_end() uploads, copies and counts (no ops that
** compute) go to one of two buffers, on a CUDA stream of their own, while ops that were started
** before go on. Layer i (from 0) uses buffer i mod 2, so layer_begin(i) overwrites layer i - 2. On
** the CPU layers are allocated on the stack as usual, and a reset frees them. */
void layer_begin(int i);
void layer_end(void);

/* A layer that was moved to page-locked (pinned) host memory, which the device reads by DMA. */
typedef struct {
    void *was, *host; /* its first byte's address on the device before; its address on the host */
    size_t bytes;     /* 0: it was not moved */
} layer_away;
/* Copies all that was allocated on the stack since the mark to the host, and resets the stack to
** the mark. On the CPU nothing happens, and the mark is not used. */
layer_away layer_park(size_t mark);
/* Between layer_begin() and layer_end(): copies the layer to their buffer. Returns the distance in
** bytes from its old address, to be added to all pointers into it. */
ptrdiff_t layer_bring(const layer_away *a);
/* The same for good, into memory of its own; its host memory is freed. */
ptrdiff_t layer_settle(const layer_away *a);

/* ---- several devices: ranks are processes that run the same program, each with a device ---- */

enum { MOST_RANKS = 64 };

/* The host memory that `count` > 1 ranks share; called once, before they are started. Dies if this
** program was built without a library that connects devices (NCCL). */
void *ranks_share(int count);
/* Called in each rank before device_find(): its number, and how many ranks there are. A process
** that does not call this is the only rank. */
void ranks_join(int rank, int count, void *shared);
/* Point-to-point messages. For each of n: x[i] is sent to rank peer[i], and the tensor that this
** rank sends is received in y[i]; either may be absent. Messages between two ranks are matched in
** their order. All ranks call this together, also those without messages. Tensors are contiguous,
** and must not be touched before exchange_wait(); other ops and further exchanges may be started in
** between. */
void exchange(int n, const int peer[], const tensor y[], const tensor x[]);
/* Ops that are started after this see all that was exchanged. */
void exchange_wait(void);
/* The greatest x, a number of the host, of all ranks; all ranks call this together. */
double ranks_greatest(double x);

/* ---- parameters ---- */

/* y = (x w^T) scale + b, where w are the values of `stored` (common/formats.h) without the scales
** of rows: these multiply the sum. */
typedef struct linear_weight {
    tensor w, scale, step, zero;       /* as in `stored` */
    tensor b;                          /* [out] F32, or absent (data NULL) */
    const struct linear_weight *below; /* further rows, in another format; or NULL */
} linear_weight;

static inline stored linear_stored(const linear_weight *l)
{
    stored s = {l->w, l->scale, l->step, l->zero};
    return s;
}

/* Joins the rows of n host weights into one weight (q, k and v as one product): w[i].w [out_i, in].
** Codes must all have one format; if its steps are of squares, out_i must be whole squares. b[i]
** [out_i], or absent in all. Floats are stored as `type`, codes stay. On the CPU nothing is copied
** if n = 1 and the weight has that type already. */
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

/* The same with inputs that are codes with a scale for each row (quantize_rows): codes [N, in] I8
** or F8_E4M3, scale F32 [N]. Codes are multiplied by codes; sums of I8 are exact, those of e4m3 are
** F32; scales, bias and gate are applied to the sums. Only for weights for which
** linear_takes_codes() is true: all parts have codes of that type, with scales of rows or of
** squares, and the device can multiply such codes. */
bool linear_takes_codes(const linear_weight *l, tensor_type codes);
void linear_codes(tensor y, tensor codes, tensor scale, const linear_weight *l);
void linear_codes_gelu(tensor y, tensor codes, tensor scale, const linear_weight *l);
void linear_codes_add(tensor y, tensor codes, tensor scale, const linear_weight *l, tensor gate);

/* The operands of attention's two products (kernels/cpu/attention_codes.c): A in both; or q and k
** in int8, and the softmax's weights and v in A, in e4m3, or in eight bits as integers. */
typedef enum { ATTENTION_16, ATTENTION_INT8, ATTENTION_FP8, ATTENTION_INT8_PV } attention_operands;

typedef struct {
    int batch; /* B: rows of q are B x Lq, of k and v B x Lk */
    int heads; /* H: widths are H x d */
    float scale;
    tensor bias;           /* F32 [H, Lq + Lk - 1] or absent; logit (i, j): (h, j - i + Lq - 1) */
    float last_key_count;  /* the last key counts so often: its logit gets + log of it; 0: once */
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

/* These norms of x F32, rounded to A, and then quantize_rows(.., rotated): codes I8 or F8_E4M3
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
/* The number of values of x that are NaN or infinite; waits. x may be of any type that weights are
** stored in. */
int64_t count_nonfinite(tensor x);
/* The same into n, one I64 on the device; does not wait. */
void nonfinite_count(tensor n, tensor x);

/* ---- inputs of products: quantised, and their statistics ---- */

typedef enum { ROWS_INT8, ROWS_INT4, ROWS_FP8 } row_codes;
/* y = s * round(x / s) for each row, with s = max |x| / 127, 7 or 448; rounded to whole numbers, or
** to e4m3fn, in F32. y, x A or F32, of one type. A row that is not finite becomes NaN. */
void round_rows(tensor y, tensor x, row_codes codes);
/* The codes of that, I8 or F8_E4M3 [N, D], and s, F32 [N], NaN if the row is not finite. rotated:
** the codes of hadamard(x). */
void quantize_rows(tensor codes, tensor scale, tensor x, bool rotated);
/* Over the rows of x [N, D] (A or F32), each of which counts `copies` times: absmax F32 [D] =
** max(absmax, |x|), sum F64 [D] += x, squares F64 [D] += x^2 */
void add_moments(tensor absmax, tensor sum, tensor squares, tensor x, int copies);
/* gram F64 [D, D] += copies * x^T x;  on a GPU products of 512 rows have F32 sums */
void add_gram(tensor gram, tensor x, int copies);

/* ---- latents and pictures ---- */

/* tokens A [L, C*pt*py*px] of latents F32 [C, T, Y, X]: tokens run over t, y, x; within one, over
** channel, t, y, x. patch is {pt, py, px}. */
void patchify(tensor tokens, tensor latents, const int patch[3]);
/* im2col: rows A or F32 [T*V*U, C*side*side, then zeros] of pictures F32 [C, T, Y, X]: patches of
 * side x side pixels with a stride of `step`; the first begins `pad` pixels before the picture, and
 * pixels outside of it are zeros. V = (Y + 2 pad - side) / step + 1, U alike. Within a row the
 * order is channel, y, x: a convolution of any stride is unfold() and linear(). */
void unfold(tensor rows, tensor pictures, int side, int step, int pad);
/* y [T, V, U, C] = the greatest of each side x side pixels of x [T, Y, X, C], both A or F32, with a
 * stride of `step`; V = (Y - side) / step + 1, U alike. A NaN counts as the greatest. */
void max_pool(tensor y, tensor x, int side, int step);
/* latents F32 [C, T, Y, X] of tokens A or F32 [L, pt*py*px*C]: within a token the channel runs
** fastest, unlike in patchify(). */
void unpatchify(tensor latents, tensor tokens, const int patch[3]);

/* y A or F32 [T, Y, X, C_out] = causal convolution of x A [T, Y, X, C_in]. x is preceded by
** `before` <= kt - 1 frames past[i] A [Y, X, C_in], the oldest first, and these by zeros; height
** and width are padded with zeros to keep their size. upsample: x and past are [.., Y/2, X/2, C_in]
** and each of their pixels is read as 2 x 2 (nearest neighbour). y is not x. */
void conv3d(tensor y, tensor x, int before, const tensor past[], const conv_weight *w,
            bool upsample);
/* y F32 += conv3d() */
void conv3d_add(tensor y, tensor x, int before, const tensor past[], const conv_weight *w,
                bool upsample);
/* y A = silu(rms_norm(conv3d())), for each pixel; gamma F32 [C_out] */
void conv3d_norm_silu(tensor y, tensor x, int before, const tensor past[], const conv_weight *w,
                      tensor gamma, float eps);
/* y A or F32 [T, Y/2, X/2, C_out] = a convolution of stride 2 within each frame (kt = 1) of x A
 * [T, Y, X, C_in], Y and X even. The kernel of output pixel (y, x) begins at input pixel (2y, 2x);
 * zeros follow the last line and column. */
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
