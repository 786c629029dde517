/*
** conv.cu: a convolution's weight, the checks, and the choice of the kernel, by type and channels.
**
** The weight is [C_out, kt, ky, kx, C], channels last, C being C_in rounded up to 8 with zeros:
** one row of it is what the sum of one output channel runs over. For Hopper a 1 x 3 x 3 kernel is
** followed by what it becomes when the picture is upsampled by 2: four kernels of 2 x 2.
*/
#include "conv.cuh"

#include <cstdlib>

/* out [C_out, taps, C] of in [C_out, C_in, taps], F32, on the host */
static void channels_last(float *out, const float *in, int64_t c_out, int64_t c_in, int64_t taps,
                          int64_t c)
{
    for (int64_t n = 0; n < c_out; n++)
        for (int64_t tap = 0; tap < taps; tap++)
            for (int64_t i = 0; i < c_in; i++)
                out[(n * taps + tap) * c + i] = in[(n * c_in + i) * taps + tap];
}

/* Upsampled, each pixel of x is 2 x 2 pixels, and of the three taps of a line two fall on the same
** pixel: of output line 2i taps 1 and 2 on line i, tap 0 on i - 1; of line 2i + 1 taps 0 and 1 on
** i, tap 2 on i + 1. So for output pixel (a, b) of the 2 x 2 the kernel is 2 x 2, of sums of
** taps. out [4, C_out, 2, 2, C] of in [C_out, 3, 3, C] */
static void sum_phases(float *out, const float *in, int64_t c_out, int64_t c)
{
    memset(out, 0, (size_t)(16 * c_out * c) * sizeof *out);
    for (int phase = 0; phase < 4; phase++)
        for (int64_t n = 0; n < c_out; n++)
            for (int tap = 0; tap < 9; tap++) {
                int dy = (tap / 3 + 1 - phase / 2) / 2, dx = (tap % 3 + 1 - phase % 2) / 2;
                float *to = out + (((phase * c_out + n) * 2 + dy) * 2 + dx) * c;
                for (int64_t i = 0; i < c; i++)
                    to[i] += in[(n * 9 + tap) * c + i];
            }
}

/* Has this weight its phases behind it? Where conv_hopper can use them. */
static bool phases_follow(int kt, int ky, int kx, int64_t c_in, tensor_type type)
{
    return device_capability == 90 && type != F32 && kt == 1 && ky == 3 && kx == 3 && c_in % 8 == 0;
}

conv_weight conv_upload(tensor w, tensor b, tensor_type type)
{
    check_one(w.rank == 4 || w.rank == 5, "conv_upload", w, "[C_out, C_in, (kt,) ky, kx]");
    check_one(w.dim[w.rank - 2] % 2 && w.dim[w.rank - 1] % 2, "conv_upload", w,
              "of odd height and width");
    if (b.data)
        check_pair(tensor_count(b) == w.dim[0], "conv_upload", b, w);
    conv_weight r = {};
    r.kt = w.rank == 5 ? (int)w.dim[2] : 1;
    r.ky = (int)w.dim[w.rank - 2], r.kx = (int)w.dim[w.rank - 1];
    int64_t c_out = w.dim[0], c_in = w.dim[1], c = ceil_div(c_in, 8) * 8;
    int64_t taps = (int64_t)r.kt * r.ky * r.kx, dim[5] = {c_out, r.kt, r.ky, r.kx, c};
    device_open();
    bool phases = phases_follow(r.kt, r.ky, r.kx, c_in, type);
    int64_t count = c_out * taps * c, all = count + (phases ? 16 * c_out * c : 0);
    float *in = (float *)new_bytes((size_t)tensor_count(w) * sizeof(float));
    float *out = (float *)new_bytes((size_t)all * sizeof(float));
    memset(out, 0, (size_t)all * sizeof(float));
    host_convert(tensor_make(in, F32, w.rank, w.dim), w);
    channels_last(out, in, c_out, c_in, taps, c);
    if (phases)
        sum_phases(out + count, out, c_out, c);
    r.w = tensor_make(upload(tensor_make(out, F32, 1, &all), type).data, type, 5, dim);
    if (b.data)
        r.b = upload(reshape(b, c_out), F32);
    free(in);
    free(out);
    return r;
}

/* All 16-byte loads of these kernels fit. */
static bool whole_chunks(const conv_args &a)
{
    bool whole = a.c_in == a.c && (uintptr_t)a.x % 16 == 0;
    for (int i = 0; i < a.past_frames; i++)
        whole = whole && (uintptr_t)a.past[i] % 16 == 0;
    return whole;
}

