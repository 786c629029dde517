/*
** statistics.cu: what is known of a linear's inputs: moments of each channel, products of each pair.
**
** add_moments reads x once. A block has 32 chunks of eight columns and a range of rows, eight rows
** side by side; a thread takes four rows at a time, whose sums and sums of squares are F32, and adds
** these to F64. What the blocks found lies beside each other in scratch and is added by a second
** kernel in the order of the rows: no atomics, the same bits in every run. A sum of four F32 rounds
** three times, so a sum of squares is within 2^-22 of F64's, mostly within 1e-7. Floor: x's bytes
** over the copy rate.
** add_gram transposes 512 rows of x at a time as F32, multiplies them with themselves in F32 and adds
** that to F64; an element is within 1e-6 of the root of its diagonals' product. Not on tensor cores:
** their sums are cut, not rounded, and 4133 rows of F16 lost 2.4e-5 of a diagonal.
*/
#include "linear.cuh"

enum { LANES = 32, ROWS_BESIDE = 8, THREADS = LANES * ROWS_BESIDE, AT_ONCE = 4 };

/* ---- moments ---- */

/* What the blocks of one range of rows found: [ranges, 2, width] and [ranges, width]. */
typedef struct {
    double *sums;
    float *most;
} partial_moments;

/* The eight rows' values of a column are met in shared memory: add(i, v) of column i. */
template <class V, class Put>
__device__ __forceinline__ void meet(const V v[8], bool greatest, int columns, Put put)
{
    __shared__ V all[ROWS_BESIDE][LANES * 8];
    __syncthreads();
#pragma unroll
    for (int i = 0; i < 8; i++)
        all[threadIdx.x / LANES][threadIdx.x % LANES * 8 + i] = v[i];
    __syncthreads();
    V sum = 0;
    for (int r = 0; r < ROWS_BESIDE; r++) {
        V one = all[r][threadIdx.x];
        sum = !greatest ? sum + one : one > sum ? one : sum;
    }
    if ((int)threadIdx.x < columns)
        put(threadIdx.x, sum);
}

template <class T>
__global__ void __launch_bounds__(THREADS)
    find_moments(partial_moments to, const T *x, int64_t rows, int64_t range, int width,
                 int64_t stride)
{
    int first = blockIdx.x * LANES * 8, column = first + threadIdx.x % LANES * 8;
    int64_t row = blockIdx.y * range + threadIdx.x / LANES;
    int64_t end = min(rows, (int64_t)(blockIdx.y + 1) * range);
    double sum[8] = {}, squares[8] = {};
    float most[8] = {};
    kernel_begin();
    for (; column < width && row < end; row += ROWS_BESIDE * AT_ONCE) {
        eight<T> in[AT_ONCE];
        float s[8] = {}, q[8] = {}, v[8];
#pragma unroll
        for (int r = 0; r < AT_ONCE; r++) {
            in[r] = {};
            if (row + r * ROWS_BESIDE < end)
                load8(in[r], x + (row + r * ROWS_BESIDE) * stride + column);
        }
#pragma unroll
        for (int r = 0; r < AT_ONCE; r++) {
            unpack8(v, in[r]);
#pragma unroll
            for (int i = 0; i < 8; i++) {
                s[i] += v[i];
                q[i] += v[i] * v[i];
                most[i] = fmaxf(most[i], fabsf(v[i]));
            }
        }
#pragma unroll
        for (int i = 0; i < 8; i++) {
            sum[i] += (double)s[i];
            squares[i] += (double)q[i];
        }
    }
    int columns = min(width - first, LANES * 8);
    double *sums = to.sums + blockIdx.y * 2 * (int64_t)width + first;
    float *greatest = to.most + blockIdx.y * (int64_t)width + first;
    meet(sum, false, columns, [&](int i, double v) { sums[i] = v; });
    meet(squares, false, columns, [&](int i, double v) { sums[width + i] = v; });
    meet(most, true, columns, [&](int i, float v) { greatest[i] = v; });
}

__global__ void collect_moments(float *absmax, double *sum, double *squares, partial_moments from,
                                int ranges, int width, double copies)
{
    __shared__ double all_s[ROWS_BESIDE][LANES], all_q[ROWS_BESIDE][LANES];
    __shared__ float all_most[ROWS_BESIDE][LANES];
    int lane = threadIdx.x % LANES, beside = threadIdx.x / LANES, i = blockIdx.x * LANES + lane;
    double s = 0.0, q = 0.0;
    float most = 0.0f;
    kernel_begin();
#pragma unroll 4
    for (int r = beside; i < width && r < ranges; r += ROWS_BESIDE) {
        s += from.sums[2 * r * (int64_t)width + i];
        q += from.sums[(2 * r + 1) * (int64_t)width + i];
        most = fmaxf(most, from.most[r * (int64_t)width + i]);
    }
    all_s[beside][lane] = s;
    all_q[beside][lane] = q;
    all_most[beside][lane] = most;
    __syncthreads();
    if (beside > 0 || i >= width)
        return;
    for (int r = 1; r < ROWS_BESIDE; r++) {
        s += all_s[r][lane];
        q += all_q[r][lane];
        most = fmaxf(most, all_most[r][lane]);
    }
    sum[i] += copies * s;
    squares[i] += copies * q;
    absmax[i] = fmaxf(absmax[i], most);
}

