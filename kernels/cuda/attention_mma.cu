/*
** attention_mma.cu: attention for heads 64 and 128 wide on tensor cores, for every card from
** sm_80 on. After FlashAttention-2 (Dao, arXiv:2307.08691).
**
** A warp takes 32 queries of one head and walks over the keys, a tile at a time. Q, K and V tiles
** live in shared memory; logits, weights and the output in registers: the accumulator of q k^T is,
** element for element, the operand that the product with v wants, so weights never leave the thread
** that made them. Weights are made for one half of a tile before it meets V, and for the other
** while the first does, so that exponentials run beside products in the same warp.
**
** Weights are relative to the greatest logit of the query's first tile, as in attention_hopper.cu:
** no maximum is looked for later, and nothing is faded, unless a thread's weights of half a tile are
** more than 2^14 together. With a bias or the causal mask, which is another instance of the kernel
** (their tests would cost registers in the loop), the maximum is looked for in every tile.
**
** A block of 4 warps takes 128 queries; two of them fill each other's gaps on a multiprocessor. By the
** shared memory that both find there are two tiles of 64 keys and of values, the next under way while
** these are used (96 KB a block: Hopper), one of each in turn (64 KB: sm_80), or of 32 keys (48 KB:
** sm_86, sm_89, sm_120).
**
** Logits may be products of int8 codes (attention_codes.cu), with half as many mma's; the rest is the
** same. Bound: the rate of mma.sync, on Hopper six tenths of wgmma's, and of shared memory, of which a
** warp reads 40 KB for 64 keys. Measured: PERFORMANCE.md.
*/
#include "../attention.h"
#include "attention_mma.cuh"

