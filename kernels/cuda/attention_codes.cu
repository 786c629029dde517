/*
** attention_codes.cu: the pre-pass of 8-bit attention: the codes of q, k and v that
** kernels/cpu/attention_codes.c specifies, in the layouts that its tiles need; v's in e4m3 on Hopper
** alone.
**
** The first kernel makes the means of 1024 keys and values of each head, and the codes of q; the
** second, which needs the means, the codes of k and, in e4m3, of v. In int8 v has a scale a channel:
** the second kernel finds the greatest magnitudes, a third makes the codes and scales. Of q and k four
** lanes take a token of a head and apply Hadamard's matrix to its 128 values: five butterflies in a
** lane, two between lanes. v's codes have channels as rows, and are made in tiles of 128 or 64 tokens.
** All but the sample, and v in int8, is read and written once: the time is at least the bytes over the
** copy rate.
*/
#include "attention_8bit.cuh"

namespace
{

constexpr int MEAN_BLOCKS = D / 32; /* blocks of 32 columns for a head's mean */

struct means_of {
    const void *x[2]; /* k, v */
    int64_t stride[2];
    float *mean[2]; /* [B, H, 128] */
    int rows;
    uint32_t *v_top; /* [B, H, 128], set to 0, or NULL */
};

/* Means of 32 columns, by 256 threads of a block: four lanes take eight columns each of a row, and
** 64 rows are read at a time. part: first the parts of k, then those of v. */
template <class T> __device__ __forceinline__ void sample_means(const means_of &m, int part)
{
    __shared__ float sums[64][33];
    int which = part / MEAN_BLOCKS, batch = blockIdx.z, head = blockIdx.y;
    int lane = threadIdx.x % 4, row = threadIdx.x / 4, n = min(m.rows, (int)ATTENTION_SAMPLE);
    int first = part % MEAN_BLOCKS * 32, column = first + lane * 8;
    float total[8] = {};
    if (threadIdx.x >= 256)
        return;
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
        int64_t at = ((int64_t)batch * gridDim.y + head) * D + first + threadIdx.x;
        m.mean[which][at] = __bfloat162float(__float2bfloat16_rn(sum / (float)n));
        if (which && m.v_top)
            m.v_top[at] = 0;
    }
}

/* One of q and k. */
struct row_source {
    const void *x;
    int64_t stride;
    int rows, tiles;
    const float *mean; /* [B, H, 128] of k, or NULL: of q */
    int8_t *codes;     /* [B, rows, H, 128] */
    float *scale;      /* [B, H, rows] of q, [B, H, tiles, 8] of k */
    uint8_t *kv;       /* of k, instead of these: tiles (attention.cuh), or NULL */
};

__device__ __forceinline__ float scale_of(float top)
{
    return isfinite(top) ? __fdiv_rn(top, 127) : NAN;
}

__device__ __forceinline__ void butterfly(float &a, float &b)
{
    float sum = a + b;
    b = a - b;
    a = sum;
}

/* v times the signs and Hadamard's matrix. Lane l of a token's four has its chunks l, l + 4, l + 8
** and l + 12 of eight channels. For a butterfly between two lanes each gives the other four of its
** eight values, so that both have pairs, and does not take them back: results are permuted, but
** alike for q and k, whose products stay the same. */
__device__ __forceinline__ void rotate_head(float (&v)[32], int lane)
{
    constexpr uint32_t SIGNS[4] = ATTENTION_SIGNS;
#pragma unroll
    for (int i = 0; i < 32; i++)
        v[i] = SIGNS[i / 8] >> (lane * 8 + i % 8) & 1 ? -v[i] : v[i];
#pragma unroll
    for (int step = 1; step < 8; step *= 2)
#pragma unroll
        for (int i = 0; i < 32; i++)
            if (!(i & step))
                butterfly(v[i], v[i + step]);
#pragma unroll
    for (int bit = 1; bit < 4; bit *= 2)
#pragma unroll
        for (int i = 0; i < 32; i++)
            if (!(i & 4)) {
                bool high = lane & bit;
                float got = __shfl_xor_sync(~0u, high ? v[i] : v[i + 4], bit);
                float keep = high ? v[i + 4] : v[i];
                v[i] = high ? got : keep;
                v[i + 4] = high ? keep : got;
                butterfly(v[i], v[i + 4]);
            }
#pragma unroll
    for (int step = 8; step < 32; step *= 2)
#pragma unroll
        for (int i = 0; i < 32; i++)
            if (!(i & step))
                butterfly(v[i], v[i + step]);
#pragma unroll
    for (int i = 0; i < 32; i++)
        v[i] *= 0.08838834764831845f; /* 1 / sqrt(128) */
}

