/*
** attention_hopper.cu: attention for heads 128 wide on Hopper: wgmma, the copy engine (TMA), and warps
** with different jobs. After FlashAttention-3 (Shah et al., 2024).
**
** A block stays on its multiprocessor and takes 128 queries of one head after the other. It has
** three groups of 128 threads. One thread of the first only asks for tiles: Q once for each head's
** queries, K and V 176 keys at a time, two of each under way. The other two groups take 64 queries
** each. In a group, the logits of the next keys are computed while the weights of these meet V
** (both are asynchronous), and the softmax of one group falls into the products of the other: two
** named barriers let them take turns at issuing, the next one's products queueing behind the last
** few of these. The next queries' first keys follow the last ones without a pause.
**
** What a group does alone must be over when the other's products are, or the tensor cores wait. So
** nothing is looked for in the logits: weights are relative to the greatest logit of the query's
** first tile, whatever comes later. Softmax does not mind; only an overflow would be wrong, and
** the sums show it coming: when a thread's weights of a tile are more than 2^14 together, the
** greatest logit is looked for, older sums are faded and the tile's weights computed anew. No logit
** is then more than 2^14 above what it is compared with, which is nothing to F32 sums, and 16-bit
** weights lose nothing either: they are floating-point numbers.
**
** Shared memory: Q 32 KB, K and V 2 x 44 KB each: 208 KB. Registers: output 64, logits 88, weights
** 44. Bound: 4 Lq Lk d operations at the rate of a dense product; in fact the card's power, of which
** bringing K and V from the second cache takes a tenth.
*/
#include "attention_hopper.cuh"

namespace
{

constexpr int KEYS = 176, THREADS = 384, STAGES = 2;
/* Bytes of a box, rows of 64 elements; a tile is two boxes, and so is a group's half of Q. */
constexpr int Q_BOX = 64 * 128, BOX = KEYS * 128, TILE = 2 * BOX;
constexpr size_t SHARED_BYTES = 1024 + 4 * Q_BOX + 2 * STAGES * TILE + (4 + 4 * STAGES) * 8;

#ifdef __CUDA_ARCH_FEAT_SM90_ALL

/* Of a thread's weights in a tile: none may become infinite as F16, 2^16. */
constexpr float MOST = 1 << 14;
constexpr int S = KEYS / 2; /* a thread's share of the logits [64, KEYS] of its group */

/* Where things are in shared memory: each stage of K and of V has a tile and two barriers. */
struct layout {
    uint32_t q, k, v, bars;
    __device__ __forceinline__ explicit layout(uint32_t raw)
    {
        q = (raw + 1023) & ~1023u;
        k = q + 4 * Q_BOX;
        v = k + STAGES * TILE;
        bars = v + STAGES * TILE;
    }
    __device__ __forceinline__ uint32_t q_tile(int group) const { return q + group * 2 * Q_BOX; }
    __device__ __forceinline__ uint32_t k_tile(int stage) const { return k + stage * TILE; }
    __device__ __forceinline__ uint32_t v_tile(int stage) const { return v + stage * TILE; }
    __device__ __forceinline__ uint32_t q_full(int group) const { return bars + group * 16; }
    __device__ __forceinline__ uint32_t q_free(int group) const { return bars + group * 16 + 8; }
    __device__ __forceinline__ uint32_t k_full(int stage) const { return bars + 32 + stage * 32; }
    __device__ __forceinline__ uint32_t v_full(int stage) const { return k_full(stage) + 8; }
    __device__ __forceinline__ uint32_t k_free(int stage) const { return k_full(stage) + 16; }
    __device__ __forceinline__ uint32_t v_free(int stage) const { return k_full(stage) + 24; }
};

/* A tile of keys or values, once its place is free. */
__device__ __forceinline__ void fetch_keys(uint32_t tile, const CUtensorMap *map, uint32_t full,
                                           uint32_t free, int parity, int row, const query_place &p)
{
    barrier_wait(free, parity ^ 1);
    barrier_expect(full, TILE);
    tile_fetch(tile, map, full, p.column, row, p.batch);
    tile_fetch(tile + BOX, map, full, p.column + 64, row, p.batch);
}

/* The first group's one thread. Values are asked for after the keys of the next tile, which are
** needed sooner and whose place is free sooner. */
__device__ __forceinline__ void produce(const layout &at, const CUtensorMap *mq,
                                        const CUtensorMap *mk, const CUtensorMap *mv,
                                        const attention_args &a, const query_tiles &w)
{
    int turn = 0, row = 0;
    ring<STAGES> k, v;
    query_place before(a, w, blockIdx.x);
    auto fetch_values = [&] {
        fetch_keys(at.v_tile(v.stage), mv, at.v_full(v.stage), at.v_free(v.stage), v.parity, row,
                   before);
        v.step();
    };
    for (int t = blockIdx.x; t < w.tiles; t += gridDim.x, turn ^= 1) {
        query_place p(a, w, t);
        for (int group = 0; group < 2; group++) {
            uint32_t full = at.q_full(group), q = at.q_tile(group);
            barrier_wait(at.q_free(group), turn ^ 1);
            barrier_expect(full, 2 * Q_BOX);
            tile_fetch(q, mq, full, p.column, p.query + group * 64, p.batch);
            tile_fetch(q + Q_BOX, mq, full, p.column + 64, p.query + group * 64, p.batch);
        }
        for (int key = 0; key < w.keys; key++) {
            fetch_keys(at.k_tile(k.stage), mk, at.k_full(k.stage), at.k_free(k.stage), k.parity,
                       key * KEYS, p);
            k.step();
            if (t != (int)blockIdx.x || key)
                fetch_values();
            before = p, row = key * KEYS;
        }
    }
    fetch_values();
}

/* Starts s [64, KEYS] = q k^T. */
template <class T> __device__ __forceinline__ void logits(float (&s)[S], uint64_t q, uint64_t k)
{
#pragma unroll
    for (int step = 0; step < D / 16; step++)
        product<T>(s, further(q, step / 4 * Q_BOX + step % 4 * 32),
                   further(k, step / 4 * BOX + step % 4 * 32), step == 0);
    products_commit();
}

/* Starts o [64, D] += p v, and arrives at the named barrier pass_on, if it is one, before the
** last step of it is started. */
template <class T>
__device__ __forceinline__ void weighted_sum(float (&o)[64], const uint32_t (&p)[S / 2], uint64_t v,
                                             int pass_on)
{
    constexpr int STEPS = KEYS / 16, LAST = 1;
#pragma unroll
    for (int step = 0; step < STEPS; step++) {
        if (step == STEPS - LAST && pass_on)
            group_arrive(pass_on, 256);
        product_128<T>(o, p + step * 4, further(v, step * 2048));
    }
    products_commit();
}

/* What a thread's two rows of logits (lane / 4, and 8 further) have come to. */
struct row_state {
    float top[2], sum[2] = {}, fade[2]; /* fade: what brings older sums to the top */
};

/* The tops become the greatest logits so far, these of the tile included. */
__device__ __forceinline__ void raise_tops(const float (&s)[S], row_state &r, float c)
{
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float t[4] = {r.top[half], -INFINITY, -INFINITY, -INFINITY};
#pragma unroll
        for (int n = 0; n < S / 2; n++)
            t[n % 4] = fmaxf(t[n % 4], s[n / 2 * 4 + half * 2 + n % 2]);
        float top = lane_max(fmaxf(fmaxf(t[0], t[1]), fmaxf(t[2], t[3])), 4);
        r.fade[half] = exp2_fast((r.top[half] - top) * c);
        r.top[half] = top;
        r.sum[half] *= r.fade[half];
    }
}

