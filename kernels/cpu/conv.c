/*
** conv.c: causal convolution in time, zero padded in space, channels last, as matrix products.
**
** A strip of output pixels of one frame is a matrix [pixels, C_out]. For each (kt, ky) the
** kx * C_in inputs of every pixel are gathered, which lie side by side because channels are last,
** and the BLAS adds patches [pixels, kx*C_in] times weights [C_out, kx*C_in]^T to the strip. So
** what is gathered at a time is kt * ky times smaller than the patch matrix of the books and stays
** in the cache. Kernels of width and height 1 need no gathering. Frames before the first are zeros
** and add nothing.
*/
#include <cblas.h>
#include <omp.h>

#include "cpu.h"

/* Pixels of a strip: gathered patches are at most GATHERED floats (1 MB), for a strip of at least
 * LEAST and at most MOST pixels. */
enum { GATHERED = 1 << 18, LEAST = 128, MOST = 512 };

typedef struct {
    tensor y, x;
    int before;
    const tensor *past; /* frames, the oldest first */
    const float *w, *b; /* [C_out, kt, ky, kx, C_in] and [C_out], F32 */
    int kt, ky, kx;
    bool upsample, add;
    int step, top, left;          /* output pixel (y, x) begins at input pixel (step y - top, ..) */
    int64_t T, Y, X, C_in, C_out; /* of y */
    int64_t H, W;                 /* lines and columns that are read: of x, upsampled */
} convolution;

/* Frame t of the input, those of the past being -before .. -1; NULL: zeros. */
static const float *frame(const convolution *c, int64_t t)
{
    if (t >= 0)
        return (const float *)c->x.data + t * c->x.dim[1] * c->x.dim[2] * c->C_in;
    return t >= -c->before ? c->past[t + c->before].data : NULL;
}

/* The inputs of an output pixel in one line of the frame, from column `first` on: kx * C_in floats.
 */
static void gather_pixel(float *to, const convolution *c, const float *in, int64_t line,
                         int64_t first)
{
    int64_t C = c->C_in;
    if (line < 0 || line >= c->H) {
        memset(to, 0, (size_t)(c->kx * C) * sizeof *to);
    } else if (!c->upsample && first >= 0 && first + c->kx <= c->W) {
        memcpy(to, in + (line * c->W + first) * C, (size_t)(c->kx * C) * sizeof *to);
    } else {
        int shift = c->upsample ? 1 : 0;
        const float *from = in + (line >> shift) * (c->W >> shift) * C;
        for (int64_t k = first; k < first + c->kx; k++, to += C)
            if (k < 0 || k >= c->W)
                memset(to, 0, (size_t)C * sizeof *to);
            else
                memcpy(to, from + (k >> shift) * C, (size_t)C * sizeof *to);
    }
}

/* Pixels [p, p + m) of frame t. patches: m * kx * C_in floats. */
static void strip(const convolution *c, int64_t t, int64_t p, int64_t m, float *patches)
{
    int64_t depth = c->kx * c->C_in, ld = c->kt * c->ky * depth;
    float *y = (float *)c->y.data + (t * c->Y * c->X + p) * c->C_out;
    if (!c->add)
        memset(y, 0, (size_t)(m * c->C_out) * sizeof *y);
    for (int64_t i = 0; c->b && i < m; i++)
        for (int64_t o = 0; o < c->C_out; o++)
            y[i * c->C_out + o] += c->b[o];
    for (int i = 0; i < c->kt; i++) {
        const float *in = frame(c, t - (c->kt - 1) + i);
        for (int j = 0; in && j < c->ky; j++) {
            const float *a = patches;
            if (c->ky == 1 && c->kx == 1 && !c->upsample && c->step == 1)
                a = in + p * c->C_in;
            else
                for (int64_t n = 0; n < m; n++)
                    gather_pixel(patches + n * depth, c, in, (p + n) / c->X * c->step + j - c->top,
                                 (p + n) % c->X * c->step - c->left);
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)m, (int)c->C_out, (int)depth,
                        1.0f, a, (int)depth, c->w + (i * c->ky + j) * depth, (int)ld, 1.0f, y,
                        (int)c->C_out);
        }
    }
}

static void check(const char *op, tensor y, tensor x, int before, const tensor past[], tensor w,
                  tensor b, int up, int down)
{
    check_one(x.type == F32 && x.rank == 4 && tensor_contiguous(x), op, x, "F32 [T, Y, X, C]");
    check_pair(y.type == F32 && y.rank == 4 && tensor_contiguous(y) && y.dim[0] == x.dim[0] &&
                   y.dim[1] * down == up * x.dim[1] && y.dim[2] * down == up * x.dim[2],
               op, y, x);
    check_pair(w.dim[4] == x.dim[3], op, w, x);
    check_pair(w.dim[0] == y.dim[3], op, w, y);
    check_one(before < w.dim[1], op, w, "of more frames than go before x");
    for (int i = 0; i < before; i++)
        check_pair(past[i].type == F32 && tensor_contiguous(past[i]) &&
                       tensor_width(past[i]) == x.dim[3] &&
                       tensor_rows(past[i]) == x.dim[1] * x.dim[2],
                   op, past[i], x);
    if (b.data)
        check_pair(b.type == F32 && tensor_count(b) == w.dim[0], op, b, w);
}

