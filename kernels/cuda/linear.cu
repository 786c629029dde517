/*
** linear.cu: y = x w^T, by linear_hopper.cu or linear_small.cu where they fit, else by cuBLASLt.
**
** Row-major y [N, out] is to cuBLASLt a column-major [out, N]: its product is w^T's transpose times
** x^T, a row's bias is a column's, and rows of any stride are a leading dimension. An algorithm is
** asked for once a shape and kept; sums are F32 (TF32 is off, and so are sums of parts in 16 bits).
** Bias and gelu happen in the product's epilogue. It takes a bias of y's type alone, so a 16-bit
** copy lies behind the F32 bias of a 16-bit weight: where it is used (before Hopper, and there for
** long sums) the bias is rounded as y is.
**
** Codes are expanded to the operand's type, one layer at a time (widen.cu): bytes are exact in it,
** values of blocks and groups are rounded to it. Scales of rows, and the bias, meet the F32 sum. The
** library has no such epilogue: before Hopper F32 sums are finished by a pass of their own, a block
** of rows at a time, if the rows are few; many rows do not bear that (1.7 times a product of F16
** weights), and values with their scales are rounded to 16 bits, as all weights of that type are.
** Floor: 2 N in out over the rate of the tensor cores. Measured: PERFORMANCE.md.
*/
#include <array>
#include <cublasLt.h>
#include <map>

#include "linear.cuh"

/* ---- cuBLASLt ---- */

enum : size_t { WORKSPACE = 32 << 20 };

typedef struct {
    cublasLtMatmulDesc_t product;
    cublasLtMatrixLayout_t w, x, y;
    cublasLtMatmulAlgo_t algorithm;
} plan;

static void blas(cublasStatus_t s, const char *what)
{
    if (s == CUBLAS_STATUS_ALLOC_FAILED)
        out_of_memory("cuBLASLt", 0);
    if (s != CUBLAS_STATUS_SUCCESS)
        die("cannot %s on the gpu: %s", what, cublasLtGetStatusString(s));
}

static cudaDataType data_type(tensor_type t)
{
    return t == F16 ? CUDA_R_16F : t == BF16 ? CUDA_R_16BF : CUDA_R_32F;
}

static cublasLtHandle_t library(void)
{
    static cublasLtHandle_t handle;
    if (!handle)
        blas(cublasLtCreate(&handle), "start cuBLASLt");
    return handle;
}

template <class T>
static void describe(cublasLtMatmulDesc_t d, cublasLtMatmulDescAttributes_t a, T v)
{
    blas(cublasLtMatmulDescSetAttribute(d, a, &v, sizeof v), "describe a product");
}

template <class T>
static void prefer(cublasLtMatmulPreference_t p, cublasLtMatmulPreferenceAttributes_t a, T v)
{
    blas(cublasLtMatmulPreferenceSetAttribute(p, a, &v, sizeof v), "describe a product");
}

static bool aligned(tensor t)
{
    size_t size = type_size(t.type);
    return (uintptr_t)t.data % 16 == 0 && t.stride * size % 16 == 0;
}

