/*
** attention_rounded.cu: attention in 8 bits where there is no kernel for it (e4m3 on other cards than
** sm_90, other widths than 128, F32): q, k and v are rounded to what their codes hold
** (kernels/cpu/attention_codes.c), in F32, and attention_plain.cu, which rounds weights, does the
** rest.
** For the same numbers, and not for speed.
*/
#include "../attention.h"
#include "attention.cuh"
#include "codes.cuh"

namespace
{

constexpr int THREADS = 128, MOST_WIDE = 512;

/* mean [B, n] of some rows of each sequence of x [B L, n], a column a thread */
template <class T>
__global__ void __launch_bounds__(THREADS)
    mean_rows(float *mean, const T *x, int64_t stride, int L, int n)
{
    int column = blockIdx.x * THREADS + threadIdx.x, some = min(L, (int)ATTENTION_SAMPLE);
    kernel_begin();
    if (column >= n)
        return;
    double sum = 0;
    for (int i = 0; i < some; i++)
        sum += to_f32(x[((int64_t)blockIdx.y * L + (int64_t)i * L / some) * stride + column]);
    mean[(int64_t)blockIdx.y * n + column] =
        __bfloat162float(__float2bfloat16_rn((float)(sum / some)));
}

/* The greatest x of a block's threads, in all of them. NaN is left out: it stays what it is. */
__device__ float block_greatest(float x)
{
    __shared__ float most[THREADS / 32];
    x = lane_max(x);
    if (threadIdx.x % 32 == 0)
        most[threadIdx.x / 32] = x;
    __syncthreads();
    return lane_max(most[threadIdx.x % (THREADS / 32)], THREADS / 32);
}

/* y [d] = x less its mean [d], or none, rotated. */
template <class T> __device__ void rotate(float *y, const T *x, const float *mean, int d)
{
    constexpr uint32_t SIGNS[4] = ATTENTION_SIGNS;
    __shared__ float row[MOST_WIDE];
    int part = d & -d;
    __syncthreads();
    for (int c = threadIdx.x; c < d; c += THREADS) {
        float v = to_f32(x[c]) - (mean ? mean[c] : 0);
        row[c] = SIGNS[c / 32 % 4] >> c % 32 & 1 ? -v : v;
    }
    for (int step = 1; step < part; step *= 2) {
        __syncthreads();
        for (int p = threadIdx.x; p < d / 2; p += THREADS) {
            int c = p / step * 2 * step + p % step;
            float a = row[c], b = row[c + step];
            row[c] = a + b;
            row[c + step] = a - b;
        }
    }
    __syncthreads();
    for (int c = threadIdx.x; c < d; c += THREADS)
        y[c] = row[c] * (1.0f / sqrtf((float)part));
}

/* y [B L, H d] = int8 codes of x, times their scale, for the rows that share it: one of q; of a
** tile of k, whose mean is given [B, H d], those of one j / 2 mod 4. */
template <class T>
__global__ void __launch_bounds__(THREADS)
    int8_heads(float *y, const T *x, int64_t stride, const float *mean, int L, int d, int tile)
{
    int64_t n = (int64_t)gridDim.y * d, at = (int64_t)blockIdx.y * d;
    int first = mean ? blockIdx.x / 4 * tile : blockIdx.x, rows = mean ? min(tile, L - first) : 1;
    float top = 127 * LEAST;
    kernel_begin();
    x += ((int64_t)blockIdx.z * L + first) * stride + at;
    y += ((int64_t)blockIdx.z * L + first) * n + at;
    mean = mean ? mean + blockIdx.z * n + at : nullptr;
    for (int i = 0; i < rows; i++)
        if (!mean || i / 2 % 4 == blockIdx.x % 4) {
            rotate(y + i * n, x + i * stride, mean, d);
            for (int c = threadIdx.x; c < d; c += THREADS)
                top = fmaxf(top, fabsf(y[i * n + c]));
        }
    top = block_greatest(top);
    float inverse = __fdiv_rn(127, top), scale = __fdiv_rn(top, 127);
    for (int i = 0; i < rows; i++)
        if (!mean || i / 2 % 4 == blockIdx.x % 4)
            for (int c = threadIdx.x; c < d; c += THREADS)
                y[i * n + c] = rintf(y[i * n + c] * inverse) * scale;
}

/* y [B L, H d] = x centred, in e4m3 times a power of two for each tile of a head, a block's. */
template <class T>
__global__ void __launch_bounds__(THREADS)
    e4m3_rows(float *y, const T *x, int64_t stride, const float *mean, int L, int d)
{
    int64_t n = (int64_t)gridDim.y * d, at = (int64_t)blockIdx.y * d;
    int first = blockIdx.x * ATTENTION_FP8_KEYS, rows = min((int)ATTENTION_FP8_KEYS, L - first);
    float top = LEAST;
    kernel_begin();
    x += ((int64_t)blockIdx.z * L + first) * stride + at;
    y += ((int64_t)blockIdx.z * L + first) * n + at;
    mean += blockIdx.z * n + at;
    for (int i = threadIdx.x; i < rows * d; i += THREADS) {
        float v = to_f32(x[i / d * stride + i % d]) - mean[i % d];
        y[i / d * n + i % d] = v;
        top = fmaxf(top, fabsf(v));
    }
    top = block_greatest(top);
    int exponent;
    float part = frexpf(top, &exponent); /* of [1/2, 1) */
    exponent -= part > 0.875f ? 8 : 9;
    float by = ldexpf(1, -exponent), power = isfinite(top) ? ldexpf(1, exponent) : NAN;
    for (int i = threadIdx.x; i < rows * d; i += THREADS) {
        float &v = y[i / d * n + i % d];
        v = e4m3_of(v * by) * power;
    }
}

/* y [B L, H d] = x centred, in int8, a scale a channel, which is a thread's. */
template <class T>
__global__ void __launch_bounds__(THREADS)
    int8_channels(float *y, const T *x, int64_t stride, const float *mean, int L, int n)
{
    int column = blockIdx.x * THREADS + threadIdx.x;
    kernel_begin();
    if (column >= n)
        return;
    x += (int64_t)blockIdx.y * L * stride + column;
    y += (int64_t)blockIdx.y * L * n + column;
    float middle = mean[(int64_t)blockIdx.y * n + column], top = 127 * LEAST;
    for (int64_t i = 0; i < L; i++)
        top = fmaxf(top, fabsf(to_f32(x[i * stride]) - middle));
    float inverse = __fdiv_rn(127, top), scale = __fdiv_rn(top, 127);
    for (int64_t i = 0; i < L; i++)
        y[i * n] = rintf((to_f32(x[i * stride]) - middle) * inverse) * scale;
}

/* tile: of keys, or 0: of queries */
template <class T>
tensor rounded(const void *x, int64_t stride, int L, int tile, const attention_args &a)
{
    int64_t n = (int64_t)a.heads * a.d;
    tensor y = scratch(F32, (int64_t)a.batch * L, n), mean = {};
    if (tile) {
        mean = scratch(F32, a.batch, n);
        start("start means of keys", mean_rows<T>, dim3((unsigned)ceil_div(n, THREADS), a.batch),
              THREADS, 0, 1, (float *)mean.data, (const T *)x, stride, L, (int)n);
    }
    start("start codes of q and k", int8_heads<T>,
          dim3((unsigned)(tile ? ceil_div(L, tile) * 4 : L), a.heads, a.batch), THREADS, 0, 1,
          (float *)y.data, (const T *)x, stride, (const float *)mean.data, L, a.d, tile);
    return y;
}

} // namespace

