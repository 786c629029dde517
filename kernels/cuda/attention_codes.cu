/*
** attention_codes.cu: what 8-bit attention on Hopper reads: the codes of q, k and v, which
** kernels/cpu/attention_codes.c specifies, in the layouts of its tiles.
**
** Three kernels, each of which reads its part of q, k and v once: the mean of 1024 keys (and
** values) of each head; the codes of q and k, 16 lanes a token and head, which rotate 128 values
** by the butterflies of Hadamard's matrix, three in a lane and four between lanes, where each of
** two lanes gives the other half of its values; and the codes of v with channels as rows, a tile
** of 128 tokens at a time. Floor: bytes over the copy rate.
*/
#include "../attention.h"
#include "attention_8bit.cuh"

namespace
{

constexpr int TOKENS = 16;         /* a block of quantise_rows */
constexpr float LEAST = 0x1p-100f; /* a scale */

struct means_of {
    const void *x[2]; /* k, v */
    int64_t stride[2];
    float *mean[2]; /* [B, H, 128] */
    int rows;
};

/* Means of 32 columns by a block of 256 threads: four lanes of eight columns, 64 rows at a time. */
template <class T> __global__ void __launch_bounds__(256) sample_means(means_of m)
{
    __shared__ float sums[64][33];
    int which = blockIdx.z & 1, batch = blockIdx.z >> 1, head = blockIdx.y;
    int lane = threadIdx.x % 4, row = threadIdx.x / 4, n = min(m.rows, (int)ATTENTION_SAMPLE);
    int column = blockIdx.x * 32 + lane * 8;
    float total[8] = {};
    kernel_begin();
    const T *x = (const T *)m.x[which] + (int64_t)batch * m.rows * m.stride[which] + head * D;
#pragma unroll 8
    for (int i = row; i < n; i += 64) {
        float v[8];
        load8(v, x + (int64_t)i * m.rows / n * m.stride[which] + column);
#pragma unroll
        for (int e = 0; e < 8; e++)
            total[e] += v[e];
    }
#pragma unroll
    for (int e = 0; e < 8; e++)
        sums[row][lane * 8 + e] = total[e];
    __syncthreads();
    if (threadIdx.x < 32) {
        float sum = 0;
        for (int i = 0; i < 64; i++)
            sum += sums[i][threadIdx.x];
        m.mean[which][((int64_t)batch * gridDim.y + head) * D + blockIdx.x * 32 + threadIdx.x] =
            __bfloat162float(__float2bfloat16_rn(sum / (float)n));
    }
}

/* One of q and k. */
struct row_source {
    const void *x;
    int64_t stride;
    int rows, padded;  /* padded: scales a head */
    const float *mean; /* [B, H, 128], or NULL */
    int8_t *codes;     /* [B, rows, H, 128] */
    float *scale;      /* [B, H, padded] */
};

/* v, eight a lane, times the signs and Hadamard's matrix. The order in which the results are held
** is no matter, as it is the same for q and k. */
__device__ __forceinline__ void rotate_head(float v[8], int lane)
{
    constexpr uint32_t SIGNS[4] = ATTENTION_SIGNS;
    uint32_t word = lane < 8 ? (lane < 4 ? SIGNS[0] : SIGNS[1]) : lane < 12 ? SIGNS[2] : SIGNS[3];
    word >>= lane % 4 * 8;
#pragma unroll
    for (int i = 0; i < 8; i++)
        v[i] = word >> i & 1 ? -v[i] : v[i];
#pragma unroll
    for (int step = 1; step < 8; step *= 2)
#pragma unroll
        for (int i = 0; i < 8; i++)
            if (!(i & step)) {
                float a = v[i], b = v[i + step];
                v[i] = a + b;
                v[i + step] = a - b;
            }
#pragma unroll
    for (int bit = 1; bit < 16; bit *= 2) {
        bool high = lane & bit;
#pragma unroll
        for (int i = 0; i < 4; i++) {
            float give = high ? v[i] : v[i + 4], keep = high ? v[i + 4] : v[i];
            float got = __shfl_xor_sync(~0u, give, bit), a = high ? got : keep,
                  b = high ? keep : got;
            v[i] = a + b;
            v[i + 4] = a - b;
        }
    }
#pragma unroll
    for (int i = 0; i < 8; i++)
        v[i] *= 0.08838834764831845f; /* 1 / sqrt(128) */
}

template <class T>
__global__ void __launch_bounds__(TOKENS * 16) quantise_rows(row_source q, row_source k)
{
    __shared__ float scales[TOKENS];
    const row_source &s = blockIdx.z & 1 ? k : q;
    int batch = blockIdx.z >> 1, head = blockIdx.y, heads = gridDim.y;
    int lane = threadIdx.x % 16, first = blockIdx.x * TOKENS, row = first + threadIdx.x / 16;
    int64_t at = (int64_t)batch * heads + head;
    float v[8] = {}, m[8];
    kernel_begin();
    if (first >= s.padded)
        return;
    if (row < s.rows) {
        load8(v, (const T *)s.x + ((int64_t)batch * s.rows + row) * s.stride + head * D + lane * 8);
        if (s.mean) {
            load8(m, s.mean + at * D + lane * 8);
#pragma unroll
            for (int i = 0; i < 8; i++)
                v[i] -= m[i];
        }
    }
    rotate_head(v, lane);
    float top = 0;
#pragma unroll
    for (int i = 0; i < 8; i++)
        top = fmaxf(top, fabsf(v[i]));
    top = fmaxf(lane_max(top, 16), 127 * LEAST);
    float inverse = __fdiv_rn(127, top);
    uint32_t codes[2] = {};
#pragma unroll
    for (int i = 0; i < 8; i++)
        codes[i / 4] |= (__float2int_rn(v[i] * inverse) & 0xff) << i % 4 * 8;
    if (row < s.rows)
        *(uint2 *)(s.codes + (((int64_t)batch * s.rows + row) * heads + head) * D + lane * 8) =
            make_uint2(codes[0], codes[1]);
    if (lane == 0) /* what is not finite has reached every value */
        scales[threadIdx.x / 16] = isfinite(v[0]) ? __fdiv_rn(top, 127) : NAN;
    __syncthreads();
    if (threadIdx.x < TOKENS && first + threadIdx.x < s.padded)
        s.scale[at * s.padded + first + threadIdx.x] = scales[threadIdx.x];
}

/* A tile of v for attention_fp8.cu: 128 tokens of a head, by 256 threads. */
struct value_source {
    const void *x;
    int64_t stride;
    int rows, padded;
    const float *mean; /* [B, H, 128] */
    uint8_t *codes;    /* [B, H, 128, padded] */
    float *power;      /* [B, H, padded / 128] */
};

#ifdef __CUDA_ARCH_FEAT_SM90_ALL

/* The least e with top <= 448 * 2^e, but not below -100. */
__device__ __forceinline__ int exponent_of(float top)
{
    uint32_t bits = __float_as_uint(top);
    return max((int)(bits >> 23) - 135 + ((bits & 0x7fffff) > 0x600000), -100);
}

#endif

/* The tokens of 16 stand in the order 0 1 8 9 2 3 10 11 4 5 12 13 6 7 14 15: lane l of four has of
** the logits of 16 keys 2l, 2l + 1, 2l + 8 and 2l + 9, and of an operand of bytes four side by side.
*/
template <class T> __global__ void __launch_bounds__(256) turn_values(value_source s)
{
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
    __shared__ uint32_t words[16 * (8 * 32 + 2)];
    __shared__ float tops[8];
    int batch = blockIdx.z, head = blockIdx.y, heads = gridDim.y, first = blockIdx.x * FP8_KEYS;
    int lane = threadIdx.x % 16, part = threadIdx.x / 16; /* of eight channels; of words */
    int64_t at = (int64_t)batch * heads + head;
    float v[2][4][8], m[8], top = 0;
    bool broken = false;
    kernel_begin();
    load8(m, s.mean + at * D + lane * 8);
    const T *x = (const T *)s.x + (int64_t)batch * s.rows * s.stride + head * D + lane * 8;
#pragma unroll
    for (int w = 0; w < 2; w++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
            int word = part + w * 16,
                row = first + word / 4 * 16 + word % 4 * 2 + i / 2 * 8 + i % 2;
#pragma unroll
            for (int e = 0; e < 8; e++)
                v[w][i][e] = 0;
            if (row < s.rows) {
                load8(v[w][i], x + row * s.stride);
#pragma unroll
                for (int e = 0; e < 8; e++) {
                    v[w][i][e] -= m[e];
                    top = fmaxf(top, fabsf(v[w][i][e]));
                    broken |= !isfinite(v[w][i][e]);
                }
            }
        }
    bool finite = !__syncthreads_or(broken);
    top = lane_max(top);
    if (threadIdx.x % 32 == 0)
        tops[threadIdx.x / 32] = top;
    __syncthreads();
    top = lane_max(tops[threadIdx.x % 8], 8);
    int exponent = exponent_of(top);
    float by = exp2f((float)-exponent);
#pragma unroll
    for (int w = 0; w < 2; w++)
#pragma unroll
        for (int e = 0; e < 8; e++)
            words[lane * (8 * 32 + 2) + e * 32 + part + w * 16] =
                pack_e4m3(v[w][0][e] * by, v[w][1][e] * by, v[w][2][e] * by, v[w][3][e] * by);
    __syncthreads();
    for (int c = threadIdx.x / 32; c < D; c += 8)
        *(uint32_t *)(s.codes + (at * D + c) * s.padded + first + threadIdx.x % 32 * 4) =
            words[c / 8 * (8 * 32 + 2) + c % 8 * 32 + threadIdx.x % 32];
    if (threadIdx.x == 0)
        s.power[at * (s.padded / FP8_KEYS) + blockIdx.x] = finite ? exp2f((float)exponent) : NAN;
#endif
}

} // namespace

