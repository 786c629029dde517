/*
** attention_8bit.cuh: attention for heads 128 wide on Hopper whose logits are products of int8
** codes; attention_int8.cu and attention_fp8.cu say how the weights meet the values.
**
** As attention_hopper.cu: blocks stay, one thread of 384 asks for tiles, two groups of 128 threads
** take 64 queries each and take turns at issuing, so that the softmax of one falls into the
** products of the other. What differs: a tile of Q or K is rows of 128 bytes, one box of the copy
** engine each; the logits are s32, exact, and become F32 by the key's scale, which comes with the
** tile; the row's scale goes into the factor of the exponent. Maxima are kept as powers of two.
*/
#ifndef ATTENTION_8BIT_CUH
#define ATTENTION_8BIT_CUH

#include "attention_hopper.cuh"

/* What the pre-pass leaves (attention_codes.cu): of q and k int8 and a scale a token and head; of
** v e4m3, a head's channels as rows, a power of two for each tile of keys, and what was taken off. */
struct attention_codes {
    const int8_t *q, *k;  /* [B, L, H, 128] */
    const float *q_scale; /* [B, H, Lq] */
    const float *k_scale; /* [B, H, padded keys] */
    const uint8_t *v;     /* [B, H, 128, padded keys]; of 16 tokens in the order of PLACES */
    const float *v_scale; /* [B, H, tiles] */
    const float *v_mean;  /* [B, H, 128] */
    int padded;           /* keys, to whole tiles */
};

/* The tiles of queries of all heads, in order: those of a head run together. */
struct work8 {
    int across, tiles, keys; /* tiles of a head; in all; tiles of keys */
};

/* Keys of a tile of the two kernels: their scales are padded to whole ones. */
constexpr int INT8_KEYS = 176, FP8_KEYS = 128;
constexpr int QUERIES8 = 128, Q_HALF = 64 * 128; /* a group's queries, in bytes */

/* V is the kind of values: V::KEYS keys a tile, V::TILE bytes of values, V::STAGES of each under
** way; and so on: attention_int8.cu, attention_fp8.cu. */
template <class V> constexpr size_t shared_bytes8()
{
    return 1024 + 2 * Q_HALF + V::STAGES * (V::KEYS * 128 + V::TILE + 1024) +
           (4 + 4 * V::STAGES) * 8;
}

#ifdef __CUDA_ARCH_FEAT_SM90_ALL

/* From device to shared memory: bytes one after the other, multiples of 16. */
__device__ __forceinline__ void bytes_fetch(uint32_t shared, const void *global, int bytes,
                                            uint32_t barrier)
{
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes "
                 "[%0], [%1], %2, [%3];" ::"r"(shared),
                 "l"(global), "r"(bytes), "r"(barrier)
                 : "memory");
}

__device__ __forceinline__ float2 shared_pair(uint32_t address)
{
    float2 v;
    asm volatile("ld.shared.v2.f32 {%0, %1}, [%2];" : "=f"(v.x), "=f"(v.y) : "r"(address));
    return v;
}

template <int N> __device__ __forceinline__ void pin(int (&x)[N])
{
#pragma unroll
    for (int i = 0; i < N; i++)
        asm volatile("" : "+r"(x[i])::"memory");
}

/* Four values in e4m3, the first lowest. */
__device__ __forceinline__ uint32_t pack_e4m3(float a, float b, float c, float d)
{
    uint32_t v;
    asm("{\n.reg .b16 low, high;\n"
        "cvt.rn.satfinite.e4m3x2.f32 low, %2, %1;\n"
        "cvt.rn.satfinite.e4m3x2.f32 high, %4, %3;\n"
        "mov.b32 %0, {low, high};\n}"
        : "=r"(v)
        : "f"(a), "f"(b), "f"(c), "f"(d));
    return v;
}

