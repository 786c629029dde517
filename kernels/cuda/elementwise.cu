/*
** elementwise.cu: sums, gates, GELUs and SiLU between products, and the solver's step.
**
** A thread takes a chunk of eight of a row: 16-byte loads, F32 in registers, one rounding at the
** end. All are bound by memory: floor is bytes read and written over the copy rate.
*/
#include "linear.cuh"

enum { THREADS = 256 };

/* Where thread i's chunk lies: its row, and its first column. */
typedef struct {
    uint32_t row, column;
} place;

__device__ __forceinline__ bool locate(place *at, uint32_t chunks_a_row, uint32_t n)
{
    uint32_t i = blockIdx.x * (uint32_t)THREADS + threadIdx.x;
    at->row = i / chunks_a_row;
    at->column = (i - at->row * chunks_a_row) * 8;
    return i < n;
}

/* How many chunks the tensor has, checked to fit an index. */
static uint32_t chunk_count(const char *op, tensor t)
{
    int64_t n = tensor_count(t) / 8;
    if (n > INT32_MAX)
        die("%s: %s is too large", op, tensor_text(t));
    return (uint32_t)n;
}

/* Tensors without gaps are one row: their width may then be odd. */
static tensor flat(tensor t) { return reshape(t, tensor_count(t)); }

#define BLOCKS(n) (unsigned)ceil_div(n, THREADS), THREADS, 0, 1

/* ---- x += y, x += gate * y ---- */

template <class T>
__global__ void add_rows(float *x, const T *y, const float *gate, uint32_t row_chunks, uint32_t n,
                         int64_t x_stride, int64_t y_stride)
{
    place at;
    kernel_begin();
    if (!locate(&at, row_chunks, n))
        return;
    float a[8], b[8], g[8];
    float *to = x + at.row * x_stride + at.column;
    load8(a, to);
    load8(b, y + at.row * y_stride + at.column);
    if (gate) {
        load8(g, gate + at.column);
#pragma unroll
        for (int i = 0; i < 8; i++)
            a[i] += g[i] * b[i];
    } else {
#pragma unroll
        for (int i = 0; i < 8; i++)
            a[i] += b[i];
    }
    store8(to, a);
}

/* The odd end of tensors without gaps. */
template <class T> __global__ void add_few(float *x, const T *y)
{
    kernel_begin();
    x[threadIdx.x] += to_f32(y[threadIdx.x]);
}

static void add_any(const char *op, tensor x, tensor y, const float *gate)
{
    unsigned few = 0;
    if (!gate && tensor_contiguous(x) && tensor_contiguous(y)) {
        x = flat(x), y = flat(y);
        few = (unsigned)(tensor_count(x) % 8);
    }
    tensor end_x = x, end_y = y;
    if (few && tensor_count(x) == tensor_count(y)) {
        int64_t even = tensor_count(x) - few;
        end_x = slice(x, even, few), end_y = slice(y, even, few);
        x = slice(x, 0, even), y = slice(y, 0, even);
    }
    check_pair(x.type == F32 && tensor_rows(x) == tensor_rows(y) &&
                   tensor_width(x) == tensor_width(y) && chunks(x) && chunks(y),
               op, x, y);
    uint32_t n = chunk_count(op, x);
    dispatch(y.type, [&](auto *t) {
        using T = ELEMENT(t);
        if (n)
            start("start a sum", add_rows<T>, BLOCKS(n), (float *)x.data, (const T *)y.data, gate,
                  (uint32_t)(tensor_width(x) / 8), n, x.stride, y.stride);
        if (few)
            start("start a sum", add_few<T>, 1, few, 0, 1, (float *)end_x.data,
                  (const T *)end_y.data);
    });
}

void add(tensor x, tensor y) { add_any("add", x, y, nullptr); }

void add_gated(tensor x, tensor y, tensor gate)
{
    check_pair(gate.type == F32 && tensor_count(gate) == tensor_width(x) && tensor_contiguous(gate),
               "add_gated", x, gate);
    add_any("add_gated", x, y, (const float *)gate.data);
}

/* ---- gelu(gate) * up; max(x + h, 0); gelu, silu, quick_gelu, exact_gelu ---- */

template <class T>
__global__ void mul_gelu_rows(T *y, const T *gate, const T *up, uint32_t row_chunks, uint32_t n,
                              int64_t y_stride, int64_t gate_stride, int64_t up_stride)
{
    place at;
    kernel_begin();
    if (!locate(&at, row_chunks, n))
        return;
    float g[8], u[8];
    load8(g, gate + at.row * gate_stride + at.column);
    load8(u, up + at.row * up_stride + at.column);
#pragma unroll
    for (int i = 0; i < 8; i++)
        u[i] *= gelu_tanh(g[i]);
    store8(y + at.row * y_stride + at.column, u);
}