/* x, of magnitude below 2^22, rounded to an integer, in the lowest bits. */
__device__ __forceinline__ uint32_t whole(float x)
{
    return __float_as_uint(__fadd_rn(x, 12582912.0f));
}

/* A tile of TOKENS of a head of q or k, four lanes a token. A token of q has its own scale. A tile
** of k has four, one for all keys j of the same j / 2 mod 4: one lane of four has their logits
** (attention_8bit.cuh). */
template <class T, int TOKENS>
__device__ __forceinline__ void quantise_rows(const row_source &s, int tile)
{
    __shared__ int tops[4]; /* bits of F32 that are not negative, which have the same order */
    int batch = blockIdx.z, head = blockIdx.y, heads = gridDim.y;
    int lane = threadIdx.x % 4, part = threadIdx.x / 8 % 4, row = tile * TOKENS + threadIdx.x / 4;
    int64_t at = (int64_t)batch * heads + head;
    float v[32] = {}, top = 127 * LEAST;
    if (threadIdx.x < 4)
        tops[threadIdx.x] = 0;
    __syncthreads();
    if (row < s.rows) {
        const T *x =
            (const T *)s.x + ((int64_t)batch * s.rows + row) * s.stride + head * D + lane * 8;
        eight<T> given[4];
#pragma unroll
        for (int i = 0; i < 4; i++)
            load8(given[i], x + i * 32);
#pragma unroll
        for (int i = 0; i < 4; i++) {
            float m[8] = {}, u[8];
            if (s.mean)
                load8(m, s.mean + at * D + lane * 8 + i * 32);
            unpack8(u, given[i]);
#pragma unroll
            for (int e = 0; e < 8; e++)
                v[i * 8 + e] = u[e] - m[e];
        }
    }
    rotate_head(v, lane);
#pragma unroll
    for (int i = 0; i < 32; i++)
        top = fmaxf(top, fabsf(v[i]));
    if (!isfinite(v[0])) /* the rotation spreads what is not finite to every value */
        top = INFINITY;
    top = lane_max(top, 4);
    if (s.mean) {
        top = fmaxf(top, __shfl_xor_sync(~0u, top, 4));
        if (threadIdx.x % 8 == 0)
            atomicMax(&tops[part], __float_as_int(top));
        __syncthreads();
        top = __int_as_float(tops[part]);
        if (threadIdx.x < 32 && threadIdx.x % 8 == 0) {
            if (TOKENS == PV_KEYS) {
                uint8_t *scales = s.kv + (at * s.tiles + tile) * PV_TILE + 2 * PV_HALF;
                for (int i = part; i < 32; i += 4)
                    ((float *)scales)[i] = scale_of(top);
            } else {
                float *scales = s.scale + (at * s.tiles + tile) * 8 + part;
                scales[0] = scale_of(top);
                if (part) /* scales[4] of part 0 is v's power: turn_values() sets it */
                    scales[4] = 0;
            }
        }
    }
    bool in_tiles = TOKENS == PV_KEYS && s.mean;
    if (row >= s.rows && !in_tiles)
        return;
    if (!s.mean && lane == 0)
        s.scale[at * s.rows + row] = scale_of(top);
    int8_t *codes =
        in_tiles
            ? (int8_t *)s.kv + (at * s.tiles + tile) * PV_TILE + row % TOKENS * D + lane % 2 * 8
            : s.codes + (((int64_t)batch * s.rows + row) * heads + head) * D + lane * 8;
    float inverse = __fdiv_rn(127, top);
#pragma unroll
    for (int i = 0; i < 4; i++) {
        uint32_t word[2];
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const float *u = v + i * 8 + half * 4;
            word[half] = __byte_perm(
                __byte_perm(whole(__fmul_rn(u[0], inverse)), whole(__fmul_rn(u[1], inverse)), 0x40),
                __byte_perm(whole(__fmul_rn(u[2], inverse)), whole(__fmul_rn(u[3], inverse)), 0x40),
                0x5410);
        }
        int to = in_tiles ? ((2 * i + lane / 2) ^ (row % 8)) * 16 : i * 32;
        *(uint2 *)(codes + to) = make_uint2(word[0], word[1]);
    }
}

