/*
** linear_hopper.cu: y = gelu(x w^T * scale + b), or y += gate * (x w^T * scale + b), on Hopper, of
** 16-bit operands or I8 codes, in one pass: what cuBLASLt cannot finish in its epilogue (a scale for
** each column, an F32 bias, a sum with what is there) is done on the sums while they are in registers.
**
** A block stays on its multiprocessor and makes one tile of 128 rows x WIDTH columns after the
** other; its parts arrive 128 bytes deep, five or six under way, 64 values of 16 bits or 128 codes.
** Two groups of 128 threads take turns: while one multiplies a tile with wgmma, the other finishes
** its own: scale, bias, gelu, and out. So the tensor cores never wait for a gelu. Sums of codes are
** I32, exact, and meet the scales of their rows and columns at the end. Neighbouring tiles, which run
** together, share rows of x. Shared memory: 5 x 40 or 6 x 32 KB, and 16 KB for results. Registers:
** up to 192 sums a thread. Bound: 2 N in out at the rate of a dense product. Measured: PERFORMANCE.md.
*/
#include "linear_hopper.cuh"

namespace
{

#ifdef __CUDA_ARCH_FEAT_SM90_ALL

constexpr int TURN = 4; /* named barriers 4 and 5: whose turn it is to multiply */

/* d [64, 2 N] (+)= a b^T over 32 bytes of each row. */
template <class T, class S, int N>
__device__ __forceinline__ void step_product(S (&d)[N], uint64_t a, uint64_t b, bool fresh)
{
    if constexpr (sizeof(T) == 1)
        product_codes(d, a, b, fresh);
    else
        product<T>(d, a, b, fresh);
}

/* sum [2][64, WIDTH] = the tile's products: parts [first, first + steps). Arrives at the named
** barrier pass_on, unless it is negative, when it is another's turn. */
template <class T, class G>
__device__ __forceinline__ void multiply(sum_of<T> (&sum)[2][G::WIDTH / 2], layout<G> at, int first,
                                         int steps, bool elected, int pass_on)
{
    part<G> now(first);
    int before = 0;
    for (int k = 0; k < steps; k++) {
        barrier_wait(at.full(now.stage), now.parity);
        uint32_t x = at.x(now.stage), w = at.w(now.stage);
        products_begin();
#pragma unroll
        for (int step = 0; step < PART / 32; step++)
#pragma unroll
            for (int half = 0; half < 2; half++)
                step_product<T>(sum[half], operand(x + half * 64 * PART + step * 32, 1024),
                                operand(w + step * 32, 1024), k == 0 && step == 0);
        products_commit();
        if (k > 0) {
            products_wait<1>();
            if (elected)
                release(at, before);
        }
        before = now.stage;
        now.next();
    }
    if (pass_on >= 0) /* the other's products queue behind the last of these */
        group_arrive(pass_on, 256);
    products_wait<0>();
    pin(sum[0]);
    pin(sum[1]);
    if (elected)
        release(at, before);
}

#endif

/* Two groups in turn. */
template <int WIDTH> using in_turn = shape<128, WIDTH, 2, WIDTH == 192 ? 5 : 6>;

template <class Y, class T, class G>
__global__ void __launch_bounds__(G::THREADS, 1)
    linear_hopper_kernel(const __grid_constant__ CUtensorMap mx,
                         const __grid_constant__ CUtensorMap mw,
                         const __grid_constant__ CUtensorMap my, const job j)
{
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
    extern __shared__ __align__(1024) uint8_t shared[];
    layout<G> at = {shared_address(shared)};
    int rank = (int)cluster_rank(), group = threadIdx.x / 128, warp = threadIdx.x / 32;
    begin(at, CLUSTER);
    if (group == 2) {
        asm volatile("setmaxnreg.dec.sync.aligned.u32 40;");
        if (threadIdx.x == 256)
            produce<T>(at, &mx, &mw, j, rank);
    } else {
        asm volatile("setmaxnreg.inc.sync.aligned.u32 232;");
        tiles<G> all(j);
        int first = blockIdx.x / CLUSTER, stride = gridDim.x / CLUSTER;
        int steps = (j.in + DEPTH<T> - 1) / DEPTH<T>, thread = threadIdx.x % 128;
        factors f(shared + (at.vectors(group) - at.raw), G::WIDTH);
        sum_of<T> sum[2][G::WIDTH / 2];
        if (group == 1)
            group_arrive(TURN, 256); /* the first turn is the other's */
        for (int n = group, t = first + n * stride; t < all.n; n += 2, t += 2 * stride) {
            int column = all.column(t), row = all.row(t, rank);
            load_vectors<T, G>(j, f, thread, row, column);
            group_sync(TURN + group, 256);
            multiply<T>(sum, at, n * steps, steps, thread == 0,
                        t + stride < all.n ? TURN + 1 - group : -1);
            group_sync(1 + group, 128); /* all have loaded the vectors */
#pragma unroll
            for (int half = 0; half < 2; half++) {
                int mine = half * 64 + warp % 4 * 16; /* the warp's rows */
                if (j.ends.gelu)
                    store<Y, G::WIDTH, true>(sum[half], j, f.at_row(mine), row + mine, column,
                                             at.out(warp), &my);
                else
                    store<Y, G::WIDTH, false>(sum[half], j, f.at_row(mine), row + mine, column,
                                              at.out(warp), &my);
            }
            group_sync(1 + group, 128); /* all have read them */
        }
        if (threadIdx.x % 32 == 0)
            stores_done();
    }
    cluster_sync(); /* no block leaves while the other may still write to it */
#endif
}

template <class Y, class T, class G> void launch(tensor y, tensor x, tensor w, const job &j)
{
    static bool allowed;
    if (!allowed)
        ALLOW_SHARED((linear_hopper_kernel<Y, T, G>), G::SHARED_BYTES);
    allowed = true;
    start("start a product", linear_hopper_kernel<Y, T, G>, G::blocks(j.rows, j.out), G::THREADS,
          G::SHARED_BYTES, CLUSTER, matrix_map(x, G::ROWS), matrix_map(w, G::WIDTH / CLUSTER),
          matrix_map(y, 16), j);
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
        int64_t n = ceil_div(j.rows, CLUSTER * in_turn<128>::ROWS) * ceil_div(j.out, c.width);
        double cost = (double)ceil_div(n, device_sms / CLUSTER) * c.cost;
        if (cost < least)
            least = cost, best = c.width;
    }
    return best;
}

