/*
** conv.c: causal convolution in time, zero padded in space, channels last, as matrix products.
**
** A strip of output pixels of one frame is a matrix [pixels, C_out]. It is the sum over kt of
** [pixels, ky*kx*C_in], the inputs of every pixel, times weights [C_out, ky*kx*C_in]^T. The matrix
** of inputs (im2col) is never stored: product.c asks for the inputs of a few pixels at a time.
** Within a line of the kernel they are contiguous, because channels are last. Weights are packed
** once, for all strips. Frames before the first are zeros and are skipped. conv_winograd.c needs
** fewer multiplications for 3 x 3 kernels with many channels.
*/
#include <omp.h>

#include "conv.h"

/* The most pixels and channels of a strip. */
enum { MOST_PIXELS = 504, MOST_CHANNELS = 512 };

/* A frame of the input; the inputs of its output pixels are the rows of a matrix. */
typedef struct {
    const convolution *c;
    const float *in;
} patches;

/* Copies inputs of one output pixel that lie in one line of the picture. They are the kx * C_in
** floats from column `first` on; n of these are copied, from the k-th. Outside the picture: 0. */
static void gather_run(float *to, const patches *of, int64_t line, int64_t first, int64_t k,
                       int64_t n)
{
    const convolution *c = of->c;
    int64_t C = c->C_in;
    int shift = c->upsample ? 1 : 0;
    if (line < 0 || line >= c->H) {
        memset(to, 0, (size_t)n * sizeof *to);
        return;
    }
    if (!shift && first >= 0 && first + c->kx <= c->W) {
        memcpy(to, of->in + (line * c->W + first) * C + k, (size_t)n * sizeof *to);
        return;
    }
    const float *from = of->in + (line >> shift) * (c->W >> shift) * C;
    for (int64_t end = k + n, count; k < end; k += count, to += count) {
        int64_t column = first + k / C;
        count = min_i64(end, (k / C + 1) * C) - k;
        if (column < 0 || column >= c->W)
            memset(to, 0, (size_t)count * sizeof *to);
        else
            memcpy(to, from + (column >> shift) * C + k % C, (size_t)count * sizeof *to);
    }
}

static void gather_pixels(float *to, const void *a, int64_t row, int64_t n, int64_t k,
                          int64_t depth)
{
    const patches *of = a;
    const convolution *c = of->c;
    int64_t line = c->kx * c->C_in;
    for (int64_t i = 0; i < n; i++) {
        int64_t y = (row + i) / c->X * c->step - c->top, x = (row + i) % c->X * c->step - c->left;
        float *at = to + i * GATHER_STRIDE;
        for (int64_t from = k, count; from < k + depth; from += count, at += count) {
            count = min_i64(k + depth, (from / line + 1) * line) - from;
            gather_run(at, of, y + from / line, x, from % line, count);
        }
    }
}

/* Pixels [p, p + m) of frame t, channels [o, o + n). */
static void strip(const convolution *c, int64_t t, int64_t p, int64_t m, int64_t o, int64_t n,
                  float *gathered)
{
    float *y = (float *)c->y.data + (t * c->Y * c->X + p) * c->C_out + o;
    bool add = c->add;
    for (int i = 0; i < c->kt; i++) {
        patches of = {c, conv_frame(c, t - (c->kt - 1) + i)};
        for (int64_t k = 0; of.in && k < c->inner; k += c->depth, add = true) {
            int64_t depth = min_i64(c->depth, c->inner - k);
            const float *packed = c->packed + (i * c->inner + k) * c->across + o * depth;
            product_block(y, c->C_out, m, n, k, depth, 1.0f, add, gather_pixels, &of, p, packed,
                          gathered);
        }
    }
    for (int64_t i = 0; c->b && i < m; i++)
        for (int64_t k = 0; k < n; k++)
            y[i * c->C_out + k] += c->b[o + k];
}

static void check(const char *op, tensor y, tensor x, int before, const tensor past[], tensor w,
                  tensor b, int up, int down)
{
    check_one(x.type == F32, op, x, "F32");
    check_one(y.type == F32, op, y, "F32");
    check_convolution(op, y, x, before, past, w, up, down);
    check_pair(w.dim[4] == x.dim[3], op, w, x);
    if (b.data)
        check_pair(b.type == F32 && tensor_count(b) == w.dim[0], op, b, w);
}

/* Packs the whole weight at once: it is small (16 MB at 384 channels), and used for all pixels. */
static const float *pack_weight(const convolution *c, tensor w)
{
    stored s = {.w = reshape(w, c->C_out, c->kt * c->inner)};
    float *packed = scratch(F32, c->kt * c->inner, c->across).data;
    int64_t blocks = pieces(c->inner, c->depth), panels = pieces(c->C_out, PRODUCT_WIDE);
#pragma omp parallel for if (tensor_count(w) >= PARALLEL_FROM)
    for (int64_t i = 0; i < c->kt * blocks * panels; i++) {
        int64_t o = i % panels * PRODUCT_WIDE, k = i / panels % blocks * c->depth;
        int64_t depth = min_i64(c->depth, c->inner - k), at = i / panels / blocks * c->inner + k;
        pack_stored(packed + at * c->across + o * depth, &s, o, min_i64(PRODUCT_WIDE, c->C_out - o),
                    at, depth);
    }
    return packed;
}

/* up, down: the factor, 1 or 2, by which pictures are enlarged before and reduced by the
** convolution. */
static void convolve(const char *op, tensor y, tensor x, int before, const tensor past[],
                     const conv_weight *w, int up, int down, bool add)
{
    check(op, y, x, before, past, w->w, w->b, up, down);
    size_t mark = scratch_mark();
    convolution c = {.y = y,
                     .x = x,
                     .before = before,
                     .past = past,
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
    if (conv_winograd_pays(&c)) {
        conv_winograd(&c, w->w);
        scratch_reset(mark);
        return;
    }
    c.inner = c.ky * c.kx * c.C_in;
    c.depth = pieces(pieces(c.inner, pieces(c.inner, PRODUCT_DEPTH)), 8) * 8;
    c.across = pieces(c.C_out, PRODUCT_WIDE) * PRODUCT_WIDE;
    c.packed = pack_weight(&c, w->w);
    int64_t pixels = c.Y * c.X, high = MOST_PIXELS, wide = MOST_CHANNELS;
    product_tiles(&high, &wide, pixels, c.C_out, c.T);
    int64_t strips = pieces(pixels, high), parts = pieces(c.C_out, wide);
    float *buffers = thread_buffers(GATHER_FLOATS);
#pragma omp parallel for schedule(dynamic) if (pixels * c.C_out * c.inner >= PARALLEL_FROM_PRODUCTS)
    for (int64_t i = 0; i < c.T * strips * parts; i++) {
        int64_t o = i % parts * wide, p = i / parts % strips * high, t = i / parts / strips;
        strip(&c, t, p, min_i64(high, pixels - p), o, min_i64(wide, c.C_out - o),
              buffers + omp_get_thread_num() * thread_stride(GATHER_FLOATS));
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
    check_kernel("conv_upload", w, b);
    conv_weight c = {.kt = w.rank == 5 ? (int)w.dim[2] : 1,
                     .ky = (int)w.dim[w.rank - 2],
                     .kx = (int)w.dim[w.rank - 1]};
    int64_t out = w.dim[0], in = w.dim[1], taps = c.kt * c.ky * c.kx;
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