static plan make_plan(tensor y, tensor x, tensor w, cublasLtEpilogue_t epilogue)
{
    plan p;
    int64_t out = w.dim[0], in = w.dim[1], n = tensor_rows(x);
    blas(cublasLtMatmulDescCreate(&p.product, CUBLAS_COMPUTE_32F, CUDA_R_32F),
         "describe a product");
    describe(p.product, CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
    describe(p.product, CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue);
    describe(p.product, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, data_type(y.type));
    blas(cublasLtMatrixLayoutCreate(&p.w, data_type(w.type), in, out, w.stride), "describe w");
    blas(cublasLtMatrixLayoutCreate(&p.x, data_type(x.type), in, n, x.stride), "describe x");
    blas(cublasLtMatrixLayoutCreate(&p.y, data_type(y.type), out, n, y.stride), "describe y");

    cublasLtMatmulPreference_t wish;
    blas(cublasLtMatmulPreferenceCreate(&wish), "describe a product");
    prefer(wish, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, (uint64_t)WORKSPACE);
    prefer(wish, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
           (uint32_t)CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE);
    uint32_t w_bytes = aligned(w) ? 16 : (uint32_t)type_size(w.type);
    uint32_t x_bytes = aligned(x) ? 16 : (uint32_t)type_size(x.type);
    uint32_t y_bytes = aligned(y) ? 16 : (uint32_t)type_size(y.type);
    prefer(wish, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, w_bytes);
    prefer(wish, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, x_bytes);
    prefer(wish, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, y_bytes);
    prefer(wish, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, y_bytes);

    int found = 0;
    cublasLtMatmulHeuristicResult_t best;
    cublasStatus_t s = cublasLtMatmulAlgoGetHeuristic(library(), p.product, p.w, p.x, p.y, p.y,
                                                      wish, 1, &best, &found);
    if (s != CUBLAS_STATUS_SUCCESS || !found)
        die("cuBLASLt has no product for x %s, w %s, y %s: %s", tensor_text(x), tensor_text(w),
            tensor_text(y), cublasLtGetStatusString(s));
    cublasLtMatmulPreferenceDestroy(wish);
    p.algorithm = best.algo;
    return p;
}

static const plan &plan_for(tensor y, tensor x, tensor w, cublasLtEpilogue_t epilogue)
{
    static std::map<std::array<int64_t, 12>, plan> plans;
    std::array<int64_t, 12> key = {y.type,         x.type,     w.dim[0],   w.dim[1],
                                   tensor_rows(x), y.stride,   x.stride,   w.stride,
                                   epilogue,       aligned(y), aligned(x), aligned(w)};
    auto at = plans.find(key);
    if (at == plans.end())
        at = plans.emplace(key, make_plan(y, x, w, epilogue)).first;
    return at->second;
}

/* y = by x w^T, + b (of y's type, or NULL), gelu of that; with `add` y += that; x and w of one type. */
static void multiply(tensor y, tensor x, tensor w, const void *b, bool gelu, float by = 1,
                     bool add = false)
{
    static void *workspace;
    if (!workspace)
        workspace = device_keep(WORKSPACE, "the room for products");
    cublasLtEpilogue_t epilogue = b ? gelu ? CUBLASLT_EPILOGUE_GELU_BIAS : CUBLASLT_EPILOGUE_BIAS
                                  : gelu ? CUBLASLT_EPILOGUE_GELU
                                         : CUBLASLT_EPILOGUE_DEFAULT;
    const plan &p = plan_for(y, x, w, epilogue);
    if (b)
        describe(p.product, CUBLASLT_MATMUL_DESC_BIAS_POINTER, b);
    float old = add;
    blas(cublasLtMatmul(library(), p.product, &by, w.data, p.w, x.data, p.x, &old, y.data, p.y,
                        y.data, p.y, &p.algorithm, workspace, WORKSPACE, stream),
         "multiply");
}

/* ---- codes ---- */

enum { THREADS = 256 };

/* y = sum * scale + b, and its gelu; scale or b may be NULL */
template <class Y>
__global__ void finish_rows(Y *y, const float *sum, const float *scale, const float *b, bool gelu,
                            uint32_t row_chunks, uint32_t n, int64_t y_stride, int64_t sum_stride)
{
    uint32_t i = blockIdx.x * (uint32_t)THREADS + threadIdx.x;
    if (i >= n)
        return;
    int64_t row = i / row_chunks, column = i % row_chunks * 8;
    float v[8], s[8] = {1, 1, 1, 1, 1, 1, 1, 1}, t[8] = {};
    load8(v, sum + row * sum_stride + column);
    if (scale)
        load8(s, scale + column);
    if (b)
        load8(t, b + column);
#pragma unroll
    for (int k = 0; k < 8; k++) {
        v[k] = v[k] * s[k] + t[k];
        v[k] = gelu ? gelu_tanh(v[k]) : v[k];
    }
    store8(y + row * y_stride + column, v);
}

static void finish(tensor y, tensor sum, const linear_weight *l, bool gelu)
{
    int64_t n = tensor_count(y) / 8;
    check_pair(chunks(y) && chunks(sum) && n <= INT32_MAX, "linear", y, sum);
    dispatch(y.type, [&](auto *t) {
        using T = ELEMENT(t);
        finish_rows<<<(unsigned)ceil_div(n, THREADS), THREADS, 0, stream>>>(
            (T *)y.data, (const float *)sum.data, (const float *)l->scale.data,
            (const float *)l->b.data, gelu, (uint32_t)(tensor_width(y) / 8), (uint32_t)n, y.stride,
            sum.stride);
    });
    LAUNCHED("a scale and bias");
}

/* A block of sums of at most this many bytes, so that it is still in the second level cache when it
** meets its scale. */
enum : int64_t { SUM_BYTES = 24 << 20 };

/* From so many rows on, before Hopper. */
enum { MANY_ROWS = 1024 };

static void multiply_codes(tensor y, tensor x, const linear_weight *l, bool gelu)
{
    int64_t n = tensor_rows(x), out = l->w.dim[0], block = SUM_BYTES / (out * 4) / 128 * 128;
    tensor w = scratch(x.type, out, l->w.dim[1]);
    stored s = linear_stored(l);
    if (n >= MANY_ROWS && x.type != F32 && y.type == x.type && !linear_hopper_fits(y, x, w) &&
        device_widens_scaled(l, {})) {
        tensor narrow = scratch(x.type, out);
        device_widen_scaled(w, narrow, l, {});
        multiply(y, x, w, l->b.data ? narrow.data : nullptr, gelu);
        return;
    }
    device_widen(w, &s);
    if (!l->scale.data && linear_small_fits(y, x, w)) {
        linear_small(y, x, w, (const float *)l->b.data, gelu);
        return;
    }
    if (linear_hopper_fits(y, x, w)) {
        linear_hopper(y, x, w,
                      {(const float *)l->scale.data, (const float *)l->b.data, NULL, gelu});
        return;
    }
    if (y.type == F32) {
        multiply(y, x, w, nullptr, false);
        finish(y, y, l, gelu);
        return;
    }
    block = block < 128 ? 128 : block > n ? n : block;
    tensor sum = scratch(F32, block, out);
    for (int64_t at = 0; at < n; at += block) {
        int64_t part = n - at < block ? n - at : block;
        multiply(rows(sum, 0, part), rows(x, at, part), w, nullptr, false);
        finish(rows(y, at, part), rows(sum, 0, part), l, gelu);
    }
}

/* ---- the ops ---- */

/* The type of operands that w [out, in] is multiplied in. */
static tensor_type check(const char *op, tensor y, tensor x, const linear_weight *l)
{
    tensor w = l->w;
    check_product(op, y, x, l);
    check_one(is_float(x.type), op, x, "floats");
    tensor_type operand = !is_codes(w.type) ? w.type : x.type != F32 ? x.type : y.type;
    check_pair(y.type == F32 || y.type == operand, op, y, w);
    return operand;
}

static void product(const char *op, tensor y, tensor x, const linear_weight *l, bool gelu)
{
    tensor w = l->w;
    tensor_type operand = check(op, y, x, l);
    if (tensor_rows(x) == 0)
        return;

    size_t mark = scratch_mark();
    if (x.type != operand) {
        tensor narrow = scratch(operand, tensor_rows(x), tensor_width(x));
        copy(narrow, x);
        x = narrow;
    }
    if (is_codes(w.type))
        multiply_codes(y, x, l, gelu);
    else if (linear_small_fits(y, x, w))
        linear_small(y, x, w, (const float *)l->b.data, gelu);
    else if (linear_hopper_pays(y, x, w))
        linear_hopper(y, x, w, {NULL, (const float *)l->b.data, NULL, gelu});
    else if (y.type != F32)
        multiply(y, x, w, l->b.data ? narrow_bias(l) : nullptr, gelu);
    else if (!gelu)
        multiply(y, x, w, l->b.data, false);
    else { /* the library's gelu is good to 1e-5, which is not F32 */
        multiply(y, x, w, nullptr, false);
        finish(y, y, l, true);
    }
    scratch_reset(mark);
}

/* The rows that are stored in one way make so many columns of y. */
static void each_part(const char *op, tensor y, tensor x, const linear_weight *l, bool gelu)
{
    int64_t at = 0;
    if (!l->below)
        return product(op, y, x, l, gelu);
    for (; l; at += l->w.dim[0], l = l->below)
        product(op, columns(y, at, l->w.dim[0]), x, l, gelu);
    check_one(at == tensor_width(y), op, y, "as wide as w has rows");
}

void linear(tensor y, tensor x, const linear_weight *l) { each_part("linear", y, x, l, false); }

void linear_gelu(tensor y, tensor x, const linear_weight *l)
{
    each_part("linear_gelu", y, x, l, true);
}

/* Can the library add to y itself? A gate must be in the values that codes become; and long sums are
** so much slower with F32 results that a pass of its own is not. */
static bool adds_directly(tensor x, tensor_type operand, const linear_weight *l, tensor gate)
{
    enum { LONG_SUM = 4096 };
    return x.type == operand && operand != F32 && tensor_rows(x) >= MANY_ROWS &&
           l->w.dim[1] <= LONG_SUM &&
           (is_codes(l->w.type) ? device_widens_scaled(l, gate) : !gate.data);
}

static void add_directly(tensor y, tensor x, const linear_weight *l, tensor gate)
{
    tensor w = l->w, b = l->b;
    if (is_codes(w.type)) {
        w = scratch(x.type, w.dim[0], w.dim[1]);
        b = scratch(F32, w.dim[0]);
        device_widen_scaled(w, b, l, gate);
    }
    multiply(y, x, w, l->b.data ? b.data : nullptr, false, gate.data ? 1 / GATE_POWER : 1, true);
}

/* In one pass where linear_hopper() or the library can, else by way of the product. */
static void add_part(tensor y, tensor x, const linear_weight *l, tensor gate)
{
    const char *op = "linear_add";
    tensor w = l->w;
    tensor_type operand = check(op, y, x, l);
    check_one(y.type == F32, op, y, "F32");
    if (gate.data)
        check_pair(gate.type == F32 && tensor_count(gate) == w.dim[0], op, gate, w);
    if (tensor_rows(x) == 0)
        return;

    size_t mark = scratch_mark();
    tensor wide = is_codes(w.type) ? scratch(operand, w.dim[0], w.dim[1]) : w;
    if (x.type == operand && linear_hopper_fits(y, x, wide)) {
        stored s = linear_stored(l);
        if (is_codes(w.type))
            device_widen(wide, &s);
        linear_hopper(y, x, wide,
                      {(const float *)l->scale.data, (const float *)l->b.data,
                       (const float *)gate.data, false, true});
    } else if (adds_directly(x, operand, l, gate)) {
        scratch_reset(mark);
        add_directly(y, x, l, gate);
    } else {
        scratch_reset(mark);
        tensor part = scratch(operand, tensor_rows(y), tensor_width(y));
        product(op, part, x, l, false);
        gate.data ? add_gated(y, part, gate) : add(y, part);
    }
    scratch_reset(mark);
}

void linear_add(tensor y, tensor x, const linear_weight *l, tensor gate)
{
    int64_t at = 0;
    if (!l->below)
        return add_part(y, x, l, gate);
    for (; l; at += l->w.dim[0], l = l->below)
        add_part(columns(y, at, l->w.dim[0]), x, l,
                 gate.data ? slice(gate, at, l->w.dim[0]) : gate);
    check_one(at == tensor_width(y), "linear_add", y, "as wide as w has rows");
}
