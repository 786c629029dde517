/*
** linear_codes.c: products of 8-bit codes by 8-bit codes: y = (codes w^T) * scale * l->scale + b,
** its gelu, and y += gate * that.
**
** Sums of I8 are exact. Codes are multiplied as F32, 768 at a time: 768 * 127 * 128 < 2^24, so in
** whatever order they are added, each such sum is the whole number that it should be; they are
** added in F64, where whole numbers are exact up to 2^53. With e4m3 the same is done, and a sum of
** 768 is as good as F32 makes it; squares of 128 x 128 meet their scale before it, as values of w.
*/
#include <omp.h>

#include "product.h"

enum { HIGH = 252, WIDE = 256, BLOCK_IN = 768 };

/* Of a thread: rows of x, packed rows of w, their product, and the sums of products, two floats
 * each. */
enum { PACKED = WIDE * PRODUCT_DEPTH, SQUARE = HIGH * WIDE };
enum { BUFFER = GATHER_FLOATS + PACKED + 3 * SQUARE };

typedef struct {
    tensor y, codes, scale;
    const linear_weight *l;
    tensor gate; /* of sums that are added; absent: 1 */
    bool gelu, add;
} job;

VECTORISED static void add_row(double *sum, const float *part, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        sum[i] += (double)part[i];
}

VECTORISED static void finish_row(float *y, const double *sum, float x_scale, const float *scale,
                                  const float *b, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] = (float)sum[i] * x_scale * (scale ? scale[i] : 1.0f) + (b ? b[i] : 0.0f);
}

VECTORISED static void gelu_row(float *y, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] = gelu_f32(y[i]);
}

VECTORISED static void add_gated_row(float *y, const float *v, const float *gate, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] += (gate ? gate[i] : 1.0f) * v[i];
}

static const float *from(tensor vector, int64_t i)
{
    return vector.data ? (const float *)vector.data + i : NULL;
}

static void gather_codes(float *to, const void *codes, int64_t row, int64_t n, int64_t k,
                         int64_t depth)
{
    for (int64_t i = 0; i < n; i++)
        widen_row(to + i * GATHER_STRIDE, codes, row + i, k, depth);
}

/* Rows [r, r + m), columns [o, o + n) of y. */
static void tile(const job *j, int64_t r, int64_t m, int64_t o, int64_t n, float *buffer)
{
    float *packed = buffer + GATHER_FLOATS, *part = packed + PACKED;
    double *sum = (double *)(part + SQUARE);
    stored x = {.w = j->codes}, w = linear_stored(j->l);
    for (int64_t i = 0; i < m * n; i++)
        sum[i] = 0;
    for (int64_t k = 0, in = tensor_width(j->codes); k < in;) {
        int64_t from = k, end = min_i64(in, k + BLOCK_IN);
        for (; k < end; k += PRODUCT_DEPTH) {
            int64_t depth = min_i64(PRODUCT_DEPTH, end - k);
            pack_stored(packed, &w, o, n, k, depth);
            product_block(part, n, m, n, k, depth, 1.0f, k > from, gather_codes, &x, r, packed,
                          buffer);
        }
        k = end;
        for (int64_t i = 0; i < m; i++)
            add_row(sum + i * n, part + i * n, n);
    }
    for (int64_t i = 0; i < m; i++) {
        float *y = f32_row(j->y, r + i) + o, *v = j->add ? part : y;
        finish_row(v, sum + i * n, ((const float *)j->scale.data)[r + i], from(j->l->scale, o),
                   from(j->l->b, o), n);
        if (j->gelu)
            gelu_row(v, n);
        if (j->add)
            add_gated_row(y, v, from(j->gate, o), n);
    }
}

static void product(const char *op, const job *j)
{
    int64_t N = tensor_rows(j->y), out = tensor_width(j->y);
    int64_t down = pieces(N, HIGH), across = pieces(out, WIDE);
    check_one(j->y.type == F32, op, j->y, "F32");
    check_codes_product(op, j->y, j->codes, j->scale, j->l, j->gate);
    size_t mark = scratch_mark();
    float *buffers = thread_buffers(BUFFER);
#pragma omp parallel for schedule(dynamic) if (N * out * tensor_width(j->codes) >=                 \
                                               PARALLEL_FROM_PRODUCTS)
    for (int64_t i = 0; i < down * across; i++) {
        int64_t r = i % down * HIGH, o = i / down * WIDE;
        tile(j, r, min_i64(HIGH, N - r), o, min_i64(WIDE, out - o),
             buffers + omp_get_thread_num() * thread_stride(BUFFER));
    }
    scratch_reset(mark);
}

/* The rows that are stored in one way make so many columns of y. */
static void each_part(const char *op, job j)
{
    tensor y = j.y, gate = j.gate;
    int64_t at = 0;
    for (; j.l; at += j.l->w.dim[0], j.l = j.l->below) {
        bool only = at == 0 && !j.l->below;
        j.y = only ? y : columns(y, at, j.l->w.dim[0]);
        j.gate = only || !gate.data ? gate : slice(gate, at, j.l->w.dim[0]);
        product(op, &j);
    }
    check_one(at == tensor_width(y), op, y, "as wide as w has rows");
}

bool linear_takes_codes(const linear_weight *l, tensor_type codes)
{
    for (; l; l = l->below)
        if (!codes_meet(l, codes))
            return false;
    return true;
}

void linear_codes(tensor y, tensor codes, tensor scale, const linear_weight *l)
{
    each_part("linear_codes", (job){.y = y, .codes = codes, .scale = scale, .l = l});
}

void linear_codes_gelu(tensor y, tensor codes, tensor scale, const linear_weight *l)
{
    each_part("linear_codes_gelu",
              (job){.y = y, .codes = codes, .scale = scale, .l = l, .gelu = true});
}

void linear_codes_add(tensor y, tensor codes, tensor scale, const linear_weight *l, tensor gate)
{
    each_part("linear_codes_add",
              (job){.y = y, .codes = codes, .scale = scale, .l = l, .gate = gate, .add = true});
}
