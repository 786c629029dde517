/*
** conv_mma.cu: convolution as a product on tensor cores, for every card from sm_80 on.
**
** A block of 8 warps makes 16 x 16 pixels x 96 channels (or 16, for the last layer's 3). The sum
** runs in steps of 32: each step's operands, 256 pixels x 32 and 96 channels x 32, are copied
** from where they are to a ring of four stages in shared memory (88 KB), three steps ahead. A
** thread copies the same eight neighbours of K for four pixels, so it keeps one place (tap,
** channel) and four rows; what lies outside of the picture is copied as zeros. Nine taps read a
** pixel: neighbours in a square patch find it in the first-level cache. Bound: 2 pixels K C_out
** operations at the rate of mma.sync.
*/
#include "conv.cuh"
#include "mma.cuh"

namespace
{

constexpr int SIDE = 16, PIXELS = SIDE * SIDE, STEP = 32, STAGES = 4, THREADS = 256;

/* Chunk c of row r in a tile whose rows are 64 bytes: two rows share the banks. */
__device__ __forceinline__ uint32_t place(uint32_t tile, int r, int c)
{
    return tile + (uint32_t)(r * STEP * 2 + ((c ^ (r >> 1 & 3)) << 4));
}

template <int N> constexpr uint32_t STAGE_BYTES = (PIXELS + N) * STEP * 2;

/* Copies one step's operands; p is this thread's place in K and moves on. */
template <class T, int N>
__device__ __forceinline__ void fetch(const conv_args &a, conv_place &p, uint32_t stage, int t,
                                      int y0, int x0, int n0)
{
    int chunk = threadIdx.x % 4, row = threadIdx.x / 4;
    bool inside = p.k < a.k;
    const T *frame = inside ? conv_frame<T>(a, t, p.dt) : (const T *)a.x;
    int height = a.height << a.down, width = a.width << a.down;
    int xx = ((x0 + row % SIDE) << a.down) + p.dx - a.left;
    int yy = ((y0 + row / SIDE) << a.down) + p.dy - a.top;
    bool there = inside && (unsigned)xx < (unsigned)width;
#pragma unroll
    for (int i = 0; i < PIXELS / 64; i++, yy += 64 / SIDE << a.down) {
        bool ok = there && (unsigned)yy < (unsigned)height;
        int64_t pixel = (int64_t)(yy >> a.up) * (width >> a.up) + (xx >> a.up);
        copy_chunk_cached(place(stage, row + i * 64, chunk),
                          ok ? frame + pixel * a.c_in + p.channel : (const T *)a.x, ok);
    }
    uint32_t weights = stage + PIXELS * STEP * 2;
#pragma unroll
    for (int r = row; r < N; r += 64) {
        bool ok = inside && n0 + r < a.c_out;
        copy_chunk(place(weights, r, chunk),
                   (const T *)a.w + (ok ? (int64_t)(n0 + r) * a.k + p.k : 0), ok);
    }
    p.advance(a, STEP);
}

/* WN: warps side by side along the channels; the other 8 / WN along the pixels. */
template <class T, int N, int WN>
__global__ void __launch_bounds__(THREADS, 1) conv_mma_kernel(conv_args a)
{
    constexpr int ROWS = PIXELS * WN / 8, COLUMNS = N / WN;
    extern __shared__ uint4 shared[];
    uint32_t ring = shared_address(shared);
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    int row = warp / WN * ROWS, column = warp % WN * COLUMNS;
    int tiles = (a.c_out + N - 1) / N, across = (a.width + SIDE - 1) / SIDE;
    int n0 = blockIdx.x % tiles * N, patch = blockIdx.x / tiles, t = blockIdx.y;
    int y0 = patch / across * SIDE, x0 = patch % across * SIDE;
    int start = conv_start(a, t), steps = (a.k - start + STEP - 1) / STEP;
    conv_place p(a, start + threadIdx.x % 4 * 8);

    float acc[ROWS / 16][COLUMNS / 8][4] = {};
    for (int i = 0; i < STAGES - 1; i++) {
        fetch<T, N>(a, p, ring + i * STAGE_BYTES<N>, t, y0, x0, n0);
        copies_commit();
    }
    for (int i = 0; i < steps; i++) {
        copies_wait<STAGES - 2>();
        __syncthreads(); /* step i is there; all are done with step i - 1, whose stage is next */
        fetch<T, N>(a, p, ring + (i + STAGES - 1) % STAGES * STAGE_BYTES<N>, t, y0, x0, n0);
        copies_commit();
        uint32_t pixels = ring + i % STAGES * STAGE_BYTES<N>;
        uint32_t weights = pixels + PIXELS * STEP * 2;
#pragma unroll
        for (int k = 0; k < STEP / 16; k++) {
            uint32_t x[ROWS / 16][4];
#pragma unroll
            for (int m = 0; m < ROWS / 16; m++)
                load_blocks(x[m], place(pixels, row + m * 16 + (lane & 15), k * 2 + (lane >> 4)));
#pragma unroll
            for (int n = 0; n < COLUMNS / 16; n++) {
                uint32_t w[4];
                load_blocks(w, place(weights, column + n * 16 + (lane & 7) + (lane >> 4) * 8,
                                     k * 2 + (lane >> 3 & 1)));
#pragma unroll
                for (int m = 0; m < ROWS / 16; m++) {
                    mma<T>(acc[m][2 * n], x[m], w[0], w[1]);
                    mma<T>(acc[m][2 * n + 1], x[m], w[2], w[3]);
                }
            }
        }
    }
    copies_wait<0>();

    T *y = (T *)a.y + (int64_t)t * a.height * a.width * a.c_out;
#pragma unroll
    for (int n = 0; n < COLUMNS / 8; n++) {
        int c = n0 + column + n * 8 + lane % 4 * 2;
        float b0 = a.b && c < a.c_out ? a.b[c] : 0, b1 = a.b && c + 1 < a.c_out ? a.b[c + 1] : 0;
#pragma unroll
        for (int m = 0; m < ROWS / 16; m++)
#pragma unroll
            for (int half = 0; half < 2; half++) {
                int r = row + m * 16 + half * 8 + lane / 4;
                int yy = y0 + r / SIDE, xx = x0 + r % SIDE;
                if (yy >= a.height || xx >= a.width || c >= a.c_out)
                    continue;
                T *to = y + ((int64_t)yy * a.width + xx) * a.c_out + c;
                float v0 = acc[m][n][2 * half] + b0, v1 = acc[m][n][2 * half + 1] + b1;
                if (a.c_out % 2 == 0) {
                    *(uint32_t *)to = pack2<T>(v0, v1);
                } else {
                    to[0] = from_f32<T>(v0);
                    if (c + 1 < a.c_out)
                        to[1] = from_f32<T>(v1);
                }
            }
    }
}

template <class T, int N, int WN> void launch(const conv_args &a)
{
    constexpr size_t bytes = STAGES * STAGE_BYTES<N>;
    ALLOW_SHARED((conv_mma_kernel<T, N, WN>), bytes);
    int64_t patches = ceil_div(a.height, SIDE) * ceil_div(a.width, SIDE);
    dim3 grid((unsigned)(patches * ceil_div(a.c_out, N)), (unsigned)a.frames);
    conv_mma_kernel<T, N, WN><<<grid, THREADS, bytes, stream>>>(a);
    LAUNCHED("convolution");
}

} // namespace

template <class T> void conv_mma(const conv_args &a)
{
    a.c_out <= 16 ? launch<T, 16, 1>(a) : launch<T, 96, 2>(a);
}

template void conv_mma<half_t>(const conv_args &a);
template void conv_mma<bf16_t>(const conv_args &a);
