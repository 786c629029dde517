/*
** conv_upload.cu: a convolution's weight onto the device, in the layout its kernels read.
**
** The weight is [C_out, kt, ky, kx, C], channels last, C being C_in rounded up to 8 with zeros:
** one row of it is what the sum of one output channel runs over. For Hopper a 1 x 3 x 3 kernel is
** followed by what it becomes when the picture is upsampled by 2: four kernels of 2 x 2.
** It crosses as it is stored and is turned on the device, a weight once: nothing here is tuned.
*/
#include "conv.cuh"

enum { THREADS = 256 };

/* y [C_out, taps, C] of x [C_out, C_in, taps] */
template <class Y>
__global__ void channels_last(Y *y, const float *x, int c_in, int c, int taps, int64_t count)
{
    int64_t i = blockIdx.x * (int64_t)THREADS + threadIdx.x;
    if (i >= count)
        return;
    int channel = (int)(i % c), tap = (int)(i / c % taps);
    int64_t n = i / c / taps;
    y[i] = from_f32<Y>(channel < c_in ? x[(n * c_in + channel) * taps + tap] : 0.0f);
}

/* Upsampled, each pixel of x is 2 x 2 pixels, and of the three taps of a line two fall on the same
** pixel: of output line 2i taps 1 and 2 on line i, tap 0 on i - 1; of line 2i + 1 taps 0 and 1 on
** i, tap 2 on i + 1. So for output pixel (a, b) of the 2 x 2 the kernel is 2 x 2, of sums of
** taps. y [4, C_out, 2, 2, C] of x [C_out, C, 3, 3] */
template <class Y>
__global__ void sum_phases(Y *y, const float *x, int64_t c_out, int c, int64_t count)
{
    int64_t i = blockIdx.x * (int64_t)THREADS + threadIdx.x;
    if (i >= count)
        return;
    int channel = (int)(i % c), place = (int)(i / c % 4), phase = (int)(i / c / 4 / c_out);
    int64_t n = i / c / 4 % c_out;
    float sum = 0;
    for (int tap = 0; tap < 9; tap++) {
        int dy = (tap / 3 + 1 - phase / 2) / 2, dx = (tap % 3 + 1 - phase % 2) / 2;
        if (dy == place / 2 && dx == place % 2)
            sum += x[(n * c + channel) * 9 + tap];
    }
    y[i] = from_f32<Y>(sum);
}

static void turn(const conv_weight *r, tensor x, bool phases)
{
    int64_t c_out = x.dim[0], count = tensor_count(r->w);
    int c_in = (int)x.dim[1], c = (int)r->w.dim[4], taps = r->kt * r->ky * r->kx;
    dispatch(r->w.type, [&](auto *t) {
        using Y = ELEMENT(t);
        Y *y = (Y *)r->w.data;
        channels_last<<<(unsigned)ceil_div(count, THREADS), THREADS, 0, stream>>>(
            y, (const float *)x.data, c_in, c, taps, count);
        if (phases)
            sum_phases<<<(unsigned)ceil_div(16 * c_out * c, THREADS), THREADS, 0, stream>>>(
                y + count, (const float *)x.data, c_out, c, 16 * c_out * c);
    });
    LAUNCHED("a turn of weights");
}

conv_weight conv_upload(tensor w, tensor b, tensor_type type)
{
    check_kernel("conv_upload", w, b);
    conv_weight r = {};
    r.kt = w.rank == 5 ? (int)w.dim[2] : 1;
    r.ky = (int)w.dim[w.rank - 2], r.kx = (int)w.dim[w.rank - 1];
    int64_t c_out = w.dim[0], c = ceil_div(w.dim[1], 8) * 8;
    int64_t dim[5] = {c_out, r.kt, r.ky, r.kx, c};
    device_open();
    r.w = tensor_make(nullptr, type, 5, dim);
    bool phases = conv_phases_follow(&r, w.dim[1]);
    r.w.data = scratch(type, tensor_count(r.w) + (phases ? 16 * c_out * c : 0)).data;
    if (b.data)
        r.b = upload(reshape(b, c_out), F32);
    size_t mark = scratch_mark();
    turn(&r, upload(w, F32), phases);
    scratch_reset(mark);
    return r;
}