template <class Y, class T> void launch_best(tensor y, tensor x, tensor w, const job &j)
{
    best_width(j) == 192 ? launch<Y, T, in_turn<192>>(y, x, w, j)
                         : launch<Y, T, in_turn<128>>(y, x, w, j);
}

} // namespace

/* Of long sums cuBLASLt is 5 % faster, with tiles of 128 x 256 that read less. Of few rows it is
** faster too, 0.17 ms a layer of umT5-xxl against 0.29 for 20 rows, but its first product of a kind
** takes 60 to 120 ms: a program that can do without it has begun before. */
bool linear_hopper_pays(tensor y, tensor x, tensor w)
{
    enum { MANY_ROWS = 1024, LONG_SUM = 4096 };
    return linear_hopper_fits(y, x, w) &&
           (tensor_rows(x) < MANY_ROWS || tensor_width(x) <= LONG_SUM);
}

bool linear_hopper_fits(tensor y, tensor x, tensor w)
{
    return device_capability == 90 && (x.type == F16 || x.type == BF16) && chunks(x) && chunks(y) &&
           chunks(w) && tensor_rows(x) <= INT32_MAX / 2;
}

void linear_hopper(tensor y, tensor x, tensor w, const product_ends &e)
{
    assert(x.type == w.type && (y.type == x.type || y.type == F32));
    job j = {e, (int)tensor_rows(x), (int)w.dim[0], (int)w.dim[1], y.data, y.stride};
    dispatch(x.type, [&](auto *t) {
        using T = ELEMENT(t);
        if constexpr (!std::is_same_v<T, float>)
            y.type == F32 ? launch_best<float, T>(y, x, w, j) : launch_best<T, T>(y, x, w, j);
    });
}

void linear_int8(tensor y, tensor x, tensor w, const product_ends &e)
{
    assert(x.type == I8 && w.type == I8);
    job j = {e, (int)tensor_rows(x), (int)w.dim[0], (int)w.dim[1], y.data, y.stride};
    dispatch(y.type, [&](auto *t) { launch_best<ELEMENT(t), int8_t>(y, x, w, j); });
}
