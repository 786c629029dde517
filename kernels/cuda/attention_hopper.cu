/*
** attention_hopper.cu: attention for heads 128 wide on Hopper: wgmma, the copy engine, and warps
** with different jobs. After FlashAttention-3 (Shah et al., 2024).
**
** A block has three groups of 128 threads and takes 128 queries of one head. One thread of the
** first group only asks for tiles: Q once, then K and V 176 keys at a time, two of each under
** way. The other two groups take 64 queries each. In a group, the logits of the next keys are
** computed while the weights of these meet V (both are asynchronous), and the softmax of one
** group falls into the products of the other: two named barriers let them take turns at issuing.
** Shared memory: Q 32 KB, K and V 2 x 44 KB each: 208 KB. Registers: output 64, logits 88,
** weights 44. Bound: 4 Lq Lk d operations at the rate of a dense product; at 32760 tokens the
** card's power.
*/
#include "attention.cuh"
#include "hopper.cuh"

namespace
{

constexpr int QUERIES = 128, KEYS = 176, D = 128, THREADS = 384, STAGES = 2;
/* Bytes of a box, rows of 64 elements; a tile is two boxes. */
constexpr int Q_BOX = QUERIES * 128, BOX = KEYS * 128, TILE = 2 * BOX;
constexpr size_t SHARED_BYTES = 1024 + 2 * Q_BOX + 2 * STAGES * TILE + (1 + 4 * STAGES) * 8;

#ifdef __CUDA_ARCH_FEAT_SM90_ALL

constexpr int S = KEYS / 2; /* a thread's share of the logits [64, KEYS] of its group */

/* Where things are in shared memory. */
struct layout {
    uint32_t q, k, v, bars;
    __device__ __forceinline__ explicit layout(uint32_t raw)
    {
        q = (raw + 1023) & ~1023u;
        k = q + 2 * Q_BOX;
        v = k + STAGES * TILE;
        bars = v + STAGES * TILE;
    }
    __device__ __forceinline__ uint32_t k_tile(int n) const { return k + n % STAGES * TILE; }
    __device__ __forceinline__ uint32_t v_tile(int n) const { return v + n % STAGES * TILE; }
    __device__ __forceinline__ uint32_t q_full() const { return bars; }
    __device__ __forceinline__ uint32_t k_full(int n) const { return bars + 8 + n % STAGES * 32; }
    __device__ __forceinline__ uint32_t v_full(int n) const { return k_full(n) + 8; }
    __device__ __forceinline__ uint32_t k_free(int n) const { return k_full(n) + 16; }
    __device__ __forceinline__ uint32_t v_free(int n) const { return k_full(n) + 24; }
};

__device__ __forceinline__ int parity(int n) { return n / STAGES & 1; }

/* A tile of keys or values. */
__device__ __forceinline__ void fetch_keys(uint32_t tile, const CUtensorMap *map, uint32_t barrier,
                                           int row)
{
    int column = blockIdx.y * D, batch = blockIdx.z;
    barrier_expect(barrier, TILE);
    tile_fetch(tile, map, barrier, column, row, batch);
    tile_fetch(tile + BOX, map, barrier, column + 64, row, batch);
}

/* The first group's one thread. */
__device__ __forceinline__ void produce(const layout &at, const CUtensorMap *mq,
                                        const CUtensorMap *mk, const CUtensorMap *mv, int tiles)
{
    int column = blockIdx.y * D, query = blockIdx.x * QUERIES, batch = blockIdx.z;
    barrier_expect(at.q_full(), 2 * Q_BOX);
    tile_fetch(at.q, mq, at.q_full(), column, query, batch);
    tile_fetch(at.q + Q_BOX, mq, at.q_full(), column + 64, query, batch);
    for (int n = 0; n < tiles; n++) {
        if (n >= STAGES)
            barrier_wait(at.k_free(n), parity(n) ^ 1);
        fetch_keys(at.k_tile(n), mk, at.k_full(n), n * KEYS);
        if (n >= STAGES)
            barrier_wait(at.v_free(n), parity(n) ^ 1);
        fetch_keys(at.v_tile(n), mv, at.v_full(n), n * KEYS);
    }
}

/* Starts s [64, KEYS] = q k^T. */
template <class T> __device__ __forceinline__ void logits(float (&s)[S], uint32_t q, uint32_t k)
{
#pragma unroll
    for (int step = 0; step < D / 16; step++)
        product_176<T>(s, operand(q + step / 4 * Q_BOX + step % 4 * 32, 1024),
                       operand(k + step / 4 * BOX + step % 4 * 32, 1024), step == 0);
    products_commit();
}

/* Starts o [64, D] += p v. */
template <class T>
__device__ __forceinline__ void weighted_sum(float (&o)[64], const uint32_t (&p)[S / 2], uint32_t v)
{
#pragma unroll
    for (int step = 0; step < KEYS / 16; step++)
        product_128<T>(o, p + step * 4, operand(v + step * 2048, 1024, BOX));
    products_commit();
}

/* s becomes exp(scale (s - its row's maximum so far)); fade is what brings older sums there. */
__device__ __forceinline__ void softmax_step(float (&s)[S], float (&top)[2], float (&sum)[2],
                                             float (&fade)[2], float c)
{
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float t = top[half];
#pragma unroll
        for (int n = 0; n < S / 4; n++)
            t = fmaxf(t, fmaxf(s[4 * n + 2 * half], s[4 * n + 2 * half + 1]));
        t = fmaxf(t, __shfl_xor_sync(~0u, t, 1));
        t = fmaxf(t, __shfl_xor_sync(~0u, t, 2));
        fade[half] = exp2_fast((top[half] - t) * c);
        top[half] = t;
        float base = t * c, total[2] = {};
#pragma unroll
        for (int n = 0; n < S / 4; n++)
#pragma unroll
            for (int e = 0; e < 2; e++) {
                float &x = s[4 * n + 2 * half + e];
                x = exp2_fast(x * c - base);
                total[e] += x;
            }
        sum[half] = sum[half] * fade[half] + (total[0] + total[1]);
    }
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

template <class T> __device__ __forceinline__ void pack(uint32_t (&p)[S / 2], const float (&s)[S])
{
#pragma unroll
    for (int i = 0; i < S / 2; i++)
        p[i] = pack2<T>(s[2 * i], s[2 * i + 1]);
}

/* Divides by the sums and writes the warp's 16 rows through its rows of the q tile. */
template <class T>
__device__ __forceinline__ void write_rows(const attention_args &a, float (&o)[64],
                                           const float (&sum)[2], uint32_t q, int row, int lane)
{
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float inverse = 1.0f / lane_sum(sum[half], 4);
        int r = row + half * 8 + lane / 4;
#pragma unroll
        for (int n = 0; n < 16; n++)
            asm volatile(
                "st.shared.u32 [%0], %1;" ::"r"(q + n / 8 * Q_BOX + r * 128 +
                                                ((n % 8 ^ r % 8) << 4) + lane % 4 * 4),
                "r"(pack2<T>(o[4 * n + 2 * half] * inverse, o[4 * n + 2 * half + 1] * inverse))
                : "memory");
    }
    __syncwarp();
    int query = blockIdx.x * QUERIES, c = lane % 16;
    T *y = (T *)a.y + (int64_t)blockIdx.z * a.lq * a.y_stride + blockIdx.y * D;
#pragma unroll
    for (int r = row + lane / 16; r < row + 16; r += 2) {
        uint4 u;
        asm volatile("ld.shared.v4.u32 {%0,%1,%2,%3}, [%4];"
                     : "=r"(u.x), "=r"(u.y), "=r"(u.z), "=r"(u.w)
                     : "r"(q + c / 8 * Q_BOX + r * 128 + ((c % 8 ^ r % 8) << 4))
                     : "memory");
        if (query + r < a.lq)
            *(uint4 *)(y + (query + r) * a.y_stride + c * 8) = u;
    }
}