/* p = exp(scale (s - top)), in 16 bits; returns its sums over the thread's columns. */
template <class T>
__device__ __forceinline__ float2 weights(const float (&s)[S], uint32_t (&p)[S / 2],
                                          const row_state &r, float c)
{
    float base[2] = {r.top[0] * c, r.top[1] * c}, sum[2][2] = {};
#pragma unroll
    for (int i = 0; i < S / 2; i++) {
        float x = exp2_fast(s[2 * i] * c - base[i % 2]);
        float y = exp2_fast(s[2 * i + 1] * c - base[i % 2]);
        sum[i % 2][0] += x;
        sum[i % 2][1] += y;
        p[i] = pack2<T>(x, y);
    }
    return make_float2(sum[0][0] + sum[0][1], sum[1][0] + sum[1][1]);
}

/* In the last tile: keys that do not exist, and the one that stands for many. */
__device__ __forceinline__ void adjust(const attention_args &a, float (&s)[S], int key, int lane)
{
#pragma unroll
    for (int i = 0; i < S; i++) {
        int j = key + i / 4 * 8 + lane % 4 * 2 + i % 2;
        s[i] = j >= a.lk ? -INFINITY : j == a.lk - 1 ? s[i] + a.last : s[i];
    }
}

/* One of the two other groups. Tile n of keys is the j-th of the queries' tile t; its weights
** meet the values after the logits of tile n + 1 are asked for, which may be of the next
** queries. */
template <class T>
__device__ __forceinline__ void consume(const layout &at, const attention_args &a,
                                        const query_tiles &w, int group)
{
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32 % 4, mine = 1 + group, other = 2 - group;
    int first = blockIdx.x, stride = gridDim.x;
    int total = (w.tiles - first + stride - 1) / stride * w.keys;
    uint64_t q = operand(at.q_tile(group), 1024), k0 = operand(at.k, 1024);
    uint64_t v0 = operand(at.v, 1024, BOX);
    uint32_t p[S / 2];
    float o[64], s[S], c = a.scale_log2e;
    row_state r;
    auto free = [&](uint32_t barrier) {
        if (lane == 0)
            barrier_arrive(barrier);
    };
    auto write = [&](int t, const float(&sum)[2]) {
        query_place to(a, w, t);
        T *y = (T *)a.y + (int64_t)to.batch * a.lq * a.y_stride + to.column;
        write_rows<T>(a, o, sum, y, to.query + group * 64 + warp * 16, lane);
    };

    int t = first, j = 0, turn = 0; /* of tile n of keys, as n goes on */
    ring<STAGES> k, v;
    auto logits_there = [&] {
        pin(s);
        free(at.k_free(k.stage));
        k.step();
        if (j + 1 < w.keys)
            return;
        free(at.q_free(group));
        adjust(a, s, j * KEYS, lane);
    };
    auto wait_for_keys = [&](int n) {
        if (n < total)
            barrier_wait(at.k_full(k.stage), k.parity);
    };
    auto values_used = [&] {
        pin(o);
        free(at.v_free(v.stage));
        v.step();
    };
    auto first_softmax = [&] {
        r.top[0] = r.top[1] = -INFINITY;
        raise_tops(s, r, c);
        float2 sum = weights<T>(s, p, r, c);
        r.sum[0] = sum.x, r.sum[1] = sum.y;
    };
    auto softmax = [&] {
        float2 sum = weights<T>(s, p, r, c);
        if (__any_sync(~0u, fmaxf(sum.x, sum.y) > MOST)) {
            raise_tops(s, r, c);
#pragma unroll
            for (int i = 0; i < 64; i++)
                o[i] *= r.fade[i / 2 % 2];
            sum = weights<T>(s, p, r, c);
        }
        r.sum[0] += sum.x, r.sum[1] += sum.y;
    };
    auto advance = [&] {
        if (++j == w.keys)
            j = 0, t += stride, turn ^= 1;
    };

    barrier_wait(at.q_full(group), 0);
    barrier_wait(at.k_full(0), 0);
    if (group == 1)
        group_sync(mine, 256);
    products_begin();
    logits<T>(s, q, k0);
    if (group == 0 || total > 1)
        group_arrive(other, 256);
    products_wait<0>();
    logits_there();
    first_softmax();
    clear(o);
    advance();
    /* Waits for barriers stand where products are under way: even if nothing is to be waited for
     * they take some fifty clocks. */
    wait_for_keys(1);
    for (int n = 1; n < total; n++, advance()) {
        if (j == 0)
            barrier_wait(at.q_full(group), turn);
        group_sync(mine, 256);
        products_begin();
        logits<T>(s, q, further(k0, k.stage * TILE));
        barrier_wait(at.v_full(v.stage), v.parity);
        products_begin();
        weighted_sum<T>(o, p, further(v0, v.stage * TILE), group == 0 || n + 1 < total ? other : 0);
        products_wait<1>();
        logits_there();
        wait_for_keys(n + 1);
        products_wait<0>();
        values_used();
        if (j) {
            softmax();
            continue;
        }
        float sum[2] = {r.sum[0], r.sum[1]}; /* of the queries before */
        first_softmax();
        write(t - stride, sum);
        clear(o);
    }
    barrier_wait(at.v_full(v.stage), v.parity);
    products_begin();
    weighted_sum<T>(o, p, further(v0, v.stage * TILE), 0);
    products_wait<0>();
    pin(o);
    write(t - stride, r.sum);
}