/* v, for attention_fp8.cu, with a power of two for a tile; or for attention_int8_pv.cu, with tiles and
** a unit for a channel, of the greatest magnitude there. */
struct value_source {
    const void *x;
    int64_t stride;
    int rows, padded;
    const float *mean; /* [B, H, 128] */
    uint8_t *codes;    /* [B, H, 128, padded], or tiles: [B, H, padded / 64, PV_TILE] */
    float *power;      /* [B, H, padded / 128, 8] */
    float *unit;       /* [B, H, 128]: the greatest |v - mean| / 127 */
    uint32_t *top;     /* [B, H, 128]: the bits of that |v - mean| */
};

/* Token i of the four, of `part`, whose codes are one word: each 16 tokens stand in the order
** 0 1 8 9 2 3 10 11 4 5 12 13 6 7 14 15. Of the logits of 16 keys lane l of four has 2l, 2l + 1,
** 2l + 8 and 2l + 9, but of an operand in bytes four neighbours. */
__device__ __forceinline__ int turned(int part, int i)
{
    return part / 4 * 16 + part % 4 * 2 + i / 2 * 8 + i % 2;
}

#ifdef __CUDA_ARCH_FEAT_SM90_ALL

/* The least e with top <= 448 * 2^e. */
__device__ __forceinline__ int exponent_of(float top)
{
    uint32_t bits = __float_as_uint(top);
    return (int)(bits >> 23) - 135 + ((bits & 0x7fffff) > 0x600000);
}

#endif