#define WGMMA_I8(d, i)                                                                             \
    "+r"(d[i]), "+r"(d[i + 1]), "+r"(d[i + 2]), "+r"(d[i + 3]), "+r"(d[i + 4]), "+r"(d[i + 5]),    \
        "+r"(d[i + 6]), "+r"(d[i + 7])
#define WGMMA_I64(d)                                                                               \
    WGMMA_I8(d, 0), WGMMA_I8(d, 8), WGMMA_I8(d, 16), WGMMA_I8(d, 24), WGMMA_I8(d, 32),             \
        WGMMA_I8(d, 40), WGMMA_I8(d, 48), WGMMA_I8(d, 56)
#define WGMMA_I88(d) WGMMA_I64(d), WGMMA_I8(d, 64), WGMMA_I8(d, 72), WGMMA_I8(d, 80)

/* d [64, N] s32 (+)= a b^T: a [64, 32] and b [N, 32] int8 in shared memory; not added if fresh. */
#define WGMMA_INT8(n, registers, list, a_at, b_at, fresh_at)                                       \
    asm volatile("{\n.reg .pred add;\nsetp.eq.b32 add, %" fresh_at ", 0;\n"                        \
                 "wgmma.mma_async.sync.aligned.m64n" n "k32.s32.s8.s8 " registers ", %" a_at       \
                 ", %" b_at ", add;\n}"                                                            \
                 : list(d)                                                                         \
                 : "l"(a), "l"(b), "r"((int)fresh))
__device__ __forceinline__ void product_int8(int (&d)[64], uint64_t a, uint64_t b, bool fresh)
{
    WGMMA_INT8("128", WGMMA_R64, WGMMA_I64, "64", "65", "66");
}
__device__ __forceinline__ void product_int8(int (&d)[88], uint64_t a, uint64_t b, bool fresh)
{
    WGMMA_INT8("176", WGMMA_R88, WGMMA_I88, "88", "89", "90");
}

/* Where things are in shared memory. */
template <class V> struct layout8 {
    static constexpr int K_TILE = V::KEYS * 128, SCALES = 1024;
    uint32_t q, k, v, scales, bars;
    __device__ __forceinline__ explicit layout8(uint32_t raw)
    {
        q = (raw + 1023) & ~1023u;
        k = q + 2 * Q_HALF;
        v = k + V::STAGES * K_TILE;
        scales = v + V::STAGES * V::TILE;
        bars = scales + V::STAGES * SCALES;
    }
    __device__ __forceinline__ uint32_t q_tile(int group) const { return q + group * Q_HALF; }
    __device__ __forceinline__ uint32_t k_tile(int s) const { return k + s * K_TILE; }
    __device__ __forceinline__ uint32_t v_tile(int s) const { return v + s * V::TILE; }
    __device__ __forceinline__ uint32_t k_scales(int s) const { return scales + s * SCALES; }
    __device__ __forceinline__ uint32_t q_full(int group) const { return bars + group * 16; }
    __device__ __forceinline__ uint32_t q_free(int group) const { return bars + group * 16 + 8; }
    __device__ __forceinline__ uint32_t k_full(int s) const { return bars + 32 + s * 32; }
    __device__ __forceinline__ uint32_t v_full(int s) const { return k_full(s) + 8; }
    __device__ __forceinline__ uint32_t k_free(int s) const { return k_full(s) + 16; }
    __device__ __forceinline__ uint32_t v_free(int s) const { return k_full(s) + 24; }
};

/* A stage and the parity of its turn. */
template <int STAGES> struct ring {
    int stage = 0, parity = 0;
    __device__ __forceinline__ void advance()
    {
        if (++stage == STAGES)
            stage = 0, parity ^= 1;
    }
};

/* Tile t: its first query, and of which head and sequence. */
struct place8 {
    int query, head, batch;
    __device__ __forceinline__ place8(const attention_args &a, const work8 &w, int t)
    {
        query = t % w.across * QUERIES8;
        head = t / w.across % a.heads;
        batch = t / w.across / a.heads;
    }
};

