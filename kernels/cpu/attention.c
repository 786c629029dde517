/*
** attention.c: y = softmax(q k^T * scale + bias) v for each head, without an L x L matrix.
**
** For a tile of queries the keys come in tiles too. Each row keeps its greatest logit m so far, the
** sum l of e^(logit - m) and the sum o of e^(logit - m) v; when a tile brings a greater m, l and o
** are multiplied by e^(old - new) ("online softmax", Milakov and Gimelshein, arXiv:1805.02867).
** Keys and values of a tile are packed; then a few queries at a time have their logits, weights and
** sums, which stay in the first level of the cache. Heads may be of any width. No keys at all give
** zeros.
**
** In 8 bits q, k and v are first rounded (attention_codes.c). Weights in e4m3 are
** 2^8 e^(logit - m), e^m being the power of two next above e^(the greatest logit): 256 at most, and
** rounded as ../attention.h says. So what a weight is rounded to depends on no tile, but for
** weights below 2^-14; l is the sum of the rounded. Integers as weights have a unit that a few keys
** tell, before the walk, and a greater one where that is too small (../attention.h): 2^m; l is the
** sum of weights before they are rounded.
*/
#include <assert.h>
#include <math.h>
#include <omp.h>

#include "../attention.h"
#include "attention.h"
#include "product.h"

/* Keys of a tile, and the most queries that share it once it is packed. */
enum { KEYS = PRODUCT_DEPTH, MOST_QUERIES = 504 };

static const float LOG2E = 1.44269504f, LN2 = 0.693147181f;

/* What a thread works in. */
typedef struct {
    float *gathered;  /* GATHER_FLOATS: a few queries, then their weights */
    float *logit;     /* [GATHER_MOST, KEYS] */
    float *k, *v;     /* packed: blocks of [KEYS, d]^T, [KEYS, d] */
    float *o, *m, *l; /* [queries, d], [queries], [queries] */
} workspace;

VECTORISED static float greatest(const float *x, int64_t n)
{
    float m = -INFINITY;
#pragma omp simd reduction(max : m)
    for (int64_t i = 0; i < n; i++)
        m = x[i] > m ? x[i] : m;
    return m;
}

/* y = e^(x - m) */
VECTORISED static void exp_row(float *y, const float *x, float m, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] = exp_f32(x[i] - m);
}

/* The weight in e4m3 that is nearest to 2^x, logarithms being what is rounded (../attention.h). */
INLINE float e4m3_weight(float x)
{
    float n = rintf(E4M3_STEPS * x + E4M3_ONE);
    n = n > 0 ? n : 0;
    int32_t code = (int32_t)(n < E4M3_MOST ? n : E4M3_MOST);
    float small = (float)code * 0x1p-9f,
          normal = f32_of_bits(((uint32_t)code << 20) + (120u << 23));
    float weight = code < E4M3_STEPS ? small : normal;
    return x == x ? weight : x;
}

/* y = e^(x - m) 2^8 in e4m3 */
VECTORISED static void exp_row_e4m3(float *y, const float *x, float m, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] = e4m3_weight((x[i] - m) * LOG2E + ATTENTION_SHIFT);
}

/* y = round(x) */
VECTORISED static void round_row(float *y, const float *x, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] = rintf(x[i]);
}

VECTORISED static void add_row(float *x, const float *y, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        x[i] += y[i];
}

VECTORISED static void scale_row(float *y, const float *x, float a, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] = a * x[i];
}

/* The greatest sum of the weights of keys with one j / 2 mod 4. */
static float greatest_of_lanes(const float *p, int64_t n)
{
    float sum[4] = {0};
    for (int64_t j = 0; j < n; j++)
        sum[j / 2 % 4] += p[j];
    return greatest(sum, 4);
}

/* The natural logarithm of the power of two next above e^x. */
static float whole_power(float x) { return ceilf(x * LOG2E) * LN2; }

/* By how many powers of two the unit, 2^top, grows where n keys have these weights and logits. */
static float unit_grows(const float *p, const float *x, int64_t n, float top)
{
    if (!(greatest_of_lanes(p, n) > ATTENTION_PV_MOST))
        return 0;
    float over = ceilf(greatest(x, n) * LOG2E - top) - ATTENTION_PV_LONG;
    return over > 1 ? over : 1;
}

/* p = 2^(log2(e) x - top), rounded to integers; their sum before that joins l. Where the unit,
 * 2^top, grows, earlier weights become less: *shrink is for the sums of earlier tiles. */
static void whole_weights(float *p, const float *x, int64_t n, float *top, float *l, float *shrink)
{
    enum { HALF = ATTENTION_INT8_PV_KEYS / 2 };
    *shrink = 1;
    for (int64_t j = 0; j < n; j += HALF) {
        int64_t some = min_i64(HALF, n - j);
        exp_row(p + j, x + j, *top * LN2, some);
        float by = unit_grows(p + j, x + j, some, *top);
        if (by > 0) {
            float fade = exp2f(-by);
            scale_row(p, p, fade, j);
            *l *= fade;
            *shrink *= fade;
            *top += by;
            exp_row(p + j, x + j, *top * LN2, some);
        }
        *l += row_sum(p + j, some);
        round_row(p + j, p + j, some);
    }
}

