/*
** linear_hopper.cu: y = gelu(x w^T * scale + b) on Hopper, 16-bit operands, in one pass: what
** cuBLASLt cannot finish in its epilogue (a scale for each column, an F32 bias) is done on the sums
** while they are in registers.
**
** A block stays on its multiprocessor and makes one tile of 128 rows x WIDTH columns after the
** other. One thread asks the copy engine for parts 64 deep, five or six under way, and runs ahead
** into the next tile. Two groups of 128 threads take turns: while one multiplies a tile with wgmma,
** the other finishes its own: scale, bias, gelu, and out through shared memory by the copy engine,
** which also clips it. So the tensor cores never wait for a gelu.
** Two blocks form a cluster, one above the other: they need the same part of w, so each fetches half
** of it for both. Neighbouring tiles, which run together, share rows of x.
** Shared memory: 5 x 40 or 6 x 32 KB, and 16 KB for results. Registers: up to 192 sums a thread.
** Bound: 2 N in out at the rate of a dense product. Measured: PERFORMANCE.md.
*/
#include "hopper.cuh"
#include "linear.cuh"

namespace
{

constexpr int ROWS = 128, DEPTH = 64, THREADS = 384, CLUSTER = 2;
constexpr int X_BYTES = ROWS * DEPTH * 2;
constexpr int OUT_BYTES = 64 * 64 * 2; /* a group's 64 x 64 results on their way out */

__host__ __device__ constexpr int stages(int width) { return width == 192 ? 5 : 6; }
__host__ __device__ constexpr int stage_bytes(int width) { return X_BYTES + width * DEPTH * 2; }
constexpr int shared_bytes(int width)
{
    return stages(width) * stage_bytes(width) + 2 * OUT_BYTES + 2 * 2 * width * 4 +
           2 * stages(width) * 8;
}

struct job {
    const float *scale, *b; /* [out] or NULL */
    float *y;               /* the result if it is F32; else it goes through its tile map */
    int64_t y_stride;
    int rows, out, in;
    bool gelu;
};

#ifdef __CUDA_ARCH_FEAT_SM90_ALL

constexpr int TURN = 4; /* named barriers 4 and 5: whose turn it is to multiply */

/* ---- clusters ---- */

__device__ __forceinline__ uint32_t cluster_rank()
{
    uint32_t r;
    asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(r));
    return r;
}

__device__ __forceinline__ void cluster_sync()
{
    asm volatile("barrier.cluster.arrive.aligned;\nbarrier.cluster.wait.aligned;" ::: "memory");
}

/* Arrives at the barrier that stands at this address in block `rank` of the cluster. Nothing was
** written that the other side reads, so no release to the cluster is asked for: it would be a fence of
** all memory, which halves the speed (measured). */
__device__ __forceinline__ void barrier_arrive_at(uint32_t barrier, uint32_t rank)
{
    asm volatile("{\n.reg .b32 there;\nmapa.shared::cluster.u32 there, %0, %1;\n"
                 "mbarrier.arrive.shared::cluster.b64 _, [there];\n}" ::"r"(barrier),
                 "r"(rank)
                 : "memory");
}

/* As tile_fetch, into every block of the cluster at the same address. */
__device__ __forceinline__ void tile_fetch_shared(uint32_t shared, const CUtensorMap *map,
                                                  uint32_t barrier, int c0, int c1)
{
    asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes"
                 ".multicast::cluster [%0], [%1, {%3, %4}], [%2], %5;" ::"r"(shared),
                 "l"(map), "r"(barrier), "r"(c0), "r"(c1), "h"((uint16_t)((1 << CLUSTER) - 1))
                 : "memory");
}

/* ---- results ---- */

__device__ __forceinline__ void tile_store(const CUtensorMap *map, uint32_t shared, int c0, int c1)
{
    asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%0, {%2, %3}], [%1];\n"
                 "cp.async.bulk.commit_group;" ::"l"(map),
                 "r"(shared), "r"(c0), "r"(c1)
                 : "memory");
}