/* The first group's one thread. Columns of codes are counted in pairs. */
template <class V>
__device__ __forceinline__ void
produce8(const layout8<V> &at, const CUtensorMap *mq, const CUtensorMap *mk, const CUtensorMap *mv,
         const attention_args &a, const attention_codes &c, const work8 &w)
{
    ring<V::STAGES> r;
    int turn = 0;
    for (int t = blockIdx.x; t < w.tiles; t += gridDim.x, turn ^= 1) {
        place8 p(a, w, t);
        const float *scales = c.k_scale + (int64_t)(p.batch * a.heads + p.head) * c.padded;
        for (int group = 0; group < 2; group++) {
            uint32_t full = at.q_full(group);
            barrier_wait(at.q_free(group), turn ^ 1);
            barrier_expect(full, Q_HALF);
            tile_fetch(at.q_tile(group), mq, full, p.head * 64, p.query + group * 64, p.batch);
        }
        for (int key = 0; key < w.keys; key++, r.advance()) {
            uint32_t full = at.k_full(r.stage);
            barrier_wait(at.k_free(r.stage), r.parity ^ 1);
            barrier_expect(full, layout8<V>::K_TILE + V::KEYS * 4);
            tile_fetch(at.k_tile(r.stage), mk, full, p.head * 64, key * V::KEYS, p.batch);
            bytes_fetch(at.k_scales(r.stage), scales + key * V::KEYS, V::KEYS * 4, full);
            barrier_wait(at.v_free(r.stage), r.parity ^ 1);
            V::fetch(at.v_tile(r.stage), mv, at.v_full(r.stage), key, p, a);
        }
    }
}

/* Starts s [64, KEYS] = q k^T. */
template <int S> __device__ __forceinline__ void logits8(int (&s)[S], uint32_t q, uint32_t k)
{
#pragma unroll
    for (int step = 0; step < D / 32; step++)
        product_int8(s, operand(q + step * 32, 1024), operand(k + step * 32, 1024), step == 0);
    products_commit();
}

/* What a thread's two rows of logits (lane / 4, and 8 further) have come to. Tops are powers of
** two: softmax is 2^(factor logit - top). */
struct rows8 {
    float top[2], sum[2], fade[2], factor[2]; /* fade: what brings older sums to the top */
};

/* x becomes V::LARGEST's power of two times 2^(factor x - top), and top the maximum so far, or not
** much less. Has it changed in any of the warp's rows? Then older sums are to be faded. */
template <class V, int S> __device__ __forceinline__ bool softmax_step8(float (&x)[S], rows8 &r)
{
    float t[2];
    bool grown = false;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float m = -INFINITY;
#pragma unroll
        for (int n = 0; n < S / 4; n++)
            m = fmaxf(m, fmaxf(x[4 * n + 2 * half], x[4 * n + 2 * half + 1]));
        m = fmaxf(m, __shfl_xor_sync(~0u, m, 1));
        m = fmaxf(m, __shfl_xor_sync(~0u, m, 2)) * r.factor[half];
        t[half] = fmaxf(r.top[half], V::WHOLE ? ceilf(m) : m);
        grown |= t[half] - r.top[half] > V::LEAST_GROWTH;
    }
    grown = __any_sync(~0u, grown);
    if (grown)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            r.fade[half] = exp2_fast(r.top[half] - t[half]);
            r.top[half] = t[half];
            r.sum[half] *= r.fade[half];
        }
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float base = r.top[half] - V::SHIFT, total[2] = {};
#pragma unroll
        for (int n = 0; n < S / 4; n++)
#pragma unroll
            for (int e = 0; e < 2; e++) {
                float &v = x[4 * n + 2 * half + e];
                v = exp2_fast(v * r.factor[half] - base);
                if (V::SUMMED)
                    total[e] += v;
            }
        if (V::SUMMED)
            r.sum[half] += total[0] + total[1];
    }
    return grown;
}

