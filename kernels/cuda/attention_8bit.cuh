/*
** attention_8bit.cuh: attention for heads 128 wide on Hopper whose logits are products of int8
** codes; attention_int8.cu and attention_fp8.cu say how the weights meet the values.
**
** As in attention_hopper.cu blocks stay, one thread of 384 asks for tiles, and two groups of 128
** threads take 64 queries each. A group issues the product of its last weights with the values,
** then that for the next logits (in turns with the other group, where that is faster); while it
** makes weights of these the other's products run. What the first product came to is added to the
** output while the second runs. A tile of Q or K is rows of 128 bytes, one box of the copy engine (TMA).
**
** A thread's share of the logits is s32, exact, and needs no conversion (ORIGIN), and its keys have
** one scale, so that a logit costs one F32 fma before its weight is made. The maximum is not
** looked for: weights are made with the top so far, and only if one is too large for the type it is
** kept in is a higher top found, and all is done again. Whether the next tile is there is asked
** before the weights are made, since the answer takes 55 clocks.
*/
#ifndef ATTENTION_8BIT_CUH
#define ATTENTION_8BIT_CUH

#include "../attention.h"
#include "attention_hopper.cuh"

constexpr int Q_HALF = 64 * 128; /* a group's queries, in bytes */

/* V is the kind of values: V::KEYS keys a tile, V::TILE bytes of values, V::STAGES of each under
** way; and so on: attention_int8.cu, attention_fp8.cu. */
template <class V> constexpr size_t shared_bytes8()
{
    return 1024 + 2 * Q_HALF + V::STAGES * (V::KEYS * 128 + V::TILE + 32) + (4 + 4 * V::STAGES) * 8;
}

/* A group's output before the division, and its divisors: what both kinds of values sum up. */
struct output8 {
    float o[64], sum[2];
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
    __device__ __forceinline__ void clear()
    {
        ::clear(o);
        sum[0] = sum[1] = 0;
    }
    __device__ __forceinline__ void fade(const float (&by)[2])
    {
#pragma unroll
        for (int i = 0; i < 64; i++)
            o[i] *= by[i / 2 % 2];
        sum[0] *= by[0];
        sum[1] *= by[1];
    }
#endif
};

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

/* d [64, N] s32 += a b^T: a [64, 32] and b [N, 32] int8 in shared memory. */
#define WGMMA_INT8(n, registers, list, a_at, b_at)                                                 \
    asm volatile("wgmma.mma_async.sync.aligned.m64n" n "k32.s32.s8.s8 " registers ", %" a_at       \
                 ", %" b_at ", 1;"                                                                 \
                 : list(d)                                                                         \
                 : "l"(a), "l"(b))
__device__ __forceinline__ void product_int8(int (&d)[64], uint64_t a, uint64_t b)
{
    WGMMA_INT8("128", WGMMA_R64, WGMMA_I64, "64", "65");
}
__device__ __forceinline__ void product_int8(int (&d)[88], uint64_t a, uint64_t b)
{
    WGMMA_INT8("176", WGMMA_R88, WGMMA_I88, "88", "89");
}

/* Where things are in shared memory. */
template <class V> struct layout8 {
    static constexpr int K_TILE = V::KEYS * 128;
    uint32_t q, k, v, scales, bars;
    __device__ __forceinline__ explicit layout8(uint32_t raw)
    {
        q = (raw + 1023) & ~1023u;
        k = q + 2 * Q_HALF;
        v = k + V::STAGES * K_TILE;
        scales = v + V::STAGES * V::TILE;
        bars = scales + V::STAGES * 32;
    }
    __device__ __forceinline__ uint32_t q_tile(int group) const { return q + group * Q_HALF; }
    __device__ __forceinline__ uint32_t k_tile(int s) const { return k + s * K_TILE; }
    __device__ __forceinline__ uint32_t v_tile(int s) const { return v + s * V::TILE; }
    __device__ __forceinline__ uint32_t k_scales(int s) const { return scales + s * 32; }
    __device__ __forceinline__ uint32_t q_full(int group) const { return bars + group * 16; }
    __device__ __forceinline__ uint32_t q_free(int group) const { return bars + group * 16 + 8; }
    __device__ __forceinline__ uint32_t k_full(int s) const { return bars + 32 + s * 32; }
    __device__ __forceinline__ uint32_t v_full(int s) const { return k_full(s) + 8; }
    __device__ __forceinline__ uint32_t k_free(int s) const { return k_full(s) + 16; }
    __device__ __forceinline__ uint32_t v_free(int s) const { return k_full(s) + 24; }
};

