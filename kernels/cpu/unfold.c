/*
** unfold.c: patches that may overlap, as rows of a matrix: a convolution of any size and step is
** then a product. Of conv.c's kind of work it is for the one layer that conv.c does not do, a
** network's first, whose kernel is large, whose step is not 1 and whose channels are three.
*/
#include "cpu.h"

void unfold(tensor rows, tensor pictures, int side, int step, int pad)
{
    check_one(pictures.type == F32 && pictures.rank == 4 && tensor_contiguous(pictures), "unfold",
              pictures, "F32 [C, T, Y, X]");
    int64_t C = pictures.dim[0], T = pictures.dim[1], Y = pictures.dim[2], X = pictures.dim[3];
    check_one(side > 0 && step > 0 && pad >= 0 && pad < side && Y + 2 * pad >= side &&
                  X + 2 * pad >= side,
              "unfold", pictures, "as large as a patch");
    int64_t V = (Y + 2 * pad - side) / step + 1, U = (X + 2 * pad - side) / step + 1;
    int64_t width = C * side * side;
    check_pair(rows.type == F32 && tensor_rows(rows) == T * V * U && tensor_width(rows) >= width,
               "unfold", rows, pictures);
    const float *from = pictures.data;
#pragma omp parallel for if (tensor_count(rows) >= PARALLEL_FROM)
    for (int64_t n = 0; n < T * V * U; n++) {
        int64_t t = n / (V * U), top = n / U % V * step - pad, left = n % U * step - pad;
        float *to = f32_row(rows, n);
        for (int64_t c = 0; c < C; c++)
            for (int64_t y = top; y < top + side; y++)
                for (int64_t x = left; x < left + side; x++)
                    *to++ = y < 0 || y >= Y || x < 0 || x >= X
                                ? 0.0f
                                : from[((c * T + t) * Y + y) * X + x];
        memset(to, 0, (size_t)(tensor_width(rows) - width) * sizeof *to);
    }
}