/* The products of one head: where its columns begin in the rows of its sequence. */
typedef struct {
    const float *q, *k, *v;
    int64_t ldq, ldk, ldv, Lq, Lk, d;
    const float *v_mean; /* [d]: weights are rounded, and this is added; NULL: they are not */
    const float *bias;   /* bias[j - i] is added to logit (i, j); NULL: none */
} head;

/* Logits of queries [i, i + m) and keys [j0, j0 + n). */
static void logits(const workspace *w, const head *h, const attention_spec *spec, int64_t i,
                   int64_t m, int64_t j0, int64_t n)
{
    matrix_f32 q = {h->q, h->ldq};
    for (int64_t c = 0; c < h->d; c += PRODUCT_DEPTH) {
        int64_t depth = min_i64(PRODUCT_DEPTH, h->d - c);
        gather_matrix(w->gathered, &q, i, m, c, depth);
        product_gathered(w->logit, KEYS, m, n, depth, spec->scale, c > 0, w->gathered,
                         w->k + c * KEYS);
    }
    if (h->bias)
        for (int64_t r = 0; r < m; r++)
            add_row(w->logit + r * KEYS, h->bias + j0 - i - r, n);
    if (spec->last_key_count > 1 && j0 + n == h->Lk)
        for (int64_t r = 0; r < m; r++)
            w->logit[r * KEYS + n - 1] += logf(spec->last_key_count);
}

/* The greatest of each of m queries' n logits joins the two greatest such: w->m and, which is the
 * less, w->l. at: the first query in the tile's. */
static void keep_greatest(const workspace *w, int64_t at, int64_t m, int64_t n)
{
    for (int64_t r = 0; r < m; r++) {
        float x = greatest(w->logit + r * KEYS, n), *first = w->m + at + r, *second = w->l + at + r;
        *second = x > *first ? *first : x > *second ? x : *second;
        *first = x > *first ? x : *first;
    }
}

/* The weights of m queries for n keys, to where product_gathered() wants them; their sums so far
 * fade. at: the first query in the tile's; visible: keys that it sees; each query after it sees one
 * more (causal), up to n. */
static void weigh(const workspace *w, const head *h, const attention_spec *spec, int64_t at,
                  int64_t m, int64_t n, int64_t visible)
{
    for (int64_t r = 0; r < m; r++) {
        float *p = w->gathered + r * GATHER_STRIDE, *x = w->logit + r * KEYS;
        float *most = w->m + at + r, *l = w->l + at + r, *o = w->o + (at + r) * h->d;
        int64_t seen = min_i64(n, visible + r);
        if (seen <= 0) {
            memset(p, 0, (size_t)n * sizeof *p);
            continue;
        }
        if (spec->in == ATTENTION_INT8_PV) {
            float shrink;
            whole_weights(p, x, seen, most, l, &shrink);
            if (shrink != 1)
                scale_row(o, o, shrink, h->d);
            continue;
        }
        float top = greatest(x, seen);
        top = h->v_mean ? whole_power(top) : top;
        float m_new = top > *most ? top : *most;
        float shrink = exp_f32(*most - m_new);
        if (h->v_mean)
            exp_row_e4m3(p, x, m_new, seen);
        else
            exp_row(p, x, m_new, seen);
        memset(p + seen, 0, (size_t)(n - seen) * sizeof *p);
        if (*l > 0 && shrink != 1.0f)
            scale_row(o, o, shrink, h->d);
        *l = *l * shrink + row_sum(p, seen);
        *most = m_new;
    }
}

/* What is done with a tile of keys: their greatest logits are kept, or they join the sums. */
typedef enum { LOOK, ADD } purpose;

/* Keys [j0, j0 + n) for queries `from` up to `to` of the tile whose first is i0. */
static void take_keys(const workspace *w, const head *h, const attention_spec *spec, int64_t i0,
                      int64_t from, int64_t to, int64_t j0, int64_t n, purpose what)
{
    int64_t few = product_rows();
    for (int64_t c = 0; c < h->d; c += PRODUCT_DEPTH)
        pack_rows(w->k + c * KEYS, h->k + j0 * h->ldk + c, h->ldk, n,
                  min_i64(PRODUCT_DEPTH, h->d - c));
    if (what == ADD)
        pack_matrix(w->v, h->v + j0 * h->ldv, h->ldv, h->d, n);
    for (int64_t at = from; at < to; at += few) {
        int64_t count = min_i64(few, to - at), i = i0 + at;
        logits(w, h, spec, i, count, j0, n);
        if (what == LOOK) {
            keep_greatest(w, at, count, n);
            continue;
        }
        weigh(w, h, spec, at, count, n, spec->causal ? i - j0 + 1 : n);
        product_gathered(w->o + at * h->d, h->d, count, h->d, n, 1.0f, j0 > 0, w->gathered, w->v);
    }
}

