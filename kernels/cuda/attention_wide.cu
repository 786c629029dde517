/*
** attention_wide.cu: attention for heads of any width up to 512 on tensor cores: the VAE's single
** head, as wide as its channels. Widths are multiples of 8; other heads than 64 and 128 wide come
** here.
**
** A block of 8 warps takes 64 queries. K and V rows are too wide to stand in shared memory as
** tiles, so they stream through a ring of small tiles, 64 keys x 64 columns: first those of K,
** which add up the logits of 64 keys, then those of V, each of which makes 64 columns of the
** output. Four groups of warps share the rows; of a pair one has the first half of each tile's
** columns (keys or values), the other the second, so row maxima meet in shared memory and the
** weights do too. The output, 64 x 512 F32, is in registers. Bound: not reached for; the VAE
** spends 60 GFLOP a latent frame here, against 13 TFLOP in its convolutions.
*/
#include "attention.cuh"
#include "mma.cuh"

namespace
{

constexpr int QUERIES = 64, KEYS = 64, THREADS = 256, TILE = 64, RING = 3;
constexpr int MOST = 512 / TILE;               /* tiles across the widest head */
constexpr uint32_t TILE_BYTES = 64 * TILE * 2; /* queries, keys and weights: all 64 x 64 */

__device__ __forceinline__ uint32_t place(uint32_t tile, int r, int c)
{
    return tile + (uint32_t)(r * TILE * 2 + ((c ^ (r & 7)) << 4));
}

/* Copies rows first.. and columns 64 t.. of x to a tile; zeros outside of `end` rows, d columns. */
__device__ __forceinline__ void fetch(uint32_t tile, const uint16_t *x, int64_t stride, int first,
                                      int end, int t, int d)
{
    int c = threadIdx.x % 8;
#pragma unroll
    for (int r = threadIdx.x / 8; r < 64; r += THREADS / 8) {
        bool there = first + r < end && t * TILE + c * 8 < d;
        copy_chunk(place(tile, r, c), there ? x + (first + r) * stride + t * TILE + c * 8 : x,
                   there);
    }
}

/* c [16, 32] += a b: rows from `row` of tile a; b: 32 rows from `n0` of a tile of keys */
template <class T>
__device__ __forceinline__ void times_keys(float c[4][4], uint32_t a_tile, int row, uint32_t b_tile,
                                           int n0, int lane)
{
#pragma unroll
    for (int step = 0; step < TILE / 16; step++) {
        uint32_t a[4], b[4];
        load_blocks(a, place(a_tile, row + (lane & 15), step * 2 + (lane >> 4)));
#pragma unroll
        for (int n = 0; n < 2; n++) {
            load_blocks(b, place(b_tile, n0 + n * 16 + (lane & 7) + (lane >> 4) * 8,
                                 step * 2 + (lane >> 3 & 1)));
            mma<T>(c[2 * n], a, b[0], b[1]);
            mma<T>(c[2 * n + 1], a, b[2], b[3]);
        }
    }
}

/* c [16, 32] += a b: b: 32 columns from `n0` of a tile of values */
template <class T>
__device__ __forceinline__ void times_values(float c[4][4], uint32_t a_tile, int row,
                                             uint32_t b_tile, int n0, int lane)
{
#pragma unroll
    for (int step = 0; step < KEYS / 16; step++) {
        uint32_t a[4], b[4];
        load_blocks(a, place(a_tile, row + (lane & 15), step * 2 + (lane >> 4)));
#pragma unroll
        for (int n = 0; n < 2; n++) {
            load_blocks_transposed(
                b, place(b_tile, step * 16 + (lane & 15), n0 / 8 + n * 2 + (lane >> 4)));
            mma<T>(c[2 * n], a, b[0], b[1]);
            mma<T>(c[2 * n + 1], a, b[2], b[3]);
        }
    }
}

/* The ring: tile number i of the walk, K's then V's of each 64 keys. */
struct walk {
    const uint16_t *k, *v;
    int64_t k_stride, v_stride;
    int lk, d, across, count; /* across: tiles of a row; count: tiles in all */
    uint32_t ring;

    __device__ __forceinline__ uint32_t tile(int i) const { return ring + i % RING * TILE_BYTES; }
    __device__ __forceinline__ void fetch_tile(int i) const
    {
        if (i < count) {
            int t = i % (2 * across), key = i / (2 * across) * KEYS;
            if (t < across)
                fetch(tile(i), k, k_stride, key, lk, t, d);
            else
                fetch(tile(i), v, v_stride, key, lk, t - across, d);
        }
        copies_commit();
    }
    /* Tile i is there for all; the one before is free and gets what comes RING - 1 later. */
    __device__ __forceinline__ uint32_t next(int i) const
    {
        copies_wait<RING - 2>();
        __syncthreads();
        fetch_tile(i + RING - 1);
        return tile(i);
    }
};

/* Where a warp works and what its rows (lane / 4, and 8 further) have come to. */
struct rows {
    int first, side, lane; /* first of 16 rows; which half of a tile's columns */
    float top[2], sum[2], fade[2];

    __device__ __forceinline__ int row(int half) const { return first + half * 8 + lane / 4; }
};

/* The greatest logit of each row so far, of both warps of the pair, and what brings older sums
** there. */
__device__ __forceinline__ void new_tops(rows &w, const float (&s)[4][4], float (&tops)[2][QUERIES],
                                         float c)
{
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float t = -INFINITY;
#pragma unroll
        for (int n = 0; n < 4; n++)
            t = fmaxf(t, fmaxf(s[n][2 * half], s[n][2 * half + 1]));
        t = lane_max(t, 4);
        if (w.lane % 4 == 0)
            tops[w.side][w.row(half)] = t;
    }
    __syncthreads(); /* tops are there, and all are done with the weights before */
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float t = fmaxf(w.top[half], fmaxf(tops[0][w.row(half)], tops[1][w.row(half)]));
        w.fade[half] = exp2_fast((w.top[half] - t) * c);
        w.top[half] = t;
    }
}

