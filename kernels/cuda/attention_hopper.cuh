/*
** attention_hopper.cuh: what Hopper's ways of attention share (attention_hopper.cu, attention_few.cu,
** attention_8bit.cuh): which queries a block takes, stages of tiles that come and go, and
** a warp's 16 rows of the output, 64 registers a thread, and how they leave.
*/
#ifndef ATTENTION_HOPPER_CUH
#define ATTENTION_HOPPER_CUH

#include "attention.cuh"
#include "hopper.cuh"

constexpr int D = 128; /* of a head */
constexpr int BLOCK_QUERIES = 128;

/* The tiles of BLOCK_QUERIES queries of all heads, in order: those of a head run together. */
struct query_tiles {
    int across, tiles, keys; /* tiles of a head; in all; tiles of keys */
    query_tiles(const attention_args &a, int keys_a_tile)
    {
        across = (int)ceil_div(a.lq, BLOCK_QUERIES);
        tiles = across * a.heads * a.batch;
        keys = (int)ceil_div(a.lk, keys_a_tile);
    }
};

#ifdef __CUDA_ARCH_FEAT_SM90_ALL

/* Tile t: its first query, of which head, whose first column that is, and sequence. */
struct query_place {
    int query, head, column, batch;
    __device__ __forceinline__ query_place(const attention_args &a, const query_tiles &w, int t)
    {
        query = t % w.across * BLOCK_QUERIES;
        head = t / w.across % a.heads;
        column = head * D;
        batch = t / w.across / a.heads;
    }
};

/* A tile's stage, and the parity of its barriers' phase. */
template <int STAGES> struct ring {
    int stage = 0, parity = 0;
    __device__ __forceinline__ void step()
    {
        if (++stage == STAGES)
            stage = 0, parity ^= 1;
    }
};

__device__ __forceinline__ void clear(float (&o)[64])
{
#pragma unroll
    for (int i = 0; i < 64; i++)
        o[i] = 0;
}

/* s as 16 bits: the accumulator of one product is the operand of the next. */
template <class T, int S>
__device__ __forceinline__ void pack(uint32_t (&p)[S / 2], const float (&s)[S])
{
#pragma unroll
    for (int i = 0; i < S / 2; i++)
        p[i] = pack2<T>(s[2 * i], s[2 * i + 1]);
}

/* Of four lanes side by side each has a pair of columns of four blocks of eight: now each has
** the eight columns of one block, lane l of block l. */
__device__ __forceinline__ void gather_columns(uint32_t (&x)[4], int lane)
{
#pragma unroll
    for (int bit = 1; bit < 4; bit *= 2)
#pragma unroll
        for (int i = 0; i < 4; i++)
            if (!(i & bit)) {
                uint32_t &low = x[i], &high = x[i + bit];
                uint32_t got = __shfl_xor_sync(~0u, lane & bit ? low : high, bit);
                (lane & bit ? low : high) = got;
            }
}

/* Divides by the sums and writes the warp's 16 rows, `query` being the first. */
template <class T>
__device__ __forceinline__ void write_rows(const attention_args &a, const float (&o)[64],
                                           const float (&sum)[2], T *y, int query, int lane)
{
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float inverse = 1.0f / lane_sum(sum[half], 4);
        int row = query + half * 8 + lane / 4;
#pragma unroll
        for (int n = 0; n < 16; n += 4) {
            uint32_t x[4];
#pragma unroll
            for (int i = 0; i < 4; i++)
                x[i] = pack2<T>(o[4 * (n + i) + 2 * half] * inverse,
                                o[4 * (n + i) + 2 * half + 1] * inverse);
            gather_columns(x, lane);
            if (row < a.lq)
                *(uint4 *)(y + row * a.y_stride + (n + lane % 4) * 8) =
                    make_uint4(x[0], x[1], x[2], x[3]);
        }
    }
}

#endif

/* `count` rows of x at a time. */
static inline CUtensorMap map_rows(const void *x, int64_t stride, int rows, const attention_args &a,
                                   int count)
{
    int64_t dim[3] = {(int64_t)a.heads * D, rows, a.batch};
    int64_t steps[2] = {stride * 2, rows * stride * 2};
    int box[3] = {64, count, 1};
    return tile_map(F16, x, 3, dim, steps, box);
}

/* Starts blocks that stay, for w.tiles tiles; boxes of 64 queries and of `keys` keys. */
template <auto KERNEL, class W>
static void start_tiles(const attention_args &a, const W &w, int keys, unsigned threads,
                        size_t shared)
{
    static bool allowed;
    if (!allowed)
        ALLOW_SHARED(KERNEL, shared);
    allowed = true;
    start("start attention", KERNEL, (unsigned)(w.tiles < device_sms ? w.tiles : device_sms),
          threads, shared, 1, map_rows(a.q, a.q_stride, a.lq, a, 64),
          map_rows(a.k, a.k_stride, a.lk, a, keys), map_rows(a.v, a.v_stride, a.lk, a, keys), a, w);
}

#endif
