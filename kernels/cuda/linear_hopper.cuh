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

constexpr int CLUSTER = 2;
constexpr int PART = 128;       /* bytes of each row that are fetched at a time */
constexpr int OUT_BYTES = 2048; /* a warp's F32 results on their way out: 16 rows of 128 bytes */

/* Elements of the inner dimension in a part. */
template <class T> constexpr int DEPTH = PART / (int)sizeof(T);

/* What a block makes at a time, by how many groups of 128 threads, and how many parts are under way. */
template <int ROWS_, int WIDTH_, int GROUPS_, int STAGES_> struct shape {
    static constexpr int ROWS = ROWS_, WIDTH = WIDTH_, GROUPS = GROUPS_, STAGES = STAGES_;
    static constexpr int THREADS = (GROUPS + 1) * 128; /* the last group fetches */
    static constexpr int X_BYTES = ROWS * PART, STAGE_BYTES = X_BYTES + WIDTH * PART;
    static constexpr int VECTORS_BYTES = (2 * WIDTH + ROWS) * 4; /* a group's */
    static constexpr int SHARED_BYTES =
        STAGES * (STAGE_BYTES + 2 * 8) + GROUPS * (4 * OUT_BYTES + VECTORS_BYTES);

    /* The blocks that make y [rows, out], each one tile after the other. */
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

/* Where things are in shared memory. */
template <class G> struct layout {
    uint32_t raw;
    __device__ __forceinline__ uint32_t x(int s) const { return raw + s * G::STAGE_BYTES; }
    __device__ __forceinline__ uint32_t w(int s) const { return x(s) + G::X_BYTES; }
    __device__ __forceinline__ uint32_t out(int warp) const
    {
        return x(G::STAGES) + warp * OUT_BYTES;
    }
    /* A group's scales and biases of its tile's columns, and scales of its rows of codes. */
    __device__ __forceinline__ uint32_t vectors(int group) const
    {
        return out(4 * G::GROUPS) + group * G::VECTORS_BYTES;
    }
    __device__ __forceinline__ uint32_t full(int s) const { return vectors(G::GROUPS) + s * 8; }
    __device__ __forceinline__ uint32_t empty(int s) const { return full(G::STAGES + s); }
};

/* The n-th part that the copy engine brought: its buffer, and the parity of that buffer's round. */
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

/* The cluster's tiles: columns run fastest. */
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

/* First of all: barriers, and what was asked for before. users: groups that use a part, of both
** blocks. */
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

/* One thread: fetches what this block's products need, as far ahead as there is room. */
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
            barrier_wait(at.empty(now.stage), now.parity ^ 1); /* in both blocks */
            barrier_expect(full, G::STAGE_BYTES);
            tile_fetch(at.x(now.stage), mx, full, k, all.row(t, rank));
            tile_fetch_shared(at.w(now.stage) + rank * HALF * PART, mw, full, CLUSTER, k,
                              all.column(t) + rank * HALF);
        }
}

/* One thread of a group: it has used this part. */
template <class G> __device__ __forceinline__ void release(layout<G> at, int stage)
{
#pragma unroll
    for (int rank = 0; rank < CLUSTER; rank++)
        barrier_arrive_there(address_in(rank, at.empty(stage)));
}

/* ---- out: a warp's 16 x WIDTH sums ---- */

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

/* Two neighbours: of the m-th eight columns, `row` rows below those that f begins with. */
template <class S>
__device__ __forceinline__ float2 finished(const S *sum, const factors &f, int row, int m,
                                           bool gelu)
{
    float s = std::is_same_v<S, int> ? f.x_scale[row] : 1.0f;
    float2 scale = f.scale[m * 4], b = f.b[m * 4];
    float2 v = make_float2(value(sum[0], s) * scale.x + b.x, value(sum[1], s) * scale.y + b.y);
    return gelu ? make_float2(gelu_tanh(v.x), gelu_tanh(v.y)) : v;
}

/* 16 bits: a lane has two neighbours of each eight columns, of rows lane / 4 and eight on. Four lanes
** exchange theirs of four eights, and each stores one: 64 bytes of eight rows at a time. */
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
    __syncwarp(); /* or the compiler would hold more values than there are registers */
}

/* F32: 128 bytes of 16 rows through shared memory and the copy engine, which clips them, and adds
** them where that is asked for. */
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
        stores_read(); /* the piece before this has left the buffer */
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

/* row: the warp's first; f: from its first row and the tile's first column on. */
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

/* A thread's part of a tile's vectors, by 128 threads: two columns, whose gate joins scale and bias; and
** of codes a row. */
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

/* A view of t for the copy engine: boxes of box_rows rows, 128 bytes of each. */
inline CUtensorMap matrix_map(tensor t, int box_rows)
{
    int size = (int)type_size(t.type), box[] = {PART / size, box_rows};
    int64_t dim[] = {tensor_width(t), tensor_rows(t)}, stride[] = {t.stride * size};
    return tile_map(t.type, t.data, 2, dim, stride, box);
}

} // namespace

#endif
