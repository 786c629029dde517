/*
** hadamard.cu: rows rotated by the regular Hadamard matrix of 256 (kernels/cpu/hadamard.c).
**
** A warp rotates 256 values (hadamard.cuh); one read, one write.
** Floor: bytes of x and y over the copy rate.
*/
#include "hadamard.cuh"

namespace
{

enum { WIDTH = 256, THREADS = 256 };

/* A warp a row's 256; n of them. */
template <class T>
__global__ void rotate_rows(T *y, const T *x, uint32_t across, int64_t n, int64_t y_stride,
                            int64_t x_stride)
{
    int64_t i = (blockIdx.x * (int64_t)THREADS + threadIdx.x) / 32;
    int64_t row = i / across, at = i % across * WIDTH + threadIdx.x % 32 * 8;
    float v[8];
    kernel_begin();
    if (i >= n)
        return;
    load8(v, x + row * x_stride + at);
    hadamard256(v);
    store8(y + row * y_stride + at, v);
}

} // namespace

void hadamard(tensor y, tensor x)
{
    check_pair(y.type == x.type && same_matrix(y, x) && chunks(y) && chunks(x), "hadamard", y, x);
    check_one(tensor_width(x) % WIDTH == 0, "hadamard", x, "a multiple of 256 wide");
    int64_t n = tensor_count(x) / WIDTH;
    if (n)
        dispatch(x.type, [&](auto *t) {
            using T = ELEMENT(t);
            start("start a rotation", rotate_rows<T>, (unsigned)ceil_div(n * 32, THREADS), THREADS,
                  0, 1, (T *)y.data, (const T *)x.data, (uint32_t)(tensor_width(x) / WIDTH), n,
                  y.stride, x.stride);
        });
}
