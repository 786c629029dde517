/*
** linear_e4m3.cu: y = gelu((x w^T) * x_scale * scale + b), or y += gate * that, of e4m3 codes, on
** Hopper.
**
** Left alone, the tensor cores' own sums keep 14 bits and cut towards zero: 2.3 % of a sum of 1536
** positive terms, 16 % of 8960. So they are made 64 at a time, in other registers, and added up in
** F32, where squares of 128 x 128 of w also meet their scale (as DeepGEMM does): 8e-5 of such a sum
** is lost; of sums of 128, 3.9e-4. Both groups of 128 threads work on one tile, 64 rows each, and
** neither waits for the other: while one adds, or finishes its rows, the other multiplies.
** Measured: PERFORMANCE.md.
*/
#include "linear_hopper.cuh"

namespace
{

using together = shape<128, 192, 2, 5>;

#ifdef __CUDA_ARCH_FEAT_SM90_ALL

constexpr int DEEP = 64;

/* sum [64, WIDTH] of the group's rows, over so many parts. square [WIDTH / 64]: where the scales of
** squares of w are that the tile's next 64 columns lie in, one for each part. */
template <bool SQUARES, class G>
__device__ __forceinline__ void multiply(float (&sum)[G::WIDTH / 2], layout<G> at, part<G> &now,
                                         int steps, int group, bool elected,
                                         const float *const (&square)[G::WIDTH / 64])
{
    float fresh[G::WIDTH / 2], s[G::WIDTH / 64] = {};
#pragma unroll
    for (int i = 0; i < G::WIDTH / 2; i++)
        sum[i] = 0.0f;
    for (int k = 0; k < steps; k++, now.next()) {
        if (SQUARES)
#pragma unroll
            for (int i = 0; i < G::WIDTH / 64; i++)
                s[i] = square[i][k];
        barrier_wait(at.full(now.stage), now.parity);
        uint32_t x = at.x(now.stage) + group * 64 * PART, w = at.w(now.stage);
#pragma unroll
        for (int deep = 0; deep < PART; deep += DEEP) {
            products_begin();
#pragma unroll
            for (int step = deep; step < deep + DEEP; step += 32)
                product_codes(fresh, operand(x + step, 1024), operand(w + step, 1024),
                              step == deep);
            products_commit();
            products_wait<0>();
            pin(fresh);
            if (elected && deep + DEEP == PART)
                release(at, now.stage);
#pragma unroll
            for (int i = 0; i < G::WIDTH / 2; i++)
                sum[i] = SQUARES ? sum[i] + s[i / 32] * fresh[i] : sum[i] + fresh[i];
        }
    }
}

/* Where the scales of the squares lie that hold 64 columns each, from `column` on. */
template <int N>
__device__ __forceinline__ void find_squares(const float *(&square)[N], const float *step,
                                             int64_t stride, int column, int out)
{
    int last = (out - 1) / 128;
#pragma unroll
    for (int i = 0; i < N; i++) {
        int at = (column + i * 64) / 128;
        square[i] = step + (at < last ? at : last) * stride;
    }
}

#endif

template <class Y, bool SQUARES, class G>
__global__ void __launch_bounds__(G::THREADS, 1)
    linear_e4m3_kernel(const __grid_constant__ CUtensorMap mx,
                       const __grid_constant__ CUtensorMap mw,
                       const __grid_constant__ CUtensorMap my, const job j, const float *step,
                       int64_t step_stride)
{
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
    extern __shared__ __align__(1024) uint8_t shared[];
    layout<G> at = {shared_address(shared)};
    int rank = (int)cluster_rank(), group = threadIdx.x / 128, warp = threadIdx.x / 32;
    begin(at, G::GROUPS * CLUSTER);
    if (group == G::GROUPS) {
        asm volatile("setmaxnreg.dec.sync.aligned.u32 40;");
        if (threadIdx.x % 128 == 0)
            produce<e4m3_t>(at, &mx, &mw, j, rank);
    } else {
        asm volatile("setmaxnreg.inc.sync.aligned.u32 232;");
        tiles<G> all(j);
        part<G> now(0);
        int steps = (j.in + PART - 1) / PART, thread = threadIdx.x % 128;
        factors f(shared + (at.vectors(group) - at.raw), G::WIDTH), mine = f.at_row(warp % 4 * 16);
        for (int t = blockIdx.x / CLUSTER; t < all.n; t += gridDim.x / CLUSTER) {
            int column = all.column(t), row = all.row(t, rank) + group * 64;
            float sum[G::WIDTH / 2];
            const float *square[G::WIDTH / 64] = {};
            if (SQUARES)
                find_squares(square, step, step_stride, column, j.out);
            load_vectors<e4m3_t, G>(j, f, thread, row, column);
            multiply<SQUARES>(sum, at, now, steps, group, thread == 0, square);
            group_sync(1 + group, 128); /* all have loaded the vectors */
            float x_scale[2] = {mine.x_scale[threadIdx.x % 32 / 4],
                                mine.x_scale[threadIdx.x % 32 / 4 + 8]};
#pragma unroll
            for (int i = 0; i < G::WIDTH / 2; i++)
                sum[i] *= x_scale[i / 2 % 2];
            row += warp % 4 * 16;
            if (j.ends.gelu)
                store<Y, G::WIDTH, true>(sum, j, mine, row, column, at.out(warp), &my);
            else
                store<Y, G::WIDTH, false>(sum, j, mine, row, column, at.out(warp), &my);
            group_sync(1 + group, 128); /* all have read them */
        }
        if (threadIdx.x % 32 == 0)
            stores_done();
    }
    cluster_sync(); /* no block leaves while the other may still write to it */
#endif
}

template <class Y, bool SQUARES, class G>
void launch(tensor y, tensor x, tensor w, tensor step, const job &j)
{
    auto kernel = linear_e4m3_kernel<Y, SQUARES, G>;
    static bool allowed;
    if (!allowed)
        ALLOW_SHARED(kernel, G::SHARED_BYTES);
    allowed = true;
    start("start a product of e4m3", kernel, G::blocks(j.rows, j.out), G::THREADS, G::SHARED_BYTES,
          CLUSTER, matrix_map(x, G::ROWS), matrix_map(w, G::WIDTH / CLUSTER), matrix_map(y, 16), j,
          (const float *)step.data, step.data ? step.stride : 0);
}

} // namespace

void linear_e4m3(tensor y, tensor x, tensor w, tensor step, const product_ends &e)
{
    assert(x.type == F8_E4M3 && w.type == F8_E4M3);
    job j = {e, (int)tensor_rows(x), (int)w.dim[0], (int)w.dim[1], y.data, y.stride};
    dispatch(y.type, [&](auto *t) {
        using Y = ELEMENT(t);
        step.data ? launch<Y, true, together>(y, x, w, step, j)
                  : launch<Y, false, together>(y, x, w, step, j);
    });
}
