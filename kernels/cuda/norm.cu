/*
** norm.cu: RMS and layer norms, and what follows them in the same pass: rotation, SiLU, modulation.
**
** A row is read once, held in registers as stored, and written once. `lanes` neighbouring threads share
** a row, K chunks of eight each: 32 or 64 for the DiT's 1536, 4 to 16 for the VAE's 96 to 384, up to
** 256 for what is wider, so every load is 16 bytes and all are in flight together.
** Rows are taken from the last to the first: the second level cache still has the last that the op before
** wrote, and will have the first, which are written last, when the op after this asks for them.
** The layer norm's variance is of the differences from the mean, not of squares: no cancellation.
** Where inputs of products of codes are wanted the row becomes codes in the same pass.
** Floor: bytes of x and y over the copy rate; gamma, beta and the rotation's table stay in L1.
*/
#include "codes.cuh"
#include "hadamard.cuh"

enum { THREADS = 256, WARPS = THREADS / 32 };

struct norm_spec {
    const float *gamma, *beta; /* [D] or NULL */
    const float *rope;         /* [positions, head] as cos, sin pairs, or NULL */
    int positions, head;
    int parts = 1;    /* of a row, each with a norm and gammas of its own, [width] wide */
    float eps, least; /* the root mean square is no less than this */
    bool centre;      /* subtract the mean */
    bool modulation;  /* gamma is a scale: 1 + gamma */
    bool silu;
    float *row_scale;    /* of codes: [rows] */
    tensor_type between; /* what the values would be stored as, before they become codes */
    bool rotated;        /* they are rotated before that */
};

template <class Y> constexpr bool CODES = sizeof(Y) == 1;

/* v as that type holds it. */
__device__ __forceinline__ void round8(float v[8], tensor_type type)
{
#pragma unroll
    for (int i = 0; i < 8; i++)
        v[i] = type == F16    ? __half2float(__float2half_rn(v[i]))
               : type == BF16 ? __bfloat162float(__float2bfloat16_rn(v[i]))
                              : v[i];
}

/* The sum over the `lanes` threads of a row; partial: a word for each warp of the block. */
__device__ __forceinline__ float row_sum(float v, int lanes, float *partial)
{
    v = lane_sum(v, lanes < 32 ? lanes : 32);
    if (lanes <= 32)
        return v;
    __syncthreads();
    if (threadIdx.x % 32 == 0)
        partial[threadIdx.x / 32] = v;
    __syncthreads();
    int first = threadIdx.x / lanes * (lanes / 32);
    v = 0.0f;
    for (int i = 0; i < lanes / 32; i++)
        v += partial[first + i];
    return v;
}

/* Pairs (a, b) turned by angles whose cosine and sine are pairs of t. */
__device__ __forceinline__ void rotate(float v[8], const float t[8])
{
#pragma unroll
    for (int i = 0; i < 8; i += 2) {
        float a = v[i], b = v[i + 1];
        v[i] = a * t[i] - b * t[i + 1];
        v[i + 1] = a * t[i + 1] + b * t[i];
    }
}