void mul_gelu(tensor y, tensor gate, tensor up)
{
    check_pair(y.type == gate.type && tensor_rows(y) == tensor_rows(gate) &&
                   tensor_width(y) == tensor_width(gate) && chunks(y) && chunks(gate),
               "mul_gelu", y, gate);
    check_pair(y.type == up.type && tensor_rows(y) == tensor_rows(up) &&
                   tensor_width(y) == tensor_width(up) && chunks(up),
               "mul_gelu", y, up);
    uint32_t n = chunk_count("mul_gelu", y);
    if (n == 0)
        return;
    dispatch(y.type, [&](auto *t) {
        using T = ELEMENT(t);
        start("start a gated gelu", mul_gelu_rows<T>, BLOCKS(n), (T *)y.data, (const T *)gate.data,
              (const T *)up.data, (uint32_t)(tensor_width(y) / 8), n, y.stride, gate.stride,
              up.stride);
    });
}

template <class T>
__global__ void add_relu_rows(T *y, const T *x, const T *h, uint32_t row_chunks, uint32_t n,
                              int64_t y_stride, int64_t x_stride, int64_t h_stride)
{
    place at;
    kernel_begin();
    if (!locate(&at, row_chunks, n))
        return;
    float v[8], more[8] = {};
    load8(v, x + at.row * x_stride + at.column);
    if (h)
        load8(more, h + at.row * h_stride + at.column);
#pragma unroll
    for (int i = 0; i < 8; i++) {
        v[i] += more[i];
        v[i] = v[i] < 0.0f ? 0.0f : v[i]; /* NaN stays */
    }
    store8(y + at.row * y_stride + at.column, v);
}

void add_relu(tensor y, tensor x, tensor h)
{
    check_pair(y.type == x.type && tensor_rows(y) == tensor_rows(x) &&
                   tensor_width(y) == tensor_width(x) && chunks(y) && chunks(x),
               "add_relu", y, x);
    if (h.data)
        check_pair(y.type == h.type && tensor_rows(y) == tensor_rows(h) &&
                       tensor_width(y) == tensor_width(h) && chunks(h),
                   "add_relu", y, h);
    uint32_t n = chunk_count("add_relu", y);
    if (n == 0)
        return;
    dispatch(y.type, [&](auto *t) {
        using T = ELEMENT(t);
        start("start a sum cut at zero", add_relu_rows<T>, BLOCKS(n), (T *)y.data,
              (const T *)x.data, (const T *)h.data, (uint32_t)(tensor_width(y) / 8), n, y.stride,
              x.stride, h.stride);
    });
}

/* y = x / (1 + exp(-slope * (x + cubic * x^3))) */
template <class Y, class X>
__global__ void sigmoid_rows(Y *y, const X *x, float slope, float cubic, uint32_t row_chunks,
                             uint32_t n, int64_t y_stride, int64_t x_stride)
{
    place at;
    kernel_begin();
    if (!locate(&at, row_chunks, n))
        return;
    float v[8];
    load8(v, x + at.row * x_stride + at.column);
#pragma unroll
    for (int i = 0; i < 8; i++) {
        float at_x = v[i] + cubic * v[i] * v[i] * v[i];
        v[i] *= inverse_quick(1.0f + exp2_quick(-1.4426950408889634f * slope * at_x));
    }
    store8(y + at.row * y_stride + at.column, v);
}

static void times_sigmoid(const char *op, tensor y, tensor x, float slope, float cubic)
{
    if (tensor_contiguous(x) && tensor_contiguous(y))
        x = flat(x), y = flat(y);
    check_pair(tensor_rows(y) == tensor_rows(x) && tensor_width(y) == tensor_width(x) &&
                   chunks(y) && chunks(x),
               op, y, x);
    uint32_t n = chunk_count(op, y);
    if (n == 0)
        return;
    dispatch(y.type, [&](auto *yt) {
        dispatch(x.type, [&](auto *xt) {
            using Y = ELEMENT(yt);
            using X = ELEMENT(xt);
            start("start a product with a sigmoid", sigmoid_rows<Y, X>, BLOCKS(n), (Y *)y.data,
                  (const X *)x.data, slope, cubic, (uint32_t)(tensor_width(y) / 8), n, y.stride,
                  x.stride);
        });
    });
}

/* x / 2 (1 + tanh u) = x / (1 + e^-2u), u = sqrt(2 / pi) (x + 0.044715 x^3) */
void gelu(tensor y, tensor x) { times_sigmoid("gelu", y, x, 1.595769122f, 0.044715f); }

void silu(tensor y, tensor x) { times_sigmoid("silu", y, x, 1.0f, 0.0f); }

void quick_gelu(tensor y, tensor x) { times_sigmoid("quick_gelu", y, x, 1.702f, 0.0f); }