template <class T> void attention_8bit(const attention_args &a, bool fp8)
{
    int keys = fp8 ? FP8_KEYS : INT8_KEYS, padded = (int)ceil_div(a.lk, keys) * keys;
    int64_t n = (int64_t)a.batch * a.heads;
    size_t mark = scratch_mark();
    tensor q = scratch(I8, a.batch * a.lq, a.heads * D),
           k = scratch(I8, a.batch * a.lk, a.heads * D);
    tensor q_scale = scratch(F32, n, a.lq), k_scale = scratch(F32, n, padded);
    tensor mean = scratch(F32, 2, n, D), v = {}, power = {};
    if (fp8) {
        v = scratch(U8, n * D, padded);
        power = scratch(F32, n, padded / FP8_KEYS);
    }
    float *k_mean = (float *)mean.data, *v_mean = k_mean + n * D;

    means_of m = {{a.k, a.v}, {a.k_stride, a.v_stride}, {k_mean, v_mean}, a.lk};
    start("start means of keys", sample_means<T>, dim3(D / 32, a.heads, 2 * a.batch), 256, 0, 1, m);
    row_source of_q = {
        a.q, a.q_stride, a.lq, a.lq, nullptr, (int8_t *)q.data, (float *)q_scale.data};
    row_source of_k = {
        a.k, a.k_stride, a.lk, padded, k_mean, (int8_t *)k.data, (float *)k_scale.data};
    unsigned parts = (unsigned)ceil_div(padded > a.lq ? padded : a.lq, TOKENS);
    start("start codes of q and k", quantise_rows<T>, dim3(parts, a.heads, 2 * a.batch),
          TOKENS * 16, 0, 1, of_q, of_k);
    attention_codes c = {(int8_t *)q.data,
                         (int8_t *)k.data,
                         (float *)q_scale.data,
                         (float *)k_scale.data,
                         (uint8_t *)v.data,
                         (float *)power.data,
                         v_mean,
                         padded};
    if (fp8) {
        value_source of_v = {
            a.v, a.v_stride, a.lk, padded, v_mean, (uint8_t *)v.data, (float *)power.data};
        start("start codes of v", turn_values<T>, dim3(padded / FP8_KEYS, a.heads, a.batch), 256, 0,
              1, of_v);
        attention_fp8<T>(a, c);
    } else
        attention_int8<T>(a, c);
    scratch_reset(mark);
}

template void attention_8bit<half_t>(const attention_args &a, bool fp8);
template void attention_8bit<bf16_t>(const attention_args &a, bool fp8);
