/*
** dit.c: the forward pass of Wan's diffusion transformer, as equations over kernels.h.
**
** Not a framework: text-to-video only, one batch, no training. The passes of guidance share latents
** and time, so they are stacked as rows of one batch ([passes x L, D]) and differ only in the text:
** until the first block reads it their rows are the same, and are computed once.
** The hard idea is the text's padding: the reference pads the context with zero rows to text_len
** and attends to all of them without a mask. Those rows are all alike, so one key with + ln(count)
** on its logit does the work of all (dit_read_text). Several ranks make a forward pass together:
** each does all this for some of the passes and tokens; only attention needs the others (share.h).
**
** Sizes: L tokens of one pass, ours; N = passes x L, D width, d width of a head, n tokens of text.
*/
#include "dit.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../common/die.h"
#include "inspect.h"

/* Rows of the ffn's middle made at a time: 16384 x 8960 F16 are 294 MB, less than q, k and v of 81
 * frames, which are gone by then; few enough parts that 8 bit weights are seldom expanded twice. */
enum { FFN_ROWS = 16384 };

static const double ROPE_THETA = 10000;

/* "blocks.3.ffn" */
static const char *in_block(int i, const char *name)
{
    static char full[64];
    snprintf(full, sizeof full, "blocks.%d%s%s", i, *name ? "." : "", name);
    return full;
}

/* The i-th row of a matrix as a vector [D]. */
static tensor vector(tensor x, int64_t i) { return reshape(slice(x, i, 1), tensor_width(x)); }

/* ---- once a prompt, once a size ---- */

int64_t dit_text_rows(const dit *m, int64_t n) { return n < m->text_len ? n + 1 : n; }

/* c = W2 gelu(W0 [context; 0]);  for every block  k = norm_k(Wk c), v = Wv c */
dit_text dit_read_text(const dit *m, int passes, const tensor context[])
{
    int64_t D = m->dim, longest = 0, differ[GUIDANCE_PASSES];
    int here = passes / m->share.halves, first = m->share.half * here;
    for (int p = 0; p < passes; p++) {
        assert(context[p].dim[0] <= m->text_len && context[p].dim[1] == m->text_dim);
        longest = context[p].dim[0] > longest ? context[p].dim[0] : longest;
        differ[p] = dit_text_rows(m, context[p].dim[0]);
    }
    int64_t keys = dit_text_rows(m, longest), n = here * keys;
    dit_text text = {.alike = (float)(m->text_len - keys + 1)};
    text.kv = new_bytes(sizeof *text.kv * (unsigned long)m->layers);
    for (int i = 0; i < m->layers; i++)
        text.kv[i] = scratch(m->A, n, 2 * D);

    size_t mark = scratch_mark();
    tensor padded = scratch(F32, n, m->text_dim), h = scratch(m->A, n, D), c = scratch(m->A, n, D);
    zero(padded);
    for (int p = 0; p < here; p++)
        if (context[first + p].dim[0] > 0)
            upload_into(rows(padded, p * keys, context[first + p].dim[0]), context[first + p]);
    statistics_text(here, keys, differ + first);
    layer_gelu(h, padded, &m->text_0);
    layer(c, h, &m->text_2);
    inspect_see("text_embedding", c);
    for (int i = 0; i < m->layers; i++) {
        const dit_block *b = dit_block_here(m, i);
        tensor k = columns(text.kv[i], 0, D);
        layer(text.kv[i], c, &b->text_kv);
        rms_norm(k, k, b->text_norm_k, m->eps);
    }
    scratch_reset(mark);
    return text;
}

/* The d/2 pairs of a head turn by angles place x theta^(-2i/size): the first pairs with the frame,
 * then 2 (d/6) dimensions with the height and as many with the width. Angles are F64. */
tensor dit_rope(const dit *m, tensor latents)
{
    int64_t T = latents.dim[1] / m->patch[0], Y = latents.dim[2] / m->patch[1];
    int64_t X = latents.dim[3] / m->patch[2], d = m->dim / m->heads, side = 2 * (d / 6);
    int64_t size[3] = {d - 2 * side, side, side};
    if (T * Y * X < m->share.parts)
        die("%lld tokens cannot be shared by %d gpus", (long long)(T * Y * X), m->share.parts);
    float *table = new_bytes(sizeof *table * (unsigned long)(T * Y * X * d)), *to = table;
    for (int64_t token = 0; token < T * Y * X; token++) {
        int64_t place[3] = {token / (Y * X), token / X % Y, token % X};
        for (int axis = 0; axis < 3; axis++)
            for (int64_t i = 0; i < size[axis]; i += 2) {
                double turn = (double)i / (double)size[axis];
                double angle = (double)place[axis] / pow(ROPE_THETA, turn);
                *to++ = (float)cos(angle);
                *to++ = (float)sin(angle);
            }
    }
    tensor rope = scratch(F32, T * Y * X, d / 2, 2);
    upload_into(rope, tensor_of(table, F32, T * Y * X, d / 2, 2));
    device_wait();
    free(table);
    return rope;
}