/* The whole weight as F32: a call's frames are many, its weight small (16 MB at 384 channels). */
static const float *weight_f32(tensor w)
{
    if (w.type == F32)
        return w.data;
    tensor y = scratch_tensor(F32, w.rank, w.dim);
    copy(y, w);
    return y.data;
}

/* up and down: 2 if pictures are doubled or halved, else 1. */
static void convolve(const char *op, tensor y, tensor x, int before, const tensor past[],
                     const conv_weight *w, int up, int down, bool add)
{
    check(op, y, x, before, past, w->w, w->b, up, down);
    size_t mark = scratch_mark();
    convolution c = {.y = y,
                     .x = x,
                     .before = before,
                     .past = past,
                     .w = weight_f32(w->w),
                     .b = w->b.data,
                     .kt = w->kt,
                     .ky = w->ky,
                     .kx = w->kx,
                     .upsample = up == 2,
                     .add = add,
                     .step = down,
                     .top = down == 2 ? 0 : w->ky / 2,
                     .left = down == 2 ? 0 : w->kx / 2,
                     .T = y.dim[0],
                     .Y = y.dim[1],
                     .X = y.dim[2],
                     .C_in = x.dim[3],
                     .C_out = y.dim[3],
                     .H = y.dim[1] * down,
                     .W = y.dim[2] * down};
    int64_t depth = c.kx * c.C_in, fits = GATHERED / depth;
    int64_t pixels = c.Y * c.X, step = fits < LEAST ? LEAST : fits > MOST ? MOST : fits;
    int64_t strips = pieces(pixels, step);
    float *buffers = thread_buffers(step * depth);
#pragma omp parallel for schedule(dynamic) if (pixels * c.C_out * depth >= PARALLEL_FROM_PRODUCTS)
    for (int64_t i = 0; i < c.T * strips; i++) {
        int64_t t = i / strips, p = i % strips * step;
        strip(&c, t, p, min_i64(step, pixels - p),
              buffers + omp_get_thread_num() * thread_stride(step * depth));
    }
    scratch_reset(mark);
}

void conv3d(tensor y, tensor x, int before, const tensor past[], const conv_weight *w,
            bool upsample)
{
    convolve("conv3d", y, x, before, past, w, upsample ? 2 : 1, 1, false);
}

void conv3d_add(tensor y, tensor x, int before, const tensor past[], const conv_weight *w,
                bool upsample)
{
    convolve("conv3d_add", y, x, before, past, w, upsample ? 2 : 1, 1, true);
}

void conv3d_norm_silu(tensor y, tensor x, int before, const tensor past[], const conv_weight *w,
                      tensor gamma, float eps)
{
    convolve("conv3d_norm_silu", y, x, before, past, w, 1, 1, false);
    rms_norm_silu(y, y, gamma, eps);
}

void conv_halve(tensor y, tensor x, const conv_weight *w)
{
    check_one(w->kt == 1, "conv_halve", w->w, "of one frame");
    convolve("conv_halve", y, x, 0, NULL, w, 1, 2, false);
}

conv_weight conv_upload(tensor w, tensor b, tensor_type type)
{
    if (w.rank != 4 && w.rank != 5)
        die("conv_upload: w is %s, but must be [C_out, C_in, (kt,) ky, kx]", tensor_text(w));
    conv_weight c = {.kt = w.rank == 5 ? (int)w.dim[2] : 1,
                     .ky = (int)w.dim[w.rank - 2],
                     .kx = (int)w.dim[w.rank - 1]};
    int64_t out = w.dim[0], in = w.dim[1], taps = c.kt * c.ky * c.kx;
    if (c.ky % 2 == 0 || c.kx % 2 == 0)
        die("conv_upload: w is %s, but kernels of even height or width are refused",
            tensor_text(w));
    c.w = scratch(type, out, c.kt, c.ky, c.kx, in);
    c.b = b.data ? upload(reshape(b, tensor_count(b)), F32) : (tensor){0};
    size_t mark = scratch_mark();
    tensor row = scratch(F32, in, taps), turned = scratch(F32, taps, in);
    for (int64_t o = 0; o < out; o++) {
        host_convert(row, slice(w, o, 1));
        for (int64_t i = 0; i < in; i++)
            for (int64_t k = 0; k < taps; k++)
                ((float *)turned.data)[k * in + i] = ((const float *)row.data)[i * taps + k];
        host_convert(slice(c.w, o, 1), turned);
    }
    scratch_reset(mark);
    return c;
}
