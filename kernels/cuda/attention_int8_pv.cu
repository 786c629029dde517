/*
** attention_int8_pv.cu: attention for heads 128 wide whose operands are all int8, for every card from
** sm_80 on: q k^T is of signed codes, p v of weights from 0 to 255 and signed codes, sums are s32.
**
** As in attention_mma.cu a warp takes 32 queries, and the accumulator of q k^T is, element for element,
** the operand that the product with v wants: of 16 keys a lane has four that are one word, in the order
** that v's codes have too (attention_codes.cu). Logits need no conversion (ORIGIN), as their scale is one
** for all keys that a lane has of a tile, and v's scale is one for a channel, so it waits for the end.
**
** A weight is 2^(slope s - top), top a whole number: ../attention.h says which. Weights are bytes as
** long as the eight that a lane has of half a tile sum to 255 at most. If they do not, those of 16 queries
** are made again, with greater tops and of two bytes, of which the second have a product of their own if
** any is not 0. What is divided by is the sum of weights before they are rounded; v has its mean
** taken: so many weights that are too small to count leave the mean. Sums are of less than 2^31: of one
** query a lane's weights come to 2^19 where tops rise and to 255 of each 32 keys elsewhere.
**
** A tile of 64 keys and values is one piece of memory (attention.cuh), copied in a line. Four of them, two
** where shared memory is small, are in turn, and warps of a block do not meet at each: a barrier says
** when all threads' copies of a tile have come, another when all four warps are done with it, which
** is asked two tiles later (of two stages one), so that a warp whose tops rise does not hold up the rest.
**
** Only two warps share a scheduler, and each has its instructions in order. So exponentials stand between
** products: those of a tile's second half between the products of v's first, those of the next tile's first
** half between the products of v's second. Of four tiles the next has come by then; of two it may not have,
** and its logits come after all products of this one.
**
** Bound: the rate of mma.sync of bytes, twice that of 16 bits on sm_80, four times where those have
** F32 sums at half rate. Measured: PERFORMANCE.md.
*/
#include "attention_mma.cuh"

namespace
{

constexpr int D = 128, WARPS = 4, THREADS = WARPS * 32, QUERIES = WARPS * 32;
constexpr int Q_TILE = QUERIES * D, CHUNK = THREADS * 16; /* in bytes */

/* STAGES tiles, AWAY of which are fetched ahead. */
template <int STAGES_> struct shape {
    static constexpr int STAGES = STAGES_, AWAY = STAGES / 2;
    static constexpr size_t BYTES = Q_TILE + STAGES * (PV_TILE + 2 * 8);
    static_assert((STAGES & (STAGES - 1)) == 0, "tile % STAGES is cheap");
    static_assert(BYTES >= QUERIES * D * 2 && PV_TILE % 128 == 0, "the output leaves through it");
};

/* ---- a warp ---- */

/* What it holds of its 32 queries, 2 x 16 rows, of which a thread has two each. */
struct rows_state {
    int o[2][D / 8][4] = {};
    float top[2][2], sum[2][2];
    float factor[2][2]; /* a query's scale, times that of logits and log2(e) */
    float scale;        /* that of this lane's keys of the tile */
};

using tile_logits = float[2][PV_KEYS / 8][4];

/* Keys from `there` on of this tile do not exist. */
__device__ __forceinline__ void leave_out(tile_logits &s, int there, int lane)
{
#pragma unroll
    for (int m = 0; m < 2; m++)
#pragma unroll
        for (int n = 0; n < PV_KEYS / 8; n++)
#pragma unroll
            for (int e = 0; e < 4; e++)
                if (n * 8 + lane % 4 * 2 + e % 2 >= there)
                    s[m][n][e] = -INFINITY;
}

/* The tile's greatest logit, where it is one of the two greatest: r.top, and r.sum, which is the less. */
__device__ __forceinline__ void keep_greatest(rows_state &r, const tile_logits &s)
{
#pragma unroll
    for (int m = 0; m < 2; m++)
#pragma unroll
        for (int row = 0; row < 2; row++) {
            float most = -INFINITY;
#pragma unroll
            for (int n = 0; n < PV_KEYS / 8; n++)
                most = fmaxf(most, fmaxf(s[m][n][2 * row], s[m][n][2 * row + 1]));
            most = lane_max((most - ORIGIN) * r.scale * r.factor[m][row], 4);
            r.sum[m][row] = fmaxf(r.sum[m][row], fminf(r.top[m][row], most));
            r.top[m][row] = fmaxf(r.top[m][row], most);
        }
}

/* Weights of half a tile, 32 keys: the registers of mma's a. */
struct half_weights {
    uint32_t p[2][4];
    float some[2][2]; /* sums of a lane's eight of a row, before rounding */

