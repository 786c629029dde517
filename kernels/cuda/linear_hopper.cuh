/*
** linear_hopper.cuh: shared by Hopper's two matrix product kernels: linear_hopper.cu, whose consumer
** warpgroups take turns at tiles, and linear_e4m3.cu, whose warpgroups share a tile. It has the
** layout of shared memory, the producer, and the epilogue.
**
** A thread block computes tiles of 128 rows x WIDTH columns, one after another (a persistent
** kernel). The producer, one thread, loads x and w by the copy engine (TMA, cp.async.bulk.tensor)
** in parts of 128 bytes of each row, as far ahead as there are free buffers, also into the next
** tile. Two blocks, one above the other, form a cluster: they need the same part of w, so each loads
** half of it for both (multicast). F32 results are written through shared memory by the copy engine,
** which clips them at the matrix's edges and adds them to y if asked (cp.reduce.async.bulk.tensor).
*/
#ifndef LINEAR_HOPPER_CUH
#define LINEAR_HOPPER_CUH

#include "hopper_codes.cuh"
#include "linear.cuh"

namespace
{

constexpr int CLUSTER = 2;
constexpr int PART = 128;       /* bytes of each row that are fetched at a time */
constexpr int OUT_BYTES = 2048; /* a warp's F32 results on their way out: 16 rows of 128 bytes */

/* Elements of the inner dimension in a part. */
template <class T> constexpr int DEPTH = PART / (int)sizeof(T);

/* The tile of a block, its warpgroups (groups of 128 threads), and the stages of its pipeline. */
template <int ROWS_, int WIDTH_, int GROUPS_, int STAGES_> struct shape {
    static constexpr int ROWS = ROWS_, WIDTH = WIDTH_, GROUPS = GROUPS_, STAGES = STAGES_;
    static constexpr int THREADS = (GROUPS + 1) * 128; /* the last group is the producer */
    static constexpr int X_BYTES = ROWS * PART, STAGE_BYTES = X_BYTES + WIDTH * PART;
    static constexpr int VECTORS_BYTES = (2 * WIDTH + ROWS) * 4; /* a group's */
    static constexpr int SHARED_BYTES =
        STAGES * (STAGE_BYTES + 2 * 8) + GROUPS * (4 * OUT_BYTES + VECTORS_BYTES);

    /* The number of blocks for y [rows, out]: at most one for each multiprocessor. */
    static unsigned blocks(int64_t rows, int64_t out)
    {
        int64_t n = ceil_div(rows, CLUSTER * ROWS) * ceil_div(out, WIDTH) * CLUSTER;
        int64_t most = device_sms / CLUSTER * CLUSTER;
        return (unsigned)(n < most ? n : most);
    }
};

struct job {
    product_ends ends;
    int rows, out, in;
    void *y;
    int64_t y_stride;
};

#ifdef __CUDA_ARCH_FEAT_SM90_ALL

/* Addresses in shared memory. */
template <class G> struct layout {
    uint32_t raw;
    __device__ __forceinline__ uint32_t x(int s) const { return raw + s * G::STAGE_BYTES; }
    __device__ __forceinline__ uint32_t w(int s) const { return x(s) + G::X_BYTES; }
    __device__ __forceinline__ uint32_t out(int warp) const
    {
        return x(G::STAGES) + warp * OUT_BYTES;
    }
    /* For one group: scales and biases of its tile's columns; of codes, scales of its rows. */
    __device__ __forceinline__ uint32_t vectors(int group) const
    {
        return out(4 * G::GROUPS) + group * G::VECTORS_BYTES;
    }
    __device__ __forceinline__ uint32_t full(int s) const { return vectors(G::GROUPS) + s * 8; }
    __device__ __forceinline__ uint32_t empty(int s) const { return full(G::STAGES + s); }
};

/* The n-th part that was loaded: its buffer, and the parity of the mbarrier's phase for it. */
template <class G> struct part {
    int stage, parity;
    __device__ __forceinline__ explicit part(int n)
        : stage(n % G::STAGES), parity(n / G::STAGES & 1)
    {
    }
    __device__ __forceinline__ void next()
    {
        if (++stage == G::STAGES)
            stage = 0, parity ^= 1;
    }
};

/* The tiles of the whole product, in the order of computation: columns run fastest. */
template <class G> struct tiles {
    int across, n;
    __device__ __forceinline__ explicit tiles(const job &j)
    {
        across = (j.out + G::WIDTH - 1) / G::WIDTH;
        n = (j.rows + CLUSTER * G::ROWS - 1) / (CLUSTER * G::ROWS) * across;
    }
    __device__ __forceinline__ int column(int t) const { return t % across * G::WIDTH; }
    __device__ __forceinline__ int row(int t, int rank) const
    {
        return (t / across * CLUSTER + rank) * G::ROWS;
    }
};

/* The begin of a kernel: initialises the barriers and waits for the kernel before it. users: the
** groups of both blocks that read a part, and release it. */
template <class G> __device__ __forceinline__ void begin(layout<G> at, int users)
{
    if (threadIdx.x == 0) {
        for (int s = 0; s < G::STAGES; s++) {
            barrier_init(at.full(s), 1);
            barrier_init(at.empty(s), users);
        }
        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    }
    cluster_sync();
    kernel_begin();
}

/* The producer, one thread: loads all parts of this block's tiles, waiting for free buffers. */
template <class T, class G>
__device__ __forceinline__ void produce(layout<G> at, const CUtensorMap *mx, const CUtensorMap *mw,
                                        const job &j, int rank)
{
    constexpr int HALF = G::WIDTH / CLUSTER;
    tiles<G> all(j);
    part<G> now(0);
    for (int t = blockIdx.x / CLUSTER; t < all.n; t += gridDim.x / CLUSTER)
        for (int k = 0; k < j.in; k += DEPTH<T>, now.next()) {
            uint32_t full = at.full(now.stage);
            barrier_wait(at.empty(now.stage), now.parity ^ 1); /* both blocks have released it */
            barrier_expect(full, G::STAGE_BYTES);
            tile_fetch(at.x(now.stage), mx, full, k, all.row(t, rank));
            tile_fetch_shared(at.w(now.stage) + rank * HALF * PART, mw, full, CLUSTER, k,
                              all.column(t) + rank * HALF);
        }
}

/* Called by one thread of a group: the group has read this part, in both blocks of the cluster. */
template <class G> __device__ __forceinline__ void release(layout<G> at, int stage)
{
#pragma unroll
    for (int rank = 0; rank < CLUSTER; rank++)
        barrier_arrive_there(address_in(rank, at.empty(stage)));
}

/* ---- epilogue: a warp's 16 x WIDTH sums ---- */

/* The vectors that a tile's sums are scaled and shifted by, in shared memory. */
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

/* A sum as a float, before the scale of its column; a sum of codes is multiplied by s, the scale of
** its row. */
__device__ __forceinline__ float value(float sum, float) { return sum; }
__device__ __forceinline__ float value(int sum, float s) { return (float)sum * s; }

/* The final values of two neighbouring columns: of the m-th eight columns, and of the row that is
** `row` below f's first. */
template <class S>
__device__ __forceinline__ float2 finished(const S *sum, const factors &f, int row, int m,
                                           bool gelu)
{
    float s = std::is_same_v<S, int> ? f.x_scale[row] : 1.0f;
    float2 scale = f.scale[m * 4], b = f.b[m * 4];
    float2 v = make_float2(value(sum[0], s) * scale.x + b.x, value(sum[1], s) * scale.y + b.y);
    return gelu ? make_float2(gelu_tanh(v.x), gelu_tanh(v.y)) : v;
}

/* 16-bit results: of each eight columns a lane has two neighbours, in the rows lane / 4 and
** lane / 4 + 8. Four lanes transpose four such pairs, so that each stores eight columns (16 bytes),
** and the warp 64 bytes of eight rows at a time. */
template <bool GELU, class S, class Y>
__device__ __forceinline__ void store_piece(const S (&sum)[16], const job &j, const factors &f,
                                            int row, int column, uint32_t, const CUtensorMap *,
                                            Y *y)
{
    int lane = threadIdx.x % 32;
    uint32_t r[2][4];
#pragma unroll
    for (int e = 0; e < 2; e++)
#pragma unroll
        for (int m = 0; m < 4; m++) {
            float2 v = finished(sum + m * 4 + 2 * e, f, 8 * e, m, GELU);
            r[e][m] = pack2<Y>(v.x, v.y);
        }
    row += lane / 4;
    column += lane % 4 * 8;
#pragma unroll
    for (int e = 0; e < 2; e++) {
        transpose(r[e], lane);
        if (row + 8 * e < j.rows && column < j.out)
            *(uint4 *)(y + (row + 8 * e) * j.y_stride + column) =
                make_uint4(r[e][0], r[e][1], r[e][2], r[e][3]);
    }
    __syncwarp(); /* without it the compiler keeps too many values alive, and spills registers */
}

/* F32 results: 16 rows of 128 bytes go through shared memory and the copy engine, which clips them
** at the edges of y, and adds them to y if ends.add. */
template <bool GELU, class S>
__device__ __forceinline__ void store_piece(const S (&sum)[16], const job &j, const factors &f,
                                            int row, int column, uint32_t out,
                                            const CUtensorMap *my, float *)
{
    int lane = threadIdx.x % 32, r = lane / 4;
    float2 v[4][2];
#pragma unroll
    for (int m = 0; m < 4; m++)
#pragma unroll
        for (int e = 0; e < 2; e++)
            v[m][e] = finished(sum + m * 4 + 2 * e, f, 8 * e, m, GELU);
    if (lane == 0)
        stores_read(); /* until the copy engine has read the piece before this from the buffer */
    __syncwarp();
#pragma unroll
    for (int m = 0; m < 4; m++)
#pragma unroll
        for (int e = 0; e < 2; e++)
            asm volatile(
                "st.shared.v2.f32 [%0], {%1,%2};" ::"r"(
                    out + (r + 8 * e) * 128 + (((2 * m + lane % 4 / 2) ^ r) << 4) + lane % 2 * 8),
                "f"(v[m][e].x), "f"(v[m][e].y)
                : "memory");
    written_for_copies();
    __syncwarp();
    if (lane == 0 && j.ends.add)
        tile_add(my, out, column, row);
    else if (lane == 0)
        tile_store(my, out, column, row);
}

/* Stores a warp's sums. row: the warp's first; f begins with the tile's first row and column. */
template <class Y, int WIDTH, bool GELU, class S>
__device__ __forceinline__ void store(const S (&sum)[WIDTH / 2], const job &j, factors f, int row,
                                      int column, uint32_t out, const CUtensorMap *my)
{
    int lane = threadIdx.x % 32;
    f.scale += lane % 4, f.b += lane % 4, f.x_scale += lane / 4;
#pragma unroll
    for (int n = 0; n < WIDTH / 32; n++) {
        store_piece<GELU>(*(const S(*)[16])(sum + n * 16), j, f, row, column + n * 32, out, my,
                          (Y *)j.y);
        f.scale += 16, f.b += 16;
    }
}

/* 128 threads load the vectors of a tile, two columns each; the gate is multiplied into scale and
** bias. Of codes each also loads the scale of a row. */
template <class T, class G>
__device__ __forceinline__ void load_vectors(const job &j, const factors &f, int thread, int row,
                                             int column)
{
    const product_ends &e = j.ends;
    column += 2 * thread;
    if (thread < G::WIDTH / 2 && column < j.out) {
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

/* A tensor map of t for the copy engine, with boxes of box_rows rows of 128 bytes. */
inline CUtensorMap matrix_map(tensor t, int box_rows)
{
    int size = (int)type_size(t.type), box[] = {PART / size, box_rows};
    int64_t dim[] = {tensor_width(t), tensor_rows(t)}, stride[] = {t.stride * size};
    return tile_map(t.type, t.data, 2, dim, stride, box);
}

} // namespace

#endif
