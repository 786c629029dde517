/*
** activations.cu: rows of activations as codes of few bits, or as such codes would hold them.
**
** A row is read once, held in registers as stored, and written once: `lanes` neighbouring threads
** share it, up to K chunks of eight each, a warp those of 1536, a block those of 8960. The
** arithmetic is the CPU's to the last bit. Floor: bytes of x and y over the copy rate.
*/
#include "codes.cuh"
#include "hadamard.cuh"

namespace
{

enum { THREADS = 256, K = 7 };

/* y T: values; or I8 or e4m3 codes, with their scales. */
template <class Y, class T>
__global__ void __launch_bounds__(THREADS, sizeof(T) == 2 ? 3 : 2)
    code_rows(Y *y, float *scale, const T *x, int64_t rows, int width, int64_t y_stride,
              int64_t x_stride, int lanes, row_codes codes, bool rotated)
{
    __shared__ float partial[2][THREADS / 32];
    int lane = threadIdx.x % lanes;
    int64_t row = (gridDim.x - 1 - blockIdx.x) * (int64_t)(THREADS / lanes) + threadIdx.x / lanes;
    bool live = row < rows; /* all threads take part in the maximum */
    eight<T> in[K];
    float v[8];
    row_size size;
    kernel_begin();
#pragma unroll
    for (int k = 0; k < K; k++) {
        int column = (k * lanes + lane) * 8;
        in[k] = {};
        if (live && column < width)
            load8(in[k], x + row * x_stride + column);
    }
#pragma unroll
    for (int k = 0; k < K; k++) {
        unpack8(v, in[k]);
        if (rotated) { /* as hadamard() would store it */
            hadamard256(v);
            store8((T *)&in[k], v);
            unpack8(v, in[k]);
        }
        keep_packed(in[k]);
        size.see(v);
    }
    float s = size.scale(codes, lanes, partial);
    if (!live)
        return;
    if (scale && lane == 0)
        scale[row] = s;
#pragma unroll
    for (int k = 0; k < K; k++) {
        int column = (k * lanes + lane) * 8;
        if (column >= width)
            break;
        unpack8(v, in[k]);
        divide8(v, s);
        store_coded(y + row * y_stride + column, v, s, codes);
    }
}

template <class Y, class T>
void run(Y *y, int64_t y_stride, float *scale, tensor x, row_codes codes, bool rotated)
{
    int64_t n = tensor_rows(x), width = tensor_width(x);
    int lanes = rotated ? 32 : 4; /* a warp has 256 neighbours */
    while (lanes * K * 8 < width)
        lanes *= 2;
    if (lanes > THREADS)
        die("quantize_rows: rows of %lld are wider than %d", (long long)width, THREADS * K * 8);
    if (n > 0)
        start("start rounding rows", code_rows<Y, T>, (unsigned)ceil_div(n, THREADS / lanes),
              THREADS, 0, 1, y, scale, (const T *)x.data, n, (int)width, y_stride, x.stride, lanes,
              codes, rotated);
}

} // namespace

void round_rows(tensor y, tensor x, row_codes codes)
{
    check_pair(y.type == x.type && same_matrix(y, x) && chunks(y) && chunks(x), "round_rows", y, x);
    dispatch(x.type, [&](auto *t) {
        using T = ELEMENT(t);
        run<T, T>((T *)y.data, y.stride, nullptr, x, codes, false);
    });
}

void quantize_rows(tensor codes, tensor scale, tensor x, bool rotated)
{
    check_coded("quantize_rows", codes, scale, x);
    check_one(!rotated || tensor_width(x) % 256 == 0, "quantize_rows", x, "a multiple of 256 wide");
    check_pair(chunks(codes) && chunks(x), "quantize_rows", codes, x);
    dispatch(x.type, [&](auto *t) {
        using T = ELEMENT(t);
        if (codes.type == I8)
            run<int8_t, T>((int8_t *)codes.data, codes.stride, (float *)scale.data, x, ROWS_INT8,
                           rotated);
        else
            run<e4m3_t, T>((e4m3_t *)codes.data, codes.stride, (float *)scale.data, x, ROWS_FP8,
                           rotated);
    });
}
