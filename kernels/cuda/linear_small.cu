/*
** linear_small.cu: F32 products of few rows or few columns: the linears of the time embedding and
** the head, which are F32 also in a model of 16 bits.
**
** cuBLASLt could compute these, but the first call for a shape takes 60 to 120 ms, to choose a
** kernel and load its library: more than all of these products of a run together.
**
** Few rows: a warp computes one result as a dot product with a row of w. Bound: the bytes of w.
** Few columns: a thread block computes ROWS rows of all columns, a thread 4 x 4 of these. Slices of x
** and w are in shared memory, transposed (K first), so that a thread reads four values as a vector.
** The next slice is prefetched into registers. Bound: 2 N in out over the rate of F32.
*/
#include "linear.cuh"

namespace
{

enum { MOST_ROWS = 8, MOST_COLUMNS = 64 };
enum { WARPS = 4 };
enum { ROWS = 32, DEPTH = 16, THREADS = 128, PAD = 4 };

__device__ __forceinline__ float finish(float sum, const float *b, int64_t column, bool gelu)
{
    float v = b ? sum + b[column] : sum;
    return gelu ? gelu_tanh(v) : v;
}

__global__ void __launch_bounds__(32 * WARPS)
    few_rows(tensor y, tensor x, tensor w, const float *b, bool gelu)
{
    int64_t column = blockIdx.x * (int64_t)WARPS + threadIdx.x / 32, row = blockIdx.y;
    if (column >= w.dim[0])
        return;
    const float *from = (const float *)x.data + row * x.stride;
    const float *weight = (const float *)w.data + column * w.stride;
    float sum = 0;
    for (int64_t k = threadIdx.x % 32 * 8; k < w.dim[1]; k += 32 * 8) {
        float u[8], v[8];
        load8(u, from + k);
        load8(v, weight + k);
#pragma unroll
        for (int i = 0; i < 8; i++)
            sum += u[i] * v[i];
    }
    sum = lane_sum(sum);
    if (threadIdx.x % 32 == 0)
        ((float *)y.data)[row * y.stride + column] = finish(sum, b, column, gelu);
}

/* Four neighbours along K of a row, zeros beyond the last row. */
__device__ __forceinline__ float4 four(tensor t, int64_t row, int64_t rows, int64_t k)
{
    return row < rows ? *(const float4 *)((const float *)t.data + row * t.stride + k)
                      : make_float4(0, 0, 0, 0);
}

template <int N>
__device__ __forceinline__ void put(float (&slice)[DEPTH][N], int row, int k, float4 v)
{
    slice[k][row] = v.x, slice[k + 1][row] = v.y, slice[k + 2][row] = v.z, slice[k + 3][row] = v.w;
}

__global__ void __launch_bounds__(THREADS)
    few_columns(tensor y, tensor x, tensor w, const float *b, bool gelu, int64_t rows)
{
    __shared__ __align__(16) float xs[DEPTH][ROWS + PAD], ws[DEPTH][MOST_COLUMNS + PAD];
    /* loading: row r of x, r and r + 32 of w, four along K; summing: four rows and four columns */
    int r = threadIdx.x / 4, k4 = threadIdx.x % 4 * 4;
    int row4 = threadIdx.x / 16 * 4, column4 = threadIdx.x % 16 * 4;
    int64_t first = blockIdx.x * (int64_t)ROWS, in = w.dim[1], out = w.dim[0];
    float sum[4][4] = {};
    float4 a, c[2];
    auto fetch = [&](int64_t k) {
        a = four(x, first + r, rows, k + k4);
        for (int i = 0; i < 2; i++)
            c[i] = four(w, r + 32 * i, out, k + k4);
    };
    fetch(0);
    for (int64_t k = 0; k < in; k += DEPTH) {
        __syncthreads();
        put(xs, r, k4, a);
        for (int i = 0; i < 2; i++)
            put(ws, r + 32 * i, k4, c[i]);
        __syncthreads();
        if (k + DEPTH < in)
            fetch(k + DEPTH);
#pragma unroll
        for (int d = 0; d < DEPTH; d++) {
            float u[4], v[4];
            *(float4 *)u = *(const float4 *)&xs[d][row4];
            *(float4 *)v = *(const float4 *)&ws[d][column4];
#pragma unroll
            for (int i = 0; i < 4; i++)
#pragma unroll
                for (int j = 0; j < 4; j++)
                    sum[i][j] += u[i] * v[j];
        }
    }
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            if (first + row4 + i < rows && column4 + j < out)
                ((float *)y.data)[(first + row4 + i) * y.stride + column4 + j] =
                    finish(sum[i][j], b, column4 + j, gelu);
}

} // namespace

bool linear_small_fits(tensor y, tensor x, tensor w)
{
    return y.type == F32 && x.type == F32 && w.type == F32 && chunks(x) && chunks(w) &&
           (tensor_rows(x) <= MOST_ROWS || (w.dim[0] <= MOST_COLUMNS && w.dim[1] % DEPTH == 0));
}

void linear_small(tensor y, tensor x, tensor w, const float *b, bool gelu)
{
    int64_t rows = tensor_rows(x), out = w.dim[0];
    if (rows <= MOST_ROWS)
        few_rows<<<dim3((unsigned)ceil_div(out, WARPS), (unsigned)rows), 32 * WARPS, 0, stream>>>(
            y, x, w, b, gelu);
    else
        few_columns<<<(unsigned)ceil_div(rows, ROWS), THREADS, 0, stream>>>(y, x, w, b, gelu, rows);
    LAUNCHED("a small product");
}
