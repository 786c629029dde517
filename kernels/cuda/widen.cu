/*
** widen.cu: codes as floats of the operand's type: of 8 bits, of 4, or of ggml's blocks; with the
** steps and zeros of groups, but without scales of rows.
**
** A thread makes eight neighbours, which lie in one group of every block, so scales are read once
** for them; of bytes sixteen, by one load. Blocks begin at multiples of two bytes and are read by
** twos. Values are what common/formats.c and blocks.c make of them: each product and sum is rounded
** by itself (__fmul_rn), since contracted ones would differ in the last bit; then they are rounded
** to 16 bits.
** Before Hopper, where the library multiplies many rows, the scales of rows are in the values and
** the bias is narrowed here too (device_widen_scaled).
** Floor: bytes of the codes and of the result over the copy rate.
*/
#include "linear.cuh"

namespace
{

enum { THREADS = 256 };

/* ---- bytes ---- */

__device__ __forceinline__ float e4m3(uint8_t v)
{
    uint32_t sign = (uint32_t)(v & 0x80) << 24, rest = (uint32_t)(v & 0x7f) << 20;
    if ((v & 0x7f) == 0x7f)
        return __uint_as_float(sign | 0x7fc00000u);
    return __uint_as_float(sign | __float_as_uint(__uint_as_float(rest) * 0x1p120f));
}

template <tensor_type TYPE> __device__ __forceinline__ float byte_value(uint8_t v)
{
    if (TYPE == I8)
        return (float)(int8_t)v;
    if (TYPE == F8_E4M3)
        return e4m3(v);
    return __half2float(__ushort_as_half((unsigned short)(v << 8))); /* E5M2: an F16's upper half */
}

/* What the values get that is not in the codes, for a product that the library makes: scales of rows
** and a gate times GATE_POWER, or NULL; and the bias F32 [count], by the threads behind those of the
** values, as `narrow` of the values' type, or `wide` F32 times the gate. */
struct extras {
    const float *scale, *gate, *b;
    void *narrow;
    float *wide;
    int count;
    uint32_t width;

