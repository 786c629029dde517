/*
** conv_hopper.cu: convolution on Hopper: wgmma straight out of a patch of the picture.
**
** A block makes patches of 16 x 16 pixels x N channels (192, 128, 96 or 8), one after another. Of
** the picture it brings, for a frame and 64 or 96 channels, the patch with its border, 18 x 18
** pixels, to shared memory once; each pixel is a row of it (rows are 64 channels wide and, of 96,
** the rest is in rows of 32: a row of 96 has no swizzle). All nine taps are computed from there:
** an operand of wgmma is blocks of eight rows, here eight pixels side by side, a line of the
** patch apart, and for another tap it begins at another row. So a pixel is read from memory 1.3
** times, not 9. Zeros around the picture come from the copy engine, which fills with zeros what
** lies outside; frames before the past are left out of the sum. One thread copies, two groups of
** 128 threads multiply. Up to 96 channels they take turns at patches, four operands of 64 pixels
** each: while one multiplies, the other writes what it has, and the tensor cores wait for neither.
** Of more channels a thread cannot hold so many sums: the groups share a patch, 8 lines of 16 pixels
** each, two operands. Shared memory: two patches of 42 or 62 KB, and a ring of single taps' weights.
**
** Upsampling by 2 is a convolution of 2 x 2 taps for each of the four output pixels of an input
** pixel, with weights that are sums of the nine: 16 products for 36 (conv.cu makes them).
**
** Bound: 2 pixels K C_out operations at the rate of a dense product; at N = 96 the operands, 5 KB
** an instruction of 48 cycles, take 83 % of what shared memory gives, and the copies into it the
** rest.
*/
#include "conv.cuh"
#include "hopper.cuh"

