/*
** attention_codes.c: q, k and v as 8-bit attention has them: values of codes, as F32.
**
** The logits' product is of int8 codes with a scale a token and head. That they hold enough is by
** two changes that leave the softmax as it is. From k its mean over tokens is taken: it adds the
** same to all logits of a query (SageAttention, Zhang et al., arXiv:2410.02367). Any value would
** do, so it is of at most 1024 tokens, evenly spaced, and in bfloat16, which hardly depends on the
** order of a sum. And the channels of both are rotated by signs and Hadamard's matrix (of the
** largest power of two in d), which spreads what a few channels have over all (QuaRot, Ashkboos et
** al., arXiv:2404.00456). The butterflies go from the nearest to the farthest, in F32:
**
**     s = max |x| / 127, at least 2^-100;  code = round(x * (127 / max |x|))
**
** Values in e4m3 have a power of two for each 128 tokens of a head, the least that keeps them
** within 448; floating-point codes need no finer one. A mean is taken from them, too, which
** attention adds to what it makes.
*/
#include <assert.h>
#include <math.h>

#include "../attention.h"
#include "attention.h"

enum { MOST_WIDE = 512 };
static const float LEAST = 0x1p-100f;

/* F32 rounded to bfloat16, to nearest even. */
static float bf16_near(float v)
{
    uint32_t u = bits_of_f32(v);
    return f32_of_bits((u + 0x7fff + (u >> 16 & 1)) & 0xffff0000u);
}

/* mean [n] of some rows of x [L, n] */
static void mean_rows(float *mean, const float *x, int64_t stride, int64_t L, int64_t n)
{
    int64_t some = min_i64(L, ATTENTION_SAMPLE);
#pragma omp parallel for if (some * n >= PARALLEL_FROM)
    for (int64_t c = 0; c < n; c++) {
        double sum = 0;
        for (int64_t i = 0; i < some; i++)
            sum += (double)x[i * L / some * stride + c];
        mean[c] = bf16_near((float)(sum / (double)some));
    }
}

static void rotate(float *x, int64_t d)
{
    static const uint32_t signs[4] = ATTENTION_SIGNS;
    int64_t part = d & -d;
    for (int64_t c = 0; c < d; c++)
        if (signs[c / 32 % 4] >> c % 32 & 1)
            x[c] = -x[c];
    for (int64_t step = 1; step < part; step *= 2)
        for (int64_t c = 0; c < d; c++)
            if (!(c & step)) {
                float a = x[c], b = x[c + step];
                x[c] = a + b;
                x[c + step] = a - b;
            }
    float root = 1.0f / sqrtf((float)part);
    for (int64_t c = 0; c < d; c++)
        x[c] *= root;
}

static float greatest_size(const float *x, int64_t n)
{
    float top = 0;
    for (int64_t c = 0; c < n; c++)
        top = fabsf(x[c]) > top ? fabsf(x[c]) : top;
    return top;
}

/* y = codes of x [d], times their scale; mean [d] or NULL is taken off before. */
static void int8_row(float *y, const float *x, const float *mean, int64_t d)
{
    for (int64_t c = 0; c < d; c++)
        y[c] = x[c] - (mean ? mean[c] : 0);
    rotate(y, d);
    float top = greatest_size(y, d);
    top = top > 127 * LEAST ? top : 127 * LEAST;
    for (int64_t c = 0; c < d; c++)
        y[c] = rintf(y[c] * (127 / top)) * (top / 127);
}

/* y [n, d] = x - mean in e4m3, times a power of two. */
static void e4m3_rows(float *y, const float *x, int64_t stride, const float *mean, int64_t n,
                      int64_t width, int64_t d)
{
    float top = LEAST;
    int exponent;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t c = 0; c < d; c++)
            y[i * width + c] = x[i * stride + c] - mean[c];
        float most = greatest_size(y + i * width, d);
        top = most > top ? most : top;
    }
    float part = frexpf(top, &exponent); /* of [1/2, 1) */
    exponent -= part > 0.875f ? 8 : 9;
    float by = ldexpf(1, -exponent), power = ldexpf(1, exponent);
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < d; c++)
            y[i * width + c] = e4m3_near(y[i * width + c] * by) * power;
}

static tensor int8_heads(tensor x, const float *mean, int batch, int heads)
{
    int64_t N = tensor_rows(x), n = tensor_width(x), d = n / heads;
    tensor y = scratch(F32, N, n);
#pragma omp parallel for if (N * n >= PARALLEL_FROM)
    for (int64_t i = 0; i < N; i++)
        for (int64_t h = 0; h < heads; h++)
            int8_row(f32_row(y, i) + h * d, f32_row(x, i) + h * d,
                     mean ? mean + i / (N / batch) * n + h * d : NULL, d);
    return y;
}

rounded_heads attention_codes(tensor q, tensor k, tensor v, const attention_spec *spec)
{
    int64_t n = tensor_width(k), heads = spec->heads, d = n / heads, B = spec->batch;
    int64_t L = tensor_rows(k) / B;
    rounded_heads r = {.v = v};
    assert(d <= MOST_WIDE);
    if (!L) {
        r.q = q, r.k = k;
        return r;
    }
    tensor mean = scratch(F32, B, n);
    for (int64_t b = 0; b < B; b++)
        mean_rows(f32_row(mean, b), f32_row(k, b * L), k.stride, L, n);
    r.q = int8_heads(q, NULL, spec->batch, spec->heads);
    r.k = int8_heads(k, mean.data, spec->batch, spec->heads);
    if (spec->in != ATTENTION_FP8)
        return r;
    r.v = scratch(F32, B * L, n);
    r.v_mean = scratch(F32, B, n);
    for (int64_t b = 0; b < B; b++)
        mean_rows(f32_row(r.v_mean, b), f32_row(v, b * L), v.stride, L, n);
    int64_t parts = pieces(L, ATTENTION_VALUES);
#pragma omp parallel for if (B * L * n >= PARALLEL_FROM)
    for (int64_t unit = 0; unit < B * heads * parts; unit++) {
        int64_t b = unit / (heads * parts), h = unit / parts % heads;
        int64_t i = unit % parts * ATTENTION_VALUES;
        e4m3_rows(f32_row(r.v, b * L + i) + h * d, f32_row(v, b * L + i) + h * d, v.stride,
                  f32_row(r.v_mean, b) + h * d, min_i64(ATTENTION_VALUES, L - i), n, d);
    }
    return r;
}