/* The first group's one thread. Columns of codes are counted in pairs. */
template <class V>
__device__ __forceinline__ void
produce8(const layout8<V> &at, const CUtensorMap *mq, const CUtensorMap *mk, const CUtensorMap *mv,
         const attention_args &a, const attention_codes &c, const query_tiles &w)
{
    ring<V::STAGES> r;
    int turn = 0;
    for (int t = blockIdx.x; t < w.tiles; t += gridDim.x, turn ^= 1) {
        query_place p(a, w, t);
        const float *scales = c.scales + (int64_t)(p.batch * a.heads + p.head) * w.keys * 8;
        for (int group = 0; group < 2; group++) {
            uint32_t full = at.q_full(group);
            barrier_wait(at.q_free(group), turn ^ 1);
            barrier_expect(full, Q_HALF);
            tile_fetch(at.q_tile(group), mq, full, p.head * 64, p.query + group * 64, p.batch);
        }
        for (int key = 0; key < w.keys; key++, r.step()) {
            uint32_t full = at.k_full(r.stage);
            barrier_wait(at.k_free(r.stage), r.parity ^ 1);
            barrier_expect(full, layout8<V>::K_TILE + 32);
            tile_fetch(at.k_tile(r.stage), mk, full, p.head * 64, key * V::KEYS, p.batch);
            bytes_fetch(at.k_scales(r.stage), scales + key * 8, 32, full);
            barrier_wait(at.v_free(r.stage), r.parity ^ 1);
            V::fetch(at.v_tile(r.stage), mv, at.v_full(r.stage), key, p, a);
        }
    }
}

/* 1.5 * 2^23, as bits and as a value: an s32 sum that starts there is, read as F32, that much
** more than the sum, exactly, since a sum is less than 2^22. */
constexpr int ORIGIN_BITS = 0x4B400000;
constexpr float ORIGIN = 12582912.0f;

template <int S> __device__ __forceinline__ void from_origin(int (&s)[S])
{
#pragma unroll
    for (int i = 0; i < S; i++)
        s[i] = ORIGIN_BITS;
}

/* Starts s [64, KEYS] += q k^T. */
template <int S> __device__ __forceinline__ void logits8(int (&s)[S], uint32_t q, uint32_t k)
{
    uint64_t a = operand(q, 1024), b = operand(k, 1024);
    products_begin();
#pragma unroll
    for (int step = 0; step < D / 32; step++)
        product_int8(s, further(a, step * 32), further(b, step * 32));
    products_commit();
}

/* What a thread's two rows of logits (lane / 4, and 8 further) have come to. Tops are powers of
** two: softmax is 2^(factor scale s - top), scale being that of the thread's keys. A weight is made from
** V::UNIT (V::SHIFT + its logarithm). */
struct rows8 {
    float top[2], sum[2], fade[2]; /* fade: what brings older sums to the top */
    float factor[2];
    float slope[2], base[2]; /* of the tile: slope s + base is that, s read from ORIGIN */

    template <class V> __device__ __forceinline__ void take(float scale)
    {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            slope[half] = factor[half] * scale * V::UNIT;
            base[half] = __fmaf_rn(-ORIGIN, slope[half], V::UNIT * (V::SHIFT - top[half]));
        }
    }
    /* The i-th of a thread's weights, 2^SHIFT times what they are, UNIT being 1. */
    __device__ __forceinline__ float weight(int s, int i) const
    {
        return exp2_fast(__fmaf_rn(__int_as_float(s), slope[i / 2 % 2], base[i / 2 % 2]));
    }
    /* The same on V's scale, from 0 to 1. */
    __device__ __forceinline__ float share(int s, int i) const
    {
        return __saturatef(__fmaf_rn(__int_as_float(s), slope[i / 2 % 2], base[i / 2 % 2]));
    }
    /* Where a tile has a logit above the top, that and `above` more become the top. */
    template <class V, int S> __device__ __forceinline__ void raise(const int (&s)[S], float above)
    {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float m = -INFINITY;
#pragma unroll
            for (int n = 0; n < S / 4; n++)
                m = fmaxf(m, fmaxf(__int_as_float(s[4 * n + 2 * half]),
                                   __int_as_float(s[4 * n + 2 * half + 1])));
            m = (m - ORIGIN) * slope[half] * (1 / V::UNIT);
            m = fmaxf(m, __shfl_xor_sync(~0u, m, 1));
            m = fmaxf(m, __shfl_xor_sync(~0u, m, 2));
            m = V::WHOLE ? ceilf(m) : m;
            m = m > top[half] ? m + above : top[half];
            fade[half] = exp2_fast(top[half] - m);
            top[half] = m;
            base[half] = __fmaf_rn(-ORIGIN, slope[half], V::UNIT * (V::SHIFT - m));
        }
    }
};

