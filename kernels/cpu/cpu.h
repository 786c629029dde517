/*
** cpu.h: shared by the CPU's ops: loops compiled for several instruction sets, exp and the
** activations that use it, panels of stored weights as F32, memory for each thread.
**
** Every op gives the same bytes for any number of threads: its work is divided into pieces whose
** sizes depend on the shapes alone, and each sum is computed within one piece.
*/
#ifndef CPU_H
#define CPU_H

#include <math.h>
#include <string.h>

#include "../../common/vectorised.h"
#include "../check.h"
#include "../kernels.h"

/* 16 floats, at any alignment. In a sum each lane adds every sixteenth term, whatever the width of
 * the processor's vectors, so the result is the same on all. */
typedef float lanes __attribute__((vector_size(64), aligned(4), may_alias));
enum { LANE_COUNT = 16 };

/* The sum of all lanes: halves are added until one is left. */
INLINE float sum_of_lanes(const lanes *sum)
{
    float s[LANE_COUNT];
    memcpy(s, sum, sizeof s);
    for (int half = LANE_COUNT / 2; half; half /= 2)
        for (int i = 0; i < half; i++)
            s[i] += s[i + half];
    return s[0];
}

/* Of a row, in that order (norm.c). */
float row_sum(const float *x, int64_t n);

/* e^x for loops that vectorise. x = n ln 2 + r with |r| <= ln 2 / 2; ln 2 is split in two so that
** n * (first part) is exact (Cody and Waite, Software Manual for the Elementary Functions, 1980);
** e^r is Taylor's polynomial of degree 7, whose next term is r^8 / 8! < 5.3e-9, a tenth of half an
** ulp. Adding 1.5 * 2^23 rounds to an integer. Within 1.3 ulp on [-87.3, 88.3]; below it what
** -87.3 gives, 1.2e-38, above it what 88.3 gives, 2.2e38; NaN stays NaN. */
INLINE float exp_f32(float x)
{
    float y = x > 88.3f ? 88.3f : x;
    y = y < -87.3f ? -87.3f : y;
    float magic = 12582912.0f, n = (y * 1.44269504f + magic) - magic;
    float r = (y - n * 0.693145752f) - n * 1.42860677e-6f;
    float p = 1.0f / 5040;
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    float power = f32_of_bits((bits_of_f32(n + 12583039.0f) & 0x1ff) << 23); /* 2^n: n + 127 */
    return p * power;
}

/* NaN stays NaN. */
INLINE float clamped(float v, float most)
{
    v = v > most ? most : v;
    return v < -most ? -most : v;
}

/* The e4m3fn next to v (OCP OFP8 1.0), as F32: three bits behind the leading one; below 2^-6
** multiples of 2^-9; more than 448 becomes that, NaN stays. */
INLINE float e4m3_of(float v)
{
    uint32_t u = bits_of_f32(v), size = u & 0x7fffffffu;
    float normal = f32_of_bits((u + 0x7ffff + (u >> 20 & 1)) & 0xfff00000u);
    float small = rintf(v * 512.0f) / 512.0f;
    float rounded = size < 0x3c800000u ? small : normal;
    return size > 0x7f800000u ? v : clamped(rounded, 448.0f);
}

INLINE float silu_f32(float x) { return x / (1.0f + exp_f32(-x)); }

/* x / 2 * (1 + tanh u), u = sqrt(2 / pi) (x + 0.044715 x^3): 1 + tanh u = 2 / (1 + e^-2u). */
INLINE float gelu_f32(float x)
{
    float u = 0.797884561f * (x + 0.044715f * x * x * x);
    return x / (1.0f + exp_f32(-2.0f * u));
}

/* Columns [k, k + n) of row `row` of s, whole blocks, as F32, not multiplied by the row's scale. */
void widen_row(float *y, const stored *s, int64_t row, int64_t k, int64_t n);

/* Memory for each thread of the next parallel loop, on the scratch stack: thread i has
 * buffer + i * thread_stride(floats). */
static inline int64_t thread_stride(int64_t floats) { return (floats + 15) / 16 * 16 + 16; }
float *thread_buffers(int64_t floats);

static inline float *f32_row(tensor t, int64_t row) { return (float *)t.data + row * t.stride; }

/* With fewer elements (of products: fewer multiplications) starting threads costs more than it
 * saves. */
enum { PARALLEL_FROM = 1 << 14, PARALLEL_FROM_PRODUCTS = 1 << 19 };

/* The number of pieces of `size` that cover n: n / size, rounded up. */
static inline int64_t pieces(int64_t n, int64_t size) { return (n + size - 1) / size; }
static inline int64_t min_i64(int64_t a, int64_t b) { return a < b ? a : b; }

#endif