/* The two other groups; group is 0 or 1. */
template <class T>
__device__ __forceinline__ void consume(const layout &at, const attention_args &a, int tiles,
                                        int group)
{
    int lane = threadIdx.x % 32, turn = 1 + group, other = 2 - group;
    uint32_t q = at.q + group * 64 * 128, p[S / 2];
    float o[64], s[S], top[2] = {-INFINITY, -INFINITY}, sum[2] = {}, fade[2];
#pragma unroll
    for (int i = 0; i < 64; i++)
        o[i] = 0;
    if (group == 1 && tiles > 1)
        group_arrive(other, 256);

    barrier_wait(at.q_full(), 0);
    barrier_wait(at.k_full(0), 0);
    products_begin();
    logits<T>(s, q, at.k_tile(0));
    products_wait<0>();
    pin(s);
    if (lane == 0)
        barrier_arrive(at.k_free(0));
    if (tiles == 1)
        adjust(a, s, 0, lane);
    softmax_step(s, top, sum, fade, a.scale_log2e);
    pack<T>(p, s);

    for (int n = 1; n < tiles; n++) {
        barrier_wait(at.k_full(n), parity(n));
        group_sync(turn, 256);
        products_begin();
        logits<T>(s, q, at.k_tile(n));
        barrier_wait(at.v_full(n - 1), parity(n - 1));
        products_begin();
        weighted_sum<T>(o, p, at.v_tile(n - 1));
        if (group == 0 || n + 1 < tiles)
            group_arrive(other, 256);
        products_wait<1>();
        pin(s);
        if (lane == 0)
            barrier_arrive(at.k_free(n));
        if (n + 1 == tiles)
            adjust(a, s, n * KEYS, lane);
        softmax_step(s, top, sum, fade, a.scale_log2e);
        products_wait<0>();
        pin(o);
        if (lane == 0)
            barrier_arrive(at.v_free(n - 1));
#pragma unroll
        for (int i = 0; i < 64; i++)
            o[i] *= fade[i / 2 % 2];
        pack<T>(p, s);
    }
    barrier_wait(at.v_full(tiles - 1), parity(tiles - 1));
    products_begin();
    weighted_sum<T>(o, p, at.v_tile(tiles - 1));
    products_wait<0>();
    pin(o);
    group_sync(3 + group, 128); /* all four warps are done with q */
    write_rows<T>(a, o, sum, at.q, group * 64 + threadIdx.x / 32 % 4 * 16, lane);
}

