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

template <class T> static void choose(const conv_args &a)
{
    bool chunks = a.c_in == a.c && (uintptr_t)a.x % 16 == 0 && (uintptr_t)a.past % 16 == 0;
    if (chunks && device_capability == 90 && a.ky <= 3 && a.kx <= 3 && (!a.up || a.phases))
        conv_hopper<T>(a);
    else if (chunks)
        conv_mma<T>(a);
    else
        conv_plain<T>(a);
}

static void check(tensor y, tensor x, tensor past, const conv_weight *c, bool upsample)
{
    int s = upsample ? 2 : 1;
    tensor w = c->w;
    check_one(x.rank == 4 && tensor_contiguous(x), "conv3d", x, "[T, Y, X, C]");
    check_pair(y.type == x.type && y.rank == 4 && tensor_contiguous(y) && y.dim[0] == x.dim[0] &&
                   y.dim[1] == s * x.dim[1] && y.dim[2] == s * x.dim[2],
               "conv3d", y, x);
    check_pair(w.type == x.type && w.dim[4] == ceil_div(x.dim[3], 8) * 8, "conv3d", w, x);
    check_pair(w.dim[0] == y.dim[3], "conv3d", w, y);
    if (past.data) {
        check_pair(past.type == x.type && past.rank == 4 && tensor_contiguous(past) &&
                       past.dim[1] == x.dim[1] && past.dim[2] == x.dim[2] &&
                       past.dim[3] == x.dim[3],
                   "conv3d", past, x);
        check_pair(past.dim[0] < c->kt, "conv3d", past, w);
    }
    /* frames are a dimension of the grid; pixels and a row of the weight are counted in ints */
    assert(y.dim[0] <= 65535 && y.dim[1] * y.dim[2] < INT32_MAX / 16 &&
           tensor_count(w) / w.dim[0] < INT32_MAX / 16);
}

void conv3d(tensor y, tensor x, tensor past, const conv_weight *w, bool upsample)
{
    check(y, x, past, w, upsample);
    if (tensor_count(y) == 0)
        return;
    conv_args a = {};
    a.x = x.data, a.past = past.data, a.w = w->w.data, a.y = y.data;
    a.b = (const float *)w->b.data;
    a.frames = (int)y.dim[0], a.height = (int)y.dim[1], a.width = (int)y.dim[2];
    a.past_frames = past.data ? (int)past.dim[0] : 0;
    a.c_in = (int)x.dim[3], a.c = (int)w->w.dim[4], a.c_out = (int)y.dim[3];
    a.kt = w->kt, a.ky = w->ky, a.kx = w->kx;
    a.k = a.kt * a.ky * a.kx * a.c;
    a.up = upsample ? 1 : 0;
    if (phases_follow(a.kt, a.ky, a.kx, a.c_in, x.type))
        a.phases = (const char *)a.w + tensor_bytes(w->w);
    if (x.type == F32)
        conv_plain<float>(a);
    else if (x.type == F16)
        choose<half_t>(a);
    else if (x.type == BF16)
        choose<bf16_t>(a);
    else
        check_one(false, "conv3d", x, "F32, F16 or BF16");
}
