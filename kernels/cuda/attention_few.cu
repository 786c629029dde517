/*
** attention_few.cu: attention for heads 128 wide and at most 128 keys, on Hopper: a text's tokens,
** which all queries of a long video see.
**
** All keys are one tile, so softmax needs no running maximum, and what costs is to bring the queries
** and to take away the results: 4 Lq H d bytes of 16-bit numbers, at the rate of copies. A block
** stays on its multiprocessor and takes a run of the tiles of 64 queries, head after head, so that it
** keeps keys and values while they are the same. One thread asks for tiles: queries five under way,
** keys and values of two heads. Three groups of 128 threads take the tiles in turn, each on its own:
** one multiplies while others wait, or take exponentials, or write. Shared memory: queries 5 x 16 KB,
** keys and values 2 x 64 KB: 208 KB.
*/
#include "attention_hopper.cuh"

namespace
{

constexpr int QUERIES = 64, KEYS = MOST_FEW_KEYS, GROUPS = 3, THREADS = 128 * (1 + GROUPS);
constexpr int SLOTS = 5, PAIRS = 2; /* tiles of queries; of keys and values */
/* Bytes of a box, rows of 64 elements; a tile is two boxes. */
constexpr int Q_BOX = QUERIES * 128, BOX = KEYS * 128, TILE = 2 * BOX;
constexpr size_t SHARED_BYTES =
    1024 + SLOTS * 2 * Q_BOX + PAIRS * 2 * TILE + 2 * (SLOTS + PAIRS) * 8;

/* The tiles of queries of all heads, in order: tiles of a head; in all. */
struct work {
    int across, tiles;
};

#ifdef __CUDA_ARCH_FEAT_SM90_ALL

/* Where things are in shared memory; n counts a block's tiles of queries, h its heads. */
struct layout {
    uint32_t q, kv, bars;
    __device__ __forceinline__ explicit layout(uint32_t raw)
    {
        q = (raw + 1023) & ~1023u;
        kv = q + SLOTS * 2 * Q_BOX;
        bars = kv + PAIRS * 2 * TILE;
    }
    __device__ __forceinline__ uint32_t q_tile(int n) const { return q + n % SLOTS * 2 * Q_BOX; }
    __device__ __forceinline__ uint32_t k_tile(int h) const { return kv + h % PAIRS * 2 * TILE; }
    __device__ __forceinline__ uint32_t v_tile(int h) const { return k_tile(h) + TILE; }
    __device__ __forceinline__ uint32_t q_full(int n) const { return bars + n % SLOTS * 16; }
    __device__ __forceinline__ uint32_t q_free(int n) const { return q_full(n) + 8; }
    __device__ __forceinline__ uint32_t kv_full(int h) const
    {
        return bars + SLOTS * 16 + h % PAIRS * 16;
    }
    __device__ __forceinline__ uint32_t kv_free(int h) const { return kv_full(h) + 8; }
};

/* A block's run of tiles: [first, first + count), and a tile's place. */
struct run {
    int across, first, count;
    __device__ __forceinline__ explicit run(const work &w) : across(w.across)
    {
        first = (int)((int64_t)w.tiles * blockIdx.x / gridDim.x);
        count = (int)((int64_t)w.tiles * (blockIdx.x + 1) / gridDim.x) - first;
    }
    __device__ __forceinline__ int head(int n) const { return (first + n) / across; }
    /* which of the heads that this block sees */
    __device__ __forceinline__ int turn(int n) const { return head(n) - first / across; }
    __device__ __forceinline__ int query(int n) const { return (first + n) % across * QUERIES; }
};

__device__ __forceinline__ void fetch(uint32_t tile, const CUtensorMap *map, uint32_t full, int box,
                                      int column, int row, int batch)
{
    tile_fetch(tile, map, full, column, row, batch);
    tile_fetch(tile + box, map, full, column + 64, row, batch);
}

/* One thread of the first group. */
__device__ __forceinline__ void produce(const layout &at, const CUtensorMap *mq,
                                        const CUtensorMap *mk, const CUtensorMap *mv,
                                        const attention_args &a, const run &r)
{
    for (int n = 0; n < r.count; n++) {
        int h = r.turn(n), column = r.head(n) % a.heads * D, batch = r.head(n) / a.heads;
        if (n == 0 || h != r.turn(n - 1)) {
            barrier_wait(at.kv_free(h), h / PAIRS & 1 ^ 1);
            barrier_expect(at.kv_full(h), 2 * TILE);
            fetch(at.k_tile(h), mk, at.kv_full(h), BOX, column, 0, batch);
            fetch(at.v_tile(h), mv, at.kv_full(h), BOX, column, 0, batch);
        }
        barrier_wait(at.q_free(n), n / SLOTS & 1 ^ 1);
        barrier_expect(at.q_full(n), 2 * Q_BOX);
        fetch(at.q_tile(n), mq, at.q_full(n), Q_BOX, column, r.query(n), batch);
    }
}

/* s [64, KEYS] = q k^T. (It is cleared, since what a product overwrites counts as read, and would be
** kept in registers from one tile to the next.) */
template <class T> __device__ __forceinline__ void logits(float (&s)[64], uint32_t q, uint32_t k)
{
    clear(s);
    products_begin();
#pragma unroll
    for (int step = 0; step < D / 16; step++)
        product_add<T>(s, operand(q + step / 4 * Q_BOX + step % 4 * 32, 1024),
                       operand(k + step / 4 * BOX + step % 4 * 32, 1024));
    products_commit();
    products_wait<0>();
    pin(s);
}

/* s becomes exp(c (s - the row's maximum)), 0 for keys that do not exist; sum gets this thread's
** part of its two rows' sums. */
__device__ __forceinline__ void softmax(const attention_args &a, float (&s)[64], float (&sum)[2],
                                        int lane)
{
    float top[2] = {-INFINITY, -INFINITY}, c = a.scale_log2e;
    int keys = a.lk;
    asm volatile(""
                 : "+r"(keys)); /* or what follows of it is kept, from tile to tile, in registers */
#pragma unroll
    for (int i = 0; i < 64; i++) {
        int j = i / 4 * 8 + lane % 4 * 2 + i % 2;
        s[i] = j >= keys ? -INFINITY : j == keys - 1 ? s[i] + a.last : s[i];
        top[i / 2 % 2] = fmaxf(top[i / 2 % 2], s[i]);
    }
#pragma unroll
    for (int half = 0; half < 2; half++)
        sum[half] = 0, top[half] = lane_max(top[half], 4) * c;
#pragma unroll
    for (int i = 0; i < 64; i++) {
        s[i] = exp2_fast(s[i] * c - top[i / 2 % 2]);
        sum[i / 2 % 2] += s[i];
    }
}

/* o [64, D] = p v */
template <class T>
__device__ __forceinline__ void weighted_sum(float (&o)[64], const uint32_t (&p)[32], uint32_t v)
{
    clear(o);
    products_begin();
#pragma unroll
    for (int step = 0; step < KEYS / 16; step++)
        product_128<T>(o, p + step * 4, operand(v + step * 2048, 1024, BOX));
    products_commit();
    products_wait<0>();
    pin(o);
}

/* One of the other groups takes every third tile. */
template <class T>
__device__ __forceinline__ void consume(const layout &at, const attention_args &a, const run &r,
                                        int group)
{
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32 % 4, h = 0;
    auto free = [&](uint32_t barrier) {
        if (lane == 0)
            barrier_arrive(barrier);
    };
    /* Each group frees each head's keys, in order, also of a head that it has no tile of. */
    auto leave_heads = [&](int end) {
        for (; h < end; h++) {
            barrier_wait(at.kv_full(h), h / PAIRS & 1);
            free(at.kv_free(h));
        }
    };
    for (int n = group; n < r.count; n += GROUPS) {
        float s[64], o[64], sum[2];
        uint32_t p[32];
        leave_heads(r.turn(n));
        barrier_wait(at.kv_full(h), h / PAIRS & 1);
        barrier_wait(at.q_full(n), n / SLOTS & 1);
        logits<T>(s, at.q_tile(n), at.k_tile(h));
        free(at.q_free(n));
        softmax(a, s, sum, lane);
        pack<T>(p, s);
        weighted_sum<T>(o, p, at.v_tile(h));
        int row = r.query(n) + warp * 16;
        T *y = (T *)a.y + (int64_t)(r.head(n) / a.heads) * a.lq * a.y_stride;
        if (row < a.lq)
            write_rows<T>(a, o, sum, y + r.head(n) % a.heads * D, row, lane);
    }
    leave_heads(r.turn(r.count - 1)); /* others go on */
}

#endif

template <class T>
__global__ void __launch_bounds__(THREADS, 1)
    attention_few_kernel(const __grid_constant__ CUtensorMap mq,
                         const __grid_constant__ CUtensorMap mk,
                         const __grid_constant__ CUtensorMap mv, const attention_args a,
                         const work w)
{
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
    extern __shared__ uint8_t shared[];
    layout at(shared_address(shared));
    run r(w);
    if (threadIdx.x == 0) {
        for (int n = 0; n < SLOTS; n++) {
            barrier_init(at.q_full(n), 1);
            barrier_init(at.q_free(n), 4); /* warps */
        }
        for (int h = 0; h < PAIRS; h++) {
            barrier_init(at.kv_full(h), 1);
            barrier_init(at.kv_free(h), 4 * GROUPS);
        }
        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    }
    __syncthreads();
    kernel_begin();
    int group = __shfl_sync(~0u, threadIdx.x / 128, 0); /* the same for a warp, and seen to be */
    if (group == 0) {
        asm volatile("setmaxnreg.dec.sync.aligned.u32 24;");
        if (threadIdx.x == 0)
            produce(at, &mq, &mk, &mv, a, r);
    } else {
        asm volatile("setmaxnreg.inc.sync.aligned.u32 160;");
        consume<T>(at, a, r, group - 1);
    }
#endif
}

} // namespace

template <class T> void attention_few(const attention_args &a)
{
    work w;
    w.across = (int)ceil_div(a.lq, QUERIES);
    w.tiles = w.across * a.heads * a.batch;
    start_tiles<attention_few_kernel<T>>(a, w, KEYS, THREADS, SHARED_BYTES);
}

template void attention_few<half_t>(const attention_args &a);
template void attention_few<bf16_t>(const attention_args &a);
