/*
** blocks.c: the values of every type as F32, exactly, and as other floats.
**
** ggml's blocks hold their scales inside. Their values are what gguf-py's dequantize() makes of
** them, bit for bit: each product and sum below is one operation of F32, in that order, and none
** are contracted (ISO C, no -ffast-math). Q4_K and its like are blocks of 256 in groups of 32 or
** 16, whose scales are codes of 6 or 8 bits themselves.
**
** The layouts: ggml's ggml-common.h (MIT), block_q8_0 and following.
*/
#include <assert.h>

#include "die.h"
#include "tensor.h"
#include "vectorised.h"

INLINE float f16_at(const uint8_t *p) { return f32_of_f16((uint16_t)(p[0] | p[1] << 8)); }

/* ---- eight bits ---- */

/* Sign, four bits of exponent (bias 7), three of mantissa; no infinity, one NaN (OCP "FN"). */
INLINE float f32_of_e4m3(uint8_t v)
{
    uint32_t sign = (uint32_t)(v & 0x80) << 24, rest = (uint32_t)(v & 0x7f) << 20;
    uint32_t value = bits_of_f32(f32_of_bits(rest) * 0x1p120f); /* 7 to 127 */
    return f32_of_bits(sign | ((v & 0x7f) == 0x7f ? 0x7fc00000u : value));
}

/* 2^(v - 127); 255 is NaN (OCP Microscaling 1.0). */
static float f32_of_e8m0(uint8_t v)
{
    return v == 255 ? f32_of_bits(0x7fc00000u) : v ? f32_of_bits((uint32_t)v << 23) : 0x1p-127f;
}

/* ---- four bits, two a byte, the low half first ---- */

INLINE void u4(float *y, const uint8_t *b)
{
    y[0] = (float)(*b & 15);
    y[1] = (float)(*b >> 4);
}

/* Sign, two bits of exponent (bias 1), one of mantissa. */
INLINE void e2m1(float *y, const uint8_t *b)
{
    static const float values[16] = {0,     0.5f,  1,  1.5f,  2,  3,  4,  6,
                                     -0.0f, -0.5f, -1, -1.5f, -2, -3, -4, -6};
    y[0] = values[*b & 15];
    y[1] = values[*b >> 4];
}

/* ---- 32 elements, and an F16 scale d before them ---- */

/* d q */
INLINE void q8_0(float *y, const uint8_t *b)
{
    float d = f16_at(b);
    for (int i = 0; i < 32; i++)
        y[i] = d * (float)(int8_t)b[2 + i];
}

/* q: four bits, the low halves of 16 bytes first, then the high ones */

/* d (q - 8) */
INLINE void q4_0(float *y, const uint8_t *b)
{
    float d = f16_at(b);
    for (int i = 0; i < 16; i++) {
        y[i] = d * (float)((b[2 + i] & 15) - 8);
        y[i + 16] = d * (float)((b[2 + i] >> 4) - 8);
    }
}

/* d q + m */
INLINE void q4_1(float *y, const uint8_t *b)
{
    float d = f16_at(b), m = f16_at(b + 2);
    for (int i = 0; i < 16; i++) {
        y[i] = d * (float)(b[4 + i] & 15) + m;
        y[i + 16] = d * (float)(b[4 + i] >> 4) + m;
    }
}

/* The fifth bits stand together before the others. */
INLINE int fifth(const uint8_t *h, int i)
{
    uint32_t all = h[0] | h[1] << 8 | h[2] << 16 | (uint32_t)h[3] << 24;
    return (int)(all >> i & 1) << 4;
}

/* d (q - 16) */
INLINE void q5_0(float *y, const uint8_t *b)
{
    float d = f16_at(b);
    for (int i = 0; i < 16; i++) {
        y[i] = d * (float)(((b[6 + i] & 15) | fifth(b + 2, i)) - 16);
        y[i + 16] = d * (float)((b[6 + i] >> 4 | fifth(b + 2, i + 16)) - 16);
    }
}