/* One of the two other groups. Tile n of keys is the j-th of the queries' tile t; its weights
** meet the values after the logits of tile n + 1 are asked for, which may be of the next
** queries. */
template <class V>
__device__ __forceinline__ void consume8(const layout8<V> &at, const attention_args &a,
                                         const attention_codes &c, const work8 &w, int group)
{
    constexpr int S = V::KEYS / 2; /* a thread's share of the logits of its group */
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32 % 4, mine = 1 + group, other = 2 - group;
    int first = blockIdx.x, stride = gridDim.x;
    int total = (w.tiles - first + stride - 1) / stride * w.keys;
    uint32_t q = at.q_tile(group);
    int s[S];
    float x[S];
    rows8 r;
    V values;
    ring<V::STAGES> now, before; /* of tiles n and n - 1 */
    auto free = [&](uint32_t barrier) {
        if (lane == 0)
            barrier_arrive(barrier);
    };

    int t = first, j = 0, turn = 0; /* of tile n of keys, as n goes on */
    auto begin_rows = [&] {
        place8 p(a, w, t);
        const float *scale = c.q_scale + (int64_t)(p.batch * a.heads + p.head) * a.lq;
#pragma unroll
        for (int half = 0; half < 2; half++) {
            int row = p.query + group * 64 + warp * 16 + half * 8 + lane / 4;
            r.factor[half] = row < a.lq ? scale[row] * a.scale_log2e : 1;
            r.top[half] = -INFINITY, r.sum[half] = 0;
        }
    };
    auto logits_there = [&] {
        uint32_t scales = at.k_scales(now.stage) + lane % 4 * 8;
        pin(s);
#pragma unroll
        for (int n = 0; n < S / 4; n++) {
            float2 scale = shared_pair(scales + n * 32);
#pragma unroll
            for (int half = 0; half < 4; half += 2) {
                x[4 * n + half] = (float)s[4 * n + half] * scale.x;
                x[4 * n + half + 1] = (float)s[4 * n + half + 1] * scale.y;
            }
        }
        free(at.k_free(now.stage));
        if (j + 1 < w.keys)
            return;
        free(at.q_free(group));
        int key = j * V::KEYS + lane % 4 * 2;
#pragma unroll
        for (int i = 0; i < S; i++)
            if (key + i / 4 * 8 + i % 2 >= a.lk)
                x[i] = -INFINITY;
    };
    auto advance = [&] {
        before = now;
        now.advance();
        if (++j == w.keys)
            j = 0, t += stride, turn ^= 1;
    };
    auto write = [&](int tile, const float(&sum)[2]) {
        place8 p(a, w, tile);
        values.write(a, c, p, sum, p.query + group * 64 + warp * 16, lane);
    };

    barrier_wait(at.q_full(group), 0);
    barrier_wait(at.k_full(0), 0);
    if (group == 1)
        group_sync(mine, 256);
    products_begin();
    logits8(s, q, at.k_tile(0));
    if (group == 0 || total > 1)
        group_arrive(other, 256);
    begin_rows();
    products_wait<0>();
    logits_there();
    softmax_step8<V>(x, r);
    values.take(x);
    values.clear();
    values.scale(a, c, w, t, 0);
    advance();
    if (total > 1)
        barrier_wait(at.k_full(now.stage), now.parity);
    for (int n = 1; n < total; n++, advance()) {
        if (j == 0)
            barrier_wait(at.q_full(group), turn);
        group_sync(mine, 256);
        products_begin();
        logits8(s, q, at.k_tile(now.stage));
        barrier_wait(at.v_full(before.stage), before.parity);
        products_begin();
        values.start(at.v_tile(before.stage), group == 0 || n + 1 < total ? other : 0);
        float sum[2] = {r.sum[0], r.sum[1]}; /* of the queries before, if these are new */
        if (j == 0)
            begin_rows();
        products_wait<1>();
        logits_there();
        bool grown = softmax_step8<V>(x, r);
        /* What branches here keeps the compiler from putting the exponentials off until after
         * the wait, when the tensor cores have nothing to do. */
        if (n + 1 < total) {
            ring<V::STAGES> next = now;
            next.advance();
            barrier_wait(at.k_full(next.stage), next.parity);
        }
        products_wait<0>();
        values.there();
        free(at.v_free(before.stage));
        if (j == 0) {
            values.add();
            write(t - stride, sum);
            values.clear();
        } else if (grown) {
            values.fade(r.fade);
        } else
            values.add();
        values.take(x);
        values.scale(a, c, w, t, j);
    }
    barrier_wait(at.v_full(before.stage), before.parity);
    products_begin();
    values.start(at.v_tile(before.stage), 0);
    products_wait<0>();
    values.there();
    values.add();
    write(t - stride, r.sum);
}