template <class T>
__global__ void exact_gelu_rows(T *y, const T *x, uint32_t row_chunks, uint32_t n, int64_t y_stride,
                                int64_t x_stride)
{
    place at;
    kernel_begin();
    if (!locate(&at, row_chunks, n))
        return;
    float v[8];
    load8(v, x + at.row * x_stride + at.column);
#pragma unroll
    for (int i = 0; i < 8; i++)
        v[i] *= 0.5f * erfcf(-0.707106781f * v[i]);
    store8(y + at.row * y_stride + at.column, v);
}

void exact_gelu(tensor y, tensor x)
{
    check_pair(y.type == x.type && tensor_rows(y) == tensor_rows(x) &&
                   tensor_width(y) == tensor_width(x) && chunks(y) && chunks(x),
               "exact_gelu", y, x);
    uint32_t n = chunk_count("exact_gelu", y);
    if (n == 0)
        return;
    dispatch(y.type, [&](auto *t) {
        using T = ELEMENT(t);
        start("start a gelu", exact_gelu_rows<T>, BLOCKS(n), (T *)y.data, (const T *)x.data,
              (uint32_t)(tensor_width(y) / 8), n, y.stride, x.stride);
    });
}

/* ---- y = sum of c[i] x[i] ---- */

enum { MOST_TERMS = 8 };
typedef struct {
    const float *x[MOST_TERMS];
    double c[MOST_TERMS];
    int n;
} combination;

/* In F64: a solver's coefficients are large and cancel, and the latents are small. */
__global__ void combine(float *y, combination p, int64_t count)
{
    int64_t i = blockIdx.x * (int64_t)THREADS + threadIdx.x;
    kernel_begin();
    if (i >= count)
        return;
    double sum = 0.0;
    for (int t = 0; t < p.n; t++)
        sum += p.c[t] * (double)p.x[t][i];
    y[i] = (float)sum;
}

void linear_combination(tensor y, int n, const tensor x[], const double c[])
{
    assert(n >= 1 && n <= MOST_TERMS);
    combination p = {};
    p.n = n;
    for (int i = 0; i < n; i++) {
        check_pair(y.type == F32 && x[i].type == F32 && tensor_count(x[i]) == tensor_count(y) &&
                       tensor_contiguous(y) && tensor_contiguous(x[i]),
                   "linear_combination", y, x[i]);
        p.x[i] = (const float *)x[i].data;
        p.c[i] = c[i];
    }
    int64_t count = tensor_count(y);
    if (count)
        start("start a linear combination", combine, BLOCKS(count), (float *)y.data, p, count);
}

/* ---- NaN and infinity ---- */

template <class T>
__global__ void count_bad(unsigned long long *found, const T *x, int64_t width, int64_t stride,
                          int64_t n)
{
    int64_t step = (int64_t)gridDim.x * THREADS;
    unsigned bad = 0;
    kernel_begin();
    if (width == n || stride == width) {
        int64_t even = (uintptr_t)x % 16 == 0 ? n / 8 : 0;
        for (int64_t i = blockIdx.x * (int64_t)THREADS + threadIdx.x; i < even; i += step) {
            float v[8];
            load8(v, x + i * 8);
#pragma unroll
            for (int k = 0; k < 8; k++)
                bad += !isfinite(v[k]);
        }
        for (int64_t i = even * 8 + blockIdx.x * (int64_t)THREADS + threadIdx.x; i < n; i += step)
            bad += !isfinite(to_f32(x[i]));
    } else
        for (int64_t i = blockIdx.x * (int64_t)THREADS + threadIdx.x; i < n; i += step)
            bad += !isfinite(to_f32(x[i / width * stride + i % width]));
    bad = __reduce_add_sync(0xffffffffu, bad);
    if (bad && threadIdx.x % 32 == 0)
        atomicAdd(found, (unsigned long long)bad);
}

void nonfinite_count(tensor n, tensor x)
{
    check_one(n.type == I64 && tensor_count(n) == 1, "nonfinite_count", n, "one I64");
    int64_t count = tensor_count(x);
    zero(n);
    if (x.type == I8 || x.type == U4 || x.type == F4)
        return;
    size_t mark = scratch_mark();
    if (count && is_codes(x.type)) { /* BF16 has the range of F32 */
        tensor wide = scratch(BF16, count);
        stored s = {};
        s.w = x;
        device_widen(wide, &s);
        x = wide;
    }
    if (count)
        dispatch(x.type, [&](auto *t) {
            using T = ELEMENT(t);
            int64_t blocks = ceil_div(count, THREADS * 32), most = device_sms * 8;
            if (blocks > most)
                blocks = most;
            start("start a count", count_bad<T>, (unsigned)blocks, THREADS, 0, 1,
                  (unsigned long long *)n.data, (const T *)x.data, tensor_width(x), x.stride,
                  count);
        });
    scratch_reset(mark);
}

int64_t count_nonfinite(tensor x)
{
    size_t mark = scratch_mark();
    tensor found = scratch(I64, 1);
    int64_t result = 0;
    nonfinite_count(found, x);
    download(tensor_make(&result, I64, 1, found.dim), found);
    scratch_reset(mark);
    return result;
}
