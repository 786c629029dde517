/*
** rule-ggml.c: ggml's blocks: q8_0, q4_0, q4_k, q5_k, q6_k, as its reference quantisers make them.
**
** The simple ones take the greatest magnitude for a scale. The K-quants search: the scale of a
** group, and its least value, are those of the weighted least squares over trials with slightly
** other scales; then they become codes of 6 or 8 bits themselves, under one F16 scale a block of
** 256, and the elements are rounded once more with what is left of them.
**
**     q8_0    d = absmax / 127, q = round half away from zero(x / d)
**     q4_0    d = m / -8, m the value of the greatest magnitude, q = min(floor(x / d + 8.5), 15)
**     q4_k    8 groups of 32: x ~ (d s) q - (dmin m), q in 0..15; 21 trials by tenths, each from
**             the least value that was best so far
**     q5_k    the same with q in 0..31, 16 trials
**     q6_k    16 groups of 16: x ~ (d s) (q - 32); 18 trials by tenths
**
** Every sum is F32, one element after the other, so that the bits are ggml's. Where the values of a
** K-quant's group span less than 2^-100, its codes are 0, and nothing is divided by that.
**
** Source: the algorithms of ggml-quants.c (ggml, MIT), quantize_row_*_ref; the layouts are
** common/blocks.c's.
*/
#include <math.h>
#include <stdlib.h>

#include "../../common/die.h"
#include "rule-table.h"

enum { K = 256 };

static const char F16_OVERFLOW[] = "a block's scale is beyond what F16 can hold";
static const float TINY = 0x1p-100f;

/* false: infinite. The value as it is stored, if asked for. */
static bool put_half(uint8_t *p, float v, float *as_stored)
{
    uint16_t h = f16_of_f32(v);
    p[0] = (uint8_t)h;
    p[1] = (uint8_t)(h >> 8);
    if (as_stored)
        *as_stored = f32_of_f16(h);
    return (h & 0x7c00) != 0x7c00;
}

static int within(float x, int least, int most)
{
    return (int)nearest(between(x, (float)least, (float)most));
}

/* ---- blocks of 32 ---- */

/* 0 of 0, and of what is so small that it has none. */
static float reciprocal(float d) { return isfinite(1.0f / d) ? 1.0f / d : 0; }

static bool q8_0(uint8_t *b, const float *x)
{
    float d = greatest(x, 32) / 127.0f, inverse = reciprocal(d);
    for (int i = 0; i < 32; i++)
        b[2 + i] = (uint8_t)(int8_t)roundf(x[i] * inverse);
    return put_half(b, d, NULL);
}

/* The first of the values with the greatest magnitude. */
static float extreme(const float *x, int n)
{
    float most = 0, value = 0;
    for (int i = 0; i < n; i++)
        if (fabsf(x[i]) > most) {
            most = fabsf(x[i]);
            value = x[i];
        }
    return value;
}

static bool q4_0(uint8_t *b, const float *x)
{
    float d = extreme(x, 32) / -8.0f, inverse = reciprocal(d);
    for (int i = 0; i < 16; i++) {
        int low = (int)(x[i] * inverse + 8.5f), high = (int)(x[16 + i] * inverse + 8.5f);
        b[2 + i] = (uint8_t)((low < 15 ? low : 15) | (high < 15 ? high : 15) << 4);
    }
    return put_half(b, d, NULL);
}

/* ---- q4_k and q5_k: groups of 32 with a scale and a least value ---- */

typedef struct {
    int most, trials; /* the greatest code */
    float first;      /* trial i divides the range into most + first + i / 10 steps */
} search;

typedef struct {
    float scale, least; /* x ~ scale q - least, least >= 0 */
} line_fit;

/* Codes, and the weighted error of scale * code + low. */
static float error_of(const uint8_t *code, const float *x, const float *weight, float scale,
                      float low)
{
    float error = 0;
    for (int i = 0; i < 32; i++) {
        float diff = scale * (float)code[i] + low - x[i];
        error += weight[i] * (diff * diff);
    }
    return error;
}

/* The straight line through (code, x) by weighted least squares, that does not begin above zero. */
static bool least_squares(const uint8_t *code, const float *x, const float *weight, float sum_w,
                          float sum_x, float *scale, float *low)
{
    float sum_l = 0, sum_l2 = 0, sum_xl = 0;
    for (int i = 0; i < 32; i++) {
        float l = (float)code[i], w = weight[i];
        sum_l += w * l;
        sum_l2 += w * l * l;
        sum_xl += w * l * x[i];
    }
    float determinant = sum_w * sum_l2 - sum_l * sum_l;
    if (!(determinant > 0))
        return false;
    *scale = (sum_w * sum_xl - sum_x * sum_l) / determinant;
    *low = (sum_l2 * sum_x - sum_l * sum_xl) / determinant;
    if (*low > 0) {
        *low = 0;
        *scale = sum_xl / sum_l2;
    }
    return true;
}

