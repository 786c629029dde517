/*
** elementwise.c: sums, gates and products between the big ones; solver steps; the search for NaN.
*/
#include "cpu.h"

static void check_same(const char *op, tensor y, tensor x)
{
    check_pair(y.type == F32 && x.type == F32 && same_matrix(y, x), op, y, x);
}

/* Calls body for each row, in parallel if the tensor is large enough. */
#define FOR_ROWS(t, body)                                                                          \
    do {                                                                                           \
        int64_t row_count = tensor_rows(t), n = tensor_width(t);                                   \
        _Pragma("omp parallel for if (row_count * n >= PARALLEL_FROM)") for (int64_t row = 0;      \
                                                                             row < row_count;      \
                                                                             row++) body;          \
    } while (0)

VECTORISED static void add_row(float *x, const float *y, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        x[i] += y[i];
}

void add(tensor x, tensor y)
{
    check_same("add", x, y);
    FOR_ROWS(x, add_row(f32_row(x, row), f32_row(y, row), n));
}

VECTORISED static void add_gated_row(float *x, const float *y, const float *gate, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        x[i] += gate[i] * y[i];
}

void add_gated(tensor x, tensor y, tensor gate)
{
    check_same("add_gated", x, y);
    check_pair(gate.type == F32 && tensor_count(gate) == tensor_width(x), "add_gated", gate, x);
    FOR_ROWS(x, add_gated_row(f32_row(x, row), f32_row(y, row), gate.data, n));
}

VECTORISED static void mul_gelu_row(float *y, const float *gate, const float *up, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] = gelu_f32(gate[i]) * up[i];
}

void mul_gelu(tensor y, tensor gate, tensor up)
{
    check_same("mul_gelu", y, gate);
    check_same("mul_gelu", y, up);
    FOR_ROWS(y, mul_gelu_row(f32_row(y, row), f32_row(gate, row), f32_row(up, row), n));
}

VECTORISED static void add_relu_row(float *y, const float *x, const float *h, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        float v = h ? x[i] + h[i] : x[i];
        y[i] = v < 0.0f ? 0.0f : v; /* NaN stays */
    }
}

void add_relu(tensor y, tensor x, tensor h)
{
    check_same("add_relu", y, x);
    if (h.data)
        check_same("add_relu", y, h);
    FOR_ROWS(y, add_relu_row(f32_row(y, row), f32_row(x, row), h.data ? f32_row(h, row) : NULL, n));
}

VECTORISED static void gelu_row(float *y, const float *x, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] = gelu_f32(x[i]);
}

void gelu(tensor y, tensor x)
{
    check_same("gelu", y, x);
    FOR_ROWS(y, gelu_row(f32_row(y, row), f32_row(x, row), n));
}

VECTORISED static void silu_row(float *y, const float *x, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] = silu_f32(x[i]);
}

void silu(tensor y, tensor x)
{
    check_same("silu", y, x);
    FOR_ROWS(y, silu_row(f32_row(y, row), f32_row(x, row), n));
}

VECTORISED static void quick_gelu_row(float *y, const float *x, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] / (1.0f + exp_f32(-1.702f * x[i]));
}

void quick_gelu(tensor y, tensor x)
{
    check_same("quick_gelu", y, x);
    FOR_ROWS(y, quick_gelu_row(f32_row(y, row), f32_row(x, row), n));
}

/* x Phi(x) = max(x, 0) - |x| Q, Q = erfc(|x| / sqrt 2) / 2, by Abramowitz and Stegun's 7.1.26
** (Hastings 1955), which is within 1.5e-7 of erf: Q within 7.5e-8. */
VECTORISED static void exact_gelu_row(float *y, const float *x, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        float size = fabsf(x[i]), t = 1.0f / (1.0f + 0.231641888f * size); /* .3275911 / sqrt 2 */
        float p = 1.061405429f;
        p = p * t - 1.453152027f;
        p = p * t + 1.421413741f;
        p = p * t - 0.284496736f;
        p = p * t + 0.254829592f;
        float q = 0.5f * p * t * exp_f32(-0.5f * size * size);
        y[i] = (x[i] < 0.0f ? 0.0f : x[i]) - size * q;
    }
}