dit_text dit_first_text(const dit *m, const dit_text *text, int passes)
{
    int64_t halves = m->share.halves;
    int here = (int)(passes / halves > 0 ? passes / halves : 1);
    dit_text first = {.kv = new_bytes(sizeof *first.kv * (size_t)m->layers), .alike = text->alike};
    for (int i = 0; i < m->layers; i++)
        first.kv[i] = rows(text->kv[i], 0, tensor_rows(text->kv[i]) / here);
    return first;
}

/* ---- once a step ---- */

/* s = [cos(t f), sin(t f)], f_i = 10000^(-i / half);  e = W2 silu(W0 s)  [1, D] */
static tensor time_embedding(const dit *m, double t)
{
    int64_t half = m->freq / 2;
    float *s = new_bytes(sizeof *s * (unsigned long)m->freq);
    for (int64_t i = 0; i < half; i++) {
        double angle = t * pow(10000, -(double)i / (double)half);
        s[i] = (float)cos(angle);
        s[half + i] = (float)sin(angle);
    }
    tensor sinusoid = scratch(F32, 1, m->freq), e = scratch(F32, 1, m->dim);
    tensor h = scratch(F32, 1, m->dim);
    upload_into(sinusoid, tensor_of(s, F32, 1, m->freq));
    layer_f32(h, sinusoid, &m->time_0);
    silu(h, h);
    layer_f32(e, h, &m->time_2);
    free(s);
    inspect_see("time_embedding", e);
    return e;
}

/* e6 = Wp silu(e)  [6, D]: what all blocks' modulations are added to */
static tensor time_projection(const dit *m, tensor e)
{
    tensor h = scratch(F32, 1, m->dim), e6 = scratch(F32, 1, 6 * m->dim);
    silu(h, e);
    layer_f32(e6, h, &m->time_projection);
    inspect_see("time_projection", e6);
    return reshape(e6, 6, m->dim);
}

void dit_time(const dit *m, double t, bool projected, float *y)
{
    size_t mark = scratch_mark();
    tensor e = time_embedding(m, t);
    if (projected)
        e = reshape(time_projection(m, e), 6 * m->dim);
    download(tensor_of(y, F32, tensor_count(e)), reshape(e, tensor_count(e)));
    scratch_reset(mark);
}

/* ---- the blocks ---- */

/* h = attention(rope(norm_q(Wq in)), rope(norm_k(Wk in)), Wv in); in may lie in h */
static void self_attention(const dit *m, const dit_block *b, int passes, tensor h, layer_input in,
                           tensor rope)
{
    const dit_share *s = &m->share;
    int64_t D = m->dim, all = rope.dim[0]; /* tokens of a pass, of all ranks */
    size_t mark = scratch_mark();
    rope = slice(rope, share_begin(s, all, s->part), share_tokens(s, all));
    tensor qkv = scratch(m->A, tensor_rows(h), 3 * D);
    tensor q = columns(qkv, 0, D), k = columns(qkv, D, D), v = columns(qkv, 2 * D, D);
    layer_of(qkv, in, &b->qkv);
    v = share_heads(s, passes, all, v); /* travels while q and k are normed */
    tensor qk = columns(qkv, 0, 2 * D);
    rms_norm_rope(qk, qk, b->norm_qk, m->eps, rope);
    q = share_heads(s, passes, all, q);
    k = share_heads(s, passes, all, k);
    tensor a = s->parts > 1 ? scratch(m->A, passes * all, D / s->parts) : h;
    if (s->parts > 1)
        exchange_wait();
    attention(a, q, k, v,
              &(attention_spec){.batch = passes,
                                .heads = m->heads / s->parts,
                                .scale = 1 / sqrtf((float)(D / m->heads)),
                                .in = m->attention});
    share_join(s, passes, all, h, a);
    scratch_reset(mark);
}