static line_fit fit_line(uint8_t *code, const float *x, const float *weight, const search *how)
{
    float least = x[0], most = x[0], sum_w = weight[0], sum_x = sum_w * x[0];
    for (int i = 1; i < 32; i++) {
        least = x[i] < least ? x[i] : least;
        most = x[i] > most ? x[i] : most;
        sum_w += weight[i];
        sum_x += weight[i] * x[i];
    }
    if (least > 0)
        least = 0;
    float low = least;
    memset(code, 0, 32);
    if (most - least < TINY)
        return (line_fit){0, -least};
    float inverse = (float)how->most / (most - least), scale = 1.0f / inverse;
    for (int i = 0; i < 32; i++)
        code[i] = (uint8_t)within(inverse * (x[i] - least), 0, how->most);
    float best = error_of(code, x, weight, scale, low);
    for (int trial = 0; trial <= how->trials; trial++) {
        uint8_t tried[32];
        float s, m;
        inverse = (how->first + 0.1f * (float)trial + (float)how->most) / (most - low);
        for (int i = 0; i < 32; i++)
            tried[i] = (uint8_t)within(inverse * (x[i] - low), 0, how->most);
        if (!least_squares(tried, x, weight, sum_w, sum_x, &s, &m))
            continue;
        float error = error_of(tried, x, weight, s, m);
        if (error < best) {
            memcpy(code, tried, 32);
            best = error;
            scale = s;
            low = m;
        }
    }
    return (line_fit){scale, -low};
}

/* Eight scales and eight least values of six bits each in 12 bytes: common/blocks.c reads them. */
static void put_sixes(uint8_t *p, int j, int scale, int least)
{
    if (j < 4) {
        p[j] = (uint8_t)scale;
        p[j + 4] = (uint8_t)least;
    } else {
        p[j + 4] = (uint8_t)((scale & 15) | (least & 15) << 4);
        p[j - 4] |= (uint8_t)(scale >> 4 << 6);
        p[j] |= (uint8_t)(least >> 4 << 6);
    }
}

/* Codes of all 256; d, dmin and the sixes into the first 16 bytes of b. */
static bool code_lines(uint8_t *code, uint8_t *b, const float *x, const search *how)
{
    line_fit fit[8];
    float most = 0, deepest = 0, d, dmin;
    for (int j = 0; j < 8; j++) {
        float weight[32], sum = 0;
        for (int i = 0; i < 32; i++)
            sum += x[32 * j + i] * x[32 * j + i];
        float size = sqrtf(sum / 32);
        for (int i = 0; i < 32; i++)
            weight[i] = size + fabsf(x[32 * j + i]);
        fit[j] = fit_line(code + 32 * j, x + 32 * j, weight, how);
        most = fit[j].scale > most ? fit[j].scale : most;
        deepest = fit[j].least > deepest ? fit[j].least : deepest;
    }
    bool fits = put_half(b, most / 63.0f, &d);
    fits = put_half(b + 2, deepest / 63.0f, &dmin) && fits;
    float by = most > 0 ? 63.0f / most : 0, least_by = deepest > 0 ? 63.0f / deepest : 0;
    for (int j = 0; j < 8; j++) {
        int scale = within(by * fit[j].scale, 0, 63),
            least = within(least_by * fit[j].least, 0, 63);
        put_sixes(b + 4, j, scale, least);
        float step = d * (float)scale, low = dmin * (float)least;
        for (int i = 32 * j; step && i < 32 * (j + 1); i++)
            code[i] = (uint8_t)within((x[i] + low) / step, 0, how->most);
    }
    return fits;
}

static bool q4_k(uint8_t *b, const float *x)
{
    uint8_t code[K];
    bool fits = code_lines(code, b, x, &(search){15, 20, -1.0f});
    for (int i = 0; i < 128; i++) {
        const uint8_t *pair = code + i / 32 * 64 + i % 32;
        b[16 + i] = (uint8_t)(pair[0] | pair[32] << 4);
    }
    return fits;
}

static bool q5_k(uint8_t *b, const float *x)
{
    uint8_t code[K];
    bool fits = code_lines(code, b, x, &(search){31, 15, -0.5f});
    for (int i = 0; i < 128; i++) {
        const uint8_t *pair = code + i / 32 * 64 + i % 32;
        b[48 + i] = (uint8_t)((pair[0] & 15) | (pair[32] & 15) << 4);
        b[16 + i % 32] |= (uint8_t)((pair[0] >> 4 | pair[32] >> 4 << 1) << 2 * (i / 32));
    }
    return fits;
}

/* ---- q6_k: groups of 16 with a scale ---- */

typedef struct {
    float xl, l2; /* sums of x^2 x l and x^2 l^2 */
} moments;

