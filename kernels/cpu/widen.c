/*
** widen.c: stored weights as F32, exactly, whatever their format (their values are those of
** common/formats.c and blocks.c).
*/
#include "cpu.h"

VECTORISED static void widen_f16_bits(float *y, const uint16_t *x, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] = f32_of_f16(x[i]);
}

#ifdef __x86_64__
#include <immintrin.h>

/* Every processor with AVX2 has the instruction for this: three times as fast as the bits. */
__attribute__((target("avx2,f16c"))) static void widen_f16_f16c(float *y, const uint16_t *x,
                                                                int64_t n)
{
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(y + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(x + i))));
    for (; i < n; i++)
        y[i] = f32_of_f16(x[i]);
}

static void widen_f16(float *y, const uint16_t *x, int64_t n)
{
    if (__builtin_cpu_supports("avx2"))
        widen_f16_f16c(y, x, n);
    else
        widen_f16_bits(y, x, n);
}
#else
#define widen_f16 widen_f16_bits
#endif

VECTORISED static void widen_bf16(float *y, const uint16_t *x, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] = f32_of_bf16(x[i]);
}

VECTORISED static void widen_i8(float *y, const int8_t *x, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] = (float)x[i];
}

static void widen(float *y, tensor w, int64_t row, int64_t k, int64_t n)
{
    int64_t at = row * w.stride + k, block = type_block(w.type);
    switch (w.type) {
    case F32: memcpy(y, (const float *)w.data + at, (size_t)n * 4); return;
    case F16: widen_f16(y, (const uint16_t *)w.data + at, n); return;
    case BF16: widen_bf16(y, (const uint16_t *)w.data + at, n); return;
    case I8: widen_i8(y, (const int8_t *)w.data + at, n); return;
    default:
        host_widen(y, (const char *)w.data + (size_t)(at / block) * type_size(w.type), w.type, n);
    }
}

void widen_row(float *y, const stored *s, int64_t row, int64_t k, int64_t n)
{
    widen(y, s->w, row, k, n);
    if (s->step.data)
        stored_steps(y, s, row, k, n);
}