/* A tile of 128 tokens of a head, by 512 threads. */
template <class T> __device__ __forceinline__ void turn_values(const value_source &s, int tile)
{
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
    __shared__ uint32_t words[16 * (8 * 32 + 2)], tops[16];
    int batch = blockIdx.z, head = blockIdx.y, heads = gridDim.y, first = tile * FP8_KEYS;
    int lane = threadIdx.x % 16, part = threadIdx.x / 16; /* of 8 channels; of 4 tokens */
    int row[4];
    int64_t at = (int64_t)batch * heads + head;
    eight<T> given[4] = {};
    float m[8], u[4][8];
    uint32_t top = 0; /* bits of magnitudes: greatest where not finite */
    load8(m, s.mean + at * D + lane * 8);
    const T *x = (const T *)s.x + (int64_t)batch * s.rows * s.stride + head * D + lane * 8;
#pragma unroll
    for (int i = 0; i < 4; i++) {
        row[i] = first + turned(part, i);
        if (row[i] < s.rows)
            load8(given[i], x + row[i] * s.stride);
    }
#pragma unroll
    for (int i = 0; i < 4; i++) {
        unpack8(u[i], given[i]);
#pragma unroll
        for (int e = 0; e < 8; e++) {
            u[i][e] = row[i] < s.rows ? u[i][e] - m[e] : 0;
            top = max(top, __float_as_uint(u[i][e]) & 0x7fffffff);
        }
    }
    top = __reduce_max_sync(~0u, top);
    if (threadIdx.x % 32 == 0)
        tops[threadIdx.x / 32] = top;
    __syncthreads();
    top = __reduce_max_sync(~0u, tops[threadIdx.x % 16]);
    bool finite = top < 0x7f800000;
    int exponent = exponent_of(finite ? fmaxf(__uint_as_float(top), LEAST) : LEAST);
    float by = exp2f((float)-exponent);
#pragma unroll
    for (int e = 0; e < 8; e++)
        words[lane * (8 * 32 + 2) + e * 32 + part] =
            pack_e4m3(u[0][e] * by, u[1][e] * by, u[2][e] * by, u[3][e] * by);
    __syncthreads();
    for (int c = threadIdx.x / 32; c < D; c += 16)
        *(uint32_t *)(s.codes + (at * D + c) * s.padded + first + threadIdx.x % 32 * 4) =
            words[c / 8 * (8 * 32 + 2) + c % 8 * 32 + threadIdx.x % 32];
    if (threadIdx.x == 0)
        s.power[(at * (s.padded / FP8_KEYS) + tile) * 8] = finite ? exp2f((float)exponent) : NAN;
#endif
}

constexpr int SOME_ROWS = 512; /* of v, that a block looks at */

/* The greatest |v - mean| of each channel becomes at least that of some rows; by 256 threads. */
template <class T> __device__ __forceinline__ void raise_channels(const value_source &s, int part)
{
    __shared__ uint32_t tops[16][D + 8];
    int lane = threadIdx.x % 16, first = threadIdx.x / 16; /* of 8 channels */
    int64_t at = (int64_t)blockIdx.z * gridDim.y + blockIdx.y;
    float m[8];
    uint32_t top[8] = {};
    load8(m, s.mean + at * D + lane * 8);
    const T *x =
        (const T *)s.x + (int64_t)blockIdx.z * s.rows * s.stride + blockIdx.y * D + lane * 8;
    int end = min(s.rows, (part + 1) * SOME_ROWS);
#pragma unroll 4
    for (int i = part * SOME_ROWS + first; i < end; i += 16) {
        float v[8];
        load8(v, x + i * s.stride);
#pragma unroll
        for (int e = 0; e < 8; e++)
            top[e] = max(top[e], __float_as_uint(v[e] - m[e]) & 0x7fffffff);
    }
#pragma unroll
    for (int e = 0; e < 8; e++)
        tops[first][lane * 8 + e] = top[e];
    __syncthreads();
    if (threadIdx.x < D) {
        uint32_t most = 0;
#pragma unroll
        for (int i = 0; i < 16; i++)
            most = max(most, tops[i][threadIdx.x]);
        atomicMax(s.top + at * D + threadIdx.x, most);
    }
}