namespace
{

constexpr int SIDE = 16, HALO = SIDE + 2, THREADS = 384, PATCHES = 2;

/* Sizes in bytes for N output channels and C input channels (64 or 96) at a time. */
template <int N, int C> struct sizes {
    static constexpr int ROWS_64 = (HALO * HALO * 128 + 1023) / 1024 * 1024;
    static constexpr int ROWS_32 = C == 96 ? (HALO * HALO * 64 + 1023) / 1024 * 1024 : 0;
    static constexpr int PATCH = ROWS_64 + ROWS_32;
    static constexpr int TAP = N * C * 2;
    static constexpr int FREE = 225 * 1024 - PATCHES * PATCH; /* of a block's 227 KB */
    static constexpr int TAPS = FREE / TAP < 6 ? FREE / TAP : 6;
    static constexpr size_t SHARED = 1024 + PATCHES * PATCH + TAPS * TAP + (PATCHES + TAPS) * 16;
};

/* What the copy engine reads: pixels and past in rows of 64 and of 32 channels, weights too. */
struct maps {
    CUtensorMap x[2], past[MOST_PAST][2], w[2];
};

/* The shape of the work. Pixels are those of x; with upsampling a patch is made once a phase. */
struct work {
    int frames, height, width, past_frames;
    int c, c_out, kt, ky, kx;
    int phases; /* 4 when upsampling, else 1 */
    int across, patches, n_tiles, tiles;
    const float *b, *gamma;
    float eps;
    void *y;
    bool wide, add; /* y is F32; it is added to */
};

#ifdef __CUDA_ARCH_FEAT_SM90_ALL

/* Of N channels: do groups take turns, a group's operands of 64 pixels, warps that use a stage. */
template <int N> constexpr bool TURNS = N <= 96;
template <int N> constexpr int PARTS = TURNS<N> ? 4 : 2;
template <int N> constexpr int USERS = TURNS<N> ? 4 : 8;

/* One patch: tile number i of the work. Channels run fastest, then phases: they share the patch. */
struct patch {
    int n0, dy, dx, t, y0, x0;
    __device__ __forceinline__ patch(const work &w, int i, int n)
    {
        n0 = i % w.n_tiles * n;
        i /= w.n_tiles;
        dy = i % w.phases / 2, dx = i % w.phases % 2;
        i /= w.phases;
        y0 = i % w.patches / w.across * SIDE, x0 = i % w.patches % w.across * SIDE;
        t = i / w.patches;
    }
    __device__ __forceinline__ int first_frame(const work &w) const
    {
        return max(0, w.kt - 1 - t - w.past_frames);
    }
};

/* A ring: the stage of its i-th use, and the parity of the barriers' phase. */
template <int STAGES> struct ring {
    int stage = 0, phase = 0;
    __device__ __forceinline__ void next()
    {
        if (++stage == STAGES) {
            stage = 0;
            phase ^= 1;
        }
    }
    __device__ __forceinline__ void skip(int n)
    {
        n += stage;
        stage = n % STAGES;
        phase ^= n / STAGES & 1;
    }
};

template <int N, int C> struct layout : sizes<N, C> {
    uint32_t patches, taps, bars;
    __device__ __forceinline__ explicit layout(uint32_t raw)
    {
        patches = (raw + 1023) & ~1023u;
        taps = patches + PATCHES * layout::PATCH;
        bars = taps + layout::TAPS * layout::TAP;
    }
    __device__ __forceinline__ uint32_t patch_at(int i) const
    {
        return patches + i * layout::PATCH;
    }
    __device__ __forceinline__ uint32_t tap_at(int i) const { return taps + i * layout::TAP; }
    __device__ __forceinline__ uint32_t patch_full(int i) const { return bars + i * 16; }
    __device__ __forceinline__ uint32_t patch_free(int i) const { return bars + i * 16 + 8; }
    __device__ __forceinline__ uint32_t tap_full(int i) const { return bars + (PATCHES + i) * 16; }
    __device__ __forceinline__ uint32_t tap_free(int i) const { return tap_full(i) + 8; }
};

template <int N, int C>
__device__ __forceinline__ void produce(const layout<N, C> &at, const maps &m, const work &w)
{
    ring<PATCHES> p;
    ring<layout<N, C>::TAPS> q;
    int taps = w.ky * w.kx, pixels = (SIDE + w.ky - 1) * (SIDE + w.kx - 1);
    for (int i = blockIdx.x; i < w.tiles; i += gridDim.x) {
        patch o(w, i, N);
        int x0 = o.x0 + (w.phases == 4 ? o.dx - 1 : -(w.kx / 2));
        int y0 = o.y0 + (w.phases == 4 ? o.dy - 1 : -(w.ky / 2));
        int row = (o.dy * 2 + o.dx) * w.c_out + o.n0;
        for (int dt = o.first_frame(w); dt < w.kt; dt++)
            for (int c = 0; c < w.c; c += C) {
                int f = o.t + dt - (w.kt - 1);
                const CUtensorMap *x = f >= 0 ? m.x : m.past[w.past_frames + f];
                f = max(f, 0);
                uint32_t full = at.patch_full(p.stage), to = at.patch_at(p.stage);
                barrier_wait(at.patch_free(p.stage), p.phase ^ 1);
                barrier_expect(full, pixels * C * 2);
                tile_fetch(to, x, full, c, x0, y0, f);
                if (C == 96)
                    tile_fetch(to + at.ROWS_64, x + 1, full, c + 64, x0, y0, f);
                p.next();
                for (int tap = dt * taps; tap < (dt + 1) * taps; tap++) {
                    uint32_t there = at.tap_full(q.stage), weights = at.tap_at(q.stage);
                    barrier_wait(at.tap_free(q.stage), q.phase ^ 1);
                    barrier_expect(there, at.TAP);
                    tile_fetch(weights, &m.w[0], there, c, tap, row);
                    if (C == 96)
                        tile_fetch(weights + N * 128, &m.w[1], there, c + 64, tap, row);
                    q.next();
                }
            }
    }
}

/* acc [M x 64 pixels, N] += the pixels from row `first` of the patch on times one tap's weights;
** part m: columns 8 (m mod 2).., lines 8 (m / 2).. */
template <class T, int N, int C, int M>
__device__ __forceinline__ void add_tap(float (&acc)[M][N / 2], uint32_t pixels, int first,
                                        int pitch, uint32_t weights)
{
    products_begin();
#pragma unroll
    for (int m = 0; m < M; m++) {
        uint32_t a = pixels + (first + m % 2 * 8 + m / 2 * 8 * pitch) * 128;
#pragma unroll
        for (int step = 0; step < 4; step++)
            product_add<T>(acc[m], operand(a + step * 32, pitch * 128),
                           operand(weights + step * 32, 1024));
    }
#pragma unroll
    for (int m = 0; m < (C == 96 ? M : 0); m++) {
        uint32_t a = pixels + sizes<N, C>::ROWS_64 + (first + m % 2 * 8 + m / 2 * 8 * pitch) * 64;
#pragma unroll
        for (int step = 0; step < 2; step++)
            product_add<T>(acc[m], operand<64>(a + step * 32, pitch * 64),
                           operand<64>(weights + N * 128 + step * 32, 512));
    }
    products_commit();
}

/* Two neighbours, or the first of them alone. */
template <class T> __device__ __forceinline__ void write_pair(T *to, float v0, float v1, bool both)
{
    if (both)
        *(uint32_t *)to = pack2<T>(v0, v1);
    else
        *to = from_f32<T>(v0);
}

__device__ __forceinline__ void write_pair(float *to, float v0, float v1, bool both)
{
    if (both)
        *(float2 *)to = make_float2(v0, v1);
    else
        *to = v0;
}

/* The memory sums: nothing waits for what was there. */
__device__ __forceinline__ void add_pair(float *to, float v0, float v1, bool both)
{
    if (both)
        asm volatile("red.global.add.v2.f32 [%0], {%1, %2};" ::"l"(to), "f"(v0), "f"(v1)
                     : "memory");
    else
        asm volatile("red.global.add.f32 [%0], %1;" ::"l"(to), "f"(v0) : "memory");
}

/* acc = silu(rms_norm(acc + b)) of each pixel, whose channels are all in four lanes side by side. */
template <int N, int M>
__device__ __forceinline__ void normalise(const work &w, float (&acc)[M][N / 2])
{
    int c0 = threadIdx.x % 4 * 2;
#pragma unroll
    for (int m = 0; m < M; m++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float sum = 0;
#pragma unroll
            for (int i = 0; i < N / 4; i++) {
                int c = c0 + i / 2 * 8 + i % 2;
                float &v = acc[m][i / 2 * 4 + half * 2 + i % 2];
                if (w.b && c < w.c_out)
                    v += w.b[c];
                sum += v * v; /* channels beyond are zeros */
            }
            float scale = rsqrtf(lane_sum(sum, 4) / w.c_out + w.eps);
#pragma unroll
            for (int i = 0; i < N / 4; i++) {
                int c = c0 + i / 2 * 8 + i % 2;
                float &v = acc[m][i / 2 * 4 + half * 2 + i % 2];
                v = silu_of(v * scale * (c < w.c_out ? w.gamma[c] : 0.0f));
            }
        }
}

/* Row r of an operand is pixel r mod 8 of its line r / 8. write(place, v0, v1, both) takes a
** pair of channels, and the last one alone where they are odd in number. */
template <class Y, int N, int M, class F>
__device__ __forceinline__ void write_patch(const work &w, const patch &o, int line0,
                                            const float (&acc)[M][N / 2], F write)
{
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32 % 4, scale = w.phases == 4 ? 2 : 1;
#pragma unroll
    for (int m = 0; m < M; m++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            int yy = o.y0 + line0 + m / 2 * 8 + warp * 2 + half, xx = o.x0 + m % 2 * 8 + lane / 4;
            if (yy >= w.height || xx >= w.width)
                continue;
            int64_t line = (int64_t)o.t * w.height * scale + yy * scale + o.dy;
            Y *to = (Y *)w.y + (line * w.width * scale + xx * scale + o.dx) * w.c_out;
#pragma unroll
            for (int n = 0; n < N / 8; n++) {
                int c = o.n0 + n * 8 + lane % 4 * 2;
                float v0 = acc[m][n * 4 + half * 2], v1 = acc[m][n * 4 + half * 2 + 1];
                bool one = c < w.c_out, two = c + 1 < w.c_out;
                if (w.b && !w.gamma && one)
                    v0 += w.b[c];
                if (w.b && !w.gamma && two)
                    v1 += w.b[c + 1];
                if (w.c_out % 2 == 0 && one)
                    write(to + c, v0, v1, true);
                else if (one) {
                    write(to + c, v0, 0, false);
                    if (two)
                        write(to + c + 1, v1, 0, false);
                }
            }
        }
}

constexpr int TURN = 4; /* named barriers 4 and 5: whose turn it is to multiply */

/* acc = the sums of patch o; then all that it was made of is free. Arrives at the named barrier
** pass_on, unless it is negative, when it is the other group's turn. */
template <class T, int N, int C, int M>
__device__ __forceinline__ void multiply(float (&acc)[M][N / 2], const layout<N, C> &at,
                                         const work &w, const patch &o, int line0, ring<PATCHES> &p,
                                         ring<layout<N, C>::TAPS> &q, int pass_on)
{
    int lane = threadIdx.x % 32, pitch = SIDE + w.kx - 1;
    int old_tap = -1, old_patch = -1; /* stages whose products may still be under way */
#pragma unroll
    for (int m = 0; m < M; m++)
#pragma unroll
        for (int e = 0; e < N / 2; e++)
            acc[m][e] = 0;
    for (int dt = o.first_frame(w); dt < w.kt; dt++)
        for (int c = 0; c < w.c; c += C) {
            barrier_wait(at.patch_full(p.stage), p.phase);
            for (int dy = 0; dy < w.ky; dy++)
                for (int dx = 0; dx < w.kx; dx++) {
                    barrier_wait(at.tap_full(q.stage), q.phase);
                    add_tap<T, N, C, M>(acc, at.patch_at(p.stage), (line0 + dy) * pitch + dx, pitch,
                                        at.tap_at(q.stage));
                    products_wait<1>();
                    if (lane == 0 && old_tap >= 0)
                        barrier_arrive(at.tap_free(old_tap));
                    if (lane == 0 && old_patch >= 0)
                        barrier_arrive(at.patch_free(old_patch));
                    old_tap = q.stage;
                    old_patch = -1;
                    q.next();
                }
            old_patch = p.stage;
            p.next();
        }
    if (pass_on >= 0) /* the other's products queue behind the last of these */
        group_arrive(pass_on, 256);
    products_wait<0>();
#pragma unroll
    for (int m = 0; m < M; m++)
        pin(acc[m]);
    if (lane == 0) {
        barrier_arrive(at.tap_free(old_tap));
        barrier_arrive(at.patch_free(old_patch));
    }
}

template <class T, int N, int C>
__device__ __forceinline__ void consume(const layout<N, C> &at, const work &w, int group)
{
    constexpr int M = PARTS<N>;
    ring<PATCHES> p;
    ring<layout<N, C>::TAPS> q;
    int line0 = TURNS<N> ? 0 : group * 8, turn = 0;
    float acc[M][N / 2];
    if (TURNS<N> && group == 1)
        group_arrive(TURN, 256); /* the first turn is the other's */
    for (int i = blockIdx.x; i < w.tiles; i += gridDim.x, turn ^= 1) {
        patch o(w, i, N);
        if (TURNS<N> && turn != group) {
            int brought = (w.kt - o.first_frame(w)) * ((w.c + C - 1) / C);
            p.skip(brought);
            q.skip(brought * w.ky * w.kx);
            continue;
        }
        /* A barrier tells the last phase from this one only: nobody may wait before his turn. */
        if (TURNS<N>)
            group_sync(TURN + group, 256);
        bool more = TURNS<N> && i + (int)gridDim.x < w.tiles;
        multiply<T, N, C, M>(acc, at, w, o, line0, p, q, more ? TURN + 1 - group : -1);
        if (w.gamma)
            normalise<N, M>(w, acc);
        if (!w.wide)
            write_patch<T, N, M>(w, o, line0, acc, [](T *to, float v0, float v1, bool both) {
                write_pair<T>(to, v0, v1, both);
            });
        else if (!w.add)
            write_patch<float, N, M>(
                w, o, line0, acc,
                [](float *to, float v0, float v1, bool both) { write_pair(to, v0, v1, both); });
        else
            write_patch<float, N, M>(
                w, o, line0, acc,
                [](float *to, float v0, float v1, bool both) { add_pair(to, v0, v1, both); });
    }
}

#endif

template <class T, int N, int C>
__global__ void __launch_bounds__(THREADS, 1)
    conv_hopper_kernel(const __grid_constant__ maps m, const work w)
{
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
    extern __shared__ uint8_t shared[];
    layout<N, C> at(shared_address(shared));
    if (threadIdx.x == 0) {
        for (int i = 0; i < PATCHES + at.TAPS; i++) {
            barrier_init(at.bars + i * 16, 1);
            barrier_init(at.bars + i * 16 + 8, USERS<N>);
        }
        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    }
    __syncthreads();
    kernel_begin();
    int group = __shfl_sync(~0u, threadIdx.x / 128, 0); /* the same for a warp, and seen to be */
    if (group == 0) {
        asm volatile("setmaxnreg.dec.sync.aligned.u32 24;");
        if (threadIdx.x == 0)
            produce<N, C>(at, m, w);
    } else {
        asm volatile("setmaxnreg.inc.sync.aligned.u32 240;");
        consume<T, N, C>(at, w, group - 1);
    }
#endif
}

/* Frames [frames, Y, X, C] for boxes of a patch with its border, `channels` wide. */
CUtensorMap map_frames(const void *x, int frames, const work &w, int channels)
{
    int64_t dim[4] = {w.c, w.width, w.height, frames};
    int64_t stride[3] = {w.c * 2, (int64_t)w.width * w.c * 2,
                         (int64_t)w.height * w.width * w.c * 2};
    int box[4] = {channels, SIDE + w.kx - 1, SIDE + w.ky - 1, 1};
    return tile_map(F16, x, 4, dim, stride, box);
}

CUtensorMap map_weights(const void *weights, const work &w, int n, int channels)
{
    int64_t taps = w.kt * w.ky * w.kx, dim[3] = {w.c, taps, (int64_t)w.phases * w.c_out};
    int64_t stride[2] = {w.c * 2, taps * w.c * 2};
    int box[3] = {channels, 1, n};
    return tile_map(F16, weights, 3, dim, stride, box);
}

template <class T, int N, int C> void launch(const conv_args &a, work w)
{
    maps m = {};
    for (int i = 0; i < 2; i++) {
        m.x[i] = map_frames(a.x, w.frames, w, 64 >> i);
        for (int p = 0; p < a.past_frames; p++)
            m.past[p][i] = map_frames(a.past[p], 1, w, 64 >> i);
        m.w[i] = map_weights(a.up ? a.phases : a.w, w, N, 64 >> i);
    }
    w.n_tiles = (int)ceil_div(w.c_out, N);
    w.tiles = w.frames * w.patches * w.phases * w.n_tiles;
    constexpr size_t bytes = sizes<N, C>::SHARED;
    ALLOW_SHARED((conv_hopper_kernel<T, N, C>), bytes);
    int blocks = w.tiles < device_sms ? w.tiles : device_sms;
    start("start convolution on Hopper", conv_hopper_kernel<T, N, C>, blocks, THREADS, bytes, 1, m,
          w);
}

/* The share of the card's time that is well spent with n output and c input channels at a time:
** blocks work in rounds of one patch each, and what is beyond C_out or C is zeros. */
double spent_well(const work &w, int n, int c)
{
    int64_t wide = ceil_div(w.c_out, n), deep = ceil_div(w.c, c);
    int64_t tiles = (int64_t)w.frames * w.patches * w.phases * wide;
    return (double)tiles / (double)(ceil_div(tiles, device_sms) * device_sms) * w.c_out /
           (double)(wide * n) * w.c / (double)(deep * c);
}

} // namespace