/* d q + m */
INLINE void q5_1(float *y, const uint8_t *b)
{
    float d = f16_at(b), m = f16_at(b + 2);
    for (int i = 0; i < 16; i++) {
        y[i] = d * (float)((b[8 + i] & 15) | fifth(b + 4, i)) + m;
        y[i + 16] = d * (float)(b[8 + i] >> 4 | fifth(b + 4, i + 16)) + m;
    }
}

/* ---- 256 elements ---- */

/* Scale and minimum of group j < 8: six bits each, of 12 bytes. The upper two bits of the last four
 * of both lie above the first four. */
INLINE void group_scale(const uint8_t *s, int j, float *scale, float *least)
{
    int a, b;
    if (j < 4) {
        a = s[j] & 63;
        b = s[j + 4] & 63;
    } else {
        a = (s[j + 4] & 15) | s[j - 4] >> 6 << 4;
        b = s[j + 4] >> 4 | s[j] >> 6 << 4;
    }
    *scale = (float)a;
    *least = (float)b;
}

/* (d scale) q - (dmin least), q of four bits, or five with the fifth in `high`: bit j of byte i. */
INLINE void q45_k(float *y, const uint8_t *b, const uint8_t *high, const uint8_t *q)
{
    float d = f16_at(b), dmin = f16_at(b + 2);
    for (int j = 0; j < 8; j++) {
        float scale, least;
        group_scale(b + 4, j, &scale, &least);
        scale *= d;
        least *= dmin;
        for (int i = 0; i < 32; i++) {
            int code = q[j / 2 * 32 + i] >> 4 * (j % 2) & 15;
            if (high)
                code |= (high[i] >> j & 1) << 4;
            y[32 * j + i] = scale * (float)code - least;
        }
    }
}

INLINE void q4_k(float *y, const uint8_t *b) { q45_k(y, b, NULL, b + 16); }

INLINE void q5_k(float *y, const uint8_t *b) { q45_k(y, b, b + 16, b + 48); }

/* (d scale) (q - 32): 128 bytes of low halves, 64 of upper pairs of bits, 16 signed scales, d */
INLINE void q6_k(float *y, const uint8_t *b)
{
    const uint8_t *low = b, *high = b + 128;
    const int8_t *scales = (const int8_t *)b + 192;
    float d = f16_at(b + 208);
    for (int group = 0; group < 16; group++) { /* of 16, with one scale */
        int half = group / 8, quarter = group / 2 % 4, from = group % 2 * 16;
        const uint8_t *l = low + 64 * half + 32 * (quarter % 2) + from,
                      *h = high + 32 * half + from;
        float scale = d * (float)scales[group];
        for (int i = 0; i < 16; i++) {
            int code = (l[i] >> 4 * (quarter / 2) & 15) | (h[i] >> 2 * quarter & 3) << 4;
            y[16 * group + i] = scale * (float)(code - 32);
        }
    }
}

/* ---- all ---- */

/* Blocks of one type, for each processor. */
#define BLOCKS(name, size, elements)                                                               \
    VECTORISED static void name##_blocks(float *y, const uint8_t *x, int64_t n)                    \
    {                                                                                              \
        for (int64_t i = 0; i < n; i += elements, x += size)                                       \
            name(y + i, x);                                                                        \
    }
BLOCKS(u4, 1, 2)
BLOCKS(e2m1, 1, 2)
BLOCKS(q8_0, 34, 32)
BLOCKS(q4_0, 18, 32)
BLOCKS(q4_1, 20, 32)
BLOCKS(q5_0, 22, 32)
BLOCKS(q5_1, 24, 32)
BLOCKS(q4_k, 144, 256)
BLOCKS(q5_k, 176, 256)
BLOCKS(q6_k, 210, 256)
#undef BLOCKS