/* One of the two other groups. Tile n of keys is the j-th of the queries' tile t. The weights of
** tile n - 1 meet the values, and then the logits of tile n are made, which may be of the next
** queries: while these are under way what the first came to is added to the sums. */
template <class V>
__device__ __forceinline__ void consume8(const layout8<V> &at, const attention_args &a,
                                         const attention_codes &c, const query_tiles &w, int group)
{
    constexpr int S = V::KEYS / 2; /* a thread's share of the logits of its group */
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32 % 4, mine = 1 + group, other = 2 - group;
    int first = blockIdx.x, stride = gridDim.x;
    int total = (w.tiles - first + stride - 1) / stride * w.keys;
    uint32_t q = at.q_tile(group);
    int s[S];
    rows8 r;
    V values;
    ring<V::STAGES> now, before;           /* of tiles n and n - 1 */
    float power = 0;                       /* of two, that v has in tile n - 1 */
    bool k_there = false, v_there = false; /* for the next products, before weights were made? */
    auto take_turn = [&] {
        if (V::TURNS)
            group_sync(mine, 256);
    };
    auto pass_turn = [&](int n) {
        if (V::TURNS && (group == 0 || n + 1 < total))
            group_arrive(other, 256);
    };

    int t = first, j = 0, turn = 0; /* of tile n of keys, as n goes on */
    auto begin_rows = [&] {
        query_place p(a, w, t);
        const float *factor = c.q_scale + (int64_t)(p.batch * a.heads + p.head) * a.lq;
#pragma unroll
        for (int half = 0; half < 2; half++) {
            int row = p.query + group * 64 + warp * 16 + half * 8 + lane / 4;
            r.factor[half] = row < a.lq ? factor[row] * a.scale_log2e : 1;
            r.top[half] = -INFINITY;
        }
    };
    /* The scales of tile n's keys, and the power of its values. */
    auto take_scales = [&] {
        r.take<V>(load_float(at.k_scales(now.stage) + lane % 4 * 4));
        if (V::POWERS)
            power = load_float(at.k_scales(now.stage) + 16);
    };
    /* The weights; if they are too large for what they are kept in, those of higher tops. */
    auto weigh = [&] {
        pin(s);
        barrier_arrive(at.k_free(now.stage)); /* by all lanes: each has read scales */
        ring<V::STAGES> next = now;
        next.step();
        k_there = barrier_over(at.k_full(next.stage), next.parity);
        v_there = barrier_over(at.v_full(now.stage), now.parity);
        if (j + 1 == w.keys) {
            barrier_arrive_once(at.q_free(group));
            int key = j * V::KEYS + lane % 4 * 2;
#pragma unroll
            for (int i = 0; i < S; i++)
                if (key + i / 4 * 8 + i % 2 >= a.lk)
                    s[i] = __float_as_int(-3e38f); /* no weight, whatever its slope */
        }
        values.weigh(s, r);
        if (__any_sync(~0u, !values.fit())) {
            r.raise<V>(s, V::above(j));
            values.fade(r.fade);
            values.weigh(s, r);
            values.fit();
        }
        values.add_weights(r);
        from_origin(s);
    };
    auto advance = [&] {
        before = now;
        now.step();
        if (++j == w.keys)
            j = 0, t += stride, turn ^= 1;
    };
    auto write = [&](int tile) {
        query_place p(a, w, tile);
        values.write(a, c, p, p.query + group * 64 + warp * 16, lane);
    };

    begin_rows();
    values.clear();
    from_origin(s);
    barrier_wait(at.q_full(group), 0);
    barrier_wait(at.k_full(0), 0);
    if (group == 1)
        take_turn();
    logits8(s, q, at.k_tile(0));
    pass_turn(0);
    take_scales();
    products_wait<0>();
    weigh();
    advance();
    for (int n = 1; n < total; n++, advance()) {
        if (j == 0)
            barrier_wait(at.q_full(group), turn);
        if (!k_there)
            barrier_wait(at.k_full(now.stage), now.parity);
        if (!v_there)
            barrier_wait(at.v_full(before.stage), before.parity);
        take_turn();
        products_begin();
        values.start(at.v_tile(before.stage));
        logits8(s, q, at.k_tile(now.stage));
        pass_turn(n);
        products_wait<1>();
        values.there(power);
        barrier_arrive_once(at.v_free(before.stage));
        if (j == 0) {
            write(t - stride);
            values.clear();
            begin_rows();
        }
        take_scales();
        products_wait<0>();
        weigh();
    }
    barrier_wait(at.v_full(before.stage), before.parity);
    products_begin();
    values.start(at.v_tile(before.stage));
    products_wait<0>();
    values.there(power);
    write(t - stride);
}

/* What a block of 384 threads does. */
template <class V>
__device__ __forceinline__ void attend8(const CUtensorMap *mq, const CUtensorMap *mk,
                                        const CUtensorMap *mv, const attention_args &a,
                                        const attention_codes &c, const query_tiles &w)
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
            barrier_init(at.k_free(n), 256);
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

/* Starts blocks that stay, for all queries. */
template <auto KERNEL, class V>
static void start_codes(const attention_args &a, const attention_codes &c, const CUtensorMap &mv)
{
    query_tiles w(a, V::KEYS);
    static bool allowed;
    if (!allowed)
        ALLOW_SHARED(KERNEL, shared_bytes8<V>());
    allowed = true;
    start("start attention in 8 bits", KERNEL,
          (unsigned)(w.tiles < device_sms ? w.tiles : device_sms), 384, shared_bytes8<V>(), 1,
          map_codes(c.q, a.lq, a, 64), map_codes(c.k, a.lk, a, V::KEYS), mv, a, c, w);
}

#endif