#endif

template <class T>
__global__ void __launch_bounds__(THREADS, 1)
    attention_hopper_kernel(const __grid_constant__ CUtensorMap mq,
                            const __grid_constant__ CUtensorMap mk,
                            const __grid_constant__ CUtensorMap mv, attention_args a)
{
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
    extern __shared__ uint8_t shared[];
    layout at(shared_address(shared));
    int tiles = (a.lk + KEYS - 1) / KEYS;
    if (threadIdx.x == 0) {
        barrier_init(at.q_full(), 1);
        for (int n = 0; n < STAGES; n++) {
            barrier_init(at.k_full(n), 1);
            barrier_init(at.v_full(n), 1);
            barrier_init(at.k_free(n), 8); /* warps */
            barrier_init(at.v_free(n), 8);
        }
        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    }
    __syncthreads();
    int group = __shfl_sync(~0u, threadIdx.x / 128, 0); /* the same for a warp, and seen to be */
    if (group == 0) {
        asm volatile("setmaxnreg.dec.sync.aligned.u32 24;");
        if (threadIdx.x == 0)
            produce(at, &mq, &mk, &mv, tiles);
    } else {
        asm volatile("setmaxnreg.inc.sync.aligned.u32 240;");
        consume<T>(at, a, tiles, group - 1);
    }
#endif
}

/* `count` rows of x at a time. */
CUtensorMap map_rows(const void *x, int64_t stride, int rows, const attention_args &a, int count)
{
    int64_t dim[3] = {(int64_t)a.heads * D, rows, a.batch};
    int64_t steps[2] = {stride * 2, rows * stride * 2};
    int box[3] = {64, count, 1};
    return tile_map(x, 3, dim, steps, box);
}

} // namespace

template <class T> void attention_hopper(const attention_args &a)
{
    ALLOW_SHARED(attention_hopper_kernel<T>, SHARED_BYTES);
    dim3 grid((unsigned)ceil_div(a.lq, QUERIES), (unsigned)a.heads, (unsigned)a.batch);
    attention_hopper_kernel<T><<<grid, THREADS, SHARED_BYTES, stream>>>(
        map_rows(a.q, a.q_stride, a.lq, a, QUERIES), map_rows(a.k, a.k_stride, a.lk, a, KEYS),
        map_rows(a.v, a.v_stride, a.lk, a, KEYS), a);
    LAUNCHED("attention on Hopper");
}

template void attention_hopper<half_t>(const attention_args &a);
template void attention_hopper<bf16_t>(const attention_args &a);