/* weights [64, KEYS] = exp(scale (s - top)), this warp's part, and its sums */
template <class T>
__device__ __forceinline__ void weigh(rows &w, uint32_t weights, const float (&s)[4][4], float c)
{
#pragma unroll
    for (int half = 0; half < 2; half++) {
        w.sum[half] *= w.fade[half];
#pragma unroll
        for (int n = 0; n < 4; n++) {
            float p0 = exp2_fast((s[n][2 * half] - w.top[half]) * c);
            float p1 = exp2_fast((s[n][2 * half + 1] - w.top[half]) * c);
            w.sum[half] += p0 + p1;
            store_word(place(weights, w.row(half), w.side * 4 + n) + w.lane % 4 * 4,
                       pack2<T>(p0, p1));
        }
    }
}

/* y = o / sum, the sums being of both warps of the pair */
template <class T>
__device__ __forceinline__ void write_rows(const attention_args &a, rows &w,
                                           const float (&o)[MOST][4][4], float (&sums)[2][QUERIES],
                                           T *y, int query)
{
#pragma unroll
    for (int half = 0; half < 2; half++) {
        w.sum[half] = lane_sum(w.sum[half], 4);
        if (w.lane % 4 == 0)
            sums[w.side][w.row(half)] = w.sum[half];
    }
    __syncthreads();
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int r = w.row(half);
        float inverse = 1.0f / (sums[0][r] + sums[1][r]);
        if (query + r >= a.lq)
            continue;
#pragma unroll
        for (int t = 0; t < MOST; t++)
#pragma unroll
            for (int n = 0; n < 4; n++) {
                int c = t * TILE + w.side * 32 + n * 8;
                if (c < a.d)
                    *(uint32_t *)(y + (query + r) * a.y_stride + c + w.lane % 4 * 2) =
                        pack2<T>(o[t][n][2 * half] * inverse, o[t][n][2 * half + 1] * inverse);
            }
    }
}

template <class T>
__global__ void __launch_bounds__(THREADS) attention_wide_kernel(attention_args a)
{
    extern __shared__ uint4 shared[];
    __shared__ float tops[2][QUERIES], sums[2][QUERIES];
    rows w = {(int)threadIdx.x / 64 * 16,
              (int)threadIdx.x / 32 % 2,
              (int)threadIdx.x % 32,
              {-INFINITY, -INFINITY}};
    int query = blockIdx.x * QUERIES, head = blockIdx.y, batch = blockIdx.z;
    int across = (a.d + TILE - 1) / TILE, end = keys_seen(a, query + QUERIES);
    uint32_t weights = shared_address(shared), q = weights + TILE_BYTES;
    const uint16_t *xq = (const uint16_t *)a.q + batch * a.lq * a.q_stride + head * a.d;
    walk tiles = {(const uint16_t *)a.k + batch * a.lk * a.k_stride + head * a.d,
                  (const uint16_t *)a.v + batch * a.lk * a.v_stride + head * a.d,
                  a.k_stride,
                  a.v_stride,
                  a.lk,
                  a.d,
                  across,
                  (end + KEYS - 1) / KEYS * 2 * across,
                  q + across * TILE_BYTES};

    kernel_begin();
    for (int t = 0; t < across; t++)
        fetch(q + t * TILE_BYTES, xq, a.q_stride, query, a.lq, t, a.d);
    for (int i = 0; i < RING - 1; i++)
        tiles.fetch_tile(i);

    float o[MOST][4][4] = {};
    int i = 0;
    for (int key = 0; key < end; key += KEYS) {
        float s[4][4] = {};
        for (int t = 0; t < across; t++)
            times_keys<T>(s, q + t * TILE_BYTES, w.first, tiles.next(i++), w.side * 32, w.lane);
        if (adjusts(a, query + w.first, key, KEYS))
#pragma unroll
            for (int e = 0; e < 16; e++)
                s[e / 4][e % 4] = adjusted(a, s[e / 4][e % 4], head, query + w.row(e / 2 % 2),
                                           key + w.side * 32 + e / 4 * 8 + w.lane % 4 * 2 + e % 2);
        new_tops(w, s, tops, a.scale_log2e);
        weigh<T>(w, weights, s, a.scale_log2e);
#pragma unroll
        for (int t = 0; t < MOST; t++)
            if (t < across) {
#pragma unroll
                for (int e = 0; e < 16; e++)
                    o[t][e / 4][e % 4] *= w.fade[e / 2 % 2];
                times_values<T>(o[t], weights, w.first, tiles.next(i++), w.side * 32, w.lane);
            }
    }
    write_rows<T>(a, w, o, sums, (T *)a.y + batch * a.lq * a.y_stride + head * a.d, query);
}

} // namespace

template <class T> void attention_wide(const attention_args &a)
{
    size_t bytes = (1 + ceil_div(a.d, TILE) + RING) * TILE_BYTES;
    ALLOW_SHARED(attention_wide_kernel<T>, bytes);
    dim3 grid((unsigned)ceil_div(a.lq, QUERIES), (unsigned)a.heads, (unsigned)a.batch);
    start("start attention of wide heads", attention_wide_kernel<T>, grid, THREADS, bytes, 1, a);
}

template void attention_wide<half_t>(const attention_args &a);
template void attention_wide<bf16_t>(const attention_args &a);
