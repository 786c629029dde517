/*
** pool.cu: max pooling: each pixel of the result is the greatest value of a square of pixels,
** channel by channel. A thread computes eight channels of one pixel. Floor: the bytes of x, read
** once (squares may overlap, but the caches serve the second read), and of y.
*/
#include "common.cuh"

enum { THREADS = 256 };

template <class T>
__global__ void pool_pixels(T *y, const T *x, int Y, int X, int V, int U, int chunks_each, int side,
                            int step, int64_t n)
{
    int64_t i = blockIdx.x * (int64_t)THREADS + threadIdx.x;
    kernel_begin();
    if (i >= n)
        return;
    int chunk = (int)(i % chunks_each), C = chunks_each * 8;
    int64_t pixel = i / chunks_each, t = pixel / U / V;
    int top = (int)(pixel / U % V) * step, left = (int)(pixel % U) * step;
    const T *from = x + ((t * Y + top) * X + left) * C + chunk * 8;
    float most[8], v[8];
    load8(most, from);
    for (int k = 1; k < side * side; k++) {
        load8(v, from + ((int64_t)(k / side) * X + k % side) * C);
#pragma unroll
        for (int j = 0; j < 8; j++)
            most[j] = v[j] <= most[j] || most[j] != most[j] ? most[j] : v[j];
    }
    store8(y + pixel * C + chunk * 8, most);
}

void max_pool(tensor y, tensor x, int side, int step)
{
    check_one(x.rank == 4 && tensor_contiguous(x) && chunks(x), "max_pool", x,
              "[T, Y, X, C] with a multiple of 8 channels");
    const int64_t *d = x.dim;
    check_one(side > 0 && step > 0 && d[1] >= side && d[2] >= side, "max_pool", x,
              "as large as a square");
    int V = (int)(d[1] - side) / step + 1, U = (int)(d[2] - side) / step + 1;
    check_pair(y.type == x.type && y.rank == 4 && tensor_contiguous(y) && y.dim[0] == d[0] &&
                   y.dim[1] == V && y.dim[2] == U && y.dim[3] == d[3],
               "max_pool", y, x);
    int64_t n = tensor_count(y) / 8;
    if (n == 0)
        return;
    dispatch(y.type, [&](auto *t) {
        using T = ELEMENT(t);
        start("start pooling pictures", pool_pixels<T>, (unsigned)ceil_div(n, THREADS), THREADS, 0,
              1, (T *)y.data, (const T *)x.data, (int)d[1], (int)d[2], V, U, (int)(d[3] / 8), side,
              step, n);
    });
}