    /* Weights of two keys of word i of 8, which join the sums. */
    __device__ __forceinline__ float2 pair(const tile_logits &s, int half, int i, int j,
                                           const rows_state &r)
    {
        int m = i / 4, e = i % 4, row = e % 2, n = half * 4 + e / 2 * 2 + j;
        float slope = r.factor[m][row] * r.scale;
        float base = __fmaf_rn(-ORIGIN, slope, -r.top[m][row]);
        float x = exp2_fast(__fmaf_rn(s[m][n][2 * row], slope, base));
        float y = exp2_fast(__fmaf_rn(s[m][n][2 * row + 1], slope, base));
        some[m][row] = e < 2 && j == 0 ? x : some[m][row] + x;
        some[m][row] += y;
        return {x, y};
    }

    /* Makes word i: four keys of a row. In F16 a sum with 1024 is a whole number, in the low bits. */
    __device__ __forceinline__ void make(const tile_logits &s, int half, int i, const rows_state &r)
    {
        uint32_t two[2];
#pragma unroll
        for (int j = 0; j < 2; j++) {
            float2 x = pair(s, half, i, j, r);
            two[j] = pack2<half_t>(x.x, x.y);
            two[j] = add_f16(two[j], 0x64006400u);
        }
        p[i / 4][i % 4] = __byte_perm(two[0], two[1], 0x6420);
    }

    __device__ __forceinline__ void make_all(const tile_logits &s, int half, const rows_state &r)
    {
#pragma unroll
        for (int i = 0; i < 8; i++)
            make(s, half, i, r);
    }

