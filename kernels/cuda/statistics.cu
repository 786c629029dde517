/*
** statistics.cu: what is known of a linear's inputs: moments of each channel, products of each pair.
**
** add_moments reads x once. A block has 256 columns, a thread eight of them and every 64th row, four
** rows at a time, whose sums and sums of squares are F32 and are added to F64. The last of the
** blocks with the same columns to be done adds up what all of them found, in the order of the
** blocks: the same bits in every run. A sum of four F32 rounds three times, so a sum of squares is
** within 2^-22 of F64's, mostly within 1e-7. Floor: x's bytes over the copy rate.
** add_gram transposes 512 rows of x at a time as F32, multiplies them with themselves in F32 and adds
** that to F64; an element is within 1e-6 of the root of its diagonals' product. Not on tensor cores:
** their sums are cut, not rounded, and 4133 rows of F16 lost 2.4e-5 of a diagonal.
*/
#include "linear.cuh"

enum { LANES = 32, COLUMNS = LANES * 8, ROWS_BESIDE = 16, AT_ONCE = 4 };
enum { THREADS = LANES * ROWS_BESIDE, HALVES = THREADS / COLUMNS };
enum { MOST_ACROSS = 4096 }; /* blocks side by side: a million columns */

/* ---- moments ---- */

/* Of each column: what the rows of a thread, a block, or all came to. */
struct moment {
    double sum, squares;
    float most;
    __device__ __forceinline__ void join(const moment &m)
    {
        sum += m.sum;
        squares += m.squares;
        most = fmaxf(most, m.most);
    }
};

/* How many of the blocks with these columns are done; 0 again when all are. */
__device__ unsigned blocks_done[MOST_ACROSS];

/* True in the last of the blocks to come here; it sees what the others have written. */
__device__ __forceinline__ bool last_of(unsigned *done, unsigned blocks)
{
    __shared__ bool last;
    __syncthreads();
    if (threadIdx.x == 0) {
        __threadfence();
        last = atomicInc(done, blocks - 1) == blocks - 1;
        __threadfence();
    }
    __syncthreads();
    return last;
}

constexpr int STEP = ROWS_BESIDE * AT_ONCE; /* rows that a block takes at a time */

/* The thread's rows of its eight columns. All blocks go from the last row to the first together:
** what the op before wrote last is still in the second level cache, and so will be what the next
** one reads first. */
template <class T>
__device__ __forceinline__ void read_moments(moment (&m)[8], const T *x, int64_t rows,
                                             int64_t stride)
{
    for (int64_t at = (rows - 1) / STEP - blockIdx.y; at >= 0; at -= gridDim.y) {
        int64_t row = at * STEP + threadIdx.x / LANES;
        eight<T> in[AT_ONCE];
        float s[8] = {}, q[8] = {}, v[8];
#pragma unroll
        for (int r = 0; r < AT_ONCE; r++) {
            in[r] = {};
            if (row + r * ROWS_BESIDE < rows)
                load8(in[r], x + (row + r * ROWS_BESIDE) * stride);
        }
#pragma unroll
        for (int r = 0; r < AT_ONCE; r++) {
            unpack8(v, in[r]);
#pragma unroll
            for (int i = 0; i < 8; i++) {
                s[i] += v[i];
                q[i] += v[i] * v[i];
                m[i].most = fmaxf(m[i].most, fabsf(v[i]));
            }
        }
#pragma unroll
        for (int i = 0; i < 8; i++) {
            m[i].sum += (double)s[i];
            m[i].squares += (double)q[i];
        }
    }
}

/* What a block's threads meet in: each row and column of these is one's. */
struct meeting {
    double sum[ROWS_BESIDE / 2][COLUMNS], squares[ROWS_BESIDE / 2][COLUMNS];
    float most[ROWS_BESIDE / 2][COLUMNS];
    __device__ __forceinline__ void put(int r, int i, const moment &m)
    {
        sum[r][i] = m.sum, squares[r][i] = m.squares, most[r][i] = m.most;
    }
    __device__ __forceinline__ moment get(int r, int i) const
    {
        return {sum[r][i], squares[r][i], most[r][i]};
    }
};

/* part [gridDim.y, gridDim.x * COLUMNS]: room for what each block finds. The block's columns are
** counted so that neighbours in a warp meet neighbours in memory: i is column i % 32 * 8 + i / 32. */
template <class T>
__global__ void __launch_bounds__(THREADS, 1)
    find_moments(float *absmax, double *sum, double *squares, moment *part, const T *x,
                 int64_t rows, int width, int64_t stride, double copies)
{
    __shared__ meeting here;
    int first = blockIdx.x * COLUMNS, lane = threadIdx.x % LANES, beside = threadIdx.x / LANES;
    int i = threadIdx.x % COLUMNS, half = threadIdx.x / COLUMNS;
    int column = first + i % LANES * 8 + i / LANES, low = beside % (ROWS_BESIDE / 2);
    moment m[8] = {}, one = {};
    kernel_begin();
    if (first + lane * 8 < width)
        read_moments(m, x + first + lane * 8, rows, stride);

    if (beside != low)
        for (int k = 0; k < 8; k++)
            here.put(low, k * LANES + lane, m[k]);
    __syncthreads();
    if (beside == low)
        for (int k = 0; k < 8; k++) {
            m[k].join(here.get(low, k * LANES + lane));
            here.put(low, k * LANES + lane, m[k]);
        }
    __syncthreads();
    for (int r = 0; r < ROWS_BESIDE / 2; r++)
        one.join(here.get(r, i));
    part += first + i;
    int64_t stride_of_parts = gridDim.x * (int64_t)COLUMNS;
    if (half == 0)
        part[blockIdx.y * stride_of_parts] = one;

    if (!last_of(blocks_done + blockIdx.x, gridDim.y))
        return;
    one = {};
#pragma unroll 12
    for (int r = half; r < (int)gridDim.y; r += HALVES)
        one.join(part[r * stride_of_parts]);
    here.put(half, i, one);
    __syncthreads();
    if (half > 0 || column >= width)
        return;
    for (int r = 1; r < HALVES; r++)
        one.join(here.get(r, i));
    sum[column] += copies * one.sum;
    squares[column] += copies * one.squares;
    absmax[column] = fmaxf(absmax[column], one.most);
}

void add_moments(tensor absmax, tensor sum, tensor squares, tensor x, int copies)
{
    const char *op = "add_moments";
    int64_t n = tensor_rows(x), width = tensor_width(x), across = ceil_div(width, COLUMNS);
    check_one(chunks(x) && across <= MOST_ACROSS, op, x, "rows of whole chunks of eight");
    check_moments(op, absmax, sum, squares, x);
    if (n * width == 0)
        return;
    int64_t down = device_sms > across ? device_sms / across : 1;
    int64_t most = ceil_div(n, STEP);
    down = down < most ? down : most;
    size_t mark = scratch_mark();
    tensor part = scratch(F64, down, across * COLUMNS, sizeof(moment) / sizeof(double));
    dispatch(x.type, [&](auto *t) {
        using T = ELEMENT(t);
        start("start statistics", find_moments<T>, dim3((unsigned)across, (unsigned)down), THREADS,
              0, 1, (float *)absmax.data, (double *)sum.data, (double *)squares.data,
              (moment *)part.data, (const T *)x.data, n, (int)width, x.stride, (double)copies);
    });
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