/* The first pass's rows of x for the others. */
static void repeat(tensor x, int passes)
{
    int64_t L = tensor_rows(x) / passes;
    for (int p = 1; p < passes; p++)
        copy(rows(x, p * L, L), rows(x, 0, L));
}

/* h = attention(norm_q(Wq in), k, v), each pass with the keys and values of its own text; `in` has
 * the rows of `distinct` passes, which the others share, and may lie in h */
static void cross_attention(const dit *m, const dit_block *b, int passes, int distinct, tensor h,
                            layer_input in, tensor kv, float alike)
{
    int64_t D = m->dim, n = tensor_rows(h) / passes * distinct;
    size_t mark = scratch_mark();
    tensor q = scratch(m->A, tensor_rows(h), D), some = rows(q, 0, n);
    layer_of(some, in, &b->text_q);
    rms_norm(some, some, b->text_norm_q, m->eps);
    if (distinct < passes)
        repeat(q, passes);
    attention(h, q, columns(kv, 0, D), columns(kv, D, D),
              &(attention_spec){.batch = passes,
                                .heads = m->heads,
                                .scale = 1 / sqrtf((float)(D / m->heads)),
                                .last_key_count = alike});
    scratch_reset(mark);
}

/* x += gate * (Wdown gelu(Wup in)), some rows at a time; y: that without gate as well, or absent */
static void ffn(const dit *m, const dit_block *b, tensor x, tensor gate, layer_input in, tensor y)
{
    int64_t N = tensor_rows(in.x), parts = (N + FFN_ROWS - 1) / FFN_ROWS;
    int64_t most = (N + parts - 1) / parts;
    size_t mark = scratch_mark();
    tensor middle = scratch(m->A, most, m->ffn);
    for (int64_t i = 0; i < N; i += most) {
        int64_t n = N - i < most ? N - i : most;
        tensor part = rows(middle, 0, n);
        layer_gelu_of(part, input_rows(in, i, n), &b->up);
        layer_add(rows(x, i, n), part, &b->down, gate, y.data ? rows(y, i, n) : y);
    }
    scratch_reset(mark);
}

/* Room for a product of block i that is looked at, else absent. */
static tensor looked_at(const dit *m, int i, const char *name, int64_t n)
{
    tensor absent = {0};
    return inspect_wants(in_block(i, name)) ? scratch(m->A, n, m->dim) : absent;
}

static void show(int i, const char *name, tensor y)
{
    if (y.data)
        inspect_see(in_block(i, name), y);
}

/* e = modulation + e6, six vectors: shift, scale, gate (e0 e1 e2), again for the ffn (e3 e4 e5)
 * x += e2 Wo self_attention((1 + e1) LN(x) + e0)
 * x += Wo cross_attention(LN3(x), text)
 * x += e5 ffn((1 + e4) LN(x) + e3)
 * To the first block x comes with the first pass's rows alone: the passes part at its text. */
static void block(const dit *m, int i, int passes, tensor x, tensor e6, const dit_text *text,
                  tensor rope)
{
    const dit_block *b = dit_block_here(m, i);
    int64_t N = tensor_rows(x), L = N / passes;
    size_t mark = scratch_mark();
    tensor e = scratch(F32, 6, m->dim), h = scratch(m->A, N, m->dim), absent = {0}, y;
    linear_combination(e, 2, (tensor[]){b->modulation, e6}, (double[]){1, 1});

    int distinct = i > 0 ? passes : 1;
    tensor x1 = rows(x, 0, distinct * L), h1 = rows(h, 0, distinct * L);
    statistics_rows(passes / distinct);
    layer_input in = layer_modulated(h1, x1, vector(e, 1), vector(e, 0), m->eps, &b->qkv);
    self_attention(m, b, distinct, h1, in, rope);
    y = looked_at(m, i, "self_attn", distinct * L);
    layer_add(x1, h1, &b->o, vector(e, 2), y);
    show(i, "self_attn", y);

    in = layer_normed(h1, x1, b->norm3_gamma, b->norm3_beta, m->eps, &b->text_q);
    if (distinct < passes)
        repeat(x, passes);
    cross_attention(m, b, passes, distinct, h, in, text->kv[i], text->alike);
    statistics_rows(1);
    y = looked_at(m, i, "cross_attn", N);
    layer_add(x, h, &b->text_o, absent, y);
    show(i, "cross_attn", y);

    in = layer_modulated(h, x, vector(e, 4), vector(e, 3), m->eps, &b->up);
    y = looked_at(m, i, "ffn", N);
    ffn(m, b, x, vector(e, 5), in, y);
    show(i, "ffn", y);

    inspect_see(in_block(i, ""), x);
    scratch_reset(mark);
}

