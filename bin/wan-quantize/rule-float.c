/*
** rule-float.c: floats of eight and of four bits.
**
**     fp8-*    s = absmax / 448 of the tensor, a row, or 128 x 128 of it; 2^-126 for zeros
**              q = e4m3(w / s)
**     mxfp4    s = 2^clamp(floor(log2 absmax(32)) - 2, -127, 127), q = e2m1(w / s)
**     mxfp8    the same with 8 in place of 2, q = e4m3(w / s)
**     nvfp4    t = max(absmax(tensor) / (6 * 448), 2^-126)
**              s = e4m3(clamp(absmax(16) / (6 t), 2^-9, 448)), 1 for zeros
**              q = e2m1(w / (s t))
**
** in F32. e4m3() and e2m1() are to nearest, ties to even, and saturate: at 448 and at 6.
**
** Sources: torchao's float8 rules and DeepSeek-V3's blocks for fp8; the OCP Microscaling Formats
** specification 1.0, 6.3, for mx; NVIDIA ModelOpt's NVFP4QTensor for nvfp4, whose zeros, unlike the
** others', have no sign.
*/
#include <math.h>

#include "rule-table.h"

/* ---- rounding: the bits of a float, cut at the narrower mantissa; without branches ---- */

static inline uint32_t magnitude_bits(float x, float most)
{
    return bits_of_f32(between(f32_of_bits(bits_of_f32(x) & 0x7fffffffu), 0, most));
}

/* 3 bits of mantissa, exponents from -6; below, steps of 2^-9. */
static inline uint32_t e4m3_of(float x)
{
    uint32_t sign = bits_of_f32(x) >> 24 & 0x80, u = magnitude_bits(x, 448);
    uint32_t steps = bits_of_f32(f32_of_bits(u) + 0x1p14f) - bits_of_f32(0x1p14f);
    uint32_t cut = (u + 0x7ffff + (u >> 20 & 1) - (120u << 23)) >> 20;
    return sign | (u < bits_of_f32(0x1p-6f) ? steps : cut);
}

/* 1 bit of mantissa, exponents from 0; below, steps of 0.5. */
static inline uint32_t e2m1_of(float x)
{
    uint32_t sign = bits_of_f32(x) >> 28 & 8, u = magnitude_bits(x, 6);
    uint32_t steps = bits_of_f32(f32_of_bits(u) + 0x1p22f) - bits_of_f32(0x1p22f);
    uint32_t cut = (u + 0x1fffff + (u >> 22 & 1) - (126u << 23)) >> 22;
    return sign | (u < bits_of_f32(1) ? steps : cut);
}

/* ---- scales ---- */

static float scale_of_e4m3(float most)
{
    float s = most / 448.0f;
    return s > 0 ? s : 0x1p-126f;
}

static float greatest_of_all(const stored *s, const float *w)
{
    int64_t in = s->w.dim[1];
    float most = 0;
#pragma omp parallel for reduction(max : most)
    for (int64_t row = 0; row < s->w.dim[0]; row++) {
        float m = greatest(w + row * in, in);
        most = m > most ? m : most;
    }
    return most;
}

static float greatest_of_square(const stored *s, const float *w, int64_t top, int64_t left)
{
    int64_t out = s->w.dim[0], in = s->w.dim[1], wide = in - left < SQUARE ? in - left : SQUARE;
    float most = 0;
    for (int64_t row = top; row < out && row < top + SQUARE; row++)
        most = fmaxf(most, greatest(w + row * in + left, wide));
    return most;
}

static void fit_squares(stored *s, const float *w, const float *clip)
{
    int64_t n = s->step.dim[1];
    float *step = s->step.data;
#pragma omp parallel for
    for (int64_t i = 0; i < s->step.dim[0]; i++)
        for (int64_t j = 0; j < n; j++)
            step[i * n + j] = scale_of_e4m3(greatest_of_square(s, w, i * SQUARE, j * SQUARE) *
                                            (clip ? clip[i * n + j] : 1));
}

const char *fit_fp8(const rule *r, stored *s, const float *w, const float *clip)
{
    int64_t in = s->w.dim[1];
    float *scale = s->scale.data;
    if (r->range == RANGE_SQUARE) {
        fit_squares(s, w, clip);
        return NULL;
    }
    float all = r->range == RANGE_TENSOR ? greatest_of_all(s, w) * (clip ? *clip : 1) : 0;
#pragma omp parallel for
    for (int64_t row = 0; row < s->w.dim[0]; row++) {
        float most =
            r->range == RANGE_TENSOR ? all : greatest(w + row * in, in) * (clip ? clip[row] : 1);
        scale[row] = scale_of_e4m3(most);
    }
    return NULL;
}

