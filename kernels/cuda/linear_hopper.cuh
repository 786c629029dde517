/*
** linear_hopper.cuh: what Hopper's two kernels of products share (linear_hopper.cu, whose groups take
** turns at tiles; linear_e4m3.cu, whose groups share a tile): where things lie in shared memory, who
** fetches them, and how a tile's sums leave.
**
** A block makes tiles of 128 rows x WIDTH columns. One thread asks the copy engine for parts of x
** and w, 128 bytes of each row, as far ahead as there is room, and runs on into the next tile. Two
** blocks form a cluster, one above the other: they need the same part of w, so each fetches half
** of it for both. Results go out through shared memory by the copy engine, which clips them, and
** adds them to what is there where that is asked for.
*/
#ifndef LINEAR_HOPPER_CUH
#define LINEAR_HOPPER_CUH

#include "hopper_codes.cuh"
#include "linear.cuh"

namespace
{

constexpr int ROWS = 128, THREADS = 384, CLUSTER = 2;
constexpr int PART = 128; /* bytes of each row that are fetched at a time */
constexpr int X_BYTES = ROWS * PART;
constexpr int OUT_BYTES = 16 * 128; /* a warp's results on their way out: 16 rows of 128 bytes */

/* Elements of the inner dimension in a part. */
template <class T> constexpr int DEPTH = PART / (int)sizeof(T);

__host__ __device__ constexpr int stages(int width) { return width == 192 ? 5 : 6; }
__host__ __device__ constexpr int stage_bytes(int width) { return X_BYTES + width * PART; }
constexpr int shared_bytes(int width)
{
    return stages(width) * stage_bytes(width) + 8 * OUT_BYTES + 2 * (2 * width + ROWS) * 4 +
           2 * stages(width) * 8;
}

struct job {
    product_ends ends;
    int rows, out, in;
};

#ifdef __CUDA_ARCH_FEAT_SM90_ALL

/* Where things are in shared memory. */
template <int WIDTH> struct layout {
    uint32_t raw;
    __device__ __forceinline__ uint32_t x(int s) const { return raw + s * stage_bytes(WIDTH); }
    __device__ __forceinline__ uint32_t w(int s) const { return x(s) + X_BYTES; }
    __device__ __forceinline__ uint32_t out(int warp) const
    {
        return x(stages(WIDTH)) + warp * OUT_BYTES;
    }
    /* A group's scales and biases of its tile's columns, and scales of its rows of codes. */
    __device__ __forceinline__ uint32_t vectors(int group) const
    {
        return out(8) + group * (2 * WIDTH + ROWS) * 4;
    }
    __device__ __forceinline__ uint32_t full(int s) const { return vectors(2) + s * 8; }
    __device__ __forceinline__ uint32_t empty(int s) const { return full(stages(WIDTH) + s); }
};

/* The n-th part that the copy engine brought: its buffer, and the parity of that buffer's round. */
template <int WIDTH> struct part {
    int stage, parity;
    __device__ __forceinline__ explicit part(int n)
        : stage(n % stages(WIDTH)), parity(n / stages(WIDTH) & 1)
    {
    }
    __device__ __forceinline__ void next()
    {
        if (++stage == stages(WIDTH))
            stage = 0, parity ^= 1;
    }
};

/* The cluster's tiles: columns run fastest. */
template <int WIDTH> struct tiles {
    int across, n;
    __device__ __forceinline__ explicit tiles(const job &j)
    {
        across = (j.out + WIDTH - 1) / WIDTH;
        n = (j.rows + CLUSTER * ROWS - 1) / (CLUSTER * ROWS) * across;
    }
    __device__ __forceinline__ int column(int t) const { return t % across * WIDTH; }
    __device__ __forceinline__ int row(int t, int rank) const
    {
        return (t / across * CLUSTER + rank) * ROWS;
    }
};

/* One thread: fetches what this block's products need, as far ahead as there is room. */
template <class T, int WIDTH>
__device__ __forceinline__ void produce(layout<WIDTH> at, const CUtensorMap *mx,
                                        const CUtensorMap *mw, const job &j, int rank)
{
    constexpr int HALF = WIDTH / CLUSTER;
    tiles<WIDTH> all(j);
    part<WIDTH> now(0);
    for (int t = blockIdx.x / CLUSTER; t < all.n; t += gridDim.x / CLUSTER)
        for (int k = 0; k < j.in; k += DEPTH<T>, now.next()) {
            uint32_t full = at.full(now.stage);
            barrier_wait(at.empty(now.stage), now.parity ^ 1); /* in both blocks */
            barrier_expect(full, stage_bytes(WIDTH));
            tile_fetch(at.x(now.stage), mx, full, k, all.row(t, rank));
            tile_fetch_shared(at.w(now.stage) + rank * HALF * PART, mw, full, CLUSTER, k,
                              all.column(t) + rank * HALF);
        }
}

/* ---- out: a warp's 16 x WIDTH sums, 128 bytes of each row at a time ---- */

/* The vectors of a tile in shared memory. */
struct factors {
    float2 *scale, *b; /* of columns 2i, 2i + 1 */
    float *x_scale;    /* of rows */

