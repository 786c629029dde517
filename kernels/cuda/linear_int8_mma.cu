/*
** linear_int8_mma.cu: y = gelu(x w^T * x_scale * scale + b), or y += gate * (x w^T * x_scale * scale + b), of
** I8 codes on the tensor cores of cards before Hopper (mma.sync), in one pass: the same bits as
** linear_hopper.cu's.
**
** A block of 8 warps stays on its multiprocessor and makes one tile of 128 rows x 256 columns after
** the other, a warp 64 x 64 of it. Parts of x and w, 64 bytes of each row, arrive four under way
** (cp.async), those of the next tile while this one's sums go out; operands of the next 32 bytes are
** loaded among the products of these. Neighbouring tiles, which run together, share rows of x. Sums
** are I32, exact, and meet scales at the end. Shared memory: 4 x 24 KB and the vectors of a tile, so
** that cards with 99 KB a block have room. Registers: 128 sums a thread. Bound: 2 N in out at the rate
** of mma.sync, and 1 byte from the second cache for 171 operations. Measured: PERFORMANCE.md.
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
    int rows, out, in;
    const uint8_t *x, *w;
    void *y;
    int64_t x_stride, w_stride, y_stride;
};

/* Address of chunk c of row r of a part: of the eight rows that ldmatrix reads at once, each is in a
** group of banks of its own. */
__device__ __forceinline__ uint32_t place(uint32_t part, int r, int c)
{
    return part + (uint32_t)(r * PART + ((c ^ (r >> 1 & 3)) << 4));
}

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
__device__ __forceinline__ void multiply(int (&sum)[4][8][4], const operands &now, operands &next,
                                         uint32_t x_at, uint32_t w_at)
{
#pragma unroll
    for (int m = 0; m < 4; m++) {
        next.load(m, x_at, w_at);
#pragma unroll
        for (int n = 0; n < 8; n++)
            mma<int8_t>(sum[m][n], now.x[m], now.w[n / 2][n % 2 * 2], now.w[n / 2][n % 2 * 2 + 1]);
    }
}

/* ---- out ---- */

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
template <class Y, bool GELU>
__device__ __forceinline__ void finish(const int (&sum)[4][8][4], const job &j, const factors &f,
                                       int row, int column, int at, int lane)
{
#pragma unroll
    for (int m = 0; m < 4; m++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            int to = row + m * 16 + half * 8 + lane / 4;
            float s = to < j.rows ? j.ends.x_scale[to] : 1;
#pragma unroll
            for (int part = 0; part < 2; part++) {
                float2 v[4];
#pragma unroll
                for (int n = 0; n < 4; n++) {
                    int c = at + (part * 4 + n) * 8 + lane % 4 * 2;
                    float2 scale = *(const float2 *)(f.scale + c), b = *(const float2 *)(f.b + c);
                    const int *two = &sum[m][part * 4 + n][half * 2];
                    v[n].x = (float)two[0] * s * scale.x + b.x;
                    v[n].y = (float)two[1] * s * scale.y + b.y;
                    if (GELU)
                        v[n] = make_float2(gelu_tanh(v[n].x), gelu_tanh(v[n].y));
                }
                store<Y>((Y *)j.y, j.y_stride, v, to, column + part * 32, j, lane);
            }
        }
}

template <class Y> __global__ void __launch_bounds__(THREADS, 1) linear_mma_kernel(job j)
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
        int sum[4][8][4] = {};
        int row = t / across * ROWS, column = t % across * WIDTH;
        for (int k = 0; k < steps; k++) {
            fetch_next(); /* to where all have read since the barrier before */
            multiply(sum, o[0], o[1], (x_at ^ 32) + at, (w_at ^ 32) + at);
            copies_wait<STAGES - 2>();
            __syncthreads(); /* the next part is there, which may be of the next tile */
            if (k == 0)
                f.load(j, column);
            at = at + STAGE_BYTES == STAGES * STAGE_BYTES ? 0 : at + STAGE_BYTES;
            multiply(sum, o[1], o[0], x_at + at, w_at + at);
        }
        if (steps == 1)
            __syncthreads(); /* the factors are there */
        if (j.ends.gelu)
            finish<Y, true>(sum, j, f, row + warp_row, column + warp_column, warp_column, lane);
        else
            finish<Y, false>(sum, j, f, row + warp_row, column + warp_column, warp_column, lane);
    }
}

template <class Y> void launch(const job &j)
{
    ALLOW_SHARED(linear_mma_kernel<Y>, SHARED_BYTES);
    int64_t tiles = ceil_div(j.rows, ROWS) * ceil_div(j.out, WIDTH);
    start("start a product", linear_mma_kernel<Y>,
          (unsigned)(tiles < device_sms ? tiles : device_sms), THREADS, SHARED_BYTES, 1, j);
}

} // namespace

void linear_int8_mma(tensor y, tensor x, tensor w, const product_ends &e)
{
    job j = {e,
             (int)tensor_rows(x),
             (int)w.dim[0],
             (int)w.dim[1],
             (const uint8_t *)x.data,
             (const uint8_t *)w.data,
             y.data,
             x.stride,
             w.stride,
             y.stride};
    assert(x.type == I8 && w.type == I8 && (!e.add || y.type == F32));
    dispatch(y.type, [&](auto *t) { launch<ELEMENT(t)>(j); });
}