/* The codes of v in int8 of a tile of 64 tokens of a head, by 256 threads: four tokens of eight channels
** each. */
template <class T>
__global__ void __launch_bounds__(256) values_in_tiles(const __grid_constant__ value_source s)
{
    __shared__ uint32_t
        words[8][16 * 17 + 1]; /* [e][part, 17 lanes]: four codes of channel 8 lane + e */
    int batch = blockIdx.z, head = blockIdx.y, lane = threadIdx.x % 16, part = threadIdx.x / 16;
    int64_t at = (int64_t)batch * gridDim.y + head;
    kernel_begin();
    float m[8], u[4][8];
    load8(m, s.mean + at * D + lane * 8);
    const T *x = (const T *)s.x + (int64_t)batch * s.rows * s.stride + head * D + lane * 8;
#pragma unroll
    for (int i = 0; i < 4; i++) {
        int row = blockIdx.x * PV_KEYS + turned(part, i);
        if (row < s.rows)
            load8(u[i], x + row * s.stride);
#pragma unroll
        for (int e = 0; e < 8; e++)
            u[i][e] = row < s.rows ? u[i][e] - m[e] : 0;
    }
#pragma unroll
    for (int e = 0; e < 8; e++) {
        float top = __uint_as_float(s.top[at * D + lane * 8 + e]);
        top = top < 127 * LEAST ? 127 * LEAST : top; /* fmaxf() would drop a NaN */
        float by = __fdiv_rn(127, top);
        uint32_t word = 0;
#pragma unroll
        for (int j = 0; j < 4; j++)
            word |= (whole(__fmul_rn(u[j][e], by)) & 0xff) << 8 * j;
        words[e][part * 17 + lane] = word;
        if (blockIdx.x == 0 && part == 0)
            s.unit[at * D + lane * 8 + e] = scale_of(top);
    }
    __syncthreads();
    uint4 *to = (uint4 *)(s.codes + (at * gridDim.x + blockIdx.x) * PV_TILE + PV_HALF);
    for (int i = threadIdx.x; i < PV_HALF / 16; i += 256) {
        int c = i / 4, chunk = i % 4 ^ (c / 2 % 4);
        const uint32_t *four = &words[c % 8][chunk * 4 * 17 + c / 8];
        to[i] = make_uint4(four[0], four[17], four[34], four[51]);
    }
}

/* A grid of [tiles, heads, sequences]: the means of keys and values, then the codes of queries. */
template <class T, int TOKENS>
__global__ void __launch_bounds__(TOKENS * 4, 1024 / (TOKENS * 4))
    queries_and_means(const __grid_constant__ row_source q, const __grid_constant__ means_of m)
{
    int tile = (int)blockIdx.x - 2 * MEAN_BLOCKS;
    kernel_begin();
    if (tile < 0)
        sample_means<T>(m, blockIdx.x);
    else
        quantise_rows<T, TOKENS>(q, tile);
}

/* Likewise the codes of keys; then those of values in e4m3, or the greatest of those that int8 is for. */
template <class T, int TOKENS>
__global__ void __launch_bounds__(TOKENS * 4, 1024 / (TOKENS * 4))
    keys_and_values(const __grid_constant__ row_source k, const __grid_constant__ value_source v)
{
    int tile = blockIdx.x;
    kernel_begin();
    if (tile < k.tiles)
        quantise_rows<T, TOKENS>(k, tile);
    else if constexpr (TOKENS == FP8_KEYS)
        turn_values<T>(v, tile - k.tiles);
    else if constexpr (TOKENS == PV_KEYS)
        raise_channels<T>(v, tile - k.tiles);
}

/* codes, scale: of q */
template <class T, int TOKENS>
static void start_both(const attention_args &a, tensor codes, tensor scale, const row_source &k,
                       const means_of &m, const value_source &v)
{
    row_source q = {a.q,
                    a.q_stride,
                    a.lq,
                    (int)ceil_div(a.lq, TOKENS),
                    nullptr,
                    (int8_t *)codes.data,
                    (float *)scale.data};
    int of_v = TOKENS == PV_KEYS ? (int)ceil_div(v.rows, SOME_ROWS) : v.padded / FP8_KEYS;
    start("start codes of queries", queries_and_means<T, TOKENS>,
          dim3(2 * MEAN_BLOCKS + q.tiles, a.heads, a.batch), TOKENS * 4, 0, 1, q, m);
    start("start codes of keys", keys_and_values<T, TOKENS>, dim3(k.tiles + of_v, a.heads, a.batch),
          TOKENS * 4, 0, 1, k, v);
}

} // namespace

