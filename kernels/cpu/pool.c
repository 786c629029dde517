/*
** pool.c: max pooling: the greatest value of each square of pixels, channel by channel.
*/
#include "cpu.h"

/* y = max(y, x); a NaN on either side stays. */
VECTORISED static void greatest(float *y, const float *x, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] <= y[i] || y[i] != y[i] ? y[i] : x[i];
}

void max_pool(tensor y, tensor x, int side, int step)
{
    check_one(x.type == F32 && x.rank == 4 && tensor_contiguous(x), "max_pool", x,
              "F32 [T, Y, X, C]");
    int64_t Y = x.dim[1], X = x.dim[2], C = x.dim[3];
    check_one(side > 0 && step > 0 && Y >= side && X >= side, "max_pool", x,
              "as large as a square");
    int64_t V = (Y - side) / step + 1, U = (X - side) / step + 1, n = x.dim[0] * V * U;
    check_pair(y.type == F32 && y.rank == 4 && tensor_contiguous(y) && y.dim[0] == x.dim[0] &&
                   y.dim[1] == V && y.dim[2] == U && y.dim[3] == C,
               "max_pool", y, x);
#pragma omp parallel for if (tensor_count(y) >= PARALLEL_FROM)
    for (int64_t i = 0; i < n; i++) {
        int64_t t = i / (V * U), top = i / U % V * step, left = i % U * step;
        float *to = (float *)y.data + i * C;
        const float *from = (const float *)x.data + ((t * Y + top) * X + left) * C;
        memcpy(to, from, (size_t)C * sizeof *to);
        for (int64_t k = 1; k < (int64_t)side * side; k++)
            greatest(to, from + (k / side * X + k % side) * C, C);
    }
}
