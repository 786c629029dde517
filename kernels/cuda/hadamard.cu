/*
** hadamard.cu: rows rotated by the regular Hadamard matrix of 256 (kernels/cpu/hadamard.c).
**
** A warp rotates 256 values, eight neighbours a lane: the quads at distance 1 lie in a lane, those
** at 4 in two, at 16 and 64 in four. A quad's sum comes by shuffles, and so does the opposite value,
** whose index has both bits of its base-4 digit flipped. Sums are F32; one read, one write.
** Floor: bytes of x and y over the copy rate.
*/
#include "common.cuh"

namespace
{

enum { WIDTH = 256, THREADS = 256 };

__device__ __forceinline__ float other(float v, int lanes)
{
    return __shfl_xor_sync(0xffffffffu, v, lanes);
}

__device__ __forceinline__ void rotate(float v[8])
{
    float w[8];
#pragma unroll
    for (int q = 0; q < 8; q += 4) {
        float half = ((v[q] + v[q + 1]) + (v[q + 2] + v[q + 3])) * 0.5f;
#pragma unroll
        for (int i = 0; i < 4; i++)
            w[q + i] = half - v[q + 3 - i];
    }
#pragma unroll
    for (int i = 0; i < 8; i++) { /* distance 4: i + 4, and the next lane */
        float sum = w[i] + w[i ^ 4];
        v[i] = (sum + other(sum, 1)) * 0.5f - other(w[i ^ 4], 1);
    }
#pragma unroll
    for (int step = 2; step < 32; step *= 4)
#pragma unroll
        for (int i = 0; i < 8; i++) {
            float sum = v[i] + other(v[i], step);
            sum += other(sum, 2 * step);
            v[i] = sum * 0.5f - other(v[i], 3 * step);
        }
}

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
    rotate(v);
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
