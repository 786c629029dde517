/*
** attention.c: y = softmax(q k^T * scale + bias) v for each head, without an L x L matrix.
**
** For a tile of queries the keys come in tiles too. Each row keeps its greatest logit m so far, the
** sum l of e^(logit - m) and the sum o of e^(logit - m) v; when a tile brings a greater m, l and o
** are multiplied by e^(old - new) ("online softmax", Milakov and Gimelshein, arXiv:1805.02867).
** Both products of a tile are the BLAS's. Heads may be of any width. No keys at all give zeros.
**
** In 8 bits q, k and v are first rounded (attention_codes.c). Weights in e4m3 are
** 2^8 e^(logit - m), e^m being the power of two next above e^(the greatest logit): 256 at most. So
** what a weight is rounded to depends on no tile, but for weights below 2^-14; l is the sum of the
** rounded.
*/
#include <assert.h>
#include <cblas.h>
#include <math.h>
#include <omp.h>

#include "../attention.h"
#include "attention.h"

/* A tile of logits is 256 kB: it stays in the second level of the cache. */
enum { QUERIES = 256, KEYS = 256 };

/* What a thread works in. */
typedef struct {
    float *logit; /* [QUERIES, KEYS] */
    float *o;     /* [QUERIES, d] */
    float *m, *l; /* [QUERIES] */
} workspace;

VECTORISED static float greatest(const float *x, int64_t n)
{
    float m = -INFINITY;
#pragma omp simd reduction(max : m)
    for (int64_t i = 0; i < n; i++)
        m = x[i] > m ? x[i] : m;
    return m;
}

/* x = e^(x - m); returns the sum. */
VECTORISED static float exp_row(float *x, float m, int64_t n)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++) {
        x[i] = exp_f32(x[i] - m);
        sum += x[i];
    }
    return sum;
}

/* x = e^(x - m) 2^8 in e4m3; returns the sum. */
VECTORISED static float exp_row_e4m3(float *x, float m, int64_t n)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++) {
        x[i] = e4m3_of(exp_f32(x[i] - m) * (1 << ATTENTION_SHIFT));
        sum += x[i];
    }
    return sum;
}

/* The natural logarithm of the power of two next above e^x. */
static float whole_power(float x) { return ceilf(x * 1.44269504f) * 0.693147181f; }

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

/* The products of one head: where its columns begin in the rows of its sequence. */
typedef struct {
    const float *q, *k, *v;
    int64_t ldq, ldk, ldv, Lq, Lk, d;
    const float
        *v_mean;       /* [d]: weights are rounded to e4m3, and this is added; NULL: they are not */
    const float *bias; /* bias[j - i] is added to logit (i, j); NULL: none */
} head;

/* Logits of queries [i0, i0 + m) and keys [j0, j0 + n). */
static void logits(float *s, const head *h, const attention_spec *spec, int64_t i0, int64_t m,
                   int64_t j0, int64_t n)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)m, (int)n, (int)h->d, spec->scale,
                h->q + i0 * h->ldq, (int)h->ldq, h->k + j0 * h->ldk, (int)h->ldk, 0.0f, s, KEYS);
    if (h->bias)
        for (int64_t i = 0; i < m; i++)
            add_row(s + i * KEYS, h->bias + j0 - i0 - i, n);
    if (spec->last_key_count > 1 && j0 + n == h->Lk)
        for (int64_t i = 0; i < m; i++)
            s[i * KEYS + n - 1] += logf(spec->last_key_count);
}

/* One tile of keys joins the sums of m queries. visible: keys of the tile that query i0 sees; each
 * query after it sees one more (causal), up to n. */
static void add_keys(workspace *w, const head *h, int64_t m, int64_t j0, int64_t n, int64_t visible)
{
    for (int64_t i = 0; i < m; i++) {
        float *p = w->logit + i * KEYS;
        int64_t seen = min_i64(n, visible + i);
        if (seen <= 0) {
            memset(p, 0, (size_t)n * sizeof *p);
            continue;
        }
        float top = greatest(p, seen);
        top = h->v_mean ? whole_power(top) : top;
        float m_new = top > w->m[i] ? top : w->m[i];
        float shrink = exp_f32(w->m[i] - m_new);
        float sum = h->v_mean ? exp_row_e4m3(p, m_new, seen) : exp_row(p, m_new, seen);
        w->l[i] = w->l[i] * shrink + sum;
        w->m[i] = m_new;
        memset(p + seen, 0, (size_t)(n - seen) * sizeof *p);
        if (j0 && shrink != 1.0f)
            scale_row(w->o + i * h->d, w->o + i * h->d, shrink, h->d);
    }
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)m, (int)h->d, (int)n, 1.0f,
                w->logit, KEYS, h->v + j0 * h->ldv, (int)h->ldv, j0 ? 1.0f : 0.0f, w->o, (int)h->d);
}

