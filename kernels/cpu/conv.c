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
    tensor y, x, past;
    const float *w, *b; /* [C_out, kt, ky, kx, C_in] and [C_out], F32 */
    int kt, ky, kx;
    bool upsample;
    int64_t T, Y, X, C_in, C_out; /* of y */
} convolution;

/* Frame t of the input, those of the past being -P .. -1; NULL: zeros. */
static const float *frame(const convolution *c, int64_t t)
{
    int64_t P = c->past.data ? c->past.dim[0] : 0;
    int64_t size = c->x.dim[1] * c->x.dim[2] * c->C_in;
    if (t >= 0)
        return (const float *)c->x.data + t * size;
    return t >= -P ? (const float *)c->past.data + (t + P) * size : NULL;
}

/* The inputs of output pixel (y, x) in line y + dy of the frame: kx * C_in floats. */
static void gather_pixel(float *to, const convolution *c, const float *in, int64_t line, int64_t x)
{
    int64_t C = c->C_in, first = x - c->kx / 2;
    if (line < 0 || line >= c->Y) {
        memset(to, 0, (size_t)(c->kx * C) * sizeof *to);
    } else if (!c->upsample && first >= 0 && first + c->kx <= c->X) {
        memcpy(to, in + (line * c->X + first) * C, (size_t)(c->kx * C) * sizeof *to);
    } else {
        int shift = c->upsample ? 1 : 0;
        const float *from = in + (line >> shift) * (c->X >> shift) * C;
        for (int64_t k = first; k < first + c->kx; k++, to += C)
            if (k < 0 || k >= c->X)
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
    for (int64_t i = 0; i < m; i++)
        if (c->b)
            memcpy(y + i * c->C_out, c->b, (size_t)c->C_out * sizeof *y);
        else
            memset(y + i * c->C_out, 0, (size_t)c->C_out * sizeof *y);
    for (int i = 0; i < c->kt; i++) {
        const float *in = frame(c, t - (c->kt - 1) + i);
        for (int j = 0; in && j < c->ky; j++) {
            const float *a = patches;
            if (c->ky == 1 && c->kx == 1 && !c->upsample)
                a = in + p * c->C_in;
            else
                for (int64_t n = 0; n < m; n++)
                    gather_pixel(patches + n * depth, c, in, (p + n) / c->X + j - c->ky / 2,
                                 (p + n) % c->X);
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)m, (int)c->C_out, (int)depth,
                        1.0f, a, (int)depth, c->w + (i * c->ky + j) * depth, (int)ld, 1.0f, y,
                        (int)c->C_out);
        }
    }
}

static void check(tensor y, tensor x, tensor past, tensor w, tensor b, bool upsample)
{
    int s = upsample ? 2 : 1;
    check_one(x.type == F32 && x.rank == 4 && tensor_contiguous(x), "conv3d", x,
              "F32 [T, Y, X, C]");
    check_pair(y.type == F32 && y.rank == 4 && tensor_contiguous(y) && y.dim[0] == x.dim[0] &&
                   y.dim[1] == s * x.dim[1] && y.dim[2] == s * x.dim[2],
               "conv3d", y, x);
    check_pair(w.dim[4] == x.dim[3], "conv3d", w, x);
    check_pair(w.dim[0] == y.dim[3], "conv3d", w, y);
    if (past.data) {
        check_pair(past.type == F32 && past.rank == 4 && tensor_contiguous(past) &&
                       past.dim[1] == x.dim[1] && past.dim[2] == x.dim[2] &&
                       past.dim[3] == x.dim[3],
                   "conv3d", past, x);
        check_pair(past.dim[0] <= w.dim[1] - 1, "conv3d", past, w);
    }
    if (b.data)
        check_pair(b.type == F32 && tensor_count(b) == w.dim[0], "conv3d", b, w);
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

void conv3d(tensor y, tensor x, tensor past, const conv_weight *w, bool upsample)
{
    check(y, x, past, w->w, w->b, upsample);
    size_t mark = scratch_mark();
    convolution c = {.y = y,
                     .x = x,
                     .past = past,
                     .w = weight_f32(w->w),
                     .b = w->b.data,
                     .kt = w->kt,
                     .ky = w->ky,
                     .kx = w->kx,
                     .upsample = upsample,
                     .T = y.dim[0],
                     .Y = y.dim[1],
                     .X = y.dim[2],
                     .C_in = x.dim[3],
                     .C_out = y.dim[3]};
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
