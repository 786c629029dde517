/*
** unfold.cu: patches that may overlap, as rows of a matrix. A thread an element, neighbours in a
** row: writes are coalesced, and what neighbours read is in the first level cache. Floor: the bytes
** of the rows over the write rate.
*/
#include "common.cuh"

enum { THREADS = 256 };

typedef struct {
    int C, T, Y, X, V, U; /* the pictures; patches down and across */
    int side, step, pad, width;
    int64_t stride, n; /* of the rows; elements in all */
} unfolding;

template <class R> __global__ void unfold_rows(R *rows, const float *pictures, unfolding p)
{
    int64_t i = blockIdx.x * (int64_t)THREADS + threadIdx.x;
    kernel_begin();
    if (i >= p.n)
        return;
    int64_t row = i / p.width;
    int column = (int)(i % p.width), c = column / (p.side * p.side);
    int y = (int)(row / p.U % p.V) * p.step - p.pad + column / p.side % p.side;
    int x = (int)(row % p.U) * p.step - p.pad + column % p.side;
    int64_t t = row / p.U / p.V;
    bool there = c < p.C && (unsigned)y < (unsigned)p.Y && (unsigned)x < (unsigned)p.X;
    float v = there ? pictures[((c * (int64_t)p.T + t) * p.Y + y) * p.X + x] : 0;
    rows[row * p.stride + column] = from_f32<R>(v);
}

void unfold(tensor rows, tensor pictures, int side, int step, int pad)
{
    check_one(pictures.type == F32 && pictures.rank == 4 && tensor_contiguous(pictures), "unfold",
              pictures, "F32 [C, T, Y, X]");
    const int64_t *d = pictures.dim;
    check_one(side > 0 && step > 0 && pad >= 0 && pad < side && d[2] + 2 * pad >= side &&
                  d[3] + 2 * pad >= side,
              "unfold", pictures, "as large as a patch");
    unfolding p = {};
    p.C = (int)d[0], p.T = (int)d[1], p.Y = (int)d[2], p.X = (int)d[3];
    p.V = (p.Y + 2 * pad - side) / step + 1, p.U = (p.X + 2 * pad - side) / step + 1;
    p.side = side, p.step = step, p.pad = pad, p.width = (int)tensor_width(rows);
    p.stride = rows.stride, p.n = tensor_count(rows);
    check_pair(tensor_rows(rows) == d[1] * p.V * p.U && p.width >= p.C * side * side, "unfold",
               rows, pictures);
    if (p.n == 0)
        return;
    dispatch(rows.type, [&](auto *t) {
        using R = ELEMENT(t);
        start("start unfolding pictures", unfold_rows<R>, (unsigned)ceil_div(p.n, THREADS), THREADS,
              0, 1, (R *)rows.data, (const float *)pictures.data, p);
    });
}