/* Four 8 x 8 blocks; lane l gives the address of row l mod 8 of block l / 8. */
__device__ __forceinline__ void store_blocks(uint32_t address, uint32_t a, uint32_t b, uint32_t c,
                                             uint32_t d)
{
    asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1,%2,%3,%4};" ::"r"(address),
                 "r"(a), "r"(b), "r"(c), "r"(d)
                 : "memory");
}

/* ---- products: d [64, WIDTH] (+)= a [64, 16] b [WIDTH, 16]^T ---- */

#define WGMMA_SHARED_FRESH(width, types, registers, operands, a_at, b_at, fresh_at)                \
    asm volatile("{\n.reg .pred add;\nsetp.eq.b32 add, %" #fresh_at ", 0;\n"                       \
                 "wgmma.mma_async.sync.aligned.m64n" #width "k16.f32." types " " registers         \
                 ", %" #a_at ", %" #b_at ", add, 1, 1, 0, 0;\n}"                                   \
                 : operands(d)                                                                     \
                 : "l"(a), "l"(b), "r"((int)fresh))

template <class T>
__device__ __forceinline__ void product(float (&d)[64], uint64_t a, uint64_t b, bool fresh)
{
    if constexpr (std::is_same_v<T, half_t>)
        WGMMA_SHARED_FRESH(128, "f16.f16", WGMMA_R64, WGMMA_F64, 64, 65, 66);
    else
        WGMMA_SHARED_FRESH(128, "bf16.bf16", WGMMA_R64, WGMMA_F64, 64, 65, 66);
}

template <class T>
__device__ __forceinline__ void product(float (&d)[96], uint64_t a, uint64_t b, bool fresh)
{
    if constexpr (std::is_same_v<T, half_t>)
        WGMMA_SHARED_FRESH(192, "f16.f16", WGMMA_R96, WGMMA_F96, 96, 97, 98);
    else
        WGMMA_SHARED_FRESH(192, "bf16.bf16", WGMMA_R96, WGMMA_F96, 96, 97, 98);
}

/* ---- the kernel's parts ---- */

/* Where things are in shared memory. */
template <int WIDTH> struct layout {
    uint32_t raw;
    __device__ __forceinline__ uint32_t x(int s) const { return raw + s * stage_bytes(WIDTH); }
    __device__ __forceinline__ uint32_t w(int s) const { return x(s) + X_BYTES; }
    __device__ __forceinline__ uint32_t out(int group) const
    {
        return x(stages(WIDTH)) + group * OUT_BYTES;
    }
    /* A group's scales and biases of its tile: two vectors. */
    __device__ __forceinline__ uint32_t vectors(int group) const
    {
        return out(2) + group * 2 * WIDTH * 4;
    }
    __device__ __forceinline__ uint32_t full(int s) const { return vectors(2) + s * 8; }
    __device__ __forceinline__ uint32_t empty(int s) const { return full(stages(WIDTH) + s); }
};

/* The n-th part that the copy engine brought: its buffer, and the parity of that buffer's round. */
template <int WIDTH> struct part {
    int stage, parity;
    __device__ __forceinline__ explicit part(int n)
        : stage(n % stages(WIDTH)), parity(n / stages(WIDTH) & 1)
    {
    }
    __device__ __forceinline__ void next()
    {
        if (++stage == stages(WIDTH))
            stage = 0, parity ^= 1;
    }
};

/* The cluster's tiles: columns run fastest. */
template <int WIDTH> struct tiles {
    int across, n;
    __device__ __forceinline__ explicit tiles(const job &j)
    {
        across = (j.out + WIDTH - 1) / WIDTH;
        n = (j.rows + CLUSTER * ROWS - 1) / (CLUSTER * ROWS) * across;
    }
    __device__ __forceinline__ int column(int t) const { return t % across * WIDTH; }
    __device__ __forceinline__ int row(int t, int rank) const
    {
        return (t / across * CLUSTER + rank) * ROWS;
    }
};

