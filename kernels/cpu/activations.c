/*
** activations.c: rows of activations as codes of few bits would hold them, with a scale a row.
**
** A row's scale is its greatest magnitude over the greatest code. What follows is F32, in this
** order: x / s, rounded to nearest even, times s. Codes are symmetric: -127..127, -7..7; e4m3fn
** (OCP OFP8 1.0), saturating at 448. A row with a NaN or an infinity has the scale NaN: all that is
** made of it is NaN, whatever its codes.
*/
#include <math.h>
#include <omp.h>
#include <string.h>

#include "cpu.h"

VECTORISED static float scale_of(const float *x, float most, int64_t n)
{
    float size = 0, nothing = 0; /* NaN, if something is not finite */
#pragma omp simd reduction(max : size) reduction(+ : nothing)
    for (int64_t i = 0; i < n; i++) {
        size = fabsf(x[i]) > size ? fabsf(x[i]) : size;
        nothing += x[i] * 0.0f;
    }
    return size / most + nothing;
}

/* The code of a number of e4m3fn. */
INLINE uint8_t e4m3_code(float q)
{
    uint32_t u = bits_of_f32(q), size = u & 0x7fffffffu;
    uint32_t code = size < 0x3c800000u ? (uint32_t)(fabsf(q) * 512.0f) : (size >> 20) - 120 * 8;
    return (uint8_t)(u >> 31 << 7 | code);
}

/* q = the codes of a row, as numbers. */
VECTORISED static void whole_row(float *q, const float *x, float s, float most, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        q[i] = clamped(rintf(x[i] / s), most);
}

VECTORISED static void e4m3_row(float *q, const float *x, float s, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        q[i] = e4m3_of(x[i] / s);
}

VECTORISED static void scale_row(float *y, const float *q, float s, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] = q[i] * s;
}

/* The codes of a row; returns its scale. */
static float code_row(float *q, const float *x, row_codes codes, int64_t n)
{
    float most = codes == ROWS_INT8 ? 127.0f : codes == ROWS_INT4 ? 7.0f : 448.0f;
    float s = scale_of(x, most, n);
    if (s == 0) /* zeros, or what 1 / most of is zero */
        memset(q, 0, (size_t)n * sizeof *q);
    else if (codes == ROWS_FP8)
        e4m3_row(q, x, s, n);
    else
        whole_row(q, x, s, most, n);
    return s;
}

void round_rows(tensor y, tensor x, row_codes codes)
{
    int64_t N = tensor_rows(x), n = tensor_width(x);
    check_pair(y.type == F32 && x.type == F32 && same_matrix(y, x), "round_rows", y, x);
#pragma omp parallel for if (N * n >= PARALLEL_FROM)
    for (int64_t i = 0; i < N; i++) {
        float s = code_row(f32_row(y, i), f32_row(x, i), codes, n);
        scale_row(f32_row(y, i), f32_row(y, i), s, n);
    }
}

void quantize_rows(tensor codes, tensor scale, tensor x, bool rotated)
{
    int64_t N = tensor_rows(x), n = tensor_width(x);
    check_one(x.type == F32, "quantize_rows", x, "F32");
    check_coded("quantize_rows", codes, scale, x);
    size_t mark = scratch_mark();
    float *buffers = thread_buffers(n);
    tensor turned = rotated ? scratch(F32, N, n) : x;
    if (rotated)
        hadamard(turned, x);
#pragma omp parallel for if (N * n >= PARALLEL_FROM)
    for (int64_t i = 0; i < N; i++) {
        float *q = buffers + omp_get_thread_num() * thread_stride(n);
        float *s = (float *)scale.data + i;
        uint8_t *to = (uint8_t *)codes.data + i * codes.stride;
        *s = code_row(q, f32_row(turned, i), codes.type == I8 ? ROWS_INT8 : ROWS_FP8, n);
        for (int64_t k = 0; k < n; k++)
            to[k] = *s != *s ? 0 : codes.type == I8 ? (uint8_t)(int8_t)q[k] : e4m3_code(q[k]);
    }
    scratch_reset(mark);
}