void add_moments(tensor absmax, tensor sum, tensor squares, tensor x, int copies)
{
    const char *op = "add_moments";
    int64_t n = tensor_rows(x), width = tensor_width(x);
    check_one(chunks(x) && width <= INT32_MAX, op, x, "rows of whole chunks of eight");
    check_moments(op, absmax, sum, squares, x);
    if (n == 0)
        return;
    /* Three blocks for each multiprocessor, of no fewer rows than a block has in hand. */
    int64_t across = ceil_div(width, LANES * 8), down = ceil_div(device_sms * 3, across);
    int64_t range = ceil_div(ceil_div(n, down), ROWS_BESIDE * AT_ONCE) * ROWS_BESIDE * AT_ONCE;
    down = ceil_div(n, range);
    size_t mark = scratch_mark();
    partial_moments part = {(double *)scratch(F64, down, 2, width).data,
                            (float *)scratch(F32, down, width).data};
    dispatch(x.type, [&](auto *t) {
        using T = ELEMENT(t);
        start("start statistics", find_moments<T>, dim3((unsigned)across, (unsigned)down), THREADS,
              0, 1, part, (const T *)x.data, n, range, (int)width, x.stride);
    });
    start("start statistics", collect_moments, (unsigned)ceil_div(width, LANES), THREADS, 0, 1,
          (float *)absmax.data, (double *)sum.data, (double *)squares.data, part, (int)down,
          (int)width, (double)copies);
    scratch_reset(mark);
}

/* ---- x^T x ---- */

enum { TILE = 32, TILE_ROWS = 8, GRAM_ROWS = 512, PADDING = 64 };

/* y F32 [width, padded] = x^T, zeros behind the rows of x */
template <class T>
__global__ void transpose(float *y, const T *x, int rows, int width, int padded, int64_t stride)
{
    __shared__ float tile[TILE][TILE + 1];
    int row = blockIdx.x * TILE, column = blockIdx.y * TILE;
    int i = threadIdx.x % TILE, k = threadIdx.x / TILE;
    kernel_begin();
    for (int r = k; r < TILE; r += TILE_ROWS)
        tile[r][i] = row + r < rows && column + i < width
                         ? to_f32(x[(row + r) * stride + column + i])
                         : 0.0f;
    __syncthreads();
    for (int c = k; c < TILE; c += TILE_ROWS)
        if (column + c < width && row + i < padded)
            y[(int64_t)(column + c) * padded + row + i] = tile[i][c];
}

__global__ void add_product(double *y, const float *x, double copies, int64_t n)
{
    int64_t i = blockIdx.x * (int64_t)THREADS + threadIdx.x;
    kernel_begin();
    if (i < n)
        y[i] += copies * (double)x[i];
}

void add_gram(tensor gram, tensor x, int copies)
{
    const char *op = "add_gram";
    int64_t N = tensor_rows(x), width = tensor_width(x);
    check_one(chunks(x) && width <= INT16_MAX, op, x, "rows of whole chunks of eight");
    check_gram(op, gram, x);
    size_t mark = scratch_mark();
    tensor product = scratch(F32, width, width);
    for (int64_t at = 0; at < N; at += GRAM_ROWS) {
        int64_t n = N - at < GRAM_ROWS ? N - at : GRAM_ROWS;
        int64_t padded = ceil_div(n, PADDING) * PADDING;
        size_t part = scratch_mark();
        tensor turned = scratch(F32, width, padded), some = rows(x, at, n);
        dispatch(x.type, [&](auto *t) {
            using T = ELEMENT(t);
            start("start a transposition", transpose<T>,
                  dim3((unsigned)ceil_div(padded, TILE), (unsigned)ceil_div(width, TILE)),
                  TILE * TILE_ROWS, 0, 1, (float *)turned.data, (const T *)some.data, (int)n,
                  (int)width, (int)padded, some.stride);
        });
        linear_weight w = {};
        w.w = turned;
        linear(product, turned, &w);
        start("start a sum of products", add_product, (unsigned)ceil_div(width * width, THREADS),
              THREADS, 0, 1, (double *)gram.data, (const float *)product.data, (double)copies,
              width * width);
        scratch_reset(part);
    }
    scratch_reset(mark);
}