namespace
{

/* Of a thread's weights in half a tile: none may become infinite as F16, 2^16. */
constexpr float MOST = 1 << 14;

/* How logits are made: of 16 bits; the same with a bias or the causal mask; of int8 codes. */
enum kind { PLAIN, GENERAL, CODES };

/* D: of a head. STAGES 1: one tile of K and one of V, fetched in turn; 2: two of each. */
template <int D_, kind KIND_, int WARPS_, int KEYS_, int STAGES_> struct shape {
    static constexpr int D = D_, WARPS = WARPS_, KEYS = KEYS_, STAGES = STAGES_;
    static constexpr kind KIND = KIND_;
    template <class T> using operand = std::conditional_t<KIND == CODES, int8_t, T>; /* of logits */
    static constexpr int THREADS = WARPS * 32, QUERIES = WARPS * 32;
    static constexpr int QK = KIND == CODES ? D / 2 : D; /* a row of q or k, in 16 bits */
    static constexpr int QK_ROW = QK * 2, V_ROW = D * 2; /* in bytes */
    static constexpr int Q_TILE = QUERIES * V_ROW;       /* the output leaves through it */
    static constexpr int K_TILE = KEYS * QK_ROW, V_TILE = KEYS * V_ROW;
    static constexpr size_t BYTES = Q_TILE + STAGES * (K_TILE + V_TILE);
    static constexpr int BLOCKS = KEYS / 8, STEPS = KEYS / 16; /* of a tile */
};

/* What a warp holds of its 32 queries, 2 x 16 rows, of which a thread has two each. Weights are
** 2^(slope s - top), slope being scale * log2(e) or, of codes, that times the scales of both. */
template <class S> struct rows_state {
    float o[2][S::D / 8][4] = {}, top[2][2], sum[2][2] = {};
    float factor[2][2]; /* of codes */
    float low, high;    /* of codes: the scales of keys before step `change`, and from it on */
    int change;

    __device__ __forceinline__ float slope(int m, int row, int step) const
    {
        return S::KIND == CODES ? factor[m][row] * (step < change ? low : high) : factor[0][0];
    }
};

/* Weights of half a tile, as operands: of each 16 keys the registers of mma's a. */
template <class S> struct half_weights {
    static constexpr int PAIRS = S::KEYS / 4;
    uint32_t p[S::STEPS / 2][2][4];
    float some[2][2]; /* their sums */

    /* Makes pair i: columns 2 (lane mod 4) and the next of a row. */
    template <class T>
    __device__ __forceinline__ void make(const float (&s)[2][S::BLOCKS][4], int half, int i,
                                         const rows_state<S> &r)
    {
        int step = i / 8, m = i / 4 % 2, e = i % 4, row = e % 2;
        const float *two = &s[m][half * S::STEPS + 2 * step + e / 2][2 * row];
        float slope = r.slope(m, row, half * S::STEPS / 2 + step), base = -r.top[m][row];
        if (S::KIND == CODES)
            base = __fmaf_rn(-ORIGIN, slope, base);
        float x = exp2_fast(__fmaf_rn(two[0], slope, base));
        float y = exp2_fast(__fmaf_rn(two[1], slope, base));
        some[m][row] = step == 0 && e < 2 ? x : some[m][row] + x;
        some[m][row] += y;
        p[step][m][e] = pack2<T>(x, y);
    }
};

/* The tops become the greatest logits so far, those of blocks [from, to) of the tile included. */
template <class S>
__device__ __forceinline__ void raise_tops(rows_state<S> &r, const float (&s)[2][S::BLOCKS][4],
                                           int from, int to)
{
#pragma unroll
    for (int m = 0; m < 2; m++)
#pragma unroll
        for (int row = 0; row < 2; row++) {
            float t = r.top[m][row];
#pragma unroll
            for (int n = from; n < to; n += 2) {
                float most = fmaxf(fmaxf(s[m][n][2 * row], s[m][n][2 * row + 1]),
                                   fmaxf(s[m][n + 1][2 * row], s[m][n + 1][2 * row + 1]));
                t = fmaxf(t, (S::KIND == CODES ? most - ORIGIN : most) * r.slope(m, row, n / 2));
            }
            t = lane_max(t, 4);
            float fade = exp2_fast(r.top[m][row] - t);
            r.top[m][row] = t;
            r.sum[m][row] *= fade;
#pragma unroll
            for (int n = 0; n < S::D / 8; n++) {
                r.o[m][n][2 * row] *= fade;
                r.o[m][n][2 * row + 1] *= fade;
            }
        }
}

/* o [32, D] += p v for half a tile. b[0] was loaded before settle(), so that the read goes on beside its
** vote; `beside` is done in parts between the products. */
template <class T, class S, class F>
__device__ __forceinline__ void weighted_sum(rows_state<S> &r, const half_weights<S> &w, uint32_t v,
                                             uint32_t (&b)[2][4], F beside)
{
    constexpr int N = S::D / 16, STEPS = S::STEPS / 2;
#pragma unroll
    for (int i = 0; i < N * STEPS; i++) {
        int step = i / N, n = i % N, next = i + 1;
        if (next < N * STEPS)
            load_blocks_transposed(b[next & 1], along(v, next % N) + next / N * 16 * S::V_ROW);
#pragma unroll
        for (int m = 0; m < 2; m++) {
            mma<T>(r.o[m][2 * n], w.p[step][m], b[i & 1][0], b[i & 1][1]);
            mma<T>(r.o[m][2 * n + 1], w.p[step][m], b[i & 1][2], b[i & 1][3]);
        }
        beside(i);
    }
}

/* The output, divided by its sums. */
template <class T, class S>
__device__ __forceinline__ void finish(const attention_args &a, T *y, const rows_state<S> &r,
                                       uint32_t q, int query, int row, int lane)
{
    float inverse[2][2];
#pragma unroll
    for (int i = 0; i < 4; i++)
        inverse[i / 2][i % 2] = 1.0f / lane_sum(r.sum[i / 2][i % 2], 4);
    write_rows<S::D>(a, y, place<S::D>(q, row, 0), query + row, lane, [&](int m, int half, int n) {
        return pack2<T>(r.o[m][n][2 * half] * inverse[m][half],
                        r.o[m][n][2 * half + 1] * inverse[m][half]);
    });
}

/* What is added to logits, and keys that do not exist. row, key: the warp's first. */
template <class S>
__device__ __forceinline__ void adjust(const attention_args &a, float (&s)[2][S::BLOCKS][4],
                                       int head, int row, int key, int lane)
{
#pragma unroll
    for (int m = 0; m < 2; m++)
#pragma unroll
        for (int n = 0; n < S::BLOCKS; n++)
#pragma unroll
            for (int e = 0; e < 4; e++) {
                int i = row + m * 16 + e / 2 * 8 + lane / 4;
                int j = key + n * 8 + lane % 4 * 2 + e % 2;
                float &x = s[m][n][e];
                if (S::KIND == GENERAL)
                    x = adjusted(a, x, head, i, j);
                else
                    x = j >= a.lk ? -INFINITY : j == a.lk - 1 ? x + a.last : x;
            }
}

/* Half of a tile's weights are made: if they are too large, those of higher tops are made. */
template <class T, class S>
__device__ __forceinline__ void settle(rows_state<S> &r, half_weights<S> &w,
                                       const float (&s)[2][S::BLOCKS][4], int half)
{
    float most = fmaxf(fmaxf(w.some[0][0], w.some[0][1]), fmaxf(w.some[1][0], w.some[1][1]));
    if (__any_sync(~0u, most > MOST)) {
        raise_tops<S>(r, s, half * S::BLOCKS / 2, (half + 1) * S::BLOCKS / 2);
#pragma unroll
        for (int i = 0; i < half_weights<S>::PAIRS; i++)
            w.template make<T>(s, half, i, r);
    }
#pragma unroll
    for (int m = 0; m < 2; m++)
#pragma unroll
        for (int row = 0; row < 2; row++)
            r.sum[m][row] += w.some[m][row];
}

template <class T, class S>
__global__ void __launch_bounds__(S::THREADS, 8 / S::WARPS)
    attention_mma_kernel(attention_args a, attention_scales c)
{
    extern __shared__ __align__(128) uint4 shared[];
    constexpr int KEYS = S::KEYS, D = S::D, QK = S::QK;
    uint32_t q = shared_address(shared), k = q + S::Q_TILE, v = k + S::STAGES * S::K_TILE;
    int lane = threadIdx.x % 32, row = threadIdx.x / 32 * 32;
    int query = blockIdx.x * S::QUERIES, head = blockIdx.y, batch = blockIdx.z;
    const uint16_t *xq = (const uint16_t *)a.q + batch * a.lq * a.q_stride + head * QK;
    const uint16_t *xk = (const uint16_t *)a.k + batch * a.lk * a.k_stride + head * QK;
    const uint16_t *xv = (const uint16_t *)a.v + batch * a.lk * a.v_stride + head * D;
    int end = S::KIND == GENERAL ? keys_seen(a, query + S::QUERIES) : a.lk;
    uint32_t q_at = place<QK>(q, row + (lane & 15), lane >> 4);
    uint32_t k_at = place<QK>(k, (lane & 7) + (lane >> 4) * 8, lane >> 3 & 1);
    uint32_t v_at = place<D>(v, lane & 15, lane >> 4);
    mover<QK, S::THREADS> of_k(a.k_stride);
    mover<D, S::THREADS> of_v(a.v_stride);
    auto fetch_k = [&](uint32_t tile, int key) {
        of_k.template fetch<KEYS>(tile, xk + key * a.k_stride, a.k_stride, a.lk - key);
    };
    auto fetch_v = [&](uint32_t tile, int key) {
        of_v.template fetch<KEYS>(tile, xv + key * a.v_stride, a.v_stride, a.lk - key);
    };

    kernel_begin();
    rows_state<S> r;
    r.factor[0][0] = a.scale_log2e;
#pragma unroll
    for (int m = 0; m < 2; m++)
#pragma unroll
        for (int i = 0; i < 2; i++) {
            r.top[m][i] = -INFINITY;
            int at = min(query + row + m * 16 + i * 8 + lane / 4, a.lq - 1);
            if (S::KIND == CODES)
                r.factor[m][i] = c.q[(int64_t)(batch * a.heads + head) * a.lq + at] * a.scale_log2e;
        }
    mover<QK, S::THREADS>(a.q_stride)
        .template fetch<S::QUERIES>(q, xq + query * a.q_stride, a.q_stride, a.lq - query);
    fetch_k(k, 0);
    if (S::STAGES == 2)
        fetch_v(v, 0);
    copies_commit();
    uint32_t stage = 0;
    for (int key = 0; key < end; key += KEYS) {
        float s[2][S::BLOCKS][4];
        half_weights<S> w[2];
        if (S::KIND == CODES) {
            constexpr int WIDE = ATTENTION_INT8_KEYS;
            int tile = key / WIDE, last = (int)c.tiles - 1;
            const float *scales = c.k + (int64_t)(batch * a.heads + head) * c.tiles * 8 + lane % 4;
            r.low = scales[tile * 8];
            r.high = scales[min(tile + 1, last) * 8];
            r.change = ((tile + 1) * WIDE - key) / 16;
        }
        copies_wait<0>();
        __syncthreads(); /* k is there, and all are done with the v before */
        if (S::STAGES == 1) {
            fetch_v(v, key);
            copies_commit();
        } else if (key + KEYS < end) {
            fetch_k(k + (stage ^ 1) * S::K_TILE, key + KEYS);
            fetch_v(v + (stage ^ 1) * S::V_TILE, key + KEYS);
            copies_commit();
        }
        logits<typename S::template operand<T>, KEYS, S::QK_ROW>(s, q_at, k_at + stage * S::K_TILE);
        if (S::STAGES == 1) {
            copies_wait<0>();
            __syncthreads(); /* v is there, and all are done with k */
            if (key + KEYS < end) {
                fetch_k(k, key + KEYS);
                copies_commit();
            }
        }
        if (S::KIND == GENERAL ? adjusts(a, query + row, key, KEYS) : key + KEYS >= end)
            adjust<S>(a, s, head, query + row, key, lane);
        if (S::KIND == GENERAL || key == 0)
            raise_tops<S>(r, s, 0, S::BLOCKS);
#pragma unroll
        for (int i = 0; i < half_weights<S>::PAIRS; i++)
            w[0].template make<T>(s, 0, i, r);
        uint32_t b[2][4], half = v_at + stage * S::V_TILE;
        load_blocks_transposed(b[0], half);
        settle<T, S>(r, w[0], s, 0);
        weighted_sum<T, S>(r, w[0], half, b, [&](int i) {
            constexpr int EACH = 128 / D;
#pragma unroll
            for (int j = 0; j < EACH; j++)
                w[1].template make<T>(s, 1, i * EACH + j, r);
        });
        half += S::V_TILE / 2;
        load_blocks_transposed(b[0], half);
        settle<T, S>(r, w[1], s, 1);
        weighted_sum<T, S>(r, w[1], half, b, [](int) {});
        if (S::STAGES == 2)
            stage ^= 1;
    }
    if (S::KIND == CODES) /* a row of the output lies over two of q, another warp's */
        __syncthreads();
    finish<T, S>(a, (T *)a.y + batch * a.lq * a.y_stride + head * D, r, q, query, row, lane);
}

template <class T, class S> void launch(const attention_args &a, const attention_scales &c)
{
    ALLOW_SHARED((attention_mma_kernel<T, S>), S::BYTES);
    dim3 grid((unsigned)ceil_div(a.lq, S::QUERIES), (unsigned)a.heads, (unsigned)a.batch);
    start("start attention", attention_mma_kernel<T, S>, grid, S::THREADS, S::BYTES, 1, a, c);
}

/* More tiles under way, or larger ones, where there is room for them. */
template <class T, int D, kind KIND>
void launch_best(const attention_args &a, const attention_scales &c)
{
    using most = shape<D, KIND, 4, 64, 2>;
    using fewer = shape<D, KIND, 4, 64, 1>;
    if (two_fit(most::BYTES))
        launch<T, most>(a, c);
    else if (two_fit(fewer::BYTES))
        launch<T, fewer>(a, c);
    else
        launch<T, shape<D, KIND, 4, 32, 1>>(a, c);
}

template <class T, int D> void choose(const attention_args &a)
{
    if (a.bias || a.causal) /* a tile of 64 keys would not leave registers for these */
        launch<T, shape<D, GENERAL, 4, 32, 1>>(a, {});
    else
        launch_best<T, D, PLAIN>(a, {});
}

} // namespace

template <class T> void attention_mma(const attention_args &a)
{
    a.d == 64 ? choose<T, 64>(a) : choose<T, 128>(a);
}

/* a.q and a.k are codes, strides of theirs in pairs. */
template <class T> void attention_mma_int8(const attention_args &a, const attention_scales &c)
{
    launch_best<T, 128, CODES>(a, c);
}

template void attention_mma<half_t>(const attention_args &a);
template void attention_mma<bf16_t>(const attention_args &a);
template void attention_mma_int8<half_t>(const attention_args &a, const attention_scales &c);
template void attention_mma_int8<bf16_t>(const attention_args &a, const attention_scales &c);
