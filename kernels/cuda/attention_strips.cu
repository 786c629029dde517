/*
** attention_strips.cu: attention of one wide head on Hopper as two products and a softmax: the VAE's,
** whose head is as wide as its channels.
**
** A head of 384 leaves no room for what keeps logits on the chip: 64 queries' outputs are 192
** registers a thread, and tiles of keys and values 49 KB each. But its logits are few, and cost
** little beside products that are 384 deep: so they are written, for a strip of queries at a time
** whose logits stay in the second-level cache, and become weights of 16 bits, which do not (78 MB
** for 6240 tokens; more than MOST_WEIGHTS are made in turns). Weights are exp(scale (s - top)), at
** most 1; the sums of a row divide its output at the end. All products are linear_hopper's, for
** which values lie transposed. Bound: the two products, and the weights written and read once.
*/
#include "attention.cuh"
#include "linear.cuh"

namespace
{

constexpr int THREADS = 256, TILE = 64;
constexpr int64_t STRIP_BYTES = 26 << 20, MOST_WEIGHTS = 256 << 20;

/* The sum or the greatest of what all threads have, in all of them. */
template <class F> __device__ __forceinline__ float block_all(float v, float *room, F combine)
{
    for (int o = 16; o; o >>= 1)
        v = combine(v, __shfl_xor_sync(~0u, v, o));
    if (threadIdx.x % 32 == 0)
        room[threadIdx.x / 32] = v;
    __syncthreads();
    v = room[0];
    for (int i = 1; i < THREADS / 32; i++)
        v = combine(v, room[i]);
    __syncthreads();
    return v;
}

/* Row blockIdx.x of weights [n, stride] = exp2(c (s - top)) of logits s [n, stride], of which the
** first lk columns are there, the others 0; sums [n]. */
template <class T>
__global__ void __launch_bounds__(THREADS)
    soften(T *weights, float *sums, const float *logits, int lk, int stride, float c)
{
    extern __shared__ float4 row4[];
    __shared__ float room[THREADS / 32];
    float *row = (float *)row4, top = -INFINITY, sum = 0;
    kernel_begin();
    const float4 *s = (const float4 *)(logits + (int64_t)blockIdx.x * stride);
    for (int i = threadIdx.x; i < stride / 4; i += THREADS) {
        row4[i] = s[i];
#pragma unroll
        for (int k = 0; k < 4; k++)
            if (4 * i + k < lk)
                top = fmaxf(top, row[4 * i + k]);
    }
    top = block_all(top, room, [](float a, float b) { return fmaxf(a, b); });
    uint2 *y = (uint2 *)(weights + (int64_t)blockIdx.x * stride);
    for (int i = threadIdx.x; i < stride / 4; i += THREADS) {
        float v[4];
#pragma unroll
        for (int k = 0; k < 4; k++) {
            v[k] = 4 * i + k < lk ? exp2_quick((row[4 * i + k] - top) * c) : 0;
            sum += v[k];
        }
        y[i] = make_uint2(pack2<T>(v[0], v[1]), pack2<T>(v[2], v[3]));
    }
    sum = block_all(sum, room, [](float a, float b) { return a + b; });
    if (threadIdx.x == 0)
        sums[blockIdx.x] = sum;
}

/* y [d, y_stride] = x [rows, d] turned; columns from `rows` on are 0 */
template <class T>
__global__ void __launch_bounds__(THREADS)
    turn(T *y, const T *x, int64_t x_stride, int rows, int d, int y_stride)
{
    __shared__ T tile[TILE][TILE + 2];
    int row0 = blockIdx.x * TILE, column0 = blockIdx.y * TILE;
    kernel_begin();
    for (int i = threadIdx.x; i < TILE * TILE; i += THREADS) {
        int row = row0 + i / TILE, column = column0 + i % TILE;
        bool there = row < rows && column < d;
        tile[i / TILE][i % TILE] = there ? x[row * x_stride + column] : from_f32<T>(0);
    }
    __syncthreads();
    for (int i = threadIdx.x; i < TILE * TILE; i += THREADS) {
        int row = column0 + i / TILE, column = row0 + i % TILE;
        if (row < d && column < y_stride)
            y[(int64_t)row * y_stride + column] = tile[i % TILE][i / TILE];
    }
}

/* y = x / sums of each row */
template <class T>
__global__ void __launch_bounds__(THREADS)
    divide(T *y, int64_t y_stride, const float *x, const float *sums, int rows, int d)
{
    kernel_begin();
    int64_t i = blockIdx.x * (int64_t)THREADS + threadIdx.x, row = i * 2 / d, column = i * 2 % d;
    if (row >= rows)
        return;
    float2 v = *(const float2 *)(x + row * d + column);
    float inverse = 1.0f / sums[row];
    *(uint32_t *)(y + row * y_stride + column) = pack2<T>(v.x * inverse, v.y * inverse);
}

/* Rows [first, first + n) of what is at `data`, `width` wide. */
tensor rows_at(const void *data, tensor_type type, int64_t stride, int64_t first, int64_t n,
               int64_t width)
{
    int64_t dim[2] = {n, width};
    tensor t =
        tensor_make((void *)((const char *)data + first * stride * type_size(type)), type, 2, dim);
    t.stride = stride;
    return t;
}

} // namespace

