/*
** check.h: how an op refuses operands that do not fit: it names itself and both tensors.
**
**     linear: x is F32 [3, 4], but w is F16 [8, 5]
**
** A mismatch is the fault of a checkpoint or a stream often enough that it is die(), not assert.
*/
#ifndef CHECK_H
#define CHECK_H

#include <assert.h>
#include <string.h>

#include "../common/die.h"
#include "kernels.h"

/* a and b by the names that the op's prototype gives them. */
#define check_pair(ok, op, a, b)                                                                   \
    do {                                                                                           \
        if (!(ok))                                                                                 \
            die("%s: %s is %s, but %s is %s", op, #a, tensor_text(a), #b, tensor_text(b));         \
    } while (0)

/* One tensor against what the op wants of it. */
#define check_one(ok, op, a, wanted)                                                               \
    do {                                                                                           \
        if (!(ok))                                                                                 \
            die("%s: %s is %s, but must be %s", op, #a, tensor_text(a), wanted);                   \
    } while (0)

/* The same as matrices: rows and width. [T, Y, X, C] agrees with [T*Y*X, C]. */
static inline bool same_matrix(tensor a, tensor b)
{
    return tensor_rows(a) == tensor_rows(b) && tensor_width(a) == tensor_width(b);
}

/* 8-bit codes of x and a scale for each row. */
static inline void check_coded(const char *op, tensor codes, tensor scale, tensor x)
{
    check_pair((codes.type == I8 || codes.type == F8_E4M3) && same_matrix(codes, x), op, codes, x);
    check_pair(scale.type == F32 && tensor_count(scale) == tensor_rows(x) &&
                   tensor_contiguous(scale),
               op, scale, x);
}

/* Are w's codes of that type, and is what turns them into values a factor of rows, or one of each 128
 * x 128? */
static inline bool codes_meet(const linear_weight *l, tensor_type codes)
{
    return l->w.type == codes && (codes == I8 || codes == F8_E4M3) &&
           (!l->step.data || l->step.type == F32);
}

static inline void check_codes_product(const char *op, tensor y, tensor codes, tensor scale,
                                       const linear_weight *l, tensor gate)
{
    tensor w = l->w, b = l->b;
    check_coded(op, codes, scale, codes);
    check_pair(codes_meet(l, codes.type), op, codes, w);
    check_pair(tensor_width(codes) == w.dim[1], op, codes, w);
    check_pair(tensor_width(y) == w.dim[0], op, y, w);
    check_pair(tensor_rows(y) == tensor_rows(codes), op, y, codes);
    check_pair(!l->scale.data || (l->scale.type == F32 && tensor_count(l->scale) == w.dim[0]), op,
               l->scale, w);
    check_pair(!b.data || (b.type == F32 && tensor_count(b) == w.dim[0]), op, b, w);
    check_pair(!gate.data || (gate.type == F32 && tensor_count(gate) == w.dim[0]), op, gate, w);
}

/* Sums over the rows of x: a vector of its channels, and a square of them. */
static inline bool fits_channels(tensor v, tensor_type type, tensor x)
{
    return v.type == type && tensor_count(v) == tensor_width(x) && tensor_contiguous(v);
}

static inline void check_moments(const char *op, tensor absmax, tensor sum, tensor squares,
                                 tensor x)
{
    check_pair(fits_channels(absmax, F32, x), op, absmax, x);
    check_pair(fits_channels(sum, F64, x), op, sum, x);
    check_pair(fits_channels(squares, F64, x), op, squares, x);
}

static inline void check_gram(const char *op, tensor gram, tensor x)
{
    int64_t n = tensor_width(x);
    check_pair(gram.type == F64 && gram.rank == 2 && gram.dim[0] == n && gram.dim[1] == n &&
                   tensor_contiguous(gram),
               op, gram, x);
}

/* A vector that goes with the rows of w: it is there for all joined weights, or for none. */
static inline void check_beside(const char *op, const char *what, int i, tensor v, tensor first,
                                tensor w)
{
    if (!v.data != !first.data || (v.data && tensor_count(v) != w.dim[0]))
        die("%s: %s %d is %s, but w is %s", op, what, i, v.data ? tensor_text(v) : "absent",
            tensor_text(w));
}

/* Can the rows of n weights be joined? */
static inline void check_joined(const char *op, int n, const stored w[], const tensor b[])
{
    bool codes = is_codes(w[0].w.type);
    check_one(w[0].w.rank == 2, op, w[0].w, "a matrix");
    for (int i = 0; i < n; i++) {
        check_pair(w[i].w.rank == 2 && w[i].w.dim[1] == w[0].w.dim[1] &&
                       (codes ? w[i].w.type == w[0].w.type : !is_codes(w[i].w.type)),
                   op, w[i].w, w[0].w);
        check_beside(op, "scale", i, w[i].scale, w[0].scale, w[i].w);
        if (b)
            check_beside(op, "b", i, b[i], b[0], w[i].w);
        if (codes && !is_stored_weight(w + i))
            die("%s: w is %s, and has %s", op, tensor_text(w[i].w),
                w[i].step.data    ? tensor_text(w[i].step)
                : w[i].scale.data ? "scales"
                                  : "no scales");
        check_pair(!codes || (format_of(w + i) == format_of(w) &&
                              (!w->step.data || w[i].step.dim[1] == w->step.dim[1])),
                   op, w[i].step, w[0].step);
        if (i + 1 < n && codes && w->step.data)
            check_one(w[i].w.dim[0] % step_high(w) == 0, op, w[i].w, "whole squares of steps");
    }
}

/* What is joined of n weights, each kind beside its like; what a weight lacks is absent. */
enum { MOST_PARTS = 8 };
typedef struct {
    tensor w[MOST_PARTS], scale[MOST_PARTS], step[MOST_PARTS], zero[MOST_PARTS], b[MOST_PARTS];
} weight_parts;

static inline void parts_of(weight_parts *p, const char *op, int n, const stored w[],
                            const tensor b[])
{
    assert(n <= MOST_PARTS);
    memset(p, 0, sizeof *p);
    check_joined(op, n, w, b);
    for (int i = 0; i < n; i++) {
        p->w[i] = w[i].w;
        p->scale[i] = w[i].scale;
        p->step[i] = w[i].step;
        p->zero[i] = w[i].zero;
        if (b)
            p->b[i] = b[i];
    }
}

/* y [N, out] of x [N, in] and l [out, in], its scale and its bias. */
static inline void check_product(const char *op, tensor y, tensor x, const linear_weight *l)
{
    stored s = linear_stored(l);
    tensor w = l->w, scale = l->scale, b = l->b;
    check_one(is_stored_weight(&s) && w.dim[1] > 0, op, w, "a matrix in a format of weights");
    check_pair(tensor_width(x) == w.dim[1], op, x, w);
    check_pair(tensor_width(y) == w.dim[0], op, y, w);
    check_pair(tensor_rows(y) == tensor_rows(x), op, y, x);
    check_pair(!scale.data || (scale.type == F32 && tensor_count(scale) == w.dim[0]), op, scale, w);
    check_pair(!b.data || (b.type == F32 && tensor_count(b) == w.dim[0]), op, b, w);
}

/* y, q [B Lq, H d], k and v [B Lk, H d], and what the options of 8 bits leave out. */
static inline void check_attention(tensor y, tensor q, tensor k, tensor v,
                                   const attention_spec *spec)
{
    const char *op = "attention", *rows = "[batch * length, heads * d]";
    tensor bias = spec->bias;
    check_one(tensor_width(q) % spec->heads == 0 && tensor_rows(q) % spec->batch == 0, op, q, rows);
    check_pair(same_matrix(y, q) && y.type == q.type, op, y, q);
    check_pair(tensor_width(k) == tensor_width(q) && k.type == q.type, op, k, q);
    check_pair(same_matrix(v, k) && v.type == k.type, op, v, k);
    check_one(tensor_rows(k) % spec->batch == 0, op, k, rows);
    check_pair(!bias.data || (bias.type == F32 && bias.rank == 2 && bias.dim[0] == spec->heads &&
                              bias.dim[1] == (tensor_rows(q) + tensor_rows(k)) / spec->batch - 1 &&
                              tensor_contiguous(bias)),
               op, bias, q);
    assert(spec->in == ATTENTION_16 ||
           (!bias.data && !spec->causal && !(spec->last_key_count > 1)));
}

/* y [T, Y', X', out] of x [T, Y, X, C], `before` frames of the past like it, and w [out, kt, ky, kx,
 * C or more]: pictures are up times as high and wide, or a down-th. */
static inline void check_convolution(const char *op, tensor y, tensor x, int before,
                                     const tensor past[], tensor w, int up, int down)
{
    check_one(x.rank == 4 && tensor_contiguous(x), op, x, "[T, Y, X, C]");
    check_pair(y.rank == 4 && tensor_contiguous(y) && y.dim[0] == x.dim[0] &&
                   y.dim[1] * down == up * x.dim[1] && y.dim[2] * down == up * x.dim[2],
               op, y, x);
    check_pair(w.dim[0] == y.dim[3], op, w, y);
    check_one(before < w.dim[1], op, w, "of more frames than go before x");
    for (int i = 0; i < before; i++)
        check_pair(past[i].type == x.type && tensor_contiguous(past[i]) &&
                       tensor_width(past[i]) == x.dim[3] &&
                       tensor_rows(past[i]) == x.dim[1] * x.dim[2],
                   op, past[i], x);
}

static inline void check_kernel(const char *op, tensor w, tensor b)
{
    check_one(w.rank == 4 || w.rank == 5, op, w, "[C_out, C_in, (kt,) ky, kx]");
    check_one(w.dim[w.rank - 2] % 2 && w.dim[w.rank - 1] % 2, op, w, "of odd height and width");
    check_pair(!b.data || tensor_count(b) == w.dim[0], op, b, w);
}

#endif