/* The units of weights that are integers, of queries [i0, i0 + m). */
static void find_units(const workspace *w, const head *h, const attention_spec *spec, int64_t i0,
                       int64_t m)
{
    enum { TILE = ATTENTION_INT8_PV_KEYS, BLOCK = ATTENTION_PV_QUERIES };
    int64_t whole = h->Lk < TILE ? 1 : h->Lk / TILE;
    for (int64_t from = 0, to; from < m; from = to) {
        int64_t block = (i0 + from) / BLOCK;
        to = min_i64((block + 1) * BLOCK - i0, m);
        for (int64_t r = from; r < to; r++)
            w->m[r] = w->l[r] = -INFINITY;
        for (int look = 0; look < 4; look++) {
            int64_t tile = (block * BLOCK / TILE + (2 * look + 1) * whole / 8) % whole;
            take_keys(w, h, spec, i0, from, to, tile * TILE, min_i64(TILE, h->Lk), LOOK);
        }
        for (int64_t r = from; r < to; r++) {
            w->m[r] = ceilf(w->l[r] * LOG2E) - (float)ATTENTION_PV_BITS(h->Lk);
            w->l[r] = 0;
        }
    }
}

/* Queries [i0, i0 + m) of one head to y. */
static void query_tile(float *y, int64_t ldy, const head *h, const attention_spec *spec, int64_t i0,
                       int64_t m, const workspace *w)
{
    for (int64_t i = 0; i < m; i++)
        w->m[i] = -INFINITY, w->l[i] = 0;
    if (spec->in == ATTENTION_INT8_PV && h->Lk)
        find_units(w, h, spec, i0, m);
    int64_t end = spec->causal ? min_i64(h->Lk, i0 + m) : h->Lk;
    for (int64_t j0 = 0; j0 < end; j0 += KEYS)
        take_keys(w, h, spec, i0, 0, m, j0, min_i64(KEYS, h->Lk - j0), ADD);
    for (int64_t i = 0; i < m; i++)
        if (h->Lk) {
            scale_row(y + (i0 + i) * ldy, w->o + i * h->d, 1.0f / w->l[i], h->d);
            if (h->v_mean)
                add_row(y + (i0 + i) * ldy, h->v_mean, h->d);
        } else
            memset(y + (i0 + i) * ldy, 0, (size_t)h->d * sizeof *y);
}

void attention(tensor y, tensor q, tensor k, tensor v, const attention_spec *spec)
{
    check_one(q.type == F32, "attention", q, "F32");
    check_attention(y, q, k, v, spec);
    int64_t H = spec->heads, B = spec->batch, d = tensor_width(q) / H;
    int64_t Lq = tensor_rows(q) / B, Lk = tensor_rows(k) / B;
    int64_t queries = MOST_QUERIES, one_column = 1;
    product_tiles(&queries, &one_column, Lq, 1, B * H);
    int64_t tiles = pieces(Lq, queries), packed = KEYS * pieces(d, PRODUCT_WIDE) * PRODUCT_WIDE;
    int64_t floats = GATHER_FLOATS + GATHER_MOST * KEYS + 2 * packed + queries * (d + 2);
    size_t mark = scratch_mark();
    rounded_heads x = {.q = q, .k = k, .v = v};
    if (spec->in != ATTENTION_16)
        x = attention_codes(q, k, v, spec);
    float *buffers = thread_buffers(floats);
#pragma omp parallel for schedule(dynamic) if (B * H * Lq * Lk * d >= PARALLEL_FROM_PRODUCTS)
    for (int64_t unit = 0; unit < B * H * tiles; unit++) {
        int64_t b = unit / (H * tiles), h = unit / tiles % H, i0 = unit % tiles * queries;
        float *mine = buffers + omp_get_thread_num() * thread_stride(floats);
        workspace w = {.gathered = mine, .logit = mine + GATHER_FLOATS};
        w.k = w.logit + GATHER_MOST * KEYS;
        w.v = w.k + packed;
        w.o = w.v + packed;
        w.m = w.o + queries * d;
        w.l = w.m + queries;
        head one = {.q = f32_row(x.q, b * Lq) + h * d,
                    .k = f32_row(x.k, b * Lk) + h * d,
                    .v = f32_row(x.v, b * Lk) + h * d,
                    .ldq = x.q.stride,
                    .ldk = x.k.stride,
                    .ldv = x.v.stride,
                    .Lq = Lq,
                    .Lk = Lk,
                    .d = d,
                    .v_mean = x.v_mean.data ? f32_row(x.v_mean, b) + h * d : NULL,
                    .bias = spec->bias.data ? f32_row(spec->bias, h) + Lq - 1 : NULL};
        query_tile(f32_row(y, b * Lq) + h * d, y.stride, &one, spec, i0, min_i64(queries, Lq - i0),
                   &w);
    }
    scratch_reset(mark);
}
