/*
** codes.c: TorchAO's int8 weight-only rule, bit for bit as it is for F32 weights on CUDA:
**
**     scale = max(absmax(row) * (1 / 127.5), 2^-23)
**     code  = clamp(round(w * (1 / scale)), -128, 127)        round to nearest, ties to even
**
** in F32 throughout, F16 and BF16 widened first. A row's greatest weight lies at 127.5
** steps or a bit below: a positive one becomes 127, a negative one -128 or -127. That bit is why
** products with reciprocals stand here, where a quotient would differ: PyTorch divides by a number
** so on CUDA, and divides on a CPU (`divide`). TorchAO's scales of F16 and BF16 weights are of that
** type (`weight_type`).
**
** The one trick: magnitudes of floats are ordered as their bits are, with infinity and NaN above
** all numbers; so the search for the greatest is in integers, and finds what is not finite too.
*/
#include "codes.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "../../common/die.h"

enum { BLOCK = 2048 };

bool codes_readable(tensor_type type) { return type == F32 || type == F16 || type == BF16; }

static const void *row_of(tensor w, int64_t row)
{
    return (const char *)w.data + (size_t)(row * tensor_width(w)) * type_size(w.type);
}

/* ---- the greatest magnitude ---- */

static float row_absmax(const void *x, tensor_type type, int64_t n)
{
    if (type == F32) {
        const int32_t *bits = x;
        int32_t most = 0;
#pragma omp simd reduction(max : most)
        for (int64_t i = 0; i < n; i++) {
            int32_t magnitude = bits[i] & 0x7fffffff;
            most = magnitude > most ? magnitude : most;
        }
        return f32_of_bits((uint32_t)most);
    }
    const int16_t *bits = x;
    int16_t most = 0;
#pragma omp simd reduction(max : most)
    for (int64_t i = 0; i < n; i++) {
        int16_t magnitude = bits[i] & 0x7fff;
        most = magnitude > most ? magnitude : most;
    }
    return type == F16 ? f32_of_f16((uint16_t)most) : f32_of_bf16((uint16_t)most);
}

float absmax(tensor x)
{
    assert(codes_readable(x.type));
    float most = 0;
#pragma omp parallel for reduction(max : most)
    for (int64_t row = 0; row < tensor_rows(x); row++) {
        float m = row_absmax(row_of(x, row), x.type, tensor_width(x));
        float finite = isfinite(m) ? m : INFINITY;
        most = finite > most ? finite : most;
    }
    return most;
}

static float scale_of(float m, tensor_type type, scale_rule rule)
{
    float s = rule.divide ? m / 127.5f : m * (1.0f / 127.5f);
    if (rule.weight_type && type == F16)
        s = f32_of_f16(f16_of_f32(s));
    if (rule.weight_type && type == BF16)
        s = f32_of_bf16(bf16_of_f32(s));
    return fmaxf(s, 0x1p-23f);
}

bool code_scales(float *scale, tensor w, scale_rule rule)
{
    assert(codes_readable(w.type));
    int bad = 0;
#pragma omp parallel for reduction(| : bad)
    for (int64_t row = 0; row < tensor_rows(w); row++) {
        float m = row_absmax(row_of(w, row), w.type, tensor_width(w));
        bad |= !isfinite(m);
        scale[row] = scale_of(m, w.type, rule);
    }
    return !bad;
}

/* ---- codes ---- */

static void widen(float *y, const void *x, tensor_type type, int64_t n)
{
    const uint16_t *h = x;
    if (type == F32)
        memcpy(y, x, (size_t)n * 4);
    else if (type == F16)
        for (int64_t i = 0; i < n; i++)
            y[i] = f32_of_f16(h[i]);
    else
        for (int64_t i = 0; i < n; i++)
            y[i] = f32_of_bf16(h[i]);
}

/* Adding 1.5 * 2^23 leaves no bits below the point, so the sum is rounded as rintf does; unlike
 * rintf it is an instruction on every processor. |w / scale| stays below 129. */
static float rounded(float x) { return (x + 0x1.8p23f) - 0x1.8p23f; }

static rounding code_block(int8_t *codes, const float *w, int64_t n, float scale)
{
    float inverse = 1.0f / scale, sum = 0, most = 0, squares = 0, weights = 0;
#pragma omp simd reduction(+ : sum, squares, weights) reduction(max : most)
    for (int64_t i = 0; i < n; i++) {
        float code = rounded(w[i] * inverse);
        code = code < -128.0f ? -128.0f : code;
        code = code > 127.0f ? 127.0f : code;
        float error = fabsf(w[i] - code * scale);
        codes[i] = (int8_t)(int32_t)code;
        sum += error;
        squares += error * error;
        weights += w[i] * w[i];
        most = error > most ? error : most;
    }
    return (rounding){n, (double)sum, (double)most, (double)squares, (double)weights};
}

/* Sums are one row's, then all rows' in their order: the same for any number of threads. */
rounding code_rows(int8_t *codes, tensor w, const float *scale)
{
    assert(codes_readable(w.type));
    int64_t width = tensor_width(w), rows = tensor_rows(w);
    rounding all = {0}, *of = new_bytes((size_t)rows * sizeof *of);
#pragma omp parallel for
    for (int64_t row = 0; row < rows; row++) {
        float block[BLOCK];
        of[row] = (rounding){0};
        for (int64_t i = 0; i < width; i += BLOCK) {
            int64_t n = width - i < BLOCK ? width - i : BLOCK;
            const char *x = (const char *)row_of(w, row) + (size_t)i * type_size(w.type);
            widen(block, x, w.type, n);
            of[row] =
                rounding_sum(of[row], code_block(codes + row * width + i, block, n, scale[row]));
        }
    }
    for (int64_t row = 0; row < rows; row++)
        all = rounding_sum(all, of[row]);
    free(of);
    return all;
}

/* ---- what rounding did ---- */

rounding rounding_sum(rounding a, rounding b)
{
    return (rounding){a.count + b.count, a.sum + b.sum,
                      a.greatest > b.greatest ? a.greatest : b.greatest, a.squares + b.squares,
                      a.weights + b.weights};
}

rounding rounding_of(const float *made, const float *w, int64_t n)
{
    double sum = 0, squares = 0, weights = 0, most = 0;
#pragma omp simd reduction(+ : sum, squares, weights) reduction(max : most)
    for (int64_t i = 0; i < n; i++) {
        double error = fabs((double)made[i] - (double)w[i]);
        sum += error;
        squares += error * error;
        weights += (double)w[i] * (double)w[i];
        most = error > most ? error : most;
    }
    return (rounding){n, sum, most, squares, weights};
}

double rounding_mean(rounding r) { return r.count ? r.sum / (double)r.count : 0; }

double rounding_relative(rounding r) { return r.weights > 0 ? sqrt(r.squares / r.weights) : 0; }