/* v too in int8: codes of k and v go into tiles. */
template <class T> static void all_int8(const attention_args &a)
{
    int tiles = (int)ceil_div(a.lk, PV_KEYS);
    int64_t n = (int64_t)a.batch * a.heads;
    tensor q = scratch(I8, a.batch * a.lq, a.heads * D), q_scale = scratch(F32, n, a.lq);
    tensor kv = scratch(U8, n * tiles, PV_TILE);
    tensor mean = scratch(F32, 3, n, D), top = scratch(F32, n, D);
    float *k_mean = (float *)mean.data, *v_mean = k_mean + n * D, *v_unit = v_mean + n * D;
    uint32_t *v_top = (uint32_t *)top.data;
    uint8_t *made = (uint8_t *)kv.data;

    means_of m = {{a.k, a.v}, {a.k_stride, a.v_stride}, {k_mean, v_mean}, a.lk, v_top};
    row_source of_k = {a.k, a.k_stride, a.lk, tiles, k_mean, nullptr, nullptr, made};
    value_source of_v = {a.v,     a.v_stride, a.lk, tiles * PV_KEYS, v_mean, made,
                         nullptr, v_unit,     v_top};
    start_both<T, PV_KEYS>(a, q, q_scale, of_k, m, of_v);
    start("start codes of values", values_in_tiles<T>, dim3(tiles, a.heads, a.batch), 256, 0, 1,
          of_v);
    attention_int8_pv<T>(a, {(int8_t *)q.data, (float *)q_scale.data, made, v_unit, v_mean, tiles});
}

/* v in 16 bits or in e4m3 */
template <class T> static void int8_logits(const attention_args &a)
{
    bool fp8 = a.in == ATTENTION_FP8;
    int keys = fp8 ? FP8_KEYS : INT8_KEYS, padded = (int)ceil_div(a.lk, keys) * keys;
    int64_t n = (int64_t)a.batch * a.heads;
    tensor q = scratch(I8, a.batch * a.lq, a.heads * D),
           k = scratch(I8, a.batch * a.lk, a.heads * D);
    tensor q_scale = scratch(F32, n, a.lq), scales = scratch(F32, n, padded / keys, 8);
    tensor mean = scratch(F32, 2, n, D), v = {};
    if (fp8)
        v = scratch(U8, n * D, padded);
    float *k_mean = (float *)mean.data, *v_mean = k_mean + n * D;

    means_of m = {{a.k, a.v}, {a.k_stride, a.v_stride}, {k_mean, v_mean}, a.lk};
    row_source of_k = {
        a.k, a.k_stride, a.lk, padded / keys, k_mean, (int8_t *)k.data, (float *)scales.data};
    value_source of_v = {};
    if (fp8)
        of_v = {a.v, a.v_stride, a.lk, padded, v_mean, (uint8_t *)v.data, (float *)scales.data + 4};
    (fp8 ? start_both<T, FP8_KEYS> : start_both<T, INT8_KEYS>)(a, q, q_scale, of_k, m, of_v);
    attention_codes c = {(int8_t *)q.data,
                         (int8_t *)k.data,
                         (float *)q_scale.data,
                         (float *)scales.data,
                         (uint8_t *)v.data,
                         v_mean,
                         padded};
    if (fp8)
        attention_fp8<T>(a, c);
    else if (device_capability == 90)
        attention_int8<T>(a, c);
    else {
        attention_args b = a;
        b.q = q.data, b.k = k.data;
        b.q_stride = b.k_stride = (int64_t)a.heads * D / 2; /* pairs of codes */
        attention_mma_int8<T>(b, {c.q_scale, c.scales, padded / keys});
    }
}

template <class T> void attention_8bit(const attention_args &a)
{
    size_t mark = scratch_mark();
    a.in == ATTENTION_INT8_PV ? all_int8<T>(a) : int8_logits<T>(a);
    scratch_reset(mark);
}

template void attention_8bit<half_t>(const attention_args &a);
template void attention_8bit<bf16_t>(const attention_args &a);
