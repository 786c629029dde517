/*
** attention_codes.c: q, k and v as 8-bit attention has them: values of codes, as F32.
**
** The logits' product is of int8 codes with scales. That they hold enough is by two changes that
** leave the softmax as it is. From k its mean over tokens is taken: it adds the same to all logits
** of a query (SageAttention, Zhang et al., arXiv:2410.02367). Any value would do, so it is of at
** most 1024 tokens, evenly spaced, and in bfloat16, which hardly depends on the order of a sum. And
** the channels of both are rotated by signs and Hadamard's matrix (of the largest power of two in
** d), which spreads what a few channels have over all (QuaRot, Ashkboos et al., arXiv:2404.00456).
** The butterflies go from the nearest to the farthest, in F32:
**
**     s = max |x| / 127, at least 2^-40;  code = round(x * (127 / max |x|))
**
** A query's scale is its own. Of a tile of keys those with the same j / 2 mod 4 have one: in a
** product of the tensor cores a lane of four has the logits of these (SageAttention2, Zhang et al.,
** arXiv:2411.10958). Values in e4m3 have a power of two for each tile of a head, the least that
** keeps them within 448; floating-point codes need no finer one. In int8 a channel of a head has
** one scale for all values. A mean is taken from them, too, which attention adds to what it makes.
*/
#include <math.h>

#include "../attention.h"
#include "attention.h"

static const float LEAST = 0x1p-40f;

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
    float top = 127 * LEAST;
    for (int64_t c = 0; c < n; c++)
        top = fabsf(x[c]) > top ? fabsf(x[c]) : top;
    return top;
}

/* y [n] = codes of y, times their scale. */
static void int8_row(float *y, float top, int64_t n)
{
    for (int64_t c = 0; c < n; c++)
        y[c] = rintf(y[c] * (127 / top)) * (top / 127);
}

/* Of a tile of a head's queries: y = x, rotated, in int8. */
static void int8_queries(float *y, const float *x, int64_t stride, const float *mean, int64_t n,
                         int64_t width, int64_t d)
{
    (void)mean; /* there is none */
    for (int64_t i = 0; i < n; i++) {
        memcpy(y + i * width, x + i * stride, (size_t)d * sizeof *y);
        rotate(y + i * width, d);
        int8_row(y + i * width, greatest_size(y + i * width, d), d);
    }
}

/* The same of a tile of keys less their mean [d]; those with the same i / 2 mod 4 share a scale. */
static void int8_keys(float *y, const float *x, int64_t stride, const float *mean, int64_t n,
                      int64_t width, int64_t d)
{
    float top[4] = {LEAST, LEAST, LEAST, LEAST};
    for (int64_t i = 0; i < n; i++) {
        for (int64_t c = 0; c < d; c++)
            y[i * width + c] = x[i * stride + c] - mean[c];
        rotate(y + i * width, d);
        float most = greatest_size(y + i * width, d);
        top[i / 2 % 4] = most > top[i / 2 % 4] ? most : top[i / 2 % 4];
    }
    for (int64_t i = 0; i < n; i++)
        int8_row(y + i * width, top[i / 2 % 4], d);
}

/* y [n, d] = x - mean in e4m3, times a power of two: NaN if there is an infinity, which e4m3 has
** not. */
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
    float by = ldexpf(1, -exponent), power = isfinite(top) ? ldexpf(1, exponent) : NAN;
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < d; c++)
            y[i * width + c] = e4m3_of(y[i * width + c] * by) * power;
}

/* The same in int8, a scale a channel. */
static void int8_channels(float *y, const float *x, int64_t stride, const float *mean, int64_t n,
                          int64_t width, int64_t d)
{
    for (int64_t c = 0; c < d; c++) {
        float top = 127 * LEAST;
        for (int64_t i = 0; i < n; i++) {
            float *v = y + i * width + c;
            *v = x[i * stride + c] - mean[c];
            top = fabsf(*v) > top ? fabsf(*v) : top;
        }
        for (int64_t i = 0; i < n; i++)
            int8_row(y + i * width + c, top, 1);
    }
}

/* How one tile of a head is rounded: mean is the head's, or NULL. */
typedef void round_tile(float *y, const float *x, int64_t stride, const float *mean, int64_t n,
                        int64_t width, int64_t d);

/* x [B L, H d], a tile of a head at a time; mean [B, H d] or absent */
static tensor rounded(tensor x, tensor mean, const attention_spec *spec, int64_t tile,
                      round_tile *round)
{
    int64_t n = tensor_width(x), heads = spec->heads, d = n / heads, B = spec->batch;
    int64_t L = tensor_rows(x) / B, tiles = pieces(L, tile);
    tensor y = scratch(F32, B * L, n);
#pragma omp parallel for if (B * L * n >= PARALLEL_FROM)
    for (int64_t unit = 0; unit < B * heads * tiles; unit++) {
        int64_t b = unit / (heads * tiles), h = unit / tiles % heads, i = unit % tiles * tile;
        round(f32_row(y, b * L + i) + h * d, f32_row(x, b * L + i) + h * d, x.stride,
              mean.data ? f32_row(mean, b) + h * d : NULL, min_i64(tile, L - i), n, d);
    }
    return y;
}

static tensor means(tensor x, int B)
{
    int64_t n = tensor_width(x), L = tensor_rows(x) / B;
    tensor mean = scratch(F32, B, n);
    for (int64_t b = 0; b < B; b++)
        mean_rows(f32_row(mean, b), f32_row(x, b * L), x.stride, L, n);
    return mean;
}

rounded_heads attention_codes(tensor q, tensor k, tensor v, const attention_spec *spec)
{
    int64_t tile = attention_tile_keys(spec->in);
    rounded_heads r = {.q = q, .k = k, .v = v};
    tensor absent = {0};
    if (!tensor_rows(k))
        return r;
    r.q = rounded(q, absent, spec, tile, int8_queries);
    r.k = rounded(k, means(k, spec->batch), spec, tile, int8_keys);
    if (spec->in == ATTENTION_INT8)
        return r;
    r.v_mean = means(v, spec->batch);
    if (spec->in == ATTENTION_FP8)
        r.v = rounded(v, r.v_mean, spec, tile, e4m3_rows);
    else
        r.v = rounded(v, r.v_mean, spec, tensor_rows(v) / spec->batch, int8_channels);
    return r;
}