bool attention_strips_takes(const attention_args &a)
{
    enum { LEAST_KEYS = 1024, MOST_KEYS = 48 * 1024 }; /* a row of logits is in shared memory */
    return device_capability == 90 && a.d > 128 && a.heads == 1 && a.batch == 1 && !a.bias &&
           !a.causal && a.last == 0 && a.lk >= LEAST_KEYS && a.lk <= MOST_KEYS;
}

template <class T> void attention_strips(const attention_args &a)
{
    constexpr tensor_type A = std::is_same_v<T, half_t> ? F16 : BF16;
    const product_ends plain = {};
    size_t mark = scratch_mark();
    int stride = (int)ceil_div(a.lk, 8) * 8, d = a.d;
    int64_t strip = STRIP_BYTES / (4 * stride) / 256 * 256, turns = MOST_WEIGHTS / (2 * stride);
    strip = strip < 256 ? 256 : strip;
    turns = turns > a.lq ? a.lq : turns / strip * strip;
    tensor values = scratch(A, d, stride), logits = scratch(F32, strip, stride);
    tensor weights = scratch(A, turns, stride), sums = scratch(F32, turns);
    tensor out = scratch(F32, turns, d);
    tensor k = rows_at(a.k, A, a.k_stride, 0, a.lk, d);
    ALLOW_SHARED(soften<T>, stride * sizeof(float));
    start("turn values", turn<T>,
          dim3((unsigned)ceil_div(stride, TILE), (unsigned)ceil_div(d, TILE)), THREADS, 0, 1,
          (T *)values.data, (const T *)a.v, a.v_stride, a.lk, d, stride);
    for (int64_t turn0 = 0; turn0 < a.lq; turn0 += turns) {
        int64_t n = a.lq - turn0 < turns ? a.lq - turn0 : turns;
        for (int64_t i = 0; i < n; i += strip) {
            int64_t rows = n - i < strip ? n - i : strip;
            linear_hopper(slice(logits, 0, rows), rows_at(a.q, A, a.q_stride, turn0 + i, rows, d),
                          k, plain);
            start("soften logits", soften<T>, dim3((unsigned)rows), THREADS, stride * sizeof(float),
                  1, (T *)weights.data + i * stride, (float *)sums.data + i,
                  (const float *)logits.data, a.lk, stride, a.scale_log2e);
        }
        linear_hopper(slice(out, 0, n), slice(weights, 0, n), values, plain);
        start("divide by sums", divide<T>, dim3((unsigned)ceil_div(n * d / 2, THREADS)), THREADS, 0,
              1, (T *)a.y + turn0 * a.y_stride, a.y_stride, (const float *)out.data,
              (const float *)sums.data, (int)n, d);
    }
    scratch_reset(mark);
}

template void attention_strips<half_t>(const attention_args &a);
template void attention_strips<bf16_t>(const attention_args &a);