    /* The same of weights below 2^16; returns their second bytes. In F32 it is a sum with 2^23. */
    __device__ __forceinline__ uint32_t make_long(const tile_logits &s, int half, int i,
                                                  const rows_state &r)
    {
        uint32_t two[2];
#pragma unroll
        for (int j = 0; j < 2; j++) {
            float2 x = pair(s, half, i, j, r);
            two[j] =
                __byte_perm(__float_as_uint(x.x + 0x1p23f), __float_as_uint(x.y + 0x1p23f), 0x5410);
        }
        p[i / 4][i % 4] = __byte_perm(two[0], two[1], 0x6420);
        return __byte_perm(two[0], two[1], 0x7531);
    }
};

/* o += 256 p v for 16 rows and half a tile, p being second bytes. */
__device__ __forceinline__ void add_long(int (&o)[D / 8][4], const uint32_t (&p)[4], uint32_t v)
{
#pragma unroll
    for (int n = 0; n < D / 16; n++) {
        uint32_t b[4];
        load_blocks(b, v + n * 16 * PV_KEYS);
#pragma unroll
        for (int i = 0; i < 2; i++) {
            int some[4] = {};
            mma_unsigned(some, p, b[2 * i], b[2 * i + 1]);
#pragma unroll
            for (int e = 0; e < 4; e++)
                o[2 * n + i][e] += some[e] << 8;
        }
    }
}

/* A query's top rises if this lane, or one of its three others, has eight weights of more than 255. */
__device__ __forceinline__ void raise_top(rows_state &r, const tile_logits &s, int half, int m,
                                          int row, float eight)
{
    eight = lane_max(eight, 4);
    if (!__any_sync(~0u, eight > ATTENTION_PV_MOST))
        return;
    float most = -INFINITY;
#pragma unroll
    for (int n = half * 4; n < half * 4 + 4; n++)
        most = fmaxf(most, fmaxf(s[m][n][2 * row], s[m][n][2 * row + 1]));
    most = lane_max((most - ORIGIN) * r.scale * r.factor[m][row], 4);
    float over = ceilf(most - r.top[m][row]) - ATTENTION_PV_LONG;
    float by = eight > ATTENTION_PV_MOST ? fmaxf(over, 1) : 0;
    r.top[m][row] += by;
    r.sum[m][row] *= exp2_fast(-by);
    int shift = (int)fminf(by, 31), round = 1 << shift >> 1;
#pragma unroll
    for (int n = 0; n < D / 8; n++)
#pragma unroll
        for (int e = 0; e < 2; e++)
            r.o[m][n][2 * row + e] = (r.o[m][n][2 * row + e] + round) >> shift;
}

/* Half of a tile's weights are made: where eight of a lane are too large, the tops of 16 rows rise, and they
** are made of two bytes; v: the values of this half. */
__device__ __forceinline__ void settle(rows_state &r, half_weights &w, const tile_logits &s,
                                       int half, uint32_t v)
{
    auto(&some)[2][2] = w.some;
    float most[2] = {fmaxf(some[0][0], some[0][1]), fmaxf(some[1][0], some[1][1])};
    if (__any_sync(~0u, fmaxf(most[0], most[1]) > ATTENTION_PV_MOST)) {
#pragma unroll
        for (int m = 0; m < 2; m++) {
            if (!__any_sync(~0u, most[m] > ATTENTION_PV_MOST))
                continue;
#pragma unroll
            for (int row = 0; row < 2; row++)
                raise_top(r, s, half, m, row, some[m][row]);
            uint32_t second[4], any = 0;
#pragma unroll
            for (int i = 0; i < 4; i++)
                any |= second[i] = w.make_long(s, half, m * 4 + i, r);
            if (__any_sync(~0u, any))
                add_long(r.o[m], second, v);
        }
    }
#pragma unroll
    for (int i = 0; i < 4; i++)
        r.sum[i / 2][i % 2] += some[i / 2][i % 2];
}

/* o [32, D] += p v for half a tile. b[0] was loaded before settle(), so that the read goes on beside its
** vote; `beside` is done in parts between the products. */
template <class F>
__device__ __forceinline__ void weighted_sum(rows_state &r, const half_weights &w, uint32_t v,
                                             uint32_t (&b)[2][4], F beside)
{
#pragma unroll
    for (int n = 0; n < D / 16; n++) {
        if (n + 1 < D / 16)
            load_blocks(b[(n + 1) & 1], v + (n + 1) * 16 * PV_KEYS);
#pragma unroll
        for (int m = 0; m < 2; m++) {
            mma_unsigned(r.o[m][2 * n], w.p[m], b[n & 1][0], b[n & 1][1]);
            mma_unsigned(r.o[m][2 * n + 1], w.p[m], b[n & 1][2], b[n & 1][3]);
        }
        beside(n);
    }
}

/* Copies a tile, or only what logits need; first: in the first warp, which copies the scales. */
__device__ __forceinline__ void fetch(uint32_t to, const uint8_t *from, int bytes, bool first)
{
    uint32_t at = threadIdx.x * 16;
#pragma unroll
    for (int i = 0; i < bytes / CHUNK; i++)
        copy_chunk(to + at + i * CHUNK, from + at + i * CHUNK);
    at = 2 * PV_HALF + threadIdx.x * 4;
    if (first)
        copy_word(to + at, from + at);
}

template <class T, class S>
__global__ void __launch_bounds__(THREADS, 2)
    attention_int8_pv_kernel(attention_args a, attention_tiles c)
{
    extern __shared__ __align__(128) uint4 shared[];
    uint32_t q = shared_address(shared), tiles = q + Q_TILE;
    uint32_t full = tiles + S::STAGES * PV_TILE, done = full + S::STAGES * 8;
    int lane = threadIdx.x % 32, row = threadIdx.x / 32 * 32;
    int query = blockIdx.x * QUERIES, head = blockIdx.y, batch = blockIdx.z;
    int64_t at = (int64_t)batch * a.heads + head, q_stride = (int64_t)a.heads * D;
    const uint8_t *kv = c.kv + at * c.tiles * PV_TILE;
    uint32_t q_at = place<D / 2>(q, row + (lane & 15), lane >> 4);
    int part = (lane & 7) + (lane >> 4) * 8, chunk = lane >> 3 & 1;
    uint32_t k_at = place<D / 2>(tiles, part, chunk);
    uint32_t scale_at = tiles + 2 * PV_HALF + lane % 4 * 4;
    uint32_t v_at = tiles + PV_HALF + part * PV_KEYS + ((chunk ^ (part / 2 & 3)) << 4);
    /* Kept, and not made again from the lane for each tile. */
    asm volatile("" : "+r"(q_at), "+r"(k_at), "+r"(v_at));
    rows_state r;
    tile_logits s;
    auto take_scale = [&](uint32_t stage) { r.scale = load_float(scale_at + stage * PV_TILE); };

    /* A shuffle tells the compiler that a warp's threads agree: then there is no branch in fetch(). */
    bool first = __shfl_sync(~0u, (int)threadIdx.x, 0) == 0;
    kernel_begin();
    const uint16_t *xq =
        (const uint16_t *)(c.q + ((int64_t)batch * a.lq + query) * q_stride + head * D);
    mover<D / 2, THREADS>(q_stride / 2).template fetch<QUERIES>(q, xq, q_stride / 2, a.lq - query);
    if (threadIdx.x < S::STAGES) {
        barrier_init(full + threadIdx.x * 8, THREADS);
        barrier_init(done + threadIdx.x * 8, THREADS);
    }
#pragma unroll
    for (int i = 0; i < 4; i++) {
        int m = i / 2, of = min(query + row + i * 8 + lane / 4, a.lq - 1);
        r.factor[m][i % 2] = c.q_scale[at * a.lq + of] * a.scale_log2e;
        r.top[m][i % 2] = r.sum[m][i % 2] = -INFINITY;
    }

    /* Tops by the second greatest logit of four tiles. */
    int whole = max(a.lk / PV_KEYS, 1);
    for (int look = 0; look < 4; look += S::STAGES) {
        for (int i = 0; i < S::STAGES; i++) {
            int behind = (2 * (look + i) + 1) * whole / 8;
            int64_t tile = (query / PV_KEYS + behind) % whole;
            fetch(tiles + i * PV_TILE, kv + tile * PV_TILE, PV_HALF, first);
        }
        copies_commit();
        copies_wait<0>();
        __syncthreads();
        for (int i = 0; i < S::STAGES; i++) {
            take_scale(i);
            logits<int8_t, PV_KEYS, D>(s, q_at, k_at + i * PV_TILE);
            if (a.lk < PV_KEYS)
                leave_out(s, a.lk, lane);
            keep_greatest(r, s);
        }
        __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < 4; i++) {
        r.top[i / 2][i % 2] = ceilf(r.sum[i / 2][i % 2]) - ATTENTION_PV_BITS(a.lk);
        r.sum[i / 2][i % 2] = 0;
    }

#pragma unroll
    for (int i = 0; i < S::AWAY; i++)
        if (i < c.tiles) {
            fetch(tiles + i * PV_TILE, kv + i * PV_TILE, 2 * PV_HALF, first);
            barrier_copies(full + i * 8);
        }
    half_weights w[2];
    while (!barrier_over(full, 0))
        ;
    take_scale(0);
    logits<int8_t, PV_KEYS, D>(s, q_at, k_at);
    w[0].make_all(s, 0, r);
    /* s and w[0] hold the logits and the first half's weights of this tile; those of the next are left there. */
    auto take_tile = [&](uint32_t tile, bool last) {
        constexpr bool TWO = S::STAGES == 2;
        uint32_t stage = tile % S::STAGES, v = v_at + stage * PV_TILE, b[2][4];
        uint32_t away = tile + S::AWAY, to = away % S::STAGES, free_odd = ~(away / S::STAGES) & 1;
        uint32_t next = (tile + 1) % S::STAGES, odd = (tile + 1) / S::STAGES & 1;
        bool free = barrier_over(done + to * 8, free_odd), here = false;
        auto ask = [&]() { here = !last && barrier_over(full + next * 8, odd); };
        if (last) { /* w[0] is of keys that do not exist, too: it is made again */
            leave_out(s, a.lk - (int)tile * PV_KEYS, lane);
            w[0].make_all(s, 0, r);
        }
        load_blocks(b[0], v);
        settle(r, w[0], s, 0, v);
        if (!last && away < (uint32_t)c.tiles) {
            while (!free)
                free = barrier_over(done + to * 8, free_odd);
            fetch(tiles + to * PV_TILE, kv + (int64_t)away * PV_TILE, 2 * PV_HALF, first);
            barrier_copies(full + to * 8);
        }
        if (!TWO)
            ask();
        weighted_sum(r, w[0], v, b, [&](int i) { w[1].make(s, 1, i, r); });
        v ^= 32;
        load_blocks(b[0], v);
        settle(r, w[1], s, 1, v);
        if (TWO)
            ask();

        auto next_logits = [&]() {
            while (!here)
                ask();
            take_scale(next);
            logits<int8_t, PV_KEYS, D>(s, q_at, k_at + next * PV_TILE);
        };
        if (!TWO && !last) {
            next_logits();
            /* The assembler would have all products before all exponentials, if not for this. */
            __syncwarp();
            weighted_sum(r, w[1], v, b, [&](int i) { w[0].make(s, 0, i, r); });
        } else
            weighted_sum(r, w[1], v, b, [](int) {});
        barrier_arrive(done + stage * 8);
        if (TWO && !last) {
            next_logits();
            w[0].make_all(s, 0, r);
        }
    };
    for (uint32_t tile = 0; tile < (uint32_t)c.tiles - 1; tile++)
        take_tile(tile, false);
    take_tile(c.tiles - 1, true);

    __syncthreads(); /* the output goes where tiles were */
    float inverse[2][2];
#pragma unroll
    for (int i = 0; i < 4; i++)
        inverse[i / 2][i % 2] = 1.0f / lane_sum(r.sum[i / 2][i % 2], 4);
    const float *unit = c.v_unit + at * D + lane % 4 * 2;
    const float *mean = c.v_mean + at * D + lane % 4 * 2;
    T *y = (T *)a.y + batch * a.lq * a.y_stride + head * D;
    write_rows<D>(a, y, q + row * D * 2, query + row, lane, [&](int m, int half, int n) {
        float two[2];
#pragma unroll
        for (int e = 0; e < 2; e++)
            two[e] = (float)r.o[m][n][2 * half + e] * inverse[m][half] * unit[n * 8 + e] +
                     mean[n * 8 + e];
        return pack2<T>(two[0], two[1]);
    });
}

template <class T, class S> void launch(const attention_args &a, const attention_tiles &c)
{
    ALLOW_SHARED((attention_int8_pv_kernel<T, S>), S::BYTES);
    dim3 grid((unsigned)ceil_div(a.lq, QUERIES), (unsigned)a.heads, (unsigned)a.batch);
    start("start attention", attention_int8_pv_kernel<T, S>, grid, THREADS, S::BYTES, 1, a, c);
}

} // namespace

template <class T> void attention_int8_pv(const attention_args &a, const attention_tiles &c)
{
    two_fit(shape<4>::BYTES) ? launch<T, shape<4>>(a, c) : launch<T, shape<2>>(a, c);
}

template void attention_int8_pv<half_t>(const attention_args &a, const attention_tiles &c);
template void attention_int8_pv<bf16_t>(const attention_args &a, const attention_tiles &c);