template <class T> void attention_rounded(const attention_args &a, tensor y)
{
    bool fp8 = a.in == ATTENTION_FP8;
    int tile = attention_tile_keys(a.in);
    int64_t n = (int64_t)a.heads * a.d;
    size_t mark = scratch_mark();
    tensor q = rounded<T>(a.q, a.q_stride, a.lq, 0, a);
    tensor k = rounded<T>(a.k, a.k_stride, a.lk, tile, a);
    tensor v = scratch(F32, (int64_t)a.batch * a.lk, n), mean = {};
    if (a.in != ATTENTION_INT8) {
        mean = scratch(F32, a.batch, n);
        start("start means of values", mean_rows<T>, dim3((unsigned)ceil_div(n, THREADS), a.batch),
              THREADS, 0, 1, (float *)mean.data, (const T *)a.v, a.v_stride, a.lk, (int)n);
        if (fp8)
            start("start codes of v", e4m3_rows<T>,
                  dim3((unsigned)ceil_div(a.lk, tile), a.heads, a.batch), THREADS, 0, 1,
                  (float *)v.data, (const T *)a.v, a.v_stride, (const float *)mean.data, a.lk, a.d);
        else
            start("start codes of v", int8_channels<T>,
                  dim3((unsigned)ceil_div(n, THREADS), a.batch), THREADS, 0, 1, (float *)v.data,
                  (const T *)a.v, a.v_stride, (const float *)mean.data, a.lk, (int)n);
    } else {
        const int64_t dim[] = {(int64_t)a.batch * a.lk, n};
        tensor given = tensor_make((void *)a.v, y.type, 2, dim);
        given.stride = a.v_stride;
        copy(v, given);
    }
    tensor made = y.type == F32 ? y : scratch(F32, tensor_rows(y), n);
    attention_args b = a;
    b.q = q.data, b.k = k.data, b.v = v.data, b.y = made.data;
    b.q_stride = b.k_stride = b.v_stride = n;
    b.y_stride = made.stride;
    b.v_mean = (const float *)mean.data;
    attention_plain(b);
    if (y.type != F32)
        copy(y, made);
    scratch_reset(mark);
}

template void attention_rounded<float>(const attention_args &a, tensor y);
template void attention_rounded<half_t>(const attention_args &a, tensor y);
template void attention_rounded<bf16_t>(const attention_args &a, tensor y);