    __device__ __forceinline__ factors(void *p, int width)
        : scale((float2 *)p), b(scale + width / 2), x_scale((float *)(b + width / 2))
    {
    }
    __device__ __forceinline__ factors at_row(int row) const
    {
        factors f = *this;
        f.x_scale += row;
        return f;
    }
};

/* A product's value, but for its columns' scale: of a row of codes that has the scale s. */
__device__ __forceinline__ float value(float sum, float) { return sum; }
__device__ __forceinline__ float value(int sum, float s) { return (float)sum * s; }

/* Two neighbours in a row. */
template <class S>
__device__ __forceinline__ float2 finished(const S *sum, float s, float2 scale, float2 b, bool gelu)
{
    float2 v = make_float2(value(sum[0], s) * scale.x + b.x, value(sum[1], s) * scale.y + b.y);
    return gelu ? make_float2(gelu_tanh(v.x), gelu_tanh(v.y)) : v;
}

/* Results of eight rows, 128 bytes of each, as this thread has them: of row lane / 4, columns 8m + 2
** (lane mod 4) and the next. */
template <class Y> struct piece {
    static constexpr int COLUMNS = 128 / sizeof(Y), BLOCKS = COLUMNS / 8;
    using pair = std::conditional_t<std::is_same_v<Y, float>, float2, uint32_t>;
    pair r[BLOCKS];

    /* Nothing orders the blocks, so that the many steps of one hide behind another's. */
    template <bool GELU, class S>
    __device__ __forceinline__ void make(const S *sum, const float2 *scale, const float2 *b,
                                         float x_scale)
    {
#pragma unroll
        for (int m = 0; m < BLOCKS; m++) {
            float2 v = finished(sum + m * 4, x_scale, scale[m * 4], b[m * 4], GELU);
            if constexpr (std::is_same_v<Y, float>)
                r[m] = v;
            else
                r[m] = pack2<Y>(v.x, v.y);
        }
    }

    __device__ __forceinline__ void put(uint32_t out, int lane) const
    {
        if constexpr (std::is_same_v<Y, float>) {
            int row = lane / 4;
#pragma unroll
            for (int m = 0; m < BLOCKS; m++)
                asm volatile(
                    "st.shared.v2.f32 [%0], {%1,%2};" ::"r"(
                        out + row * 128 + (((2 * m + lane % 4 / 2) ^ row) << 4) + lane % 2 * 8),
                    "f"(r[m].x), "f"(r[m].y)
                    : "memory");
        } else {
#pragma unroll
            for (int m = 0; m < BLOCKS; m += 4)
                store_blocks(out + lane % 8 * 128 + (((m + lane / 8) ^ (lane & 7)) << 4), r[m],
                             r[m + 1], r[m + 2], r[m + 3]);
        }
    }
};

/* row: the warp's first; f: from its first row and the tile's first column on. One piece is made while
** the copy engine reads the one before it. */
template <class Y, int WIDTH, bool GELU, class S>
__device__ __forceinline__ void store(const S (&sum)[WIDTH / 2], uint32_t out,
                                      const CUtensorMap *my, const factors &f, int row, int column,
                                      bool add)
{
    constexpr int COLUMNS = piece<Y>::COLUMNS;
    int lane = threadIdx.x % 32;
#pragma unroll
    for (int n = 0; n < WIDTH / COLUMNS; n++)
#pragma unroll
        for (int e = 0; e < 2; e++) {
            piece<Y> p;
            p.template make<GELU>(sum + n * COLUMNS / 2 + 2 * e,
                                  f.scale + n * COLUMNS / 2 + lane % 4,
                                  f.b + n * COLUMNS / 2 + lane % 4,
                                  std::is_same_v<S, int> ? f.x_scale[lane / 4 + 8 * e] : 1.0f);
            if (lane == 0)
                stores_read<1>();
            __syncwarp();
            p.put(out + e * OUT_BYTES / 2, lane);
            written_for_copies();
            __syncwarp();
            if (lane == 0 && std::is_same_v<Y, float> && add)
                tile_add(my, out + e * OUT_BYTES / 2, column + n * COLUMNS, row + 8 * e);
            else if (lane == 0)
                tile_store(my, out + e * OUT_BYTES / 2, column + n * COLUMNS, row + 8 * e);
        }
}

/* A thread's part of a tile's vectors, by 128 threads: two columns, whose gate joins scale and bias; and
** of codes a row. */
template <class T, int WIDTH>
__device__ __forceinline__ void load_vectors(const job &j, const factors &f, int thread, int row,
                                             int column)
{
    const product_ends &e = j.ends;
    column += 2 * thread;
    if (thread < WIDTH / 2 && column < j.out) {
        float2 s = make_float2(1, 1), t = make_float2(0, 0);
        if (e.scale)
            s = *(const float2 *)(e.scale + column);
        if (e.b)
            t = *(const float2 *)(e.b + column);
        if (e.gate) {
            float2 g = *(const float2 *)(e.gate + column);
            s.x *= g.x, s.y *= g.y, t.x *= g.x, t.y *= g.y;
        }
        f.scale[thread] = s, f.b[thread] = t;
    }
    if (sizeof(T) == 1 && row + thread < j.rows)
        f.x_scale[thread] = e.x_scale[row + thread];
}

#endif

/* A view of t for the copy engine: boxes of box_rows rows, 128 bytes of each. */
inline CUtensorMap matrix_map(tensor t, int box_rows)
{
    int size = (int)type_size(t.type), box[] = {PART / size, box_rows};
    int64_t dim[] = {tensor_width(t), tensor_rows(t)}, stride[] = {t.stride * size};
    return tile_map(t.type, t.data, 2, dim, stride, box);
}

} // namespace

#endif
