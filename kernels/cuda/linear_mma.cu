/*
** linear_mma.cu: y = gelu(x w^T * scale + b), or y += gate * (x w^T * scale + b), on the tensor
** cores of cards before Hopper (mma.sync), in one pass: what linear_hopper.cu does there, of 16-bit
** operands or I8 codes, with the same sums of codes and the same ends.
**
** A block of 8 warps stays on its multiprocessor and makes one tile of 128 rows x 256 columns after
** the other, a warp 64 x 64 of it. Parts of x and w, 64 bytes of each row, arrive four under way
** (cp.async), those of the next tile while this one's sums go out. Neighbouring tiles, which run
** together, share rows of x. Shared memory: 4 x 24 KB and the vectors of a tile, so that cards with
** 99 KB a block have room. Registers: 128 sums a thread, and operands of two steps. Bound: 2 N in
** out at the rate of mma.sync. Measured: PERFORMANCE.md.
*/
#include "linear.cuh"
#include "mma.cuh"

namespace
{

constexpr int ROWS = 128, WIDTH = 256, THREADS = 256, STAGES = 4;
constexpr int PART = 64; /* bytes of each row that are fetched at a time */
constexpr int X_BYTES = ROWS * PART, STAGE_BYTES = X_BYTES + WIDTH * PART;
constexpr size_t SHARED_BYTES = STAGES * STAGE_BYTES + 2 * WIDTH * 4;

struct job {
    product_ends ends;
    int rows, out, in; /* in: bytes of a row */
    const uint8_t *x, *w;
    void *y;
    int64_t x_stride, w_stride, y_stride; /* of x and w in bytes */
};

/* Address of chunk c of row r of a part: of the eight rows that ldmatrix reads at once, each is in a
** group of banks of its own. */
__device__ __forceinline__ uint32_t place(uint32_t part, int r, int c)
{
    return part + (uint32_t)(r * PART + ((c ^ (r >> 1 & 3)) << 4));
}

/* What products of T are summed in. */
template <class T> using sum_of = std::conditional_t<std::is_same_v<T, int8_t>, int, float>;

/* A thread's part in fetching: chunk c of every 64th row. */
struct mover {
    const job &j;
    uint32_t to;
    int c, r;

    __device__ __forceinline__ explicit mover(const job &of) : j(of)
    {
        c = threadIdx.x % 4, r = threadIdx.x / 4;
        to = place(0, r, c);
    }
    template <int N>
    __device__ __forceinline__ void rows(uint32_t part, const uint8_t *p, int64_t stride, int first,
                                         int end, int k) const
    {
        int bytes = j.in - k - c * 16;
        bytes = bytes < 0 ? 0 : bytes > 16 ? 16 : bytes;
#pragma unroll
        for (int i = 0; i < N / 64; i++) {
            int row = first + r + i * 64;
            bool there = row < end && bytes;
            copy_bytes(part + to + i * 64 * PART, there ? p + row * stride + k + c * 16 : p,
                       there ? bytes : 0);
        }
    }
    __device__ __forceinline__ void fetch(uint32_t stage, int row, int column, int k) const
    {
        rows<ROWS>(stage, j.x, j.x_stride, row, j.rows, k);
        rows<WIDTH>(stage + X_BYTES, j.w, j.w_stride, column, j.out, k);
    }
};

/* What a warp needs for 32 bytes of the inner dimension: 64 rows of x, 64 of w. */
struct operands {
    uint32_t x[4][4], w[4][4];

