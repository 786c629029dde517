/*
** linear.c: y = x w^T, times the rows' scales, plus b; and its gelu.
**
** Weights stay as they are stored. A tile of y is made by one thread: block by block along the
** inner dimension, rows of w become packed F32 in the thread's memory, and product.c adds their
** product to the tile; scale, bias and gelu follow while the tile is in the cache. Codes are exact
** as F32, so their scales meet only the sum.
*/
#include <omp.h>

#include "product.h"

/* The most rows and columns of a tile: a packed block is 512 kB, and stays in the second level of
** the cache. */
enum { MOST_ROWS = 504, MOST_COLUMNS = 512 };

VECTORISED static void finish_row(float *y, const float *scale, const float *b, int64_t n)
{
    if (scale)
#pragma omp simd
        for (int64_t i = 0; i < n; i++)
            y[i] *= scale[i];
    if (b)
#pragma omp simd
        for (int64_t i = 0; i < n; i++)
            y[i] += b[i];
}

VECTORISED static void gelu_row(float *y, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] = gelu_f32(y[i]);
}

/* Rows [r, r + m), columns [o, o + n) of y. buffer: a packed block and gathered rows. */
static void tile(tensor y, tensor x, const linear_weight *l, bool gelu, int64_t r, int64_t m,
                 int64_t o, int64_t n, float *buffer)
{
    stored s = linear_stored(l);
    matrix_f32 a = {x.data, x.stride};
    float *packed = buffer + GATHER_FLOATS;
    for (int64_t k = 0, in = tensor_width(x); k < in; k += PRODUCT_DEPTH) {
        int64_t depth = min_i64(PRODUCT_DEPTH, in - k);
        pack_stored(packed, &s, o, n, k, depth);
        product_block(f32_row(y, r) + o, y.stride, m, n, k, depth, 1.0f, k > 0, gather_matrix, &a,
                      r, packed, buffer);
    }
    const float *scale = l->scale.data ? (const float *)l->scale.data + o : NULL;
    const float *b = l->b.data ? (const float *)l->b.data + o : NULL;
    for (int64_t i = r; i < r + m; i++) {
        finish_row(f32_row(y, i) + o, scale, b, n);
        if (gelu)
            gelu_row(f32_row(y, i) + o, n);
    }
}

static void check(const char *op, tensor y, tensor x, const linear_weight *l)
{
    check_one(y.type == F32, op, y, "F32");
    check_one(x.type == F32, op, x, "F32");
    check_product(op, y, x, l);
}

static void product(const char *op, tensor y, tensor x, const linear_weight *l, bool gelu)
{
    check(op, y, x, l);
    int64_t N = tensor_rows(y), out = tensor_width(y), high = MOST_ROWS, wide = MOST_COLUMNS;
    product_tiles(&high, &wide, N, out, 1);
    int64_t down = pieces(N, high), across = pieces(out, wide);
    int64_t floats = GATHER_FLOATS + PACKED_FLOATS(wide);
    size_t mark = scratch_mark();
    float *buffers = thread_buffers(floats);
#pragma omp parallel for schedule(dynamic) if (N * out * tensor_width(x) >= PARALLEL_FROM_PRODUCTS)
    for (int64_t i = 0; i < down * across; i++) {
        int64_t r = i % down * high, o = i / down * wide;
        tile(y, x, l, gelu, r, min_i64(high, N - r), o, min_i64(wide, out - o),
             buffers + omp_get_thread_num() * thread_stride(floats));
    }
    scratch_reset(mark);
}

/* The rows that are stored in one way make so many columns of y. */
static void each_part(const char *op, tensor y, tensor x, const linear_weight *l, bool gelu)
{
    int64_t at = 0;
    if (!l->below) {
        product(op, y, x, l, gelu);
        return;
    }
    for (; l; at += l->w.dim[0], l = l->below)
        product(op, columns(y, at, l->w.dim[0]), x, l, gelu);
    check_one(at == tensor_width(y), op, y, "as wide as w has rows");
}

void linear(tensor y, tensor x, const linear_weight *l) { each_part("linear", y, x, l, false); }

void linear_gelu(tensor y, tensor x, const linear_weight *l)
{
    each_part("linear_gelu", y, x, l, true);
}

void linear_add(tensor y, tensor x, const linear_weight *l, tensor gate)
{
    size_t mark = scratch_mark();
    tensor part = scratch(F32, tensor_rows(y), tensor_width(y));
    linear(part, x, l);
    if (gate.data)
        add_gated(y, part, gate);
    else
        add(y, part);
    scratch_reset(mark);
}

/* ---- parameters ---- */

/* n host tensors one below the other on the device; absent if the first is. */
static tensor join(int n, const tensor t[], tensor_type type)
{
    int64_t high = 0, at = 0;
    if (n == 1 || !t[0].data)
        return t[0].data ? upload(t[0], type) : t[0];
    for (int i = 0; i < n; i++)
        high += tensor_rows(t[i]);
    tensor y = scratch(type, high, tensor_width(t[0]));
    for (int i = 0; i < n; at += tensor_rows(t[i++]))
        copy(rows(y, at, tensor_rows(t[i])), t[i]);
    return y;
}

/* As join, of vectors: F32. */
static tensor join_vectors(int n, const tensor v[])
{
    enum { MOST = 8 };
    tensor column[MOST];
    for (int i = 0; i < n; i++)
        column[i] = v[i].data ? reshape(v[i], tensor_count(v[i]), 1) : v[i];
    tensor y = join(n, column, F32);
    return y.data ? reshape(y, tensor_count(y)) : y;
}

linear_weight linear_upload(int n, const stored w[], const tensor b[], tensor_type type)
{
    weight_parts p;
    parts_of(&p, "linear_upload", n, w, b);
    return (linear_weight){.w = join(n, p.w, is_codes(w[0].w.type) ? w[0].w.type : type),
                           .scale = join_vectors(n, p.scale),
                           .step = join(n, p.step, w[0].step.type),
                           .zero = join(n, p.zero, U4),
                           .b = join_vectors(n, p.b)};
}
