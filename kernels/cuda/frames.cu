/*
** frames.cu: what the VAE does with whole frames: channels into time, values into bytes and
** bytes into values. Bound by memory.
*/
#include "common.cuh"

enum { THREADS = 256 };

/* Words of 16 bytes: one pixel's C channels are `words` of them. */
__global__ void split(uint4 *y, const uint4 *x, uint32_t pixels, uint32_t words, uint32_t n)
{
    uint32_t i = blockIdx.x * (uint32_t)THREADS + threadIdx.x;
    if (i >= n)
        return;
    uint32_t word = i % words, half = i / words % 2, at = i / words / 2;
    uint32_t t = at / pixels, pixel = at % pixels;
    y[((2 * (int64_t)t + half) * pixels + pixel) * words + word] = x[i];
}

void split_frames(tensor y, tensor x)
{
    bool ok = x.rank == 4 && y.rank == 4 && x.type == y.type && y.dim[0] == 2 * x.dim[0] &&
              y.dim[1] == x.dim[1] && y.dim[2] == x.dim[2] && 2 * y.dim[3] == x.dim[3] &&
              chunks(y) && tensor_contiguous(x) && tensor_contiguous(y);
    check_pair(ok, "split_frames", y, x);
    size_t n = tensor_bytes(x) / sizeof(uint4);
    if (n > INT32_MAX)
        die("split_frames: %s is too large", tensor_text(x));
    if (n)
        split<<<(unsigned)ceil_div(n, THREADS), THREADS, 0, stream>>>(
            (uint4 *)y.data, (const uint4 *)x.data, (uint32_t)(x.dim[1] * x.dim[2]),
            (uint32_t)(y.dim[3] * type_size(y.type) / sizeof(uint4)), (uint32_t)n);
    LAUNCHED("split_frames");
}

/* The reference's order of operations: each is rounded. */
__device__ __forceinline__ uint32_t level(float v)
{
    v = fminf(fmaxf(v, -1.0f), 1.0f);
    return (uint32_t)((v + 1.0f) / 2.0f * 255.0f);
}

template <class T> __global__ void quantize(uint8_t *y, const T *x, int64_t n)
{
    int64_t i = (blockIdx.x * (int64_t)THREADS + threadIdx.x) * 8;
    if (i + 8 <= n) {
        float v[8];
        load8(v, x + i);
        uint2 u = make_uint2(0, 0);
#pragma unroll
        for (int k = 0; k < 4; k++) {
            u.x |= level(v[k]) << 8 * k;
            u.y |= level(v[k + 4]) << 8 * k;
        }
        *(uint2 *)(y + i) = u;
    } else
        for (; i < n; i++)
            y[i] = (uint8_t)level(to_f32(x[i]));
}

void quantize_frames(tensor y, tensor x)
{
    check_pair(y.type == U8 && tensor_count(y) == tensor_count(x) && tensor_contiguous(x) &&
                   tensor_contiguous(y) && (uintptr_t)x.data % 16 == 0 &&
                   (uintptr_t)y.data % 8 == 0,
               "quantize_frames", y, x);
    int64_t n = tensor_count(x);
    if (n == 0)
        return;
    dispatch(x.type, [&](auto *t) {
        using T = ELEMENT(t);
        quantize<<<(unsigned)ceil_div(n, 8 * THREADS), THREADS, 0, stream>>>((uint8_t *)y.data,
                                                                             (const T *)x.data, n);
    });
    LAUNCHED("quantize_frames");
}

__device__ __forceinline__ float pixel_value(uint8_t x) { return (x / 255.0f - 0.5f) / 0.5f; }
__device__ __forceinline__ float pixel_value(float x) { return fminf(fmaxf(x, -1.0f), 1.0f); }

template <class Y, class X> __global__ void spread(Y *y, const X *x, int c, int64_t n)
{
    int64_t i = blockIdx.x * (int64_t)THREADS + threadIdx.x;
    if (i < n)
        y[i] = from_f32<Y>(i % c < 3 ? pixel_value(x[i / c * 3 + i % c]) : 0.0f);
}

void spread_frames(tensor y, tensor x)
{
    check_one((x.type == U8 || x.type == F32) && tensor_width(x) == 3 && tensor_contiguous(x),
              "spread_frames", x, "U8 or F32 [N, 3]");
    check_pair(tensor_rows(y) == tensor_rows(x) && tensor_width(y) >= 3 && tensor_contiguous(y),
               "spread_frames", y, x);
    int64_t n = tensor_count(y);
    if (n == 0)
        return;
    dispatch(y.type, [&](auto *t) {
        using Y = ELEMENT(t);
        unsigned blocks = (unsigned)ceil_div(n, THREADS);
        int c = (int)tensor_width(y);
        if (x.type == U8)
            spread<<<blocks, THREADS, 0, stream>>>((Y *)y.data, (const uint8_t *)x.data, c, n);
        else
            spread<<<blocks, THREADS, 0, stream>>>((Y *)y.data, (const float *)x.data, c, n);
    });
    LAUNCHED("spread_frames");
}
