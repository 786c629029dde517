/*
** linear_e4m3.cu: y = gelu((x w^T) * x_scale * scale + b), or y += gate * that, of e4m3 codes, on Hopper.
**
** Left alone, the tensor cores' own sums keep 14 bits and cut towards zero: 2.3 % of a sum of 1536
** positive terms, 16 % of 8960. So they are made DEEP at a time, in other registers, and added up in F32,
** where squares of 128 x 128 of w also meet their scale (as DeepGEMM does). Both groups of 128 threads work
** on one tile, 64 rows each, and neither waits for the other. A group's part of a tile are two
** chunks of columns: while one is added the other is multiplied.
*/
#include "linear_hopper.cuh"

namespace
{

#ifdef __CUDA_ARCH_FEAT_SM90_ALL

/* This group has used a part. */
template <int WIDTH>
__device__ __forceinline__ void release(layout<WIDTH> at, int stage, bool elected)
{
    if (elected)
#pragma unroll
        for (int rank = 0; rank < CLUSTER; rank++)
            barrier_arrive_there(address_in(rank, at.empty(stage)));
}

/* sum [64, WIDTH] of the group's rows, over so many parts. square [WIDTH / 64]: where the scales of
** squares of w are that the tile's next 64 columns lie in, one for each part. */
template <int WIDTH, bool SQUARES>
__device__ __forceinline__ void multiply(float (&sum)[WIDTH / 2], layout<WIDTH> at,
                                         part<WIDTH> &now, int steps, int group, bool elected,
                                         const float *const (&square)[WIDTH / 64])
{
    float fresh[WIDTH / 2], s[WIDTH / 64] = {};
#pragma unroll
    for (int i = 0; i < WIDTH / 2; i++)
        sum[i] = 0.0f;
    for (int k = 0; k < steps; k++, now.next()) {
        barrier_wait(at.full(now.stage), now.parity);
        uint32_t x = at.x(now.stage) + group * 64 * PART, w = at.w(now.stage);
        products_begin();
#pragma unroll
        for (int step = 0; step < PART; step += 32)
            product_codes(fresh, operand(x + step, 1024), operand(w + step, 1024), step == 0);
        products_commit();
        if (SQUARES)
#pragma unroll
            for (int i = 0; i < WIDTH / 64; i++)
                s[i] = square[i][k];
        products_wait<0>();
        pin(fresh);
        release(at, now.stage, elected);
#pragma unroll
        for (int i = 0; i < WIDTH / 2; i++)
            sum[i] = SQUARES ? sum[i] + s[i / 32] * fresh[i] : sum[i] + fresh[i];
    }
}

/* Where the scales of the squares lie that hold 64 columns each, from `column` on. */
template <int WIDTH>
__device__ __forceinline__ void find_squares(const float *(&square)[WIDTH / 64], const float *step,
                                             int64_t stride, int column, int out)
{
    int last = (out - 1) / 128;
#pragma unroll
    for (int i = 0; i < WIDTH / 64; i++) {
        int at = (column + i * 64) / 128;
        square[i] = step + (at < last ? at : last) * stride;
    }
}

#endif

template <class Y, int WIDTH, bool SQUARES>
__global__ void __launch_bounds__(THREADS, 1)
    linear_e4m3_kernel(const __grid_constant__ CUtensorMap mx,
                       const __grid_constant__ CUtensorMap mw,
                       const __grid_constant__ CUtensorMap my, const job j, const float *step,
                       int64_t step_stride)
{
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
    extern __shared__ __align__(1024) uint8_t shared[];
    layout<WIDTH> at = {shared_address(shared)};
    int rank = (int)cluster_rank(), group = threadIdx.x / 128, warp = threadIdx.x / 32;
    if (threadIdx.x == 0) {
        for (int s = 0; s < stages(WIDTH); s++) {
            barrier_init(at.full(s), 1);
            barrier_init(at.empty(s), 2 * CLUSTER); /* two groups of each block */
        }
        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    }
    cluster_sync();
    kernel_begin();

    if (group == 2) {
        asm volatile("setmaxnreg.dec.sync.aligned.u32 40;");
        if (threadIdx.x == 256)
            produce<e4m3_t, WIDTH>(at, &mx, &mw, j, rank);
    } else {
        asm volatile("setmaxnreg.inc.sync.aligned.u32 232;");
        tiles<WIDTH> all(j);
        part<WIDTH> now(0);
        int steps = (j.in + PART - 1) / PART, thread = threadIdx.x % 128;
        factors f(shared + (at.vectors(group) - at.raw), WIDTH), mine = f.at_row(warp % 4 * 16);
        for (int t = blockIdx.x / CLUSTER; t < all.n; t += gridDim.x / CLUSTER) {
            int column = all.column(t), row = all.row(t, rank) + group * 64;
            float sum[WIDTH / 2];
            const float *square[WIDTH / 64] = {};
            if (SQUARES)
                find_squares<WIDTH>(square, step, step_stride, column, j.out);
            load_vectors<e4m3_t, WIDTH>(j, f, thread, row, column);
            multiply<WIDTH, SQUARES>(sum, at, now, steps, group, thread == 0, square);
            group_sync(1 + group, 128); /* all have loaded the vectors */
#pragma unroll
            for (int i = 0; i < WIDTH / 2; i++)
                sum[i] *= mine.x_scale[threadIdx.x % 32 / 4 + i / 2 % 2 * 8];
            row += warp % 4 * 16;
            if (j.ends.gelu)
                store<Y, WIDTH, true>(sum, at.out(warp), &my, mine, row, column, j.ends.add);
            else
                store<Y, WIDTH, false>(sum, at.out(warp), &my, mine, row, column, j.ends.add);
            group_sync(1 + group, 128); /* all have read them */
        }
        if (threadIdx.x % 32 == 0)
            stores_done();
    }
    cluster_sync(); /* no block leaves while the other may still write to it */
#endif
}

template <class Y, int WIDTH, bool SQUARES>
void launch(tensor y, tensor x, tensor w, tensor step, const job &j)
{
    auto kernel = linear_e4m3_kernel<Y, WIDTH, SQUARES>;
    static bool allowed;
    if (!allowed)
        ALLOW_SHARED(kernel, shared_bytes(WIDTH));
    allowed = true;
    int64_t n = ceil_div(j.rows, CLUSTER * ROWS) * ceil_div(j.out, WIDTH) * CLUSTER;
    int64_t most = device_sms / CLUSTER * CLUSTER;
    start("start a product of e4m3", kernel, (unsigned)(n < most ? n : most), THREADS,
          shared_bytes(WIDTH), CLUSTER, matrix_map(x, ROWS), matrix_map(w, WIDTH / CLUSTER),
          matrix_map(y, 8), j, (const float *)step.data, step.data ? step.stride : 0);
}

} // namespace

void linear_e4m3(tensor y, tensor x, tensor w, tensor step, const product_ends &e)
{
    assert(x.type == F8_E4M3 && w.type == F8_E4M3);
    job j = {e, (int)tensor_rows(x), (int)w.dim[0], (int)w.dim[1]};
    dispatch(y.type, [&](auto *t) {
        using Y = ELEMENT(t);
        step.data ? launch<Y, 192, true>(y, x, w, step, j)
                  : launch<Y, 192, false>(y, x, w, step, j);
    });
}