    /* A quarter of them, from where this lane reads. */
    __device__ __forceinline__ void load(int i, uint32_t x_at, uint32_t w_at)
    {
        load_blocks(x[i], x_at + i * 16 * PART);
        load_blocks(w[i], w_at + i * 16 * PART);
    }
};

/* sum [64, 64] += x w^T of `now`, while the next operands are loaded. */
template <class T, class S>
__device__ __forceinline__ void multiply(S (&sum)[4][8][4], const operands &now, operands &next,
                                         uint32_t x_at, uint32_t w_at)
{
#pragma unroll
    for (int m = 0; m < 4; m++) {
        next.load(m, x_at, w_at);
#pragma unroll
        for (int n = 0; n < 8; n++)
            mma<T>(sum[m][n], now.x[m], now.w[n / 2][n % 2 * 2], now.w[n / 2][n % 2 * 2 + 1]);
    }
}

/* ---- out ---- */

/* A product's value, but for its columns' scale: of a row of codes that has the scale s. */
__device__ __forceinline__ float value(float sum, float) { return sum; }
__device__ __forceinline__ float value(int sum, float s) { return (float)sum * s; }

/* r [4] of lanes 4i .. 4i + 3 as a matrix, transposed: each has what all had for it. */
__device__ __forceinline__ void transpose(uint32_t (&r)[4], int lane)
{
#pragma unroll
    for (int step = 1; step < 4; step *= 2) {
        bool high = lane & step;
#pragma unroll
        for (int i = 0; i < 2; i++) {
            uint32_t &a = r[step == 1 ? 2 * i : i], &b = r[step == 1 ? 2 * i + 1 : i + 2];
            uint32_t other = __shfl_xor_sync(0xffffffffu, high ? a : b, step);
            (high ? a : b) = other;
        }
    }
}

/* Eight neighbours of a lane's two, four blocks of eight columns: 16 bits are exchanged among four
** lanes, so that each stores 16 bytes; of F32 a lane's two are eight. */
template <class Y>
__device__ __forceinline__ void store(Y *y, int64_t stride, const float2 (&v)[4], int row,
                                      int column, const job &j, int lane)
{
    uint32_t r[4];
#pragma unroll
    for (int n = 0; n < 4; n++)
        r[n] = pack2<Y>(v[n].x, v[n].y);
    transpose(r, lane);
    column += lane % 4 * 8;
    if (row < j.rows && column < j.out)
        *(uint4 *)(y + row * stride + column) = make_uint4(r[0], r[1], r[2], r[3]);
}

template <>
__device__ __forceinline__ void store(float *y, int64_t stride, const float2 (&v)[4], int row,
                                      int column, const job &j, int lane)
{
    column += lane % 4 * 2;
    float2 *at = (float2 *)(y + row * stride + column);
    if (row >= j.rows)
        return;
#pragma unroll
    for (int n = 0; n < 4; n++)
        if (column + n * 8 >= j.out)
            continue;
        else if (j.ends.add) { /* nobody waits for what is there */
            atomicAdd(&at[n * 4].x, v[n].x);
            atomicAdd(&at[n * 4].y, v[n].y);
        } else
            at[n * 4] = v[n];
}

/* Scales and biases of a tile's columns, where a gate joins both. */
struct factors {
    float *scale, *b; /* [WIDTH] */