/* floor(log2 m) + 127 are the exponent's bits; what is below 2^-126 has none, and the scale is
 * the least in any case. */
static uint8_t mx_scale(float m, int element)
{
    int e = (int)(bits_of_f32(m) >> 23) - element;
    return (uint8_t)(e < 0 ? 0 : e);
}

const char *fit_mx(const rule *r, stored *s, const float *w, const float *clip)
{
    int element = r->type == F4 ? 2 : 8; /* the exponent of its greatest value */
    int64_t n = tensor_count(s->step);
    uint8_t *step = s->step.data;
#pragma omp parallel for
    for (int64_t g = 0; g < n; g++)
        step[g] = mx_scale(greatest(w + g * r->group, r->group) * (clip ? clip[g] : 1), element);
    return NULL;
}

const char *fit_nvfp4(const rule *r, stored *s, const float *w, const float *clip)
{
    float t = fmaxf(greatest_of_all(s, w) / (6.0f * 448.0f), 0x1p-126f), *scale = s->scale.data;
    int64_t n = tensor_count(s->step);
    uint8_t *step = s->step.data;
    for (int64_t row = 0; row < s->w.dim[0]; row++)
        scale[row] = t;
#pragma omp parallel for
    for (int64_t g = 0; g < n; g++) {
        float m = greatest(w + g * r->group, r->group) * (clip ? clip[g] : 1) / (6.0f * t);
        step[g] = (uint8_t)e4m3_of(m == 0 ? 1 : between(m, 0x1p-9f, 448));
    }
    return NULL;
}

/* ---- codes ---- */

/* What a code is multiplied by, in this order. */
typedef struct {
    float step, scale;
} factors;

static factors factors_at(const rule *r, const stored *s, int64_t row, int64_t k)
{
    factors f = {1, s->scale.data ? ((const float *)s->scale.data)[row] : 1};
    if (s->step.data) {
        int64_t i = rule_range(r, s->w.dim[1], row, k);
        host_widen(&f.step, (const char *)s->step.data + (size_t)i * type_size(r->step), r->step,
                   1);
    }
    return f;
}

/* Codes of four bits, of quotients. Zeros of nvfp4 have no sign. */
static inline uint32_t f4_code(const rule *r, float x)
{
    return e2m1_of(r->scale_2 && x == 0 ? 0.0f : x);
}

float round_float(const rule *r, const stored *s, int64_t row, int64_t k, float x)
{
    factors f = factors_at(r, s, row, k);
    float values[2];
    x /= f.step * f.scale;
    uint8_t code = (uint8_t)(r->type == F4 ? f4_code(r, x) : e4m3_of(x));
    host_widen(values, &code, r->type, type_block(r->type));
    return values[0] * f.step * f.scale;
}

/* n elements that have one scale, at most SQUARE. */
static void code_f4(const rule *r, uint8_t *to, const float *x, int64_t n, float by)
{
    uint8_t codes[SQUARE];
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        codes[i] = (uint8_t)f4_code(r, x[i] / by);
    for (int64_t i = 0; i < n; i += 2)
        to[i / 2] = (uint8_t)(codes[i] | codes[i + 1] << 4);
}

static void code_e4m3(uint8_t *to, const float *x, int64_t n, float by)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        to[i] = (uint8_t)e4m3_of(x[i] / by);
}

const char *code_float(const rule *r, stored *s, const float *w_row, int64_t row)
{
    int64_t in = s->w.dim[1];
    int64_t most = r->range == RANGE_GROUP ? r->group : r->range == RANGE_SQUARE ? SQUARE : in;
    uint8_t *codes = s->w.data;
    for (int64_t k = 0; k < in; k += most) {
        int64_t n = in - k < most ? in - k : most, at = row * in + k;
        factors f = factors_at(r, s, row, k);
        if (r->type == F4)
            code_f4(r, codes + at / 2, w_row + k, n, f.step * f.scale);
        else
            code_e4m3(codes + at, w_row + k, n, f.step * f.scale);
    }
    return NULL;
}
