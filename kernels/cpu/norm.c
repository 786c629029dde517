/*
** norm.c: root mean square norms and layer norms, and what they are fused with.
**
** Sums and quotients are F32. Variances take two passes over the row, as the reference's do: the
** square of the mean is never subtracted from the mean of squares.
*/
#include <math.h>

#include "cpu.h"

VECTORISED static float sum_of_squares(const float *x, float mean, int64_t n)
{
    lanes sum = {0};
    int64_t i = 0;
    for (; i + LANE_COUNT <= n; i += LANE_COUNT) {
        lanes v = *(const lanes *)(x + i) - mean;
        sum += v * v;
    }
    for (int64_t j = 0; i + j < n; j++)
        sum[j] += (x[i + j] - mean) * (x[i + j] - mean);
    return sum_of_lanes(&sum);
}

VECTORISED float row_sum(const float *x, int64_t n)
{
    lanes sum = {0};
    int64_t i = 0;
    for (; i + LANE_COUNT <= n; i += LANE_COUNT)
        sum += *(const lanes *)(x + i);
    for (int64_t j = 0; i + j < n; j++)
        sum[j] += x[i + j];
    return sum_of_lanes(&sum);
}

/* y = (x - mean) * a * gamma + beta, with gamma or beta absent as 1 or 0, and gamma_plus added to
 * gamma. */
VECTORISED static void affine_row(float *y, const float *x, float mean, float a, const float *gamma,
                                  float gamma_plus, const float *beta, int64_t n)
{
    if (gamma && beta)
#pragma omp simd
        for (int64_t i = 0; i < n; i++)
            y[i] = (x[i] - mean) * a * (gamma[i] + gamma_plus) + beta[i];
    else if (gamma)
#pragma omp simd
        for (int64_t i = 0; i < n; i++)
            y[i] = (x[i] - mean) * a * (gamma[i] + gamma_plus);
    else
#pragma omp simd
        for (int64_t i = 0; i < n; i++)
            y[i] = (x[i] - mean) * a;
}

VECTORISED static void silu_row(float *y, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] = silu_f32(y[i]);
}

/* (a, b) becomes (a cos - b sin, a sin + b cos). Written as two sums: of a difference beside a sum
 * GCC makes one fused instruction where there is one, which rounds once less. */
VECTORISED static void rotate_row(float *y, const float *rope, int64_t pairs)
{
#pragma omp simd
    for (int64_t i = 0; i < pairs; i++) {
        float a = y[2 * i], b = y[2 * i + 1], c = rope[2 * i], s = rope[2 * i + 1];
        y[2 * i] = a * c + b * -s;
        y[2 * i + 1] = a * s + b * c;
    }
}

static void check_vector(const char *op, tensor vector, tensor x)
{
    check_pair(vector.type == F32 && tensor_count(vector) == tensor_width(x), op, vector, x);
}

static void check_norm(const char *op, tensor y, tensor x)
{
    check_one(x.type == F32 && tensor_width(x) > 0, op, x, "F32 and not of width 0");
    check_pair(y.type == F32 && same_matrix(y, x), op, y, x);
}

/* 1 / sqrt(mean(x^2) + eps). With eps 0 it is the reference's normalize(), x / max(|x|, 1e-12):
 * rows of zeros stay zeros. */
static float inverse_rms(const float *x, int64_t n, float eps)
{
    float rms = sqrtf(sum_of_squares(x, 0, n) / (float)n + eps);
    float least = 1e-12f / sqrtf((float)n);
    return 1.0f / (rms < least ? least : rms);
}

void rms_norm(tensor y, tensor x, tensor gamma, float eps)
{
    check_norm("rms_norm", y, x);
    check_vector("rms_norm", gamma, x);
    int64_t N = tensor_rows(x), D = tensor_width(x);
#pragma omp parallel for if (N * D >= PARALLEL_FROM)
    for (int64_t i = 0; i < N; i++)
        affine_row(f32_row(y, i), f32_row(x, i), 0, inverse_rms(f32_row(x, i), D, eps), gamma.data,
                   0, NULL, D);
}