template <class Y, class X, int K>
__global__ void __launch_bounds__(THREADS, sizeof(X) == 2 ? 3 : 2)
    norm_rows(Y *y, const X *x, int64_t rows, int width, int64_t y_stride, int64_t x_stride,
              int lanes, norm_spec p)
{
    __shared__ float partial[WARPS];
    int lane = threadIdx.x % lanes;
    int block = gridDim.x - 1 - blockIdx.x; /* backwards: the last rows are still in the cache */
    int part = block % p.parts * width;
    int64_t row = block / p.parts * (int64_t)(THREADS / lanes) + threadIdx.x / lanes;
    bool live = row < rows; /* all threads take part in the sums */
    eight<X> in[K];         /* x, and zeros beyond the width */
    float v[8];

    kernel_begin();
#pragma unroll
    for (int k = 0; k < K; k++) {
        int column = (k * lanes + lane) * 8;
        in[k] = {};
        if (live && column < width)
            load8(in[k], x + row * x_stride + part + column);
    }

    /* mean(x) */
    float mean = 0.0f;
    if (p.centre) {
        float sum = 0.0f;
#pragma unroll
        for (int k = 0; k < K; k++) {
            unpack8(v, in[k]);
            keep_packed(in[k]);
#pragma unroll
            for (int i = 0; i < 8; i++)
                sum += v[i];
        }
        mean = row_sum(sum, lanes, partial) / (float)width;
    }

    /* 1 / sqrt(mean((x - mean)^2) + eps); rows of zeros stay zeros where eps is 0 */
    float squares = 0.0f;
#pragma unroll
    for (int k = 0; k < K; k++) {
        unpack8(v, in[k]);
        keep_packed(in[k]);
        float inside = (k * lanes + lane) * 8 < width ? 1.0f : 0.0f;
#pragma unroll
        for (int i = 0; i < 8; i++)
            squares += inside * (v[i] - mean) * (v[i] - mean);
    }
    float rms = sqrtf(row_sum(squares, lanes, partial) / (float)width + p.eps);
    float factor = 1.0f / fmaxf(rms, p.least);
    if (!live && !CODES<Y>)
        return;

    /* All chunks of a thread are of the same columns of a head where heads divide their distance. */
    const float *rope = p.rope ? p.rope + row % p.positions * p.head : nullptr;
    bool same = p.rope && lanes * 8 % p.head == 0;
    float turn[8];
    row_size size;
    if (same)
        load8(turn, rope + lane * 8 % p.head);
#pragma unroll
    for (int k = 0; k < K; k++) {
        int column = (k * lanes + lane) * 8;
        if (column >= width)
            break;
        unpack8(v, in[k]);
#pragma unroll
        for (int i = 0; i < 8; i++)
            v[i] = (v[i] - mean) * factor;
        if (p.gamma) {
            float g[8];
            load8(g, p.gamma + part + column);
#pragma unroll
            for (int i = 0; i < 8; i++)
                v[i] *= p.modulation ? 1.0f + g[i] : g[i];
        }
        if (p.beta) {
            float b[8];
            load8(b, p.beta + column);
#pragma unroll
            for (int i = 0; i < 8; i++)
                v[i] += b[i];
        }
        if (rope) {
            if (!same)
                load8(turn, rope + column % p.head);
            rotate(v, turn);
        }
        if (p.silu)
#pragma unroll
            for (int i = 0; i < 8; i++)
                v[i] = silu_of(v[i]);
        if constexpr (CODES<Y>) {
            round8(v, p.between);
            if (p.rotated) { /* a warp has 256 neighbours */
                hadamard256(v);
                round8(v, p.between);
            }
            size.see(v);
            store8((float *)&in[k], v);
        } else
            store8(y + row * y_stride + part + column, v);
    }

    if constexpr (CODES<Y>) {
        __shared__ float seen[2][WARPS];
        row_codes codes = std::is_same_v<Y, int8_t> ? ROWS_INT8 : ROWS_FP8;
        float s = size.scale(codes, lanes, seen);
        if (live && lane == 0)
            p.row_scale[row] = s;
#pragma unroll
        for (int k = 0; k < K; k++) {
            int column = (k * lanes + lane) * 8;
            if (!live || column >= width)
                break;
            unpack8(v, in[k]);
            divide8(v, s);
            store_coded(y + row * y_stride + column, v, s, codes);
        }
    }
}

/* dispatch() of results, which may be codes. */
template <class F> static void dispatch_result(tensor_type type, F f)
{
    if (type == I8)
        f((int8_t *)nullptr);
    else if (type == F8_E4M3)
        f((e4m3_t *)nullptr);
    else
        dispatch(type, f);
}

static void run(const char *op, tensor y, tensor x, const norm_spec *p)
{
    enum { SMALL = 3, LARGE = 6 };
    int64_t width = tensor_width(x) / p->parts, n = tensor_rows(x), most = width / 8;
    check_pair(same_matrix(x, y) && chunks(x) && chunks(y), op, y, x);
    if (n == 0)
        return;
    /* Six chunks of F32 a thread are too many registers for enough threads: a row takes more of them,
     * though their sums then pass through shared memory. */
    int64_t small = x.type == F32 ? THREADS * SMALL : 32 * SMALL;
    int each = most <= small ? SMALL : LARGE, lanes = p->rotated ? 32 : 4;
    while (lanes * each < most)
        lanes *= 2;
    if (lanes > THREADS)
        die("%s: rows of %lld are wider than %d", op, (long long)width, THREADS * LARGE * 8);
    int64_t blocks = ceil_div(n, THREADS / lanes) * p->parts;
    dispatch_result(y.type, [&](auto *yt) {
        dispatch(x.type, [&](auto *xt) {
            using Y = ELEMENT(yt);
            using X = ELEMENT(xt);
            if constexpr (std::is_same_v<X, float> ||
                          (!CODES<Y> && (std::is_same_v<X, Y> || std::is_same_v<Y, float>))) {
                auto kernel = each == SMALL ? norm_rows<Y, X, SMALL> : norm_rows<Y, X, LARGE>;
                norm_spec q = *p;
                q.least = 1e-12f / sqrtf((float)width); /* as the reference's normalize() */
                start("start a norm", kernel, (unsigned)blocks, THREADS, 0, 1, (Y *)y.data,
                      (const X *)x.data, n, (int)width, y.stride, x.stride, lanes, q);
            } else
                check_pair(false, op, y, x);
        });
    });
}

