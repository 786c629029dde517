/*
** linear_hopper.cu: y = gelu(x w^T * scale + b), or y += gate * (x w^T * scale + b), on Hopper,
** 16-bit operands, in one pass: what cuBLASLt cannot finish in its epilogue (a scale for each
** column, an F32 bias, a sum with what is there) is done on the sums while they are in registers.
**
** A block stays on its multiprocessor and makes one tile of 128 rows x WIDTH columns after the
** other. One thread asks the copy engine for parts 64 deep, five or six under way, and runs ahead
** into the next tile. Two groups of 128 threads take turns: while one multiplies a tile with wgmma,
** the other finishes its own: scale, bias, gelu, and out through shared memory by the copy engine,
** which also clips it, and which adds it to what is there where that is asked for. So the tensor
** cores never wait for a gelu. Two blocks form a cluster, one above the other: they need the same
** part of w, so each fetches half of it for both. Neighbouring tiles, which run together, share
** rows of x. Shared memory: 5 x 40 or 6 x 32 KB, and 16 KB for results. Registers: up to 192 sums a
** thread. Bound: 2 N in out at the rate of a dense product. Measured: PERFORMANCE.md.
*/
#include "hopper.cuh"
#include "linear.cuh"

namespace
{

constexpr int ROWS = 128, DEPTH = 64, THREADS = 384, CLUSTER = 2;
constexpr int X_BYTES = ROWS * DEPTH * 2;
constexpr int OUT_BYTES = 16 * 128; /* a warp's results on their way out: 16 rows of 128 bytes */

__host__ __device__ constexpr int stages(int width) { return width == 192 ? 5 : 6; }
__host__ __device__ constexpr int stage_bytes(int width) { return X_BYTES + width * DEPTH * 2; }
constexpr int shared_bytes(int width)
{
    return stages(width) * stage_bytes(width) + 8 * OUT_BYTES + 2 * 2 * width * 4 +
           2 * stages(width) * 8;
}

struct job {
    const float *scale, *b, *gate; /* [out] or NULL */
    int rows, out, in;
    bool gelu, add;
};

#ifdef __CUDA_ARCH_FEAT_SM90_ALL

constexpr int TURN = 4; /* named barriers 4 and 5: whose turn it is to multiply */

/* ---- the kernel's parts ---- */

/* Where things are in shared memory. */
template <int WIDTH> struct layout {
    uint32_t raw;
    __device__ __forceinline__ uint32_t x(int s) const { return raw + s * stage_bytes(WIDTH); }
    __device__ __forceinline__ uint32_t w(int s) const { return x(s) + X_BYTES; }
    __device__ __forceinline__ uint32_t out(int warp) const
    {
        return x(stages(WIDTH)) + warp * OUT_BYTES;
    }
    /* A group's scales and biases of its tile: two vectors. */
    __device__ __forceinline__ uint32_t vectors(int group) const
    {
        return out(8) + group * 2 * WIDTH * 4;
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
            tile_fetch_shared(at.w(now.stage) + rank * HALF * DEPTH * 2, mw, full, CLUSTER, k,
                              all.column(t) + rank * HALF);
        }
}

/* sum [2][64, WIDTH] = the tile's products: parts [first, first + steps). Arrives at the named
** barrier pass_on, unless it is negative, when it is another's turn. */
template <class T, int WIDTH>
__device__ __forceinline__ void multiply(float (&sum)[2][WIDTH / 2], layout<WIDTH> at, int first,
                                         int steps, bool elected, int pass_on)
{
    auto free = [&](int stage) {
        if (elected)
#pragma unroll
            for (int rank = 0; rank < CLUSTER; rank++)
                barrier_arrive_there(address_in(rank, at.empty(stage)));
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

/* Two neighbours in a row. */
__device__ __forceinline__ float2 finished(const float *sum, float2 scale, float2 b, bool gelu)
{
    float2 v = make_float2(sum[0] * scale.x + b.x, sum[1] * scale.y + b.y);
    return gelu ? make_float2(gelu_tanh(v.x), gelu_tanh(v.y)) : v;
}

/* Sums of 16 rows, 64 columns, to shared memory as 16 bits. Nothing orders the blocks of eight
** columns, so that the many steps of one hide behind another's. */
template <class T, bool GELU>
__device__ __forceinline__ void write_piece(uint32_t out, const float (&sum)[32],
                                            const float2 *scale, const float2 *b, int lane, T *)
{
    uint32_t r[8][2]; /* of a block of eight columns: of row lane / 4, and eight rows on */
#pragma unroll
    for (int m = 0; m < 8; m++)
#pragma unroll
        for (int e = 0; e < 2; e++) {
            float2 v = finished(sum + m * 4 + 2 * e, scale[m * 4], b[m * 4], GELU);
            r[m][e] = pack2<T>(v.x, v.y);
        }
#pragma unroll
    for (int m = 0; m < 8; m += 2)
        store_blocks(out + lane % 16 * 128 + (((m + lane / 16) ^ (lane & 7)) << 4), r[m][0],
                     r[m][1], r[m + 1][0], r[m + 1][1]);
}

/* Of 32 columns, as F32. */
template <class T, bool GELU>
__device__ __forceinline__ void write_piece(uint32_t out, const float (&sum)[16],
                                            const float2 *scale, const float2 *b, int lane, float *)
{
#pragma unroll
    for (int m = 0; m < 4; m++)
#pragma unroll
        for (int e = 0; e < 2; e++) {
            float2 v = finished(sum + m * 4 + 2 * e, scale[m * 4], b[m * 4], GELU);
            int r = lane / 4;
            asm volatile(
                "st.shared.v2.f32 [%0], {%1,%2};" ::"r"(
                    out + (r + 8 * e) * 128 + (((2 * m + lane % 4 / 2) ^ r) << 4) + lane % 2 * 8),
                "f"(v.x), "f"(v.y)
                : "memory");
        }
}

/* A warp's 16 x WIDTH sums to the result, 128 bytes of each row at a time. */
template <class Y, class T, int WIDTH, bool GELU>
__device__ __forceinline__ void store(const float (&sum)[WIDTH / 2], uint32_t out,
                                      const CUtensorMap *my, const float2 *scale, const float2 *b,
                                      int row, int column, bool add)
{
    constexpr int COLUMNS = 128 / sizeof(Y);
    int lane = threadIdx.x % 32;
#pragma unroll
    for (int n = 0; n < WIDTH / COLUMNS; n++) {
        if (lane == 0)
            stores_read(); /* the one before this has left the buffer */
        __syncwarp();
        write_piece<T, GELU>(out, *(const float(*)[COLUMNS / 2])(sum + n * COLUMNS / 2),
                             scale + n * COLUMNS / 2 + lane % 4, b + n * COLUMNS / 2 + lane % 4,
                             lane, (Y *)nullptr);
        written_for_copies();
        __syncwarp();
        if (lane == 0 && std::is_same_v<Y, float> && add)
            tile_add(my, out, column + n * COLUMNS, row);
        else if (lane == 0)
            tile_store(my, out, column + n * COLUMNS, row);
    }
}

/* The scales and biases of a tile's columns, with the gate in them: this thread's two columns. */
__device__ __forceinline__ void load_vectors(const job &j, float2 *scale, float2 *b, int c)
{
    float2 s = make_float2(1, 1), t = make_float2(0, 0);
    if (j.scale)
        s = *(const float2 *)(j.scale + c);
    if (j.b)
        t = *(const float2 *)(j.b + c);
    if (j.gate) {
        float2 g = *(const float2 *)(j.gate + c);
        s.x *= g.x, s.y *= g.y, t.x *= g.x, t.y *= g.y;
    }
    *scale = s, *b = t;
}

#endif

template <class Y, class T, int WIDTH>
__global__ void __launch_bounds__(THREADS, 1)
    linear_hopper_kernel(const __grid_constant__ CUtensorMap mx,
                         const __grid_constant__ CUtensorMap mw,
                         const __grid_constant__ CUtensorMap my, const job j)
{
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
    extern __shared__ __align__(1024) uint8_t shared[];
    layout<WIDTH> at = {shared_address(shared)};
    int rank = (int)cluster_rank(), group = threadIdx.x / 128, warp = threadIdx.x / 32;
    if (threadIdx.x == 0) {
        for (int s = 0; s < stages(WIDTH); s++) {
            barrier_init(at.full(s), 1);
            barrier_init(at.empty(s), CLUSTER); /* a group of each block */
        }
        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    }
    cluster_sync();
    kernel_begin();

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
            int column = all.column(t), row = all.row(t, rank) + warp % 4 * 16;
            group_sync(TURN + group, 256);
            multiply<T, WIDTH>(sum, at, n * steps, steps, thread == 0,
                               t + stride < all.n ? TURN + 1 - group : -1);
            if (thread < WIDTH / 2 && column + 2 * thread < j.out)
                load_vectors(j, scale + thread, b + thread, column + 2 * thread);
            group_sync(1 + group, 128);
#pragma unroll
            for (int half = 0; half < 2; half++)
                if (j.gelu)
                    store<Y, T, WIDTH, true>(sum[half], at.out(warp), &my, scale, b,
                                             row + half * 64, column, j.add);
                else
                    store<Y, T, WIDTH, false>(sum[half], at.out(warp), &my, scale, b,
                                              row + half * 64, column, j.add);
            group_sync(1 + group, 128); /* all have read the vectors */
        }
        if (threadIdx.x % 32 == 0)
            stores_done();
    }
    cluster_sync(); /* no block leaves while the other may still write to it */
#endif
}

CUtensorMap matrix_map(tensor t, int box_rows)
{
    int size = (int)type_size(t.type), box[] = {128 / size, box_rows};
    int64_t dim[] = {tensor_width(t), tensor_rows(t)}, stride[] = {t.stride * size};
    return tile_map(t.type, t.data, 2, dim, stride, box);
}

template <class Y, class T, int WIDTH> void launch(tensor y, tensor x, tensor w, const job &j)
{
    static bool allowed;
    if (!allowed)
        ALLOW_SHARED((linear_hopper_kernel<Y, T, WIDTH>), shared_bytes(WIDTH));
    allowed = true;
    int64_t n = ceil_div(j.rows, CLUSTER * ROWS) * ceil_div(j.out, WIDTH) * CLUSTER;
    int64_t most = device_sms / CLUSTER * CLUSTER;
    start("start a product", linear_hopper_kernel<Y, T, WIDTH>, (unsigned)(n < most ? n : most),
          THREADS, shared_bytes(WIDTH), CLUSTER, matrix_map(x, ROWS),
          matrix_map(w, WIDTH / CLUSTER), matrix_map(y, 16), j);
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

void run(tensor y, tensor x, tensor w, const job &j)
{
    bool wide = best_width(j) == 192;
    dispatch(x.type, [&](auto *t) {
        using T = ELEMENT(t);
        if constexpr (!std::is_same_v<T, float>) {
            if (y.type == F32)
                wide ? launch<float, T, 192>(y, x, w, j) : launch<float, T, 128>(y, x, w, j);
            else
                wide ? launch<T, T, 192>(y, x, w, j) : launch<T, T, 128>(y, x, w, j);
        }
    });
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

void linear_hopper(tensor y, tensor x, tensor w, const float *scale, const float *b, bool gelu)
{
    assert(x.type == w.type && (y.type == x.type || y.type == F32));
    job j = {scale, b, nullptr, (int)tensor_rows(x), (int)w.dim[0], (int)w.dim[1], gelu, false};
    run(y, x, w, j);
}

void linear_hopper_add(tensor y, tensor x, tensor w, const float *scale, const float *b,
                       const float *gate)
{
    assert(x.type == w.type && y.type == F32);
    job j = {scale, b, gate, (int)tensor_rows(x), (int)w.dim[0], (int)w.dim[1], false, true};
    run(y, x, w, j);
}
