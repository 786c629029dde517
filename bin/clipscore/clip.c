/*
** clip.c: CLIP (Radford et al. 2021, "Learning Transferable Visual Models From Natural Language
** Supervision") as Hugging Face lays it out: vision transformers of any size.
**
** Refused, by name: another activation than quick_gelu, heads that are not 64 wide, pictures that
** are not a whole number of patches.
**
** The hard idea: there is little. Both encoders are the same layers; one sees all positions, the
** other those before. A patch's convolution is a product with the patch as a row, filled up with
** zeros to a multiple of 8. A text is not padded: what follows its end token is never looked at.
*/
#include "clip.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../common/checkpoint/stored.h"
#include "../../common/die.h"
#include "../../common/program.h"

/* ---- the forward pass ---- */

/* x [B L, D] += Wo softmax(q k^T / sqrt(d)) v, with q, k, v = W layer_norm(x) */
static void attend(const clip_tower *m, const clip_layer *l, tensor x, int batch)
{
    size_t mark = scratch_mark();
    int64_t N = tensor_rows(x), D = m->width;
    float scale = 1.0f / sqrtf((float)D / (float)m->heads);
    tensor a = scratch(m->A, N, D), qkv = scratch(m->A, N, 3 * D), y = scratch(F32, N, D);
    layer_norm(a, x, l->norm1.gamma, l->norm1.beta, m->epsilon);
    linear(qkv, a, &l->qkv);
    attention(a, columns(qkv, 0, D), columns(qkv, D, D), columns(qkv, 2 * D, D),
              &(attention_spec){
                  .batch = batch, .heads = (int)m->heads, .scale = scale, .causal = m->causal});
    linear(y, a, &l->out);
    add(x, y);
    scratch_reset(mark);
}

/* x [N, D] += W2 quick_gelu(W1 layer_norm(x)) */
static void feed_forward(const clip_tower *m, const clip_layer *l, tensor x)
{
    size_t mark = scratch_mark();
    int64_t N = tensor_rows(x), D = m->width;
    tensor a = scratch(m->A, N, D), middle = scratch(m->A, N, m->ffn_width);
    tensor y = scratch(F32, N, D);
    layer_norm(a, x, l->norm2.gamma, l->norm2.beta, m->epsilon);
    linear(middle, a, &l->fc1);
    quick_gelu(middle, middle);
    linear(y, middle, &l->fc2);
    add(x, y);
    scratch_reset(mark);
}

/* x [B L, D] through all layers. */
static void transform(const clip_tower *m, tensor x, int batch)
{
    for (int i = 0; i < m->layers; i++) {
        attend(m, &m->layer[i], x, batch);
        feed_forward(m, &m->layer[i], x);
    }
}

/* y, host [n, P] = projection layer_norm(x [n, D]) */
static void project(const clip_tower *m, tensor y, tensor x)
{
    size_t mark = scratch_mark();
    tensor a = scratch(m->A, tensor_rows(x), m->width);
    tensor p = scratch(F32, tensor_rows(y), tensor_width(y));
    layer_norm(a, x, m->last.gamma, m->last.beta, m->epsilon);
    linear(p, a, &m->projection);
    int64_t bad = count_nonfinite(p);
    if (bad)
        die("the %s's vector has %lld values that are not finite; --dtype fp32 or bf16 may hold "
            "them",
            m->causal ? "text" : "picture", (long long)bad);
    download(y, p);
    scratch_reset(mark);
}

/* x [n L, D] = layer_norm([class; W patches] + positions) */
static void embed_pictures(const clip *m, tensor x, tensor pixels)
{
    size_t mark = scratch_mark();
    int64_t n = pixels.dim[1], G = m->grid * m->grid, L = 1 + G, D = m->vision.width;
    tensor p = scratch(m->vision.A, n * G, tensor_width(m->patches.w)), y = scratch(F32, n * G, D);
    tensor on_device = upload(pixels, F32);
    zero(p);
    patchify(columns(p, 0, 3 * m->patch * m->patch), on_device,
             (int[]){1, (int)m->patch, (int)m->patch});
    linear(y, p, &m->patches);
    for (int64_t i = 0; i < n; i++) {
        copy(rows(x, i * L, L), m->start);
        add(rows(x, i * L + 1, G), rows(y, i * G, G));
    }
    layer_norm(x, x, m->first.gamma, m->first.beta, m->vision.epsilon);
    scratch_reset(mark);
}

/* The vector of a picture is made of its class token. */
void clip_pictures(const clip *m, tensor y, tensor pixels)
{
    size_t mark = scratch_mark();
    int64_t n = pixels.dim[1], L = 1 + m->grid * m->grid, D = m->vision.width;
    tensor x = scratch(F32, n * L, D);
    embed_pictures(m, x, pixels);
    transform(&m->vision, x, (int)n);
    project(&m->vision, y, columns(reshape(x, n, L * D), 0, D));
    scratch_reset(mark);
}

/* Where the text's vector is made: its first end token. Older configurations say 2 where they mean
** the greatest id, which is that token. */
static int end_of(const clip *m, const int32_t *ids, int n)
{
    int greatest = 0;
    for (int i = 0; i < n; i++) {
        if (ids[i] >= m->vocabulary)
            die("token %d is not in the vocabulary of %lld in %s", ids[i], (long long)m->vocabulary,
                weights_path(m->w));
        if (m->end != 2 && ids[i] == m->end)
            return i;
        greatest = ids[i] > ids[greatest] ? i : greatest;
    }
    if (m->end != 2)
        die("the tokenizer ends with %d, but eos_token_id of config.json is %lld", ids[n - 1],
            (long long)m->end);
    return greatest;
}