/* The pointer of an F32 vector as wide as x. */
static const float *vector(const char *op, tensor v, tensor x)
{
    check_pair(v.type == F32 && tensor_count(v) == tensor_width(x) && tensor_contiguous(v) &&
                   (uintptr_t)v.data % 16 == 0,
               op, v, x);
    return (const float *)v.data;
}

void rms_norm(tensor y, tensor x, tensor gamma, float eps)
{
    norm_spec p = {};
    p.gamma = vector("rms_norm", gamma, x);
    p.eps = eps;
    run("rms_norm", y, x, &p);
}

void rms_norm_rope(tensor y, tensor x, tensor gamma, float eps, tensor rope)
{
    check_pair(gamma.rank == 2 && gamma.dim[1] % 8 == 0, "rms_norm_rope", gamma, x);
    check_pair(rope.type == F32 && rope.rank == 3 && rope.dim[2] == 2 && rope.dim[1] % 4 == 0 &&
                   gamma.dim[1] % (2 * rope.dim[1]) == 0 && tensor_contiguous(rope),
               "rms_norm_rope", x, rope);
    norm_spec p = {};
    p.gamma = vector("rms_norm_rope", gamma, x);
    p.parts = (int)gamma.dim[0];
    p.eps = eps;
    p.rope = (const float *)rope.data;
    p.positions = (int)rope.dim[0];
    p.head = (int)rope.dim[1] * 2;
    run("rms_norm_rope", y, x, &p);
}

void rms_norm_silu(tensor y, tensor x, tensor gamma, float eps)
{
    norm_spec p = {};
    p.gamma = vector("rms_norm_silu", gamma, x);
    p.eps = eps;
    p.silu = true;
    run("rms_norm_silu", y, x, &p);
}

static norm_spec layer_spec(const char *op, tensor x, tensor gamma, tensor beta, float eps)
{
    norm_spec p = {};
    p.gamma = gamma.data ? vector(op, gamma, x) : nullptr;
    p.beta = beta.data ? vector(op, beta, x) : nullptr;
    p.eps = eps;
    p.centre = true;
    return p;
}

void layer_norm(tensor y, tensor x, tensor gamma, tensor beta, float eps)
{
    norm_spec p = layer_spec("layer_norm", x, gamma, beta, eps);
    run("layer_norm", y, x, &p);
}

void modulated_norm(tensor y, tensor x, tensor scale, tensor shift, float eps)
{
    norm_spec p = layer_spec("modulated_norm", x, scale, shift, eps);
    p.modulation = true;
    run("modulated_norm", y, x, &p);
}

static void run_codes(const char *op, tensor codes, tensor row_scale, tensor_type A, tensor x,
                      norm_spec p, bool rotated)
{
    check_coded(op, codes, row_scale, x);
    check_one(!rotated || tensor_width(x) % 256 == 0, op, x, "a multiple of 256 wide");
    if (rotated && tensor_width(x) == 256) { /* of so few a warp takes two rows: other sums */
        size_t mark = scratch_mark();
        tensor y = scratch(A, tensor_rows(x), tensor_width(x));
        run(op, y, x, &p);
        quantize_rows(codes, row_scale, y, true);
        scratch_reset(mark);
        return;
    }
    p.rotated = rotated;
    p.row_scale = (float *)row_scale.data;
    p.between = A;
    run(op, codes, x, &p);
}

void layer_norm_codes(tensor codes, tensor row_scale, tensor_type A, tensor x, tensor gamma,
                      tensor beta, float eps, bool rotated)
{
    const char *op = "layer_norm_codes";
    run_codes(op, codes, row_scale, A, x, layer_spec(op, x, gamma, beta, eps), rotated);
}

void modulated_norm_codes(tensor codes, tensor row_scale, tensor_type A, tensor x, tensor scale,
                          tensor shift, float eps, bool rotated)
{
    const char *op = "modulated_norm_codes";
    norm_spec p = layer_spec(op, x, scale, shift, eps);
    p.modulation = true;
    run_codes(op, codes, row_scale, A, x, p, rotated);
}