static moments moments_of(const float *x, float inverse)
{
    moments m = {0, 0};
    for (int i = 0; i < 16; i++) {
        float l = nearest(between(inverse * x[i], -32, 31)), w = x[i] * x[i];
        m.xl += w * x[i] * l;
        m.l2 += w * l * l;
    }
    return m;
}

/* The scale whose codes lie best, errors weighted with x^2. */
static float fit_scale(uint8_t *code, const float *x)
{
    float value = extreme(x, 16), chosen = -32.0f / value;
    memset(code, 0, 16);
    if (fabsf(value) < 1e-15f)
        return 0;
    moments m = moments_of(x, chosen);
    float scale = m.l2 ? m.xl / m.l2 : 0, best = scale * m.xl;
    for (int trial = -9; trial <= 9; trial++) {
        float inverse = -(32.0f + 0.1f * (float)trial) / value;
        if (trial == 0)
            continue;
        m = moments_of(x, inverse);
        if (m.l2 > 0 && m.xl * m.xl > best * m.l2) {
            chosen = inverse;
            scale = m.xl / m.l2;
            best = scale * m.xl;
        }
    }
    for (int i = 0; i < 16; i++)
        code[i] = (uint8_t)(within(chosen * x[i], -32, 31) + 32);
    return scale;
}

static bool q6_k(uint8_t *b, const float *x)
{
    uint8_t code[K];
    float scale[16], most = 0, d;
    for (int g = 0; g < 16; g++)
        scale[g] = fit_scale(code + 16 * g, x + 16 * g);
    most = extreme(scale, 16);
    if (fabsf(most) < 1e-15f)
        return true;
    float inverse = -128.0f / most;
    bool fits = put_half(b + 208, 1.0f / inverse, &d);
    for (int g = 0; g < 16; g++) {
        int s = within(inverse * scale[g], -128, 127);
        b[192 + g] = (uint8_t)(int8_t)s;
        float step = d * (float)s;
        for (int i = 16 * g; step && i < 16 * (g + 1); i++)
            code[i] = (uint8_t)(within(x[i] / step, -32, 31) + 32);
    }
    for (int i = 0; i < 64; i++) {
        const uint8_t *c = code + i / 32 * 128 + i % 32;
        uint8_t *low = b + i / 32 * 64 + i % 32;
        low[0] = (uint8_t)((c[0] & 15) | (c[64] & 15) << 4);
        low[32] = (uint8_t)((c[32] & 15) | (c[96] & 15) << 4);
        b[128 + i] = (uint8_t)(c[0] >> 4 | c[32] >> 4 << 2 | c[64] >> 4 << 4 | c[96] >> 4 << 6);
    }
    return fits;
}

/* ---- rows ---- */

/* What no scale in F16 reaches: q6_k's goes furthest, 32 * 127 * 65504. Sums of squares of what is
 * far above would be infinite, and scales that are computed from them no numbers. */
static const float BEYOND = 1e9f;

static bool code_blocks(tensor_type type, uint8_t *to, const float *x, int64_t n)
{
    int64_t block = type_block(type);
    bool fits = true;
    memset(to, 0, (size_t)(n / block) * type_size(type));
    for (int64_t i = 0; i < n; i += block, to += type_size(type)) {
        if (greatest(x + i, block) >= BEYOND)
            return false;
        switch (type) {
        case Q8_0: fits &= q8_0(to, x + i); break;
        case Q4_0: fits &= q4_0(to, x + i); break;
        case Q4_K: fits &= q4_k(to, x + i); break;
        case Q5_K: fits &= q5_k(to, x + i); break;
        default: fits &= q6_k(to, x + i);
        }
    }
    return fits;
}

const char *code_ggml(const rule *r, stored *s, const float *w_row, int64_t row)
{
    int64_t in = s->w.dim[1];
    size_t bytes = (size_t)(in / type_block(r->type)) * type_size(r->type);
    bool fits = code_blocks(r->type, (uint8_t *)s->w.data + (size_t)row * bytes, w_row, in);
    return fits ? NULL : F16_OVERFLOW;
}

/* Nothing is chosen here; but whether all scales fit is known before anything is written. They do,
 * of weights that F16 holds. */
const char *fit_ggml(const rule *r, stored *s, const float *w, const float *clip)
{
    (void)clip;
    int64_t in = s->w.dim[1];
    size_t bytes = (size_t)(in / type_block(r->type)) * type_size(r->type);
    bool fits = true;
#pragma omp parallel for reduction(& : fits)
    for (int64_t row = 0; row < s->w.dim[0]; row++)
        if (greatest(w + row * in, in) >= 65504.0f) {
            uint8_t *codes = new_bytes(bytes);
            fits &= code_blocks(r->type, codes, w + row * in, in);
            free(codes);
        }
    return fits ? NULL : F16_OVERFLOW;
}
