/*
** rule-int.c: integers of eight and of four bits.
**
**     int8        codes.c has the rule
**     int8-127    s = max(absmax(row) / 127, 2^-126)
**                 q = clamp(round(w (1/s)), -127, 127)
**     int4-gN     a = min(group, 0), b = max(group, 0)
**                 s = max(f16((b - a) / 15), 2^-24), z = clamp(round(-a / s), 0, 15)
**                 q = clamp(round(w (1/s)) + z, 0, 15)                        w ~ (q - z) s
**     int4s-gN    s = max(f16(absmax(group) / 7), 2^-24)
**                 q = clamp(round(w (1/s)), -7, 7), stored as q + 8           w ~ q s
**
** in F32, to nearest and ties to even. The range of an int4 group has zero in it, so that zero is
** a code even where all weights have one sign. The bounds are the least of their types' scales
** whose reciprocals are finite: the scale of zeros. The zero point goes with the scale that is
** stored, after its rounding to F16. This is torchao's affine quantization (quantize_affine) for
** scales given in F32.
*/
#include <math.h>

#include "codes.h"
#include "rule-table.h"

static const char F16_OVERFLOW[] = "a group's scale is beyond what F16 can hold";

/* ---- eight bits, a scale a row ---- */

static void clip_rows(stored *s, const float *clip, float least)
{
    float *scale = s->scale.data;
    for (int64_t row = 0; clip && row < s->w.dim[0]; row++)
        scale[row] = fmaxf(scale[row] * clip[row], least);
}

const char *fit_int8(const rule *r, stored *s, const float *w, const float *clip)
{
    (void)r;
    tensor t = tensor_of((void *)w, F32, s->w.dim[0], s->w.dim[1]);
    bool finite = code_scales(s->scale.data, t, (scale_rule){0});
    clip_rows(s, clip, 0x1p-23f);
    return finite ? NULL : "it has values that are not finite";
}

const char *fit_int8_127(const rule *r, stored *s, const float *w, const float *clip)
{
    (void)r;
    int64_t in = s->w.dim[1];
    float *scale = s->scale.data;
#pragma omp parallel for
    for (int64_t row = 0; row < s->w.dim[0]; row++)
        scale[row] = fmaxf(greatest(w + row * in, in) / 127.0f, 0x1p-126f);
    clip_rows(s, clip, 0x1p-126f);
    return NULL;
}

static float int8_code(const rule *r, float x, float inverse)
{
    float most = 127, least = r->most ? -127 : -128;
    return nearest(between(x * inverse, least, most));
}

float round_int8(const rule *r, const stored *s, int64_t row, int64_t k, float x)
{
    (void)k;
    float scale = ((const float *)s->scale.data)[row];
    return int8_code(r, x, 1.0f / scale) * scale;
}

const char *code_int8(const rule *r, stored *s, const float *w_row, int64_t row)
{
    int64_t in = s->w.dim[1];
    float inverse = 1.0f / ((const float *)s->scale.data)[row];
    int8_t *codes = (int8_t *)s->w.data + row * in;
    for (int64_t k = 0; k < in; k++)
        codes[k] = (int8_t)int8_code(r, w_row[k], inverse);
    return NULL;
}

/* ---- four bits, a scale a group ---- */

/* false: infinite */
static bool half_scale(uint16_t *to, float s)
{
    *to = f16_of_f32(fabsf(s)); /* -0 is a scale's zero too */
    if (*to == 0)
        *to = 1; /* 2^-24 */
    return *to < 0x7c00;
}

/* min(group, 0), max(group, 0) */
static void range_with_zero(const float *x, int64_t n, float *least, float *most)
{
    float a = 0, b = 0;
#pragma omp simd reduction(min : a) reduction(max : b)
    for (int64_t i = 0; i < n; i++) {
        a = x[i] < a ? x[i] : a;
        b = x[i] > b ? x[i] : b;
    }
    *least = a;
    *most = b;
}

static bool fit_groups(const rule *r, stored *s, const float *w, const float *clip, int64_t row)
{
    int64_t in = s->w.dim[1], groups = in / r->group;
    uint16_t *step = (uint16_t *)s->step.data + row * groups;
    uint8_t *zero = r->zero ? (uint8_t *)s->zero.data + row * (even(groups) / 2) : NULL;
    bool fits = true;
    for (int64_t g = 0; g < groups; g++) {
        const float *x = w + row * in + g * r->group;
        float least, most, factor = clip ? clip[row * groups + g] : 1;
        range_with_zero(x, r->group, &least, &most);
        least *= factor;
        most *= factor;
        float range = r->zero ? (most - least) / 15.0f : fmaxf(most, fabsf(least)) / 7.0f;
        bool held = half_scale(step + g, range);
        fits &= held;
        if (zero && held)
            nibble_set(zero, g, (int)nearest(between(-least / f32_of_f16(step[g]), 0, 15)));
    }
    return fits;
}

const char *fit_int4(const rule *r, stored *s, const float *w, const float *clip)
{
    bool fits = true;
#pragma omp parallel for reduction(& : fits)
    for (int64_t row = 0; row < s->w.dim[0]; row++)
        fits &= fit_groups(r, s, w, clip, row);
    return fits ? NULL : F16_OVERFLOW;
}

typedef struct {
    float scale, zero, least, most; /* the least and the greatest code */
} group4;

static group4 group_of(const rule *r, const stored *s, int64_t row, int64_t g)
{
    int64_t groups = s->step.dim[1];
    group4 c = {f32_of_f16(((const uint16_t *)s->step.data)[row * groups + g]), 8, 1, 15};
    if (r->zero) {
        c.zero = (float)nibble((const uint8_t *)s->zero.data + row * (even(groups) / 2), g);
        c.least = 0;
    }
    return c;
}

static float int4_code(const group4 *c, float x, float inverse)
{
    return nearest(between(x * inverse, c->least - c->zero, c->most - c->zero)) + c->zero;
}

float round_int4(const rule *r, const stored *s, int64_t row, int64_t k, float x)
{
    group4 c = group_of(r, s, row, k / r->group);
    return (int4_code(&c, x, 1.0f / c.scale) - c.zero) * c.scale;
}

const char *code_int4(const rule *r, stored *s, const float *w_row, int64_t row)
{
    int64_t in = s->w.dim[1];
    uint8_t *codes = (uint8_t *)s->w.data + row * (in / 2);
    for (int64_t g = 0; g < in / r->group; g++) {
        group4 c = group_of(r, s, row, g);
        float inverse = 1.0f / c.scale;
        for (int64_t k = g * r->group; k < (g + 1) * r->group; k += 2) {
            int low = (int)int4_code(&c, w_row[k], inverse);
            int high = (int)int4_code(&c, w_row[k + 1], inverse);
            codes[k / 2] = (uint8_t)(low | high << 4);
        }
    }
    return NULL;
}