    bool any() const { return scale || gate; }
    __device__ __forceinline__ float of_row(uint32_t row) const
    {
        return (scale ? scale[row] : 1.0f) * (gate ? gate[row] * GATE_POWER : 1.0f);
    }
    template <class T> __device__ __forceinline__ void bias(int64_t i) const
    {
        if (i < count && wide)
            wide[i] = gate ? b[i] * gate[i] : b[i];
        else if (i < count)
            ((T *)narrow)[i] = from_f32<T>(b[i]);
    }
};

template <tensor_type TYPE, bool SCALED, class T>
__global__ void widen_bytes(T *y, const uint8_t *x, int64_t n, extras more)
{
    int64_t i = (blockIdx.x * (int64_t)THREADS + threadIdx.x) * 16;
    kernel_begin();
    if (i >= n)
        return more.bias<T>((i - n) / 16);
    uint4 u = *(const uint4 *)(x + i);
    const uint8_t *c = (const uint8_t *)&u;
    float v[16];
#pragma unroll
    for (int k = 0; k < 16; k++)
        v[k] = byte_value<TYPE>(c[k]);
    if (SCALED) { /* rows are whole sixteens */
        float s = more.of_row((uint32_t)(i / 16) / (more.width / 16));
#pragma unroll
        for (int k = 0; k < 16; k++)
            v[k] *= s;
    }
    store8(y + i, v);
    store8(y + i + 8, v + 8);
}

/* ---- blocks ---- */

/* n bytes from an even address. */
template <int N> __device__ __forceinline__ void bytes_at(uint8_t to[N], const uint8_t *p)
{
#pragma unroll
    for (int i = 0; i < N; i += 2) {
        uint16_t two = *(const uint16_t *)(p + i);
        to[i] = (uint8_t)two, to[i + 1] = (uint8_t)(two >> 8);
    }
}

__device__ __forceinline__ float f16_at(const uint8_t *p)
{
    return __half2float(__ushort_as_half(*(const unsigned short *)p));
}

/* Eight codes of four bits, elements e .. e + 8 of 32 in 16 bytes. */
__device__ __forceinline__ void low_high(int q[8], const uint8_t *p, int e)
{
    uint8_t b[8];
    bytes_at<8>(b, p + e % 16);
#pragma unroll
    for (int k = 0; k < 8; k++)
        q[k] = e < 16 ? b[k] & 15 : b[k] >> 4;
}

/* Their fifth bits: byte e / 8 of four. */
__device__ __forceinline__ void add_fifth(int q[8], const uint8_t *p, int e)
{
#pragma unroll
    for (int k = 0; k < 8; k++)
        q[k] |= (p[e / 8] >> k & 1) << 4;
}

__device__ __forceinline__ void scaled(float v[8], const int q[8], float d, int less)
{
#pragma unroll
    for (int k = 0; k < 8; k++)
        v[k] = __fmul_rn(d, (float)(q[k] - less));
}

__device__ __forceinline__ void scaled_and(float v[8], const int q[8], float d, float m)
{
#pragma unroll
    for (int k = 0; k < 8; k++)
        v[k] = __fadd_rn(__fmul_rn(d, (float)q[k]), m);
}

/* v = elements e .. e + 8 of the block at b. */
template <tensor_type TYPE> struct block;

template <> struct block<Q8_0> {
    static __device__ __forceinline__ void eight(float v[8], const uint8_t *b, int e)
    {
        uint8_t c[8];
        int q[8];
        bytes_at<8>(c, b + 2 + e);
#pragma unroll
        for (int k = 0; k < 8; k++)
            q[k] = (int8_t)c[k];
        scaled(v, q, f16_at(b), 0);
    }
};

template <> struct block<Q4_0> {
    static __device__ __forceinline__ void eight(float v[8], const uint8_t *b, int e)
    {
        int q[8];
        low_high(q, b + 2, e);
        scaled(v, q, f16_at(b), 8);
    }
};

template <> struct block<Q4_1> {
    static __device__ __forceinline__ void eight(float v[8], const uint8_t *b, int e)
    {
        int q[8];
        low_high(q, b + 4, e);
        scaled_and(v, q, f16_at(b), f16_at(b + 2));
    }
};

template <> struct block<Q5_0> {
    static __device__ __forceinline__ void eight(float v[8], const uint8_t *b, int e)
    {
        int q[8];
        low_high(q, b + 6, e);
        add_fifth(q, b + 2, e);
        scaled(v, q, f16_at(b), 16);
    }
};

template <> struct block<Q5_1> {
    static __device__ __forceinline__ void eight(float v[8], const uint8_t *b, int e)
    {
        int q[8];
        low_high(q, b + 8, e);
        add_fifth(q, b + 4, e);
        scaled_and(v, q, f16_at(b), f16_at(b + 2));
    }
};

/* Scale and minimum of group j < 8 of a K block, times those of the block at b; the latter negated. */
__device__ __forceinline__ void group_scale(const uint8_t *b, int j, float *d, float *m)
{
    const uint8_t *s = b + 4;
    int scale = j < 4 ? s[j] & 63 : (s[j + 4] & 15) | s[j - 4] >> 6 << 4;
    int least = j < 4 ? s[j + 4] & 63 : s[j + 4] >> 4 | s[j] >> 6 << 4;
    *d = __fmul_rn(f16_at(b), (float)scale);
    *m = -__fmul_rn(f16_at(b + 2), (float)least);
}

/* high: where fifth bits stand, or NULL; low: four bits each. */
__device__ __forceinline__ void eight_45(float v[8], const uint8_t *b, const uint8_t *high,
                                         const uint8_t *low, int e)
{
    int j = e / 32, i = e % 32, q[8];
    uint8_t c[8], h[8] = {};
    float d, m;
    group_scale(b, j, &d, &m);
    bytes_at<8>(c, low + j / 2 * 32 + i);
    if (high)
        bytes_at<8>(h, high + i);
#pragma unroll
    for (int k = 0; k < 8; k++)
        q[k] = (c[k] >> 4 * (j % 2) & 15) | (h[k] >> j & 1) << 4;
    scaled_and(v, q, d, m);
}

template <> struct block<Q4_K> {
    static __device__ __forceinline__ void eight(float v[8], const uint8_t *b, int e)
    {
        eight_45(v, b, nullptr, b + 16, e);
    }
};

template <> struct block<Q5_K> {
    static __device__ __forceinline__ void eight(float v[8], const uint8_t *b, int e)
    {
        eight_45(v, b, b + 16, b + 48, e);
    }
};

template <> struct block<Q6_K> {
    static __device__ __forceinline__ void eight(float v[8], const uint8_t *b, int e)
    {
        int half = e / 128, quarter = e / 32 % 4, i = e % 32, q[8];
        uint8_t low[8], high[8];
        bytes_at<8>(low, b + 64 * half + 32 * (quarter % 2) + i);
        bytes_at<8>(high, b + 128 + 32 * half + i);
#pragma unroll
        for (int k = 0; k < 8; k++)
            q[k] = (low[k] >> 4 * (quarter / 2) & 15) | (high[k] >> 2 * quarter & 3) << 4;
        scaled(v, q, __fmul_rn(f16_at(b + 208), (float)(int8_t)b[192 + e / 16]), 32);
    }
};

template <tensor_type TYPE, class T>
__global__ void widen_blocks(T *y, const uint8_t *x, int64_t n, int elements, int bytes,
                             extras more)
{
    int64_t i = (blockIdx.x * (int64_t)THREADS + threadIdx.x) * 8;
    kernel_begin();
    if (i >= n)
        return more.bias<T>((i - n) / 8);
    float v[8];
    block<TYPE>::eight(v, x + i / elements * bytes, (int)(i % elements));
    store8(y + i, v);
}

/* ---- codes of groups, whose steps lie beside ---- */

template <tensor_type TYPE>
__device__ __forceinline__ void eight_codes(float v[8], const uint8_t *x, int64_t i)
{
    if (TYPE == U4 || TYPE == F4) {
        uint32_t u = *(const uint32_t *)(x + i / 2);
#pragma unroll
        for (int k = 0; k < 8; k++, u >>= 4) {
            int e = u >> 1 & 3, m = u & 1; /* e2m1: 0.5 m, or (1 + 0.5 m) 2^(e - 1) */
            float f = e ? (float)((2 + m) << e) * 0.25f : 0.5f * m;
            v[k] = TYPE == U4 ? (float)(u & 15) : u & 8 ? -f : f;
        }
    } else {
        uint2 u = *(const uint2 *)(x + i);
        const uint8_t *c = (const uint8_t *)&u;
#pragma unroll
        for (int k = 0; k < 8; k++)
            v[k] = byte_value<TYPE>(c[k]);
    }
}

template <tensor_type STEP>
__device__ __forceinline__ float step_value(const void *steps, int64_t i)
{
    uint8_t byte = STEP == F8_E8M0 || STEP == F8_E4M3 ? ((const uint8_t *)steps)[i] : 0;
    if (STEP == F32)
        return ((const float *)steps)[i];
    if (STEP == F16)
        return __half2float(((const __half *)steps)[i]);
    if (STEP == F8_E4M3)
        return e4m3(byte);
    return byte == 255 ? __uint_as_float(0x7fc00000u)
           : byte      ? __uint_as_float((uint32_t)byte << 23)
                       : 0x1p-127f;
}

/* Of one row of steps, steps_wide; of zeros, zeros_bytes a row. Groups are whole eights. */
typedef struct {
    const void *steps;
    const uint8_t *zeros;
    uint32_t width, steps_wide, zeros_bytes;
    int wide, high;
} groups;

template <tensor_type TYPE, tensor_type STEP, class T>
__global__ void widen_groups(T *y, const uint8_t *x, groups g, uint32_t n, extras more)
{
    uint32_t i = blockIdx.x * (uint32_t)THREADS + threadIdx.x;
    kernel_begin();
    if (i >= n)
        return more.bias<T>(i - n);
    uint32_t row = i / (g.width / 8), group = i % (g.width / 8) * 8 / g.wide;
    float v[8], zero = TYPE == U4 ? 8.0f : 0.0f;
    float step = step_value<STEP>(g.steps, (int64_t)(row / g.high) * g.steps_wide + group);
    if (TYPE == U4 && g.zeros)
        zero = (float)(g.zeros[(int64_t)row * g.zeros_bytes + group / 2] >> 4 * (group % 2) & 15);
    eight_codes<TYPE>(v, x, (int64_t)i * 8);
#pragma unroll
    for (int k = 0; k < 8; k++)
        v[k] = __fmul_rn(v[k] - zero, step);
    if (more.scale || more.gate) {
        float s = more.of_row(row);
#pragma unroll
        for (int k = 0; k < 8; k++)
            v[k] = __fmul_rn(v[k], s);
    }
    store8(y + (int64_t)i * 8, v);
}

template <tensor_type TYPE, tensor_type STEP>
void start_groups(tensor y, const stored *s, const extras &more)
{
    int64_t n = tensor_count(s->w) / 8;
    check_one(s->w.dim[1] % 8 == 0 && n <= INT32_MAX, "linear", s->w, "a multiple of eight wide");
    groups g = {s->step.data,
                (const uint8_t *)s->zero.data,
                (uint32_t)s->w.dim[1],
                (uint32_t)s->step.stride,
                (uint32_t)(s->zero.stride / 2),
                (int)step_wide(s),
                (int)step_high(s)};
    dispatch(y.type, [&](auto *t) {
        using T = ELEMENT(t);
        start("start an expansion", widen_groups<TYPE, STEP, T>,
              (unsigned)ceil_div(n + more.count, THREADS), THREADS, 0, 1, (T *)y.data,
              (const uint8_t *)s->w.data, g, (uint32_t)n, more);
    });
}

void widen_grouped(tensor y, const stored *s, const extras &more)
{
    switch (s->w.type * TENSOR_TYPES + s->step.type) {
    case U4 *TENSOR_TYPES + F16: return start_groups<U4, F16>(y, s, more);
    case F4 *TENSOR_TYPES + F8_E8M0: return start_groups<F4, F8_E8M0>(y, s, more);
    case F4 *TENSOR_TYPES + F8_E4M3: return start_groups<F4, F8_E4M3>(y, s, more);
    case F8_E4M3 *TENSOR_TYPES + F8_E8M0: return start_groups<F8_E4M3, F8_E8M0>(y, s, more);
    case F8_E4M3 *TENSOR_TYPES + F32: return start_groups<F8_E4M3, F32>(y, s, more);
    default:
        die("no weights of type %s with steps of %s on the gpu", type_name(s->w.type),
            type_name(s->step.type));
    }
}

/* ---- all ---- */

template <tensor_type TYPE> void start_bytes(tensor y, tensor x, const extras &more)
{
    int64_t n = tensor_count(x);
    check_one(n % 16 == 0, "linear", x, "a multiple of 16 codes");
    dispatch(y.type, [&](auto *t) {
        using T = ELEMENT(t);
        start("start an expansion",
              more.any() ? widen_bytes<TYPE, true, T> : widen_bytes<TYPE, false, T>,
              (unsigned)ceil_div(n / 16 + more.count, THREADS), THREADS, 0, 1, (T *)y.data,
              (const uint8_t *)x.data, n, more);
    });
}

template <tensor_type TYPE> void start_blocks(tensor y, tensor x, const extras &more)
{
    int64_t n = tensor_count(x);
    assert(!more.any());
    dispatch(y.type, [&](auto *t) {
        using T = ELEMENT(t);
        start("start an expansion", widen_blocks<TYPE, T>,
              (unsigned)ceil_div(n / 8 + more.count, THREADS), THREADS, 0, 1, (T *)y.data,
              (const uint8_t *)x.data, n, (int)type_block(TYPE), (int)type_size(TYPE), more);
    });
}

void widen(tensor y, const stored *s, const extras &more)
{
    tensor x = s->w;
    if (s->step.data)
        return widen_grouped(y, s, more);
    assert(tensor_contiguous(y) && tensor_contiguous(x) && tensor_count(y) == tensor_count(x));
    switch (x.type) {
    case I8: return start_bytes<I8>(y, x, more);
    case F8_E4M3: return start_bytes<F8_E4M3>(y, x, more);
    case F8_E5M2: return start_bytes<F8_E5M2>(y, x, more);
    case Q8_0: return start_blocks<Q8_0>(y, x, more);
    case Q4_0: return start_blocks<Q4_0>(y, x, more);
    case Q4_1: return start_blocks<Q4_1>(y, x, more);
    case Q5_0: return start_blocks<Q5_0>(y, x, more);
    case Q5_1: return start_blocks<Q5_1>(y, x, more);
    case Q4_K: return start_blocks<Q4_K>(y, x, more);
    case Q5_K: return start_blocks<Q5_K>(y, x, more);
    case Q6_K: return start_blocks<Q6_K>(y, x, more);
    default: die("no weights of type %s on the gpu", type_name(x.type));
    }
}

} // namespace

void device_widen(tensor y, const stored *s) { widen(y, s, {}); }

bool device_widens_scaled(const linear_weight *l, tensor gate)
{
    bool bytes = !l->step.data && type_block(l->w.type) == 1;
    return bytes ? l->w.dim[1] % 16 == 0 : l->step.data || !gate.data;
}

void device_widen_scaled(tensor y, tensor b, const linear_weight *l, tensor gate)
{
    stored s = linear_stored(l);
    extras more = {(const float *)l->scale.data,
                   (const float *)gate.data,
                   (const float *)l->b.data,
                   b.data,
                   b.type == F32 ? (float *)b.data : nullptr,
                   l->b.data ? (int)l->w.dim[0] : 0,
                   (uint32_t)l->w.dim[1]};
    widen(y, &s, more);
}