/* Queries [i0, i0 + m) of one head to y. */
static void query_tile(float *y, int64_t ldy, const head *h, const attention_spec *spec, int64_t i0,
                       int64_t m, workspace *w)
{
    for (int64_t i = 0; i < m; i++)
        w->m[i] = -INFINITY, w->l[i] = 0;
    int64_t end = spec->causal ? min_i64(h->Lk, i0 + m) : h->Lk;
    for (int64_t j0 = 0; j0 < end; j0 += KEYS) {
        int64_t n = min_i64(KEYS, h->Lk - j0);
        logits(w->logit, h, spec, i0, m, j0, n);
        add_keys(w, h, m, j0, n, spec->causal ? i0 - j0 + 1 : n);
    }
    for (int64_t i = 0; i < m; i++)
        if (h->Lk) {
            scale_row(y + (i0 + i) * ldy, w->o + i * h->d, 1.0f / w->l[i], h->d);
            if (h->v_mean)
                add_row(y + (i0 + i) * ldy, h->v_mean, h->d);
        } else
            memset(y + (i0 + i) * ldy, 0, (size_t)h->d * sizeof *y);
}

static void check(tensor y, tensor q, tensor k, tensor v, const attention_spec *spec)
{
    const char *op = "attention";
    tensor bias = spec->bias;
    check_one(q.type == F32 && tensor_width(q) % spec->heads == 0 &&
                  tensor_rows(q) % spec->batch == 0,
              op, q, "F32 [batch * length, heads * d]");
    check_pair(same_matrix(y, q) && y.type == q.type, op, y, q);
    check_pair(tensor_width(k) == tensor_width(q) && k.type == q.type, op, k, q);
    check_pair(same_matrix(v, k) && v.type == k.type, op, v, k);
    check_one(tensor_rows(k) % spec->batch == 0, op, k, "[batch * length, heads * d]");
    if (bias.data)
        check_pair(bias.type == F32 && bias.rank == 2 && bias.dim[0] == spec->heads &&
                       bias.dim[1] == (tensor_rows(q) + tensor_rows(k)) / spec->batch - 1,
                   op, bias, q);
    assert(spec->in == ATTENTION_16 ||
           (!bias.data && !spec->causal && !(spec->last_key_count > 1)));
}

void attention(tensor y, tensor q, tensor k, tensor v, const attention_spec *spec)
{
    check(y, q, k, v, spec);
    int64_t H = spec->heads, B = spec->batch, d = tensor_width(q) / H;
    int64_t Lq = tensor_rows(q) / B, Lk = tensor_rows(k) / B;
    int64_t tiles = pieces(Lq, QUERIES), floats = QUERIES * (KEYS + d + 2);
    size_t mark = scratch_mark();
    rounded_heads x = {.q = q, .k = k, .v = v};
    if (spec->in != ATTENTION_16)
        x = attention_codes(q, k, v, spec);
    float *buffers = thread_buffers(floats);
#pragma omp parallel for schedule(dynamic) if (B * H * Lq * Lk * d >= PARALLEL_FROM_PRODUCTS)
    for (int64_t unit = 0; unit < B * H * tiles; unit++) {
        int64_t b = unit / (H * tiles), h = unit / tiles % H, i0 = unit % tiles * QUERIES;
        float *mine = buffers + omp_get_thread_num() * thread_stride(floats);
        workspace w = {.logit = mine,
                       .o = mine + QUERIES * KEYS,
                       .m = mine + QUERIES * (KEYS + d),
                       .l = mine + QUERIES * (KEYS + d + 1)};
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
        query_tile(f32_row(y, b * Lq) + h * d, y.stride, &one, spec, i0, min_i64(QUERIES, Lq - i0),
                   &w);
    }
    scratch_reset(mark);
}