template <class T> void conv_hopper(const conv_args &a)
{
    work w = {};
    w.frames = a.frames, w.height = a.height >> a.up, w.width = a.width >> a.up;
    w.past_frames = a.past_frames;
    w.c = a.c, w.c_out = a.c_out;
    w.kt = a.kt, w.ky = a.up ? 2 : a.ky, w.kx = a.up ? 2 : a.kx;
    w.phases = a.up ? 4 : 1;
    w.across = (int)ceil_div(w.width, SIDE);
    w.patches = (int)ceil_div(w.height, SIDE) * w.across;
    w.b = a.b, w.gamma = a.gamma, w.eps = a.eps, w.y = a.y, w.wide = a.wide, w.add = a.add;
    /* The factors are what each was measured to reach where all is well spent. A single tap reads a
     * patch for a product only N wide, and waits for it. */
    double by_96 = (w.ky * w.kx == 1 ? 0.8 : 0.95) * spent_well(w, 96, 96);
    double by_128 = 0.97 * spent_well(w, 128, 64);
    double by_192 = spent_well(w, 192, 64);
    if (a.gamma && a.c_out > 8) /* one tile has all of a pixel */
        a.c_out <= 96 ? launch<T, 96, 96>(a, w) : launch<T, 192, 64>(a, w);
    else if (a.c_out <= 8)
        launch<T, 8, 96>(a, w);
    else if (by_192 >= by_128 && by_192 >= by_96)
        launch<T, 192, 64>(a, w);
    else if (by_128 >= by_96)
        launch<T, 128, 64>(a, w);
    else
        launch<T, 96, 96>(a, w);
}

template void conv_hopper<half_t>(const conv_args &a);
template void conv_hopper<bf16_t>(const conv_args &a);