void rms_norm_silu(tensor y, tensor x, tensor gamma, float eps)
{
    check_norm("rms_norm_silu", y, x);
    check_vector("rms_norm_silu", gamma, x);
    int64_t N = tensor_rows(x), D = tensor_width(x);
#pragma omp parallel for if (N * D >= PARALLEL_FROM)
    for (int64_t i = 0; i < N; i++) {
        affine_row(f32_row(y, i), f32_row(x, i), 0, inverse_rms(f32_row(x, i), D, eps), gamma.data,
                   0, NULL, D);
        silu_row(f32_row(y, i), D);
    }
}

void rms_norm_rope(tensor y, tensor x, tensor gamma, float eps, tensor rope)
{
    check_norm("rms_norm_rope", y, x);
    check_pair(gamma.type == F32 && gamma.rank == 2 && tensor_contiguous(gamma) &&
                   tensor_count(gamma) == tensor_width(x),
               "rms_norm_rope", gamma, x);
    check_one(rope.type == F32 && rope.rank == 3 && rope.dim[0] > 0 && rope.dim[1] > 0 &&
                  rope.dim[2] == 2 && tensor_contiguous(rope),
              "rms_norm_rope", rope, "F32 [positions, d/2, 2]");
    int64_t N = tensor_rows(x), D = gamma.dim[1], d = 2 * rope.dim[1], parts = gamma.dim[0];
    check_pair(D % d == 0 && N % rope.dim[0] == 0, "rms_norm_rope", rope, x);
#pragma omp parallel for if (N * D >= PARALLEL_FROM)
    for (int64_t n = 0; n < N * parts; n++) {
        int64_t i = n / parts, first = n % parts * D;
        const float *angles = (const float *)rope.data + i % rope.dim[0] * d;
        const float *from = f32_row(x, i) + first;
        float *to = f32_row(y, i) + first;
        affine_row(to, from, 0, inverse_rms(from, D, eps), (const float *)gamma.data + first, 0,
                   NULL, D);
        for (int64_t head = 0; head < D; head += d)
            rotate_row(to + head, angles, d / 2);
    }
}

/* y = (x - mean) / sqrt(variance + eps) * (gamma + gamma_plus) + beta */
static void normalise(tensor y, tensor x, const float *gamma, float gamma_plus, const float *beta,
                      float eps)
{
    int64_t N = tensor_rows(x), D = tensor_width(x);
#pragma omp parallel for if (N * D >= PARALLEL_FROM)
    for (int64_t i = 0; i < N; i++) {
        const float *row = f32_row(x, i);
        float mean = row_sum(row, D) / (float)D;
        float variance = sum_of_squares(row, mean, D) / (float)D;
        affine_row(f32_row(y, i), row, mean, 1.0f / sqrtf(variance + eps), gamma, gamma_plus, beta,
                   D);
    }
}

void layer_norm(tensor y, tensor x, tensor gamma, tensor beta, float eps)
{
    check_norm("layer_norm", y, x);
    if (gamma.data || beta.data) {
        check_vector("layer_norm", gamma, x);
        check_vector("layer_norm", beta, x);
    }
    normalise(y, x, gamma.data, 0, beta.data, eps);
}

void modulated_norm(tensor y, tensor x, tensor scale, tensor shift, float eps)
{
    check_norm("modulated_norm", y, x);
    check_vector("modulated_norm", scale, x);
    check_vector("modulated_norm", shift, x);
    normalise(y, x, scale.data, 1, shift.data, eps);
}

/* On the CPU A is F32. */
void layer_norm_codes(tensor codes, tensor row_scale, tensor_type A, tensor x, tensor gamma,
                      tensor beta, float eps, bool rotated)
{
    size_t mark = scratch_mark();
    tensor y = scratch(A, tensor_rows(x), tensor_width(x));
    layer_norm(y, x, gamma, beta, eps);
    quantize_rows(codes, row_scale, y, rotated);
    scratch_reset(mark);
}

void modulated_norm_codes(tensor codes, tensor row_scale, tensor_type A, tensor x, tensor scale,
                          tensor shift, float eps, bool rotated)
{
    size_t mark = scratch_mark();
    tensor y = scratch(A, tensor_rows(x), tensor_width(x));
    modulated_norm(y, x, scale, shift, eps);
    quantize_rows(codes, row_scale, y, rotated);
    scratch_reset(mark);
}
