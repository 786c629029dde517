/*
** attention_mma.cu: attention for heads 64 and 128 wide on tensor cores, for every card from
** sm_80 on.
**
** A block of 4 warps takes 128 queries of one head, a warp 32 of them, and walks over the keys 64
** at a time with a running maximum and sum for each row (online softmax). Q, K and V tiles live in
** shared memory (64 KB at d = 128); logits, weights and the output in registers: the accumulator
** of q k^T is, element for element, the operand that the product with v wants, so weights never
** leave the thread that made them.
** K and V are single tiles that are fetched in turn: V arrives while q k^T is computed, the next K
** while the weights meet V. Two blocks on a multiprocessor fill each other's gaps.
** Bound: the rate of mma.sync, on Hopper about six tenths of wgmma's (attention_hopper.cu).
*/
#include "attention.cuh"
#include "mma.cuh"

namespace
{

constexpr int QUERIES = 128, KEYS = 64, THREADS = 128;

/* Address of chunk c of row r in a tile of D-wide rows. */
template <int D> __device__ __forceinline__ uint32_t place(uint32_t tile, int r, int c)
{
    return tile + (uint32_t)(r * D * 2 + ((c ^ (r & 7)) << 4));
}

/* Starts copying `rows` rows of x (its first is `first`) into the tile; zeros from `end` on. */
template <int D>
__device__ __forceinline__ void fetch(uint32_t tile, const uint16_t *x, int64_t stride, int first,
                                      int rows, int end)
{
    constexpr int CHUNKS = D / 8, STEP = THREADS / CHUNKS;
    int c = threadIdx.x % CHUNKS;
    for (int r = threadIdx.x / CHUNKS; r < rows; r += STEP) {
        bool there = first + r < end;
        copy_chunk(place<D>(tile, r, c), x + (there ? first + r : 0) * stride + c * 8, there);
    }
}

/* s [32, KEYS] = q k^T for this warp's rows */
template <class T, int D>
__device__ __forceinline__ void logits(float s[2][KEYS / 8][4], uint32_t q, uint32_t k, int row,
                                       int lane)
{
#pragma unroll
    for (int m = 0; m < 2; m++)
#pragma unroll
        for (int n = 0; n < KEYS / 8; n++)
#pragma unroll
            for (int e = 0; e < 4; e++)
                s[m][n][e] = 0;
#pragma unroll
    for (int step = 0; step < D / 16; step++) {
        uint32_t a[2][4];
#pragma unroll
        for (int m = 0; m < 2; m++)
            load_blocks(a[m], place<D>(q, row + m * 16 + (lane & 15), step * 2 + (lane >> 4)));
#pragma unroll
        for (int n = 0; n < KEYS / 16; n++) {
            uint32_t b[4];
            load_blocks(
                b, place<D>(k, n * 16 + (lane & 7) + (lane >> 4) * 8, step * 2 + (lane >> 3 & 1)));
#pragma unroll
            for (int m = 0; m < 2; m++) {
                mma<T>(s[m][2 * n], a[m], b[0], b[1]);
                mma<T>(s[m][2 * n + 1], a[m], b[2], b[3]);
            }
        }
    }
}

/* o [32, D] += p v */
template <class T, int D>
__device__ __forceinline__ void weighted_sum(float o[2][D / 8][4], const float p[2][KEYS / 8][4],
                                             uint32_t v, int lane)
{
#pragma unroll
    for (int step = 0; step < KEYS / 16; step++) {
        uint32_t a[2][4];
#pragma unroll
        for (int m = 0; m < 2; m++)
#pragma unroll
            for (int e = 0; e < 4; e++) {
                const float *pair = &p[m][2 * step + e / 2][e % 2 * 2];
                a[m][e] = pack2<T>(pair[0], pair[1]);
            }
#pragma unroll
        for (int n = 0; n < D / 16; n++) {
            uint32_t b[4];
            load_blocks_transposed(b, place<D>(v, step * 16 + (lane & 15), n * 2 + (lane >> 4)));
#pragma unroll
            for (int m = 0; m < 2; m++) {
                mma<T>(o[m][2 * n], a[m], b[0], b[1]);
                mma<T>(o[m][2 * n + 1], a[m], b[2], b[3]);
            }
        }
    }
}

/* s becomes exp(scale (s - its row's maximum so far)); o and sum are brought to the new maximum. */
template <int D>
__device__ __forceinline__ void softmax_step(float s[2][KEYS / 8][4], float o[2][D / 8][4],
                                             float top[2][2], float sum[2][2], float c)
{
#pragma unroll
    for (int m = 0; m < 2; m++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float t = top[m][half];
#pragma unroll
            for (int n = 0; n < KEYS / 8; n++)
                t = fmaxf(t, fmaxf(s[m][n][2 * half], s[m][n][2 * half + 1]));
            t = fmaxf(t, __shfl_xor_sync(~0u, t, 1));
            t = fmaxf(t, __shfl_xor_sync(~0u, t, 2));
            float fade = exp2_fast((top[m][half] - t) * c), base = t * c, total = 0;
            top[m][half] = t;
#pragma unroll
            for (int n = 0; n < KEYS / 8; n++)
#pragma unroll
                for (int e = 2 * half; e < 2 * half + 2; e++)
                    total += s[m][n][e] = exp2_fast(s[m][n][e] * c - base);
            sum[m][half] = sum[m][half] * fade + total;
#pragma unroll
            for (int n = 0; n < D / 8; n++) {
                o[m][n][2 * half] *= fade;
                o[m][n][2 * half + 1] *= fade;
            }
        }
}

/* Divides by the sums and writes the warp's 32 rows through its own rows of the q tile. */
template <class T, int D>
__device__ __forceinline__ void write_rows(const attention_args &a, T *y, float o[2][D / 8][4],
                                           const float sum[2][2], uint32_t q, int query, int row,
                                           int lane)
{
#pragma unroll
    for (int m = 0; m < 2; m++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float total = sum[m][half];
            total += __shfl_xor_sync(~0u, total, 1);
            total += __shfl_xor_sync(~0u, total, 2);
            float inverse = 1.0f / total;
#pragma unroll
            for (int n = 0; n < D / 8; n++) {
                uint32_t pair =
                    pack2<T>(o[m][n][2 * half] * inverse, o[m][n][2 * half + 1] * inverse);
                asm volatile("st.shared.u32 [%0], %1;" ::"r"(
                                 place<D>(q, row + m * 16 + half * 8 + lane / 4, n) + lane % 4 * 4),
                             "r"(pair)
                             : "memory");
            }
        }
    __syncwarp();
    constexpr int CHUNKS = D / 8, STEP = 32 / CHUNKS;
    int c = lane % CHUNKS;
    for (int r = lane / CHUNKS; r < 32; r += STEP) {
        uint4 u;
        asm volatile("ld.shared.v4.u32 {%0,%1,%2,%3}, [%4];"
                     : "=r"(u.x), "=r"(u.y), "=r"(u.z), "=r"(u.w)
                     : "r"(place<D>(q, row + r, c))
                     : "memory");
        if (query + row + r < a.lq)
            *(uint4 *)(y + (query + row + r) * a.y_stride + c * 8) = u;
    }
}

template <class T, int D>
__global__ void __launch_bounds__(THREADS) attention_mma_kernel(attention_args a)
{
    extern __shared__ uint4 shared[];
    uint32_t q = shared_address(shared), k = q + QUERIES * D * 2, v = k + KEYS * D * 2;
    int lane = threadIdx.x % 32, row = threadIdx.x / 32 * 32;
    int query = blockIdx.x * QUERIES, head = blockIdx.y, batch = blockIdx.z;
    const uint16_t *xq = (const uint16_t *)a.q + batch * a.lq * a.q_stride + head * D;
    const uint16_t *xk = (const uint16_t *)a.k + batch * a.lk * a.k_stride + head * D;
    const uint16_t *xv = (const uint16_t *)a.v + batch * a.lk * a.v_stride + head * D;
    int end = keys_seen(a, query + QUERIES);

    kernel_begin();
    float o[2][D / 8][4] = {}, s[2][KEYS / 8][4], sum[2][2] = {};
    float top[2][2] = {{-INFINITY, -INFINITY}, {-INFINITY, -INFINITY}};
    fetch<D>(q, xq, a.q_stride, query, QUERIES, a.lq);
    fetch<D>(k, xk, a.k_stride, 0, KEYS, a.lk);
    copies_commit();
    for (int key = 0; key < end; key += KEYS) {
        copies_wait<0>();
        __syncthreads(); /* k is there, and all are done with the v before */
        fetch<D>(v, xv, a.v_stride, key, KEYS, a.lk);
        copies_commit();
        logits<T, D>(s, q, k, row, lane);
        copies_wait<0>();
        __syncthreads(); /* v is there, and all are done with k */
        if (key + KEYS < end)
            fetch<D>(k, xk, a.k_stride, key + KEYS, KEYS, a.lk);
        copies_commit();
        if (adjusts(a, query + row, key, KEYS))
#pragma unroll
            for (int m = 0; m < 2; m++)
#pragma unroll
                for (int n = 0; n < KEYS / 8; n++)
#pragma unroll
                    for (int e = 0; e < 4; e++)
                        s[m][n][e] = adjusted(a, s[m][n][e], head,
                                              query + row + m * 16 + e / 2 * 8 + lane / 4,
                                              key + n * 8 + lane % 4 * 2 + e % 2);
        softmax_step<D>(s, o, top, sum, a.scale_log2e);
        weighted_sum<T, D>(o, s, v, lane);
    }
    write_rows<T, D>(a, (T *)a.y + batch * a.lq * a.y_stride + head * D, o, sum, q, query, row,
                     lane);
}

template <class T, int D> void launch(const attention_args &a)
{
    constexpr size_t bytes = (QUERIES + 2 * KEYS) * D * 2;
    ALLOW_SHARED((attention_mma_kernel<T, D>), bytes);
    dim3 grid((unsigned)ceil_div(a.lq, QUERIES), (unsigned)a.heads, (unsigned)a.batch);
    start("start attention", attention_mma_kernel<T, D>, grid, THREADS, bytes, 1, a);
}

} // namespace

template <class T> void attention_mma(const attention_args &a)
{
    a.d == 64 ? launch<T, 64>(a) : launch<T, 128>(a);
}

template void attention_mma<half_t>(const attention_args &a);
template void attention_mma<bf16_t>(const attention_args &a);
