/*
** conv_plain.cu: convolution without tensor cores, in F32. It serves --dtype fp32, and layers whose
** number of input channels is no multiple of 8 (the encoder's first: 3).
**
** A thread block computes 64 pixels of a frame x 64 channels, a thread 4 x 4 of them. The sum over K
** runs in steps of 16, whose operands are copied to shared memory as F32. Bound: the rate of F32
** multiply-adds.
*/
#include "conv.cuh"

namespace
{

constexpr int PIXELS = 64, N = 64, STEP = 16, THREADS = 256;

template <class T> __global__ void __launch_bounds__(THREADS) conv_plain_kernel(conv_args a)
{
    __shared__ __align__(16) float xs[STEP][PIXELS + 4], ws[STEP][N + 4];
    int tiles = (a.c_out + N - 1) / N, n0 = blockIdx.x % tiles * N, t = blockIdx.y;
    int pixel0 = blockIdx.x / tiles * PIXELS, pixels = a.height * a.width;
    int column = threadIdx.x % STEP, row = threadIdx.x / STEP; /* this thread copies 4 rows */
    int m = threadIdx.x / 16 * 4, n = threadIdx.x % 16 * 4;    /* and sums 4 x 4 from here on */
    int start = conv_start(a, t), height = a.height << a.down, width = a.width << a.down;
    conv_place p(a, start + column);
    float acc[4][4] = {};
    for (int k = start; k < a.k; k += STEP, p.advance(a, STEP)) {
        bool inside = p.k < a.k;
        const T *frame = inside ? conv_frame<T>(a, t, p.dt) : nullptr;
        __syncthreads();
#pragma unroll
        for (int i = 0; i < 4; i++) {
            int r = row + i * 16, pixel = pixel0 + r;
            int yy = (pixel / a.width << a.down) + p.dy - a.top;
            int xx = (pixel % a.width << a.down) + p.dx - a.left;
            bool there = inside && pixel < pixels && (unsigned)yy < (unsigned)height &&
                         (unsigned)xx < (unsigned)width && p.channel < a.c_in;
            int64_t from = (int64_t)(yy >> a.up) * (width >> a.up) + (xx >> a.up);
            xs[column][r] = there ? to_f32(frame[from * a.c_in + p.channel]) : 0;
            ws[column][r] = inside && n0 + r < a.c_out
                                ? to_f32(((const T *)a.w)[(int64_t)(n0 + r) * a.k + p.k])
                                : 0;
        }
        __syncthreads();
#pragma unroll
        for (int e = 0; e < STEP; e++) {
            float4 u = *(const float4 *)&xs[e][m], v = *(const float4 *)&ws[e][n];
            float x[4] = {u.x, u.y, u.z, u.w}, w[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
            for (int i = 0; i < 4; i++)
#pragma unroll
                for (int j = 0; j < 4; j++)
                    acc[i][j] += x[i] * w[j];
        }
    }
    T *y = (T *)a.y + ((int64_t)t * pixels + pixel0 + m) * a.c_out + n0 + n;
#pragma unroll
    for (int i = 0; i < 4; i++)
#pragma unroll
        for (int j = 0; j < 4; j++)
            if (pixel0 + m + i < pixels && n0 + n + j < a.c_out)
                y[(int64_t)i * a.c_out + j] = from_f32<T>(acc[i][j] + (a.b ? a.b[n0 + n + j] : 0));
}

} // namespace

template <class T> void conv_plain(const conv_args &a)
{
    int64_t tiles = ceil_div((int64_t)a.height * a.width, PIXELS) * ceil_div(a.c_out, N);
    dim3 grid((unsigned)tiles, (unsigned)a.frames);
    conv_plain_kernel<T><<<grid, THREADS, 0, stream>>>(a);
    LAUNCHED("convolution in F32");
}

template void conv_plain<float>(const conv_args &a);
template void conv_plain<half_t>(const conv_args &a);
template void conv_plain<bf16_t>(const conv_args &a);