#endif

template <class T>
__global__ void __launch_bounds__(THREADS, 1)
    attention_hopper_kernel(const __grid_constant__ CUtensorMap mq,
                            const __grid_constant__ CUtensorMap mk,
                            const __grid_constant__ CUtensorMap mv, const attention_args a,
                            const query_tiles w)
{
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
    extern __shared__ uint8_t shared[];
    layout at(shared_address(shared));
    if (threadIdx.x == 0) {
        for (int group = 0; group < 2; group++) {
            barrier_init(at.q_full(group), 1);
            barrier_init(at.q_free(group), 4); /* warps */
        }
        for (int n = 0; n < STAGES; n++) {
            barrier_init(at.k_full(n), 1);
            barrier_init(at.v_full(n), 1);
            barrier_init(at.k_free(n), 8);
            barrier_init(at.v_free(n), 8);
        }
        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    }
    __syncthreads();
    kernel_begin();
    int group = __shfl_sync(~0u, threadIdx.x / 128, 0); /* the same for a warp, and seen to be */
    if (group == 0) {
        asm volatile("setmaxnreg.dec.sync.aligned.u32 24;");
        if (threadIdx.x == 0)
            produce(at, &mq, &mk, &mv, a, w);
    } else {
        asm volatile("setmaxnreg.inc.sync.aligned.u32 240;");
        consume<T>(at, a, w, group - 1);
    }
#endif
}

} // namespace

template <class T> void attention_hopper(const attention_args &a)
{
    query_tiles w(a, KEYS);
    start_tiles<attention_hopper_kernel<T>>(a, w, KEYS, THREADS, SHARED_BYTES);
}

template void attention_hopper<half_t>(const attention_args &a);
template void attention_hopper<bf16_t>(const attention_args &a);