static const char *const tokens_name = "text_model.embeddings.token_embedding";
static const char *const places_name = "text_model.embeddings.position_embedding";

/* x = token embedding + position, up to the end token, which sees all of them. */
void clip_text(const clip *m, tensor y, const int32_t *ids, int n)
{
    size_t mark = scratch_mark();
    int64_t L = 1 + end_of(m, ids, n), D = m->text.width;
    stored tokens = weights_stored(m->w, tokens_name);
    stored places = weights_stored(m->w, places_name);
    tensor host = tensor_of(new_bytes((size_t)(2 * L * D) * 4), F32, 2 * L, D);
    for (int64_t i = 0; i < L; i++)
        stored_values(rows(host, i, 1).data, &tokens, ids[i] * D, D);
    stored_values(rows(host, L, L).data, &places, 0, L * D);
    tensor both = scratch(F32, 2 * L, D), x = rows(both, 0, L);
    upload_into(both, host);
    free(host.data);
    add(x, rows(both, L, L));
    transform(&m->text, x, 1);
    project(&m->text, y, rows(x, L - 1, 1));
    scratch_reset(mark);
}

/* ---- loading ---- */

static clip_norm load_norm(weights *w, const char *name, int64_t n)
{
    char *gamma = new_format("%s.weight", name), *beta = new_format("%s.bias", name);
    clip_norm norm = {load_vector(w, gamma, n), load_vector(w, beta, n)};
    free(gamma);
    free(beta);
    return norm;
}

static clip_layer load_layer(const clip *m, const clip_tower *t, int i, tensor_type type)
{
    static const char *const qkv[] = {"q_proj", "k_proj", "v_proj"};
    char name[96];
    int64_t D = t->width, F = t->ffn_width;
    clip_layer l;
#define NAME(end)                                                                                  \
    (snprintf(name, sizeof name, "%s.encoder.layers.%d." end,                                      \
              t->causal ? "text_model" : "vision_model", i),                                       \
     name)
    l.norm1 = load_norm(m->w, NAME("layer_norm1"), D);
    l.qkv = load_joined(m->w, NAME("self_attn."), 3, qkv, D, D, type);
    l.out = load_linear(m->w, NAME("self_attn.out_proj"), D, D, type);
    l.norm2 = load_norm(m->w, NAME("layer_norm2"), D);
    l.fc1 = load_linear(m->w, NAME("mlp.fc1"), F, D, type);
    l.fc2 = load_linear(m->w, NAME("mlp.fc2"), D, F, type);
#undef NAME
    return l;
}

static void load_tower(const clip *m, clip_tower *t, tensor_type type)
{
    t->A = operand_type(type);
    t->layer = new_bytes((size_t)t->layers * sizeof *t->layer);
    for (int i = 0; i < t->layers; i++)
        t->layer[i] = load_layer(m, t, i, type);
    t->last = load_norm(
        m->w, t->causal ? "text_model.final_layer_norm" : "vision_model.post_layernorm", t->width);
    t->projection = load_linear(m->w, t->causal ? "text_projection" : "visual_projection",
                                m->projection, t->width, type);
}

/* The convolution's weight as a matrix [D, K], with columns of zeros up to a multiple of 8. */
static void load_patches(clip *m, tensor_type type)
{
    const char *name = "vision_model.embeddings.patch_embedding";
    int64_t D = m->vision.width, K = 3 * m->patch * m->patch, wide = (K + 7) / 8 * 8;
    if (wide == K) {
        m->patches = load_linear(m->w, name, D, K, type);
        return;
    }
    weights_tensor(m->w, "vision_model.embeddings.patch_embedding.weight", D, 3, m->patch,
                   m->patch);
    stored kept = weights_stored(m->w, name);
    m->padded = new_bytes((size_t)(D * wide) * 4);
    memset(m->padded, 0, (size_t)(D * wide) * 4);
    tensor matrix = tensor_of(m->padded, F32, D, wide);
    for (int64_t i = 0; i < D; i++)
        stored_values(rows(matrix, i, 1).data, &kept, i * K, K);
    m->patches = linear_upload(1, &(stored){.w = matrix}, NULL, type);
    if (count_nonfinite(m->patches.w))
        die("%s.weight in %s has values that are not finite", name, weights_path(m->w));
}

static void load_start(clip *m)
{
    int64_t L = 1 + m->grid * m->grid, D = m->vision.width;
    tensor class = load_vector(m->w, "vision_model.embeddings.class_embedding", D);
    weights_stored(m->w,
                   tokens_name); /* clip_text() reads rows of them: what is wrong is said now */
    weights_stored(m->w, places_name);
    const char *places = "vision_model.embeddings.position_embedding.weight";
    weights_tensor(m->w, places, L, D);
    m->start = scratch(F32, L, D);
    copy(m->start, reshape(load_vector(m->w, places, L * D), L, D));
    add(rows(m->start, 0, 1), reshape(class, 1, D));
}

void clip_load(clip *m, tensor_type type)
{
    load_begin(m->w);
    load_patches(m, type);
    load_start(m);
    m->first = load_norm(m->w, "vision_model.pre_layrnorm", m->vision.width);
    load_tower(m, &m->vision, type);
    load_tower(m, &m->text, type);
    load_end();
    stats_add("weight_loads", 1);
}

void clip_close(clip *m)
{
    free(m->vision.layer);
    free(m->text.layer);
    free(m->padded);
    weights_close(m->w);
}