/* One thread: fetches what this block's products need, as far ahead as there is room. */
template <int WIDTH>
__device__ __forceinline__ void produce(layout<WIDTH> at, const CUtensorMap *mx,
                                        const CUtensorMap *mw, const job &j, int rank)
{
    constexpr int HALF = WIDTH / CLUSTER;
    tiles<WIDTH> all(j);
    part<WIDTH> now(0);
    for (int t = blockIdx.x / CLUSTER; t < all.n; t += gridDim.x / CLUSTER)
        for (int k = 0; k < j.in; k += DEPTH, now.next()) {
            uint32_t full = at.full(now.stage);
            barrier_wait(at.empty(now.stage), now.parity ^ 1); /* in both blocks */
            barrier_expect(full, stage_bytes(WIDTH));
            tile_fetch(at.x(now.stage), mx, full, k, all.row(t, rank));
            tile_fetch_shared(at.w(now.stage) + rank * HALF * DEPTH * 2, mw, full, k,
                              all.column(t) + rank * HALF);
        }
}

/* sum [2][64, WIDTH] = the tile's products: parts [first, first + steps). Arrives at the named barrier
** pass_on, unless it is negative, when it is another's turn. */
template <class T, int WIDTH>
__device__ __forceinline__ void multiply(float (&sum)[2][WIDTH / 2], layout<WIDTH> at, int first,
                                         int steps, bool elected, int pass_on)
{
    auto free = [&](int stage) {
        if (elected)
#pragma unroll
            for (int rank = 0; rank < CLUSTER; rank++)
                barrier_arrive_at(at.empty(stage), rank);
    };
    part<WIDTH> now(first);
    int before = 0;
    for (int k = 0; k < steps; k++) {
        barrier_wait(at.full(now.stage), now.parity);
        uint32_t x = at.x(now.stage), w = at.w(now.stage);
        products_begin();
#pragma unroll
        for (int step = 0; step < DEPTH / 16; step++)
#pragma unroll
            for (int half = 0; half < 2; half++)
                product<T>(sum[half], operand(x + half * 64 * DEPTH * 2 + step * 32, 1024),
                           operand(w + step * 32, 1024), k == 0 && step == 0);
        products_commit();
        if (k > 0) {
            products_wait<1>();
            free(before);
        }
        before = now.stage;
        now.next();
    }
    if (pass_on >= 0) /* the other's products queue behind the last of these */
        group_arrive(pass_on, 256);
    products_wait<0>();
    pin(sum[0]);
    pin(sum[1]);
    free(before);
}

/* 64 x 64 sums become results, scaled, shifted, perhaps gelu: [block of eight columns][0: row lane/4,
** 1: eight rows on]. Nothing orders the blocks, so that the many steps of one hide behind another's. */
template <class T, bool GELU>
__device__ __forceinline__ void finish(uint32_t (&r)[8][2], const float *sum, const float2 *scale,
                                       const float2 *b)
{
#pragma unroll
    for (int m = 0; m < 8; m++) {
        float2 c = scale[m * 4], d = b[m * 4];
#pragma unroll
        for (int e = 0; e < 2; e++) {
            float2 v =
                make_float2(sum[m * 4 + 2 * e] * c.x + d.x, sum[m * 4 + 2 * e + 1] * c.y + d.y);
            if (GELU)
                v = gelu_tanh2(v.x, v.y);
            r[m][e] = pack2<T>(v.x, v.y);
        }
    }
}

/* 64 x WIDTH sums to the result, 64 columns at a time. */
template <class T, int WIDTH>
__device__ __forceinline__ void store(const float (&sum)[WIDTH / 2], uint32_t out,
                                      const CUtensorMap *my, const float2 *scale, const float2 *b,
                                      int row, int column, int group, bool gelu)
{
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32 % 4;
    bool elected = threadIdx.x % 128 == 0;
    int line = warp * 16 + lane % 16, block = lane / 16;
    scale += lane % 4, b += lane % 4;
#pragma unroll
    for (int n = 0; n < WIDTH / 64; n++) {
        uint32_t r[8][2];
        if (gelu)
            finish<T, true>(r, sum + n * 32, scale + n * 32, b + n * 32);
        else
            finish<T, false>(r, sum + n * 32, scale + n * 32, b + n * 32);
        if (elected) /* the store before this has read the buffer */
            asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory");
        group_sync(1 + group, 128);
#pragma unroll
        for (int m = 0; m < 8; m += 2)
            store_blocks(out + line * 128 + (((m + block) ^ (line & 7)) << 4), r[m][0], r[m][1],
                         r[m + 1][0], r[m + 1][1]);
        asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
        group_sync(1 + group, 128);
        if (elected)
            tile_store(my, out, column + n * 64, row);
    }
}