void exact_gelu(tensor y, tensor x)
{
    check_same("exact_gelu", y, x);
    FOR_ROWS(y, exact_gelu_row(f32_row(y, row), f32_row(x, row), n));
}

/* ---- whole tensors ---- */

enum { PIECE = 1024 };

VECTORISED static void multiply_add(double *sum, double c, const float *x, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        sum[i] += c * (double)x[i];
}

/* Products and sums are F64 and rounded once: a solver's terms are large and nearly cancel. */
void linear_combination(tensor y, int n, const tensor x[], const double c[])
{
    int64_t count = tensor_count(y);
    check_one(y.type == F32 && tensor_contiguous(y), "linear_combination", y, "F32, contiguous");
    for (int i = 0; i < n; i++)
        check_pair(x[i].type == F32 && tensor_contiguous(x[i]) && tensor_count(x[i]) == count,
                   "linear_combination", x[i], y);
#pragma omp parallel for if (count >= PARALLEL_FROM)
    for (int64_t at = 0; at < count; at += PIECE) {
        double sum[PIECE] = {0};
        int64_t m = min_i64(PIECE, count - at);
        for (int i = 0; i < n; i++)
            multiply_add(sum, c[i], (const float *)x[i].data + at, m);
        for (int64_t i = 0; i < m; i++)
            ((float *)y.data)[at + i] = (float)sum[i];
    }
}

/* Values whose exponent bits are all ones. */
VECTORISED static int32_t nonfinite_f32(const float *x, int32_t n)
{
    int32_t count = 0;
#pragma omp simd reduction(+ : count)
    for (int32_t i = 0; i < n; i++)
        count += (bits_of_f32(x[i]) & 0x7f800000u) == 0x7f800000u;
    return count;
}

VECTORISED static int32_t nonfinite_16(const uint16_t *x, uint16_t exponent, int32_t n)
{
    int32_t count = 0;
#pragma omp simd reduction(+ : count)
    for (int32_t i = 0; i < n; i++)
        count += (x[i] & exponent) == exponent;
    return count;
}

/* A scale that is not finite makes all values of its block so, and nothing else does. */
static int64_t nonfinite_in_blocks(tensor x, int64_t row)
{
    const weight_format *f = format_of_codes(x.type);
    int64_t elements = type_block(x.type), n = tensor_width(x) / elements, count = 0;
    size_t bytes = type_size(x.type);
    const unsigned char *block =
        (const unsigned char *)x.data + (size_t)(row * x.stride / elements) * bytes + f->at;
    for (int64_t i = 0; i < n; i++, block += bytes) {
        uint16_t half[2] = {0};
        memcpy(half, block, (size_t)f->halves * sizeof *half);
        count += nonfinite_16(half, 0x7c00, 2) > 0;
    }
    return count * elements;
}

static int64_t nonfinite_in_row(tensor x, int64_t row)
{
    if (format_of_codes(x.type)->halves)
        return nonfinite_in_blocks(x, row);
    int64_t count = 0, D = tensor_width(x), first = row * x.stride;
    for (int64_t at = 0; at < D; at += PIECE) {
        int32_t n = (int32_t)min_i64(PIECE, D - at);
        if (x.type == F32) {
            count += nonfinite_f32((const float *)x.data + first + at, n);
        } else if (is_codes(x.type)) {
            float wide[PIECE];
            widen_row(wide, &(stored){.w = x}, row, at, n);
            count += nonfinite_f32(wide, n);
        } else
            count += nonfinite_16((const uint16_t *)x.data + first + at,
                                  x.type == F16 ? 0x7c00 : 0x7f80, n);
    }
    return count;
}

int64_t count_nonfinite(tensor x)
{
    int64_t count = 0, N = tensor_rows(x);
    check_one(format_of_codes(x.type) != NULL, "count_nonfinite", x, "of a type that weights have");
    if (x.type == I8 || x.type == U4 || x.type == F4)
        return 0;
#pragma omp parallel for reduction(+ : count) if (tensor_count(x) >= PARALLEL_FROM)
    for (int64_t i = 0; i < N; i++)
        count += nonfinite_in_row(x, i);
    return count;
}

void nonfinite_count(tensor n, tensor x)
{
    check_one(n.type == I64 && tensor_count(n) == 1, "nonfinite_count", n, "one I64");
    *(int64_t *)n.data = count_nonfinite(x);
}
