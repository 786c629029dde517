/*
** activations.cu: rows of activations as codes of few bits would hold them.
**
** A block takes a row, reads it for its greatest magnitude, and once more, out of the caches, to
** round it. The arithmetic is the CPU's to the last bit: division is IEEE's, and nothing is
** contracted, since no sum follows a product. Floor: bytes of x and y over the copy rate.
*/
#include "common.cuh"

enum { WARP = 32, MOST_THREADS = 256 };

/* NaN stays NaN. */
__device__ __forceinline__ float clamped(float v, float most)
{
    v = v > most ? most : v;
    return v < -most ? -most : v;
}

/* The e4m3fn next to v, as F32: three bits behind the leading one; below 2^-6 multiples of 2^-9. */
__device__ __forceinline__ float e4m3_of(float v)
{
    uint32_t u = __float_as_uint(v), size = u & 0x7fffffffu;
    if (size > 0x7f800000u)
        return v;
    if (size < 0x3c800000u)
        return rintf(v * 512.0f) / 512.0f;
    return clamped(__uint_as_float((u + 0x7ffff + (u >> 20 & 1)) & 0xfff00000u), 448.0f);
}

/* The greatest v of the block's threads, in every one of them. */
__device__ __forceinline__ float block_max(float v)
{
    __shared__ float partial[MOST_THREADS / WARP];
    v = lane_max(v);
    if (threadIdx.x % WARP == 0)
        partial[threadIdx.x / WARP] = v;
    __syncthreads();
    v = 0.0f;
    for (unsigned i = 0; i < blockDim.x / WARP; i++)
        v = fmaxf(v, partial[i]);
    return v;
}

template <class T>
__global__ void __launch_bounds__(MOST_THREADS)
    round_row(T *y, const T *x, int width, int64_t y_stride, int64_t x_stride, float most, bool fp8)
{
    float v[8], greatest = 0.0f;
    kernel_begin();
    y += blockIdx.x * y_stride, x += blockIdx.x * x_stride;
    for (int k = threadIdx.x * 8; k < width; k += blockDim.x * 8) {
        load8(v, x + k);
#pragma unroll
        for (int i = 0; i < 8; i++)
            greatest = fmaxf(greatest, fabsf(v[i]));
    }
    float s = block_max(greatest) / most;
    for (int k = threadIdx.x * 8; k < width; k += blockDim.x * 8) {
        load8(v, x + k);
#pragma unroll
        for (int i = 0; i < 8; i++) {
            float q = v[i] / s;
            v[i] = s == 0.0f ? v[i] * 0.0f : (fp8 ? e4m3_of(q) : clamped(rintf(q), most)) * s;
        }
        store8(y + k, v);
    }
}

void round_rows(tensor y, tensor x, row_codes codes)
{
    const char *op = "round_rows";
    int64_t n = tensor_rows(x), width = tensor_width(x);
    check_pair(y.type == x.type && same_matrix(y, x) && chunks(y) && chunks(x), op, y, x);
    if (n > INT32_MAX || width > INT32_MAX)
        die("%s: %s is too large", op, tensor_text(x));
    if (n * width == 0)
        return;
    int64_t threads = ceil_div(width / 8, WARP) * WARP;
    float most = codes == ROWS_INT8 ? 127.0f : codes == ROWS_INT4 ? 7.0f : 448.0f;
    dispatch(y.type, [&](auto *t) {
        using T = ELEMENT(t);
        start("start rounding rows", round_row<T>, (unsigned)n,
              (unsigned)(threads < MOST_THREADS ? threads : MOST_THREADS), 0, 1, (T *)y.data,
              (const T *)x.data, (int)width, y.stride, x.stride, most, codes == ROWS_FP8);
    });
}