static void widen_blocks(float *y, const uint8_t *x, tensor_type type, int64_t n)
{
    static void (*const all[TENSOR_TYPES])(float *, const uint8_t *, int64_t) = {
        [Q8_0] = q8_0_blocks, [Q4_0] = q4_0_blocks, [Q4_1] = q4_1_blocks, [Q5_0] = q5_0_blocks,
        [Q5_1] = q5_1_blocks, [Q4_K] = q4_k_blocks, [Q5_K] = q5_k_blocks, [Q6_K] = q6_k_blocks,
        [F4] = e2m1_blocks,   [U4] = u4_blocks,
    };
    all[type](y, x, n);
}

VECTORISED static void e4m3_values(float *y, const uint8_t *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = f32_of_e4m3(x[i]);
}

void host_widen(float *y, const void *x, tensor_type type, int64_t n)
{
#define LOOP(ctype, expression)                                                                    \
    for (int64_t i = 0; i < n; i++) {                                                              \
        ctype v = ((const ctype *)x)[i];                                                           \
        y[i] = expression;                                                                         \
    }                                                                                              \
    return
    switch (type) {
    case F64: LOOP(double, (float)v);
    case F32: memcpy(y, x, (size_t)n * 4); return;
    case F16: LOOP(uint16_t, f32_of_f16(v));
    case BF16: LOOP(uint16_t, f32_of_bf16(v));
    case F8_E4M3: e4m3_values(y, x, n); return;
    case F8_E5M2: LOOP(uint8_t, f32_of_f16((uint16_t)(v << 8)));
    case F8_E8M0: LOOP(uint8_t, f32_of_e8m0(v));
    case I64: LOOP(int64_t, (float)v);
    case I32: LOOP(int32_t, (float)v);
    case I16: LOOP(int16_t, (float)v);
    case I8: LOOP(int8_t, (float)v);
    case U64: LOOP(uint64_t, (float)v);
    case U32: LOOP(uint32_t, (float)v);
    case U16: LOOP(uint16_t, (float)v);
    case U8: LOOP(uint8_t, (float)v);
    case BOOL: LOOP(uint8_t, v ? 1.0f : 0.0f);
    case F4:
    case U4:
    case Q8_0:
    case Q4_0:
    case Q4_1:
    case Q5_0:
    case Q5_1:
    case Q4_K:
    case Q5_K:
    case Q6_K: widen_blocks(y, x, type, n); return;
    default: die("values of type %s are not read", type_name(type));
    }
#undef LOOP
}

/* ---- from one type to another ---- */

static void narrow(void *dst, tensor_type to, const float *src, int64_t n)
{
    switch (to) {
    case F32: memcpy(dst, src, (size_t)n * 4); return;
    case F64:
        for (int64_t i = 0; i < n; i++)
            ((double *)dst)[i] = (double)src[i];
        return;
    case F16:
        for (int64_t i = 0; i < n; i++)
            ((uint16_t *)dst)[i] = f16_of_f32(src[i]);
        return;
    case BF16:
        for (int64_t i = 0; i < n; i++)
            ((uint16_t *)dst)[i] = bf16_of_f32(src[i]);
        return;
    default: die("no conversion to values of type %s", type_name(to));
    }
}

void host_convert(tensor dst, tensor src)
{
    assert(tensor_count(dst) == tensor_count(src) && tensor_contiguous(dst) &&
           tensor_contiguous(src));
    if (dst.type == src.type) {
        memcpy(dst.data, src.data, tensor_bytes(src));
        return;
    }
    int64_t count = tensor_count(src);
    src = tensor_of(src.data, src.type, count);
    dst = tensor_of(dst.data, dst.type, count);
    float block[1024];
    for (int64_t i = 0; i < count; i += 1024) {
        int64_t n = count - i < 1024 ? count - i : 1024;
        host_widen(block, slice(src, i, n).data, src.type, n);
        narrow(slice(dst, i, n).data, dst.type, block, n);
    }
}