__device__ __forceinline__ float2 finished(float v, float w, float2 scale, float2 b, bool gelu)
{
    v = v * scale.x + b.x, w = w * scale.y + b.y;
    return gelu ? gelu_tanh2(v, w) : make_float2(v, w);
}

template <int WIDTH>
__device__ __forceinline__ void store_f32(const float (&sum)[WIDTH / 2], const job &j,
                                          const float2 *scale, const float2 *b, int row, int column)
{
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32 % 4;
    int line = row + warp * 16 + lane / 4;
#pragma unroll
    for (int m = 0; m < WIDTH / 8; m++) {
        int c = column + m * 8 + lane % 4 * 2;
        float2 low = finished(sum[4 * m], sum[4 * m + 1], scale[m * 4 + lane % 4],
                              b[m * 4 + lane % 4], j.gelu);
        float2 high = finished(sum[4 * m + 2], sum[4 * m + 3], scale[m * 4 + lane % 4],
                               b[m * 4 + lane % 4], j.gelu);
        if (c < j.out && line < j.rows)
            *(float2 *)(j.y + line * j.y_stride + c) = low;
        if (c < j.out && line + 8 < j.rows)
            *(float2 *)(j.y + (line + 8) * j.y_stride + c) = high;
    }
}

#endif

template <class T, int WIDTH, bool NARROW>
__global__ void __launch_bounds__(THREADS, 1)
    linear_hopper_kernel(const __grid_constant__ CUtensorMap mx,
                         const __grid_constant__ CUtensorMap mw,
                         const __grid_constant__ CUtensorMap my, const job j)
{
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
    extern __shared__ __align__(1024) uint8_t shared[];
    layout<WIDTH> at = {(uint32_t)__cvta_generic_to_shared(shared)};
    int rank = (int)cluster_rank(), group = threadIdx.x / 128;
    if (threadIdx.x == 0) {
        for (int s = 0; s < stages(WIDTH); s++) {
            barrier_init(at.full(s), 1);
            barrier_init(at.empty(s), CLUSTER); /* a group of each block */
        }
        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    }
    cluster_sync();

    if (group == 2) {
        asm volatile("setmaxnreg.dec.sync.aligned.u32 40;");
        if (threadIdx.x == 256)
            produce<WIDTH>(at, &mx, &mw, j, rank);
    } else {
        asm volatile("setmaxnreg.inc.sync.aligned.u32 232;");
        tiles<WIDTH> all(j);
        int first = blockIdx.x / CLUSTER, stride = gridDim.x / CLUSTER;
        int steps = (j.in + DEPTH - 1) / DEPTH, thread = threadIdx.x % 128;
        float2 *scale = (float2 *)(shared + (at.vectors(group) - at.raw)), *b = scale + WIDTH / 2;
        float sum[2][WIDTH / 2];
        if (group == 1)
            group_arrive(TURN, 256); /* the first turn is the other's */
        for (int n = group, t = first + n * stride; t < all.n; n += 2, t += 2 * stride) {
            int column = all.column(t), row = all.row(t, rank);
            group_sync(TURN + group, 256);
            multiply<T, WIDTH>(sum, at, n * steps, steps, thread == 0,
                               t + stride < all.n ? TURN + 1 - group : -1);

            int c = column + 2 * thread; /* this thread's two columns of the vectors */
            if (thread < WIDTH / 2 && c < j.out) {
                scale[thread] = j.scale ? *(const float2 *)(j.scale + c) : make_float2(1, 1);
                b[thread] = j.b ? *(const float2 *)(j.b + c) : make_float2(0, 0);
            }
            group_sync(1 + group, 128);
#pragma unroll
            for (int half = 0; half < 2; half++)
                if constexpr (NARROW)
                    store<T, WIDTH>(sum[half], at.out(group), &my, scale, b, row + half * 64,
                                    column, group, j.gelu);
                else
                    store_f32<WIDTH>(sum[half], j, scale, b, row + half * 64, column);
            group_sync(1 + group, 128); /* all have read the vectors */
        }
        if (NARROW && thread == 0)
            asm volatile("cp.async.bulk.wait_group 0;" ::: "memory");
    }
    cluster_sync(); /* no block leaves while the other may still write to it */
#endif
}