/* ---- first and last ---- */

/* x = Wp patches + b, of the first pass */
static void embed(const dit *m, int passes, tensor x, tensor latents)
{
    int64_t L = tensor_rows(x) / passes, width = m->patch_embedding.weight.w.dim[1];
    int64_t all = tensor_count(latents) / width;
    size_t mark = scratch_mark();
    tensor patches = scratch(m->A, all, width);
    patchify(patches, latents, m->patch);
    layer(rows(x, 0, L), rows(patches, share_begin(&m->share, all, m->share.part), L),
          &m->patch_embedding);
    inspect_see("patch_embedding", x);
    scratch_reset(mark);
}

/* f = modulation + e, two vectors: shift and scale;  v = unpatchify(Wh ((1 + f1) LN(x) + f0)), F32
 * as in the reference; all: tokens of a pass, of all ranks */
static void head(const dit *m, int passes, const tensor v[], tensor x, tensor e, int64_t all)
{
    int64_t D = m->dim, N = tensor_rows(x);
    size_t mark = scratch_mark();
    tensor f = scratch(F32, 2, D), h = scratch(F32, N, D);
    tensor patches = scratch(F32, N, m->head.weight.w.dim[0]);
    for (int i = 0; i < 2; i++)
        linear_combination(vector(f, i), 2,
                           (tensor[]){vector(m->head_modulation, i), reshape(e, D)},
                           (double[]){1, 1});
    modulated_norm(h, x, vector(f, 1), vector(f, 0), m->eps);
    layer(patches, h, &m->head);
    inspect_see("head", patches);
    patches = share_gather(&m->share, passes, all, patches);
    for (int p = 0; p < passes * m->share.halves; p++)
        unpatchify(v[p], rows(patches, p * all, all), m->patch);
    scratch_reset(mark);
}

/* The i-th block without one of the passes made here, the second: that pass is left as it was. */
static void block_of_first(const dit *m, int i, int passes, tensor x, tensor e6,
                           const dit_text *text, tensor rope)
{
    bool second_alone = m->share.halves == 2 && m->share.half == 1;
    if (i == 0 && passes > 1)
        repeat(x, passes);
    if (second_alone)
        return;
    dit_text first = dit_first_text(m, text, passes);
    block(m, i, 1, rows(x, 0, tensor_rows(x) / passes), e6, &first, rope);
    free(first.kv);
}

/* x += what the blocks add */
static void blocks(const dit *m, int passes, tensor x, tensor e6, const dit_text *text, tensor rope,
                   const bool *omitted)
{
    for (int i = 0; i < m->layers; i++)
        if (omitted && omitted[i])
            block_of_first(m, i, passes, x, e6, text, rope);
        else
            block(m, i, passes, x, e6, text, rope);
}

/* The same, and residual becomes what they add; or it is, and they are not run. */
static void blocks_or_residual(const dit *m, int passes, tensor x, tensor e6, const dit_text *text,
                               tensor rope, const dit_variation *how)
{
    repeat(x, passes);
    if (!how->answered) {
        copy(how->residual, x);
        blocks(m, passes, x, e6, text, rope, how->omitted);
    }
    tensor y = how->answered ? x : how->residual;
    linear_combination(y, 2, (tensor[]){x, how->residual}, (double[]){1, how->answered ? 1 : -1});
}

int64_t dit_rows(const dit *m, int passes, tensor rope)
{
    return passes / m->share.halves * share_tokens(&m->share, rope.dim[0]);
}

void dit_forward(const dit *m, int passes, const tensor v[], tensor latents, double t,
                 const dit_text *text, tensor rope, const dit_variation *how)
{
    const dit_share *s = &m->share;
    int64_t all = rope.dim[0];
    int here = passes / s->halves;
    assert(passes % s->halves == 0);
    size_t mark = scratch_mark();
    tensor x = scratch(F32, dit_rows(m, passes, rope), m->dim); /* the residual stream */
    statistics_step(t);
    statistics_rows(passes); /* until the passes part */
    tensor e = time_embedding(m, t);
    tensor e6 = time_projection(m, e);
    embed(m, here, x, latents);
    if (how && how->residual.data)
        blocks_or_residual(m, here, x, e6, text, rope, how);
    else
        blocks(m, here, x, e6, text, rope, how ? how->omitted : NULL);
    head(m, here, v, x, e, all);
    dit_memory_settle(m);
    scratch_reset(mark);
}