static bool hopper_takes(const conv_args &a)
{
    return device_capability == 90 && whole_chunks(a) && a.ky <= 3 && a.kx <= 3 &&
           (!a.up || a.phases);
}

static void check(const char *op, tensor y, tensor x, int before, const tensor past[],
                  const conv_weight *c, bool upsample)
{
    int s = upsample ? 2 : 1;
    tensor w = c->w;
    check_one(x.rank == 4 && tensor_contiguous(x), op, x, "[T, Y, X, C]");
    check_pair((y.type == x.type || y.type == F32) && y.rank == 4 && tensor_contiguous(y) &&
                   y.dim[0] == x.dim[0] && y.dim[1] == s * x.dim[1] && y.dim[2] == s * x.dim[2],
               op, y, x);
    check_pair(w.type == x.type && w.dim[4] == ceil_div(x.dim[3], 8) * 8, op, w, x);
    check_pair(w.dim[0] == y.dim[3], op, w, y);
    check_one(before < c->kt, op, w, "of more frames than go before x");
    check_one(before <= MOST_PAST, op, w, "of at most two frames more than x");
    for (int i = 0; i < before; i++)
        check_pair(past[i].type == x.type && tensor_contiguous(past[i]) &&
                       tensor_width(past[i]) == x.dim[3] &&
                       tensor_rows(past[i]) == x.dim[1] * x.dim[2],
                   op, past[i], x);
    /* frames are a dimension of the grid; pixels and a row of the weight are counted in ints */
    assert(y.dim[0] <= 65535 && y.dim[1] * y.dim[2] < INT32_MAX / 16 &&
           tensor_count(w) / w.dim[0] < INT32_MAX / 16);
}

/* On Hopper 16-bit operands go straight to y F32, or to a sum with it; elsewhere by way of a y of
** their own type. */
static void convolve(const char *op, tensor y, tensor x, int before, const tensor past[],
                     const conv_weight *w, bool upsample, bool add_to)
{
    check(op, y, x, before, past, w, upsample);
    if (tensor_count(y) == 0)
        return;
    conv_args a = {};
    a.x = x.data, a.w = w->w.data, a.y = y.data;
    for (int i = 0; i < before; i++)
        a.past[i] = past[i].data;
    a.b = (const float *)w->b.data;
    a.wide = y.type == F32, a.add = add_to;
    a.frames = (int)y.dim[0], a.height = (int)y.dim[1], a.width = (int)y.dim[2];
    a.past_frames = before;
    a.c_in = (int)x.dim[3], a.c = (int)w->w.dim[4], a.c_out = (int)y.dim[3];
    a.kt = w->kt, a.ky = w->ky, a.kx = w->kx;
    a.k = a.kt * a.ky * a.kx * a.c;
    a.up = upsample ? 1 : 0;
    if (phases_follow(a.kt, a.ky, a.kx, a.c_in, x.type))
        a.phases = (const char *)a.w + tensor_bytes(w->w);
    if (x.type == F16 && hopper_takes(a))
        return conv_hopper<half_t>(a);
    if (x.type == BF16 && hopper_takes(a))
        return conv_hopper<bf16_t>(a);

    size_t mark = scratch_mark();
    tensor own = add_to || y.type != x.type ? scratch_tensor(x.type, y.rank, y.dim) : y;
    a.y = own.data;
    if (x.type == F32)
        conv_plain<float>(a);
    else if (x.type == F16)
        whole_chunks(a) ? conv_mma<half_t>(a) : conv_plain<half_t>(a);
    else if (x.type == BF16)
        whole_chunks(a) ? conv_mma<bf16_t>(a) : conv_plain<bf16_t>(a);
    else
        check_one(false, op, x, "F32, F16 or BF16");
    if (add_to)
        add(y, own);
    else if (own.data != y.data)
        copy(y, own);
    scratch_reset(mark);
}

void conv3d(tensor y, tensor x, int before, const tensor past[], const conv_weight *w,
            bool upsample)
{
    convolve("conv3d", y, x, before, past, w, upsample, false);
}

void conv3d_add(tensor y, tensor x, int before, const tensor past[], const conv_weight *w,
                bool upsample)
{
    check_one(y.type == F32, "conv3d_add", y, "F32");
    convolve("conv3d_add", y, x, before, past, w, upsample, true);
}