CUtensorMap matrix_map(tensor t, int box_rows)
{
    int64_t dim[] = {tensor_width(t), tensor_rows(t)}, stride[] = {t.stride * 2};
    int box[] = {DEPTH, box_rows};
    return tile_map(t.data, 2, dim, stride, box);
}

template <class T, int WIDTH, bool NARROW> void launch(tensor y, tensor x, tensor w, const job &j)
{
    static bool allowed;
    if (!allowed)
        ALLOW_SHARED((linear_hopper_kernel<T, WIDTH, NARROW>), shared_bytes(WIDTH));
    allowed = true;
    CUtensorMap mx = matrix_map(x, ROWS), mw = matrix_map(w, WIDTH / CLUSTER);
    CUtensorMap my = NARROW ? matrix_map(y, 64) : mx;
    int64_t n = ceil_div(j.rows, CLUSTER * ROWS) * ceil_div(j.out, WIDTH) * CLUSTER;
    int64_t most = device_sms / CLUSTER * CLUSTER;
    cudaLaunchAttribute cluster = {};
    cluster.id = cudaLaunchAttributeClusterDimension;
    cluster.val.clusterDim.x = CLUSTER, cluster.val.clusterDim.y = cluster.val.clusterDim.z = 1;
    cudaLaunchConfig_t grid = {};
    grid.gridDim = dim3((unsigned)(n < most ? n : most));
    grid.blockDim = dim3(THREADS);
    grid.dynamicSmemBytes = shared_bytes(WIDTH);
    grid.stream = stream;
    grid.attrs = &cluster, grid.numAttrs = 1;
    cuda_check(cudaLaunchKernelEx(&grid, linear_hopper_kernel<T, WIDTH, NARROW>, mx, mw, my, j),
               "start a product");
}

/* Rounds of all blocks times what a tile of this width costs: wider tiles read less a product. */
int best_width(const job &j)
{
    const struct {
        int width;
        double cost;
    } choice[] = {{192, 192}, {128, 136}};
    int best = 0;
    double least = 1e300;
    for (auto c : choice) {
        int64_t n = ceil_div(j.rows, CLUSTER * ROWS) * ceil_div(j.out, c.width);
        double cost = (double)ceil_div(n, device_sms / CLUSTER) * c.cost;
        if (cost < least)
            least = cost, best = c.width;
    }
    return best;
}

} // namespace

/* Of few rows cuBLASLt makes smaller tiles, and this one is taken for the sake of an F32 bias alone;
** of long sums it is 5 % faster, with tiles of 128 x 256 that read less. */
bool linear_hopper_pays(tensor y, tensor x, tensor w, bool bias)
{
    enum { MANY_ROWS = 1024, LONG_SUM = 4096 };
    bool many = tensor_rows(x) >= MANY_ROWS;
    return y.type == x.type && linear_hopper_fits(y, x, w) &&
           (many ? tensor_width(x) <= LONG_SUM : bias);
}

bool linear_hopper_fits(tensor y, tensor x, tensor w)
{
    return device_capability == 90 && (x.type == F16 || x.type == BF16) && chunks(x) && chunks(y) &&
           chunks(w) && tensor_rows(x) <= INT32_MAX / 2;
}

void linear_hopper(tensor y, tensor x, tensor w, const float *scale, const float *b, bool gelu)
{
    assert(x.type == w.type && (y.type == x.type || y.type == F32));
    job j = {scale,         b,   (float *)y.data, y.stride, (int)tensor_rows(x), (int)w.dim[0],
             (int)w.dim[1], gelu};
    dispatch(x.type, [&](auto *t) {
        using T = ELEMENT(t);
        if constexpr (!std::is_same_v<T, float>) {
            if (y.type == F32)
                return launch<T, 128, false>(y, x, w, j);
            switch (best_width(j)) {
            case 192: return launch<T, 192, true>(y, x, w, j);
            default: return launch<T, 128, true>(y, x, w, j);
            }
        }
    });
}
