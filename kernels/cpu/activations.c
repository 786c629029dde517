/*
** activations.c: rows of activations as codes of few bits would hold them, with a scale a row.
**
** A row's scale is its greatest magnitude over the greatest code. What follows is F32, in this
** order: x / s, rounded to nearest even, times s. Codes are symmetric: -127..127, -7..7; e4m3fn
** (OCP OFP8 1.0), saturating at 448.
*/
#include <math.h>

#include "cpu.h"

VECTORISED static float greatest(const float *x, int64_t n)
{
    float most = 0;
#pragma omp simd reduction(max : most)
    for (int64_t i = 0; i < n; i++)
        most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
    return most;
}

/* NaN stays NaN. */
INLINE float clamped(float v, float most)
{
    v = v > most ? most : v;
    return v < -most ? -most : v;
}

/* The e4m3fn next to v, as F32: three bits behind the leading one; below 2^-6 multiples of 2^-9. */
INLINE float e4m3_of(float v)
{
    uint32_t u = bits_of_f32(v), size = u & 0x7fffffffu;
    float normal = f32_of_bits((u + 0x7ffff + (u >> 20 & 1)) & 0xfff00000u);
    float small = rintf(v * 512.0f) / 512.0f;
    float rounded = size < 0x3c800000u ? small : normal;
    return size > 0x7f800000u ? v : clamped(rounded, 448.0f);
}

VECTORISED static void whole_row(float *y, const float *x, float s, float most, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] = clamped(rintf(x[i] / s), most) * s;
}

VECTORISED static void e4m3_row(float *y, const float *x, float s, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] = e4m3_of(x[i] / s) * s;
}

/* No scale: zeros, or what 1 / most of is zero. NaN among them stays. */
VECTORISED static void nothing_row(float *y, const float *x, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] * 0.0f;
}

static void round_row(float *y, const float *x, row_codes codes, int64_t n)
{
    float most = codes == ROWS_INT8 ? 127.0f : codes == ROWS_INT4 ? 7.0f : 448.0f;
    float s = greatest(x, n) / most;
    if (s == 0)
        nothing_row(y, x, n);
    else if (codes == ROWS_FP8)
        e4m3_row(y, x, s, n);
    else
        whole_row(y, x, s, most, n);
}

void round_rows(tensor y, tensor x, row_codes codes)
{
    int64_t N = tensor_rows(x), n = tensor_width(x);
    check_pair(y.type == F32 && x.type == F32 && same_matrix(y, x), "round_rows", y, x);
#pragma omp parallel for if (N * n >= PARALLEL_FROM)
    for (int64_t i = 0; i < N; i++)
        round_row(f32_row(y, i), f32_row(x, i), codes, n);
}