    __device__ __forceinline__ void load(const job &j, int column)
    {
        int i = threadIdx.x;
        column += i;
        float s = 1, t = 0;
        if (column < j.out) {
            s = j.ends.scale ? j.ends.scale[column] : 1;
            t = j.ends.b ? j.ends.b[column] : 0;
            if (j.ends.gate)
                s *= j.ends.gate[column], t *= j.ends.gate[column];
        }
        scale[i] = s, b[i] = t;
    }
};

/* A warp's 64 x 64 sums; row, column: its first ones; at: the latter within the tile. */
template <class Y, class T, bool GELU>
__device__ __forceinline__ void finish(const sum_of<T> (&sum)[4][8][4], const job &j,
                                       const factors &f, int row, int column, int at, int lane)
{
#pragma unroll
    for (int m = 0; m < 4; m++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            int to = row + m * 16 + half * 8 + lane / 4;
            float s = sizeof(T) == 1 && to < j.rows ? j.ends.x_scale[to] : 1;
#pragma unroll
            for (int part = 0; part < 2; part++) {
                float2 v[4];
#pragma unroll
                for (int n = 0; n < 4; n++) {
                    int c = at + (part * 4 + n) * 8 + lane % 4 * 2;
                    float2 scale = *(const float2 *)(f.scale + c), b = *(const float2 *)(f.b + c);
                    const sum_of<T> *two = &sum[m][part * 4 + n][half * 2];
                    v[n].x = value(two[0], s) * scale.x + b.x;
                    v[n].y = value(two[1], s) * scale.y + b.y;
                    if (GELU)
                        v[n] = make_float2(gelu_tanh(v[n].x), gelu_tanh(v[n].y));
                }
                store<Y>((Y *)j.y, j.y_stride, v, to, column + part * 32, j, lane);
            }
        }
}

template <class Y, class T> __global__ void __launch_bounds__(THREADS, 1) linear_mma_kernel(job j)
{
    extern __shared__ __align__(128) uint8_t shared[];
    uint32_t base = shared_address(shared);
    factors f = {(float *)(shared + STAGES * STAGE_BYTES)};
    f.b = f.scale + WIDTH;
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    int warp_row = warp / 4 * 64, warp_column = warp % 4 * 64;
    uint32_t x_at = place(base, warp_row + (lane & 15), lane >> 4);
    uint32_t w_at =
        place(base + X_BYTES, warp_column + (lane & 7) + (lane >> 4) * 8, lane >> 3 & 1);
    int across = (j.out + WIDTH - 1) / WIDTH, tiles = (j.rows + ROWS - 1) / ROWS * across;
    int steps = (j.in + PART - 1) / PART;
    mover move(j);
    kernel_begin();

    int ahead_tile = blockIdx.x, ahead_k = 0, ahead_stage = 0;
    auto fetch_next = [&] {
        if (ahead_tile < tiles) {
            move.fetch(base + ahead_stage * STAGE_BYTES, ahead_tile / across * ROWS,
                       ahead_tile % across * WIDTH, ahead_k * PART);
            if (++ahead_k == steps)
                ahead_k = 0, ahead_tile += gridDim.x;
            ahead_stage = ahead_stage + 1 == STAGES ? 0 : ahead_stage + 1;
        }
        copies_commit();
    };
#pragma unroll
    for (int i = 0; i < STAGES - 1; i++)
        fetch_next();
    copies_wait<STAGES - 2>();
    __syncthreads();
    operands o[2];
#pragma unroll
    for (int i = 0; i < 4; i++)
        o[0].load(i, x_at, w_at);
    uint32_t at = 0;
    for (int t = blockIdx.x; t < tiles; t += gridDim.x) {
        sum_of<T> sum[4][8][4] = {};
        int row = t / across * ROWS, column = t % across * WIDTH;
        for (int k = 0; k < steps; k++) {
            fetch_next(); /* to where all have read since the barrier before */
            multiply<T>(sum, o[0], o[1], (x_at ^ 32) + at, (w_at ^ 32) + at);
            copies_wait<STAGES - 2>();
            __syncthreads(); /* the next part is there, which may be of the next tile */
            if (k == 0)
                f.load(j, column);
            at = at + STAGE_BYTES == STAGES * STAGE_BYTES ? 0 : at + STAGE_BYTES;
            multiply<T>(sum, o[1], o[0], x_at + at, w_at + at);
        }
        if (steps == 1)
            __syncthreads(); /* the factors are there */
        if (j.ends.gelu)
            finish<Y, T, true>(sum, j, f, row + warp_row, column + warp_column, warp_column, lane);
        else
            finish<Y, T, false>(sum, j, f, row + warp_row, column + warp_column, warp_column, lane);
    }
}

template <class Y, class T> void launch(const job &j)
{
    ALLOW_SHARED((linear_mma_kernel<Y, T>), SHARED_BYTES);
    int64_t tiles = ceil_div(j.rows, ROWS) * ceil_div(j.out, WIDTH);
    start("start a product", linear_mma_kernel<Y, T>,
          (unsigned)(tiles < device_sms ? tiles : device_sms), THREADS, SHARED_BYTES, 1, j);
}

} // namespace

void linear_mma(tensor y, tensor x, tensor w, const product_ends &e)
{
    int64_t size = (int64_t)type_size(x.type);
    job j = {e,
             (int)tensor_rows(x),
             (int)w.dim[0],
             (int)(w.dim[1] * size),
             (const uint8_t *)x.data,
             (const uint8_t *)w.data,
             y.data,
             x.stride * size,
             w.stride * size,
             y.stride};
    assert(x.type == w.type && (!e.add || y.type == F32));
    dispatch(y.type, [&](auto *t) {
        using Y = ELEMENT(t);
        if (x.type == I8)
            launch<Y, int8_t>(j);
        else if (x.type == F16 && !std::is_same_v<Y, bf16_t>)
            launch<std::conditional_t<std::is_same_v<Y, bf16_t>, float, Y>, half_t>(j);
        else if (x.type == BF16 && !std::is_same_v<Y, half_t>)
            launch<std::conditional_t<std::is_same_v<Y, half_t>, float, Y>, bf16_t>(j);
        else
            check_pair(false, "linear", y, x);
    });
}