/* What a block of 384 threads does. */
template <class V>
__device__ __forceinline__ void attend8(const CUtensorMap *mq, const CUtensorMap *mk,
                                        const CUtensorMap *mv, const attention_args &a,
                                        const attention_codes &c, const work8 &w)
{
    extern __shared__ uint8_t shared[];
    layout8<V> at(shared_address(shared));
    if (threadIdx.x == 0) {
        for (int group = 0; group < 2; group++) {
            barrier_init(at.q_full(group), 1);
            barrier_init(at.q_free(group), 4); /* warps */
        }
        for (int n = 0; n < V::STAGES; n++) {
            barrier_init(at.k_full(n), 1);
            barrier_init(at.v_full(n), 1);
            barrier_init(at.k_free(n), 8);
            barrier_init(at.v_free(n), 8);
        }
        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    }
    V::prepare(at.v);
    __syncthreads();
    kernel_begin();
    int group = __shfl_sync(~0u, threadIdx.x / 128, 0); /* the same for a warp, and seen to be */
    if (group == 0) {
        asm volatile("setmaxnreg.dec.sync.aligned.u32 24;");
        if (threadIdx.x == 0)
            produce8<V>(at, mq, mk, mv, a, c, w);
    } else {
        asm volatile("setmaxnreg.inc.sync.aligned.u32 240;");
        consume8<V>(at, a, c, w, group - 1);
    }
}

#endif

/* `count` rows of codes at a time, as pairs, which are 16 bits. */
static inline CUtensorMap map_codes(const void *x, int rows, const attention_args &a, int count)
{
    int64_t dim[3] = {(int64_t)a.heads * D / 2, rows, a.batch};
    int64_t steps[2] = {(int64_t)a.heads * D, (int64_t)rows * a.heads * D};
    int box[3] = {64, count, 1};
    return tile_map(F16, x, 3, dim, steps, box);
}

template <class T> void attention_int8(const attention_args &a, const attention_codes &c);
template <class T> void attention_fp8(const attention_args &a, const attention_codes &c);

/* Starts blocks that stay, for all queries. */
template <auto KERNEL, class V>
static void start_codes(const attention_args &a, const attention_codes &c, const CUtensorMap &mv)
{
    work8 w;
    w.across = (int)ceil_div(a.lq, QUERIES8);
    w.tiles = w.across * a.heads * a.batch;
    w.keys = c.padded / V::KEYS;
    static bool allowed;
    if (!allowed)
        ALLOW_SHARED(KERNEL, shared_bytes8<V>());
    allowed = true;
    start("start attention in 8 bits", KERNEL,
          (unsigned)(w.tiles < device_sms ? w.tiles : device_sms), 384, shared_bytes8<V>(), 1,
          map_codes(c.q, a.lq, a, 64), map_codes(c.k, a.lk, a, V::KEYS), mv, a, c, w);
}

#endif
