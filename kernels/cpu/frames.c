/*
** frames.c: frames out of channels, levels out of numbers, and numbers out of levels.
*/
#include "cpu.h"

void split_frames(tensor y, tensor x)
{
    check_one(x.type == F32 && x.rank == 4 && x.dim[3] % 2 == 0 && tensor_contiguous(x),
              "split_frames", x, "F32 [T, Y, X, 2C]");
    check_pair(y.type == F32 && y.rank == 4 && y.dim[0] == 2 * x.dim[0] && y.dim[1] == x.dim[1] &&
                   y.dim[2] == x.dim[2] && 2 * y.dim[3] == x.dim[3] && tensor_contiguous(y),
               "split_frames", y, x);
    int64_t pixels = x.dim[1] * x.dim[2], C = y.dim[3];
#pragma omp parallel for if (tensor_count(x) >= PARALLEL_FROM)
    for (int64_t n = 0; n < x.dim[0] * pixels; n++) {
        int64_t t = n / pixels, pixel = n % pixels;
        const float *from = (const float *)x.data + n * 2 * C;
        float *even = (float *)y.data + (2 * t * pixels + pixel) * C;
        memcpy(even, from, (size_t)C * sizeof *from);
        memcpy(even + pixels * C, from + C, (size_t)C * sizeof *from);
    }
}

VECTORISED static void quantize_row(uint8_t *y, const float *x, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        float v = x[i] > -1.0f ? x[i] : -1.0f; /* NaN becomes black */
        v = v < 1.0f ? v : 1.0f;
        y[i] = (uint8_t)(int32_t)((v + 1.0f) / 2.0f * 255.0f);
    }
}

void quantize_frames(tensor y, tensor x)
{
    check_one(x.type == F32, "quantize_frames", x, "F32");
    check_pair(y.type == U8 && same_matrix(y, x) && tensor_contiguous(y), "quantize_frames", y, x);
    int64_t N = tensor_rows(x), D = tensor_width(x);
    if (tensor_contiguous(x)) { /* pixels are three wide: take longer rows */
        int64_t count = N * D, piece = 4096;
#pragma omp parallel for if (count >= PARALLEL_FROM)
        for (int64_t at = 0; at < count; at += piece)
            quantize_row((uint8_t *)y.data + at, (const float *)x.data + at,
                         min_i64(piece, count - at));
        return;
    }
    for (int64_t i = 0; i < N; i++)
        quantize_row((uint8_t *)y.data + i * D, f32_row(x, i), D);
}

void spread_frames(tensor y, tensor x)
{
    check_one((x.type == U8 || x.type == F32) && tensor_width(x) == 3 && tensor_contiguous(x),
              "spread_frames", x, "U8 or F32 [N, 3]");
    check_pair(y.type == F32 && tensor_rows(y) == tensor_rows(x) && tensor_width(y) >= 3 &&
                   tensor_contiguous(y),
               "spread_frames", y, x);
    int64_t N = tensor_rows(x), C = tensor_width(y);
#pragma omp parallel for if (N * C >= PARALLEL_FROM)
    for (int64_t i = 0; i < N; i++) {
        float *to = (float *)y.data + i * C;
        for (int c = 0; c < 3; c++)
            if (x.type == U8)
                to[c] = ((float)((const uint8_t *)x.data)[3 * i + c] / 255.0f - 0.5f) / 0.5f;
            else
                to[c] = fminf(fmaxf(((const float *)x.data)[3 * i + c], -1.0f), 1.0f);
        memset(to + 3, 0, (size_t)(C - 3) * sizeof *to);
    }
}
