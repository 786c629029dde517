/*
** vit.c: vision transformers (Dosovitskiy et al. 2020, "An Image is Worth 16x16 Words"), and the
** text's, which is the same with a mask.
**
** A layer is x += W_o attention(norm x), x += W_2 act(W_1 norm x), each sum with a gate of each
** channel where the model has such (LayerScale, Touvron et al. 2021).
**
** The hard idea: there is little. A patch's convolution is a product with the patch as a row, since
** its stride is its size, filled up with zeros to a multiple of 8. Refused: heads that are not 64
** wide.
*/
#include "vit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../common/checkpoint/stored.h"
#include "../common/die.h"

/* ---- the forward pass ---- */

/* x += gate y */
static void add_to(tensor x, tensor y, tensor gate)
{
    if (gate.data)
        add_gated(x, y, gate);
    else
        add(x, y);
}

/* x [B L, D] += Wo softmax(q k^T / sqrt(d)) v, with q, k, v = W layer_norm(x) */
static void attend(const vit *m, const vit_layer *l, tensor x, int batch)
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
    add_to(x, y, l->gate1);
    scratch_reset(mark);
}

/* x [N, D] += W2 activation(W1 layer_norm(x)) */
static void feed_forward(const vit *m, const vit_layer *l, tensor x)
{
    size_t mark = scratch_mark();
    int64_t N = tensor_rows(x), D = m->width;
    tensor a = scratch(m->A, N, D), middle = scratch(m->A, N, m->ffn_width);
    tensor y = scratch(F32, N, D);
    layer_norm(a, x, l->norm2.gamma, l->norm2.beta, m->epsilon);
    linear(middle, a, &l->fc1);
    m->activation(middle, middle);
    linear(y, middle, &l->fc2);
    add_to(x, y, l->gate2);
    scratch_reset(mark);
}

void vit_transform(const vit *m, tensor x, int batch)
{
    for (int i = 0; i < m->layers; i++) {
        attend(m, &m->layer[i], x, batch);
        feed_forward(m, &m->layer[i], x);
    }
}

void vit_embed(const vit *m, const vit_patches *p, tensor x, tensor start, tensor pixels)
{
    size_t mark = scratch_mark();
    int64_t n = pixels.dim[1], D = m->width;
    int64_t G = pixels.dim[2] / p->side * (pixels.dim[3] / p->side), L = 1 + G;
    tensor in = scratch(m->A, n * G, tensor_width(p->weight.w)), y = scratch(F32, n * G, D);
    tensor on_device = upload(pixels, F32);
    zero(in);
    patchify(columns(in, 0, 3 * p->side * p->side), on_device,
             (int[]){1, (int)p->side, (int)p->side});
    linear(y, in, &p->weight);
    for (int64_t i = 0; i < n; i++) {
        copy(rows(x, i * L, L), start);
        add(rows(x, i * L + 1, G), rows(y, i * G, G));
    }
    scratch_reset(mark);
}

/* ---- loading ---- */

void vit_sizes(vit *m, weights *w, const char *prefix, const vit_names *n, int64_t heads,
               const char *from)
{
    char *name = new_format("%s.0.%s.weight", prefix, n->fc1);
    tensor fc1 = weights_tensor(w, name, -1, -1);
    free(name);
    m->width = fc1.dim[1];
    m->ffn_width = fc1.dim[0];
    m->heads = heads ? heads : m->width / 64;
    if (m->heads < 1 || m->width != 64 * m->heads)
        die("%s: the %s of %s is %lld wide with %lld heads: heads must be 64 wide", from, prefix,
            weights_path(w), (long long)m->width, (long long)m->heads);
    if (m->ffn_width % 8)
        die("%s: the mlp of %s is %lld wide: widths must be multiples of 8", weights_path(w),
            prefix, (long long)m->ffn_width);
    name = new_format("%s.%%4d.", prefix);
    for (int i = 0, k; i < weights_count(w); i++)
        if (sscanf(weights_name(w, i), name, &k) == 1 && k >= m->layers)
            m->layers = k + 1; /* a gap is a missing tensor, which loading names */
    free(name);
}

bool vit_activation(vit *m, const char *name)
{
    m->activation = strcmp(name, "quick_gelu") == 0 ? quick_gelu
                    : strcmp(name, "gelu") == 0     ? exact_gelu
                                                    : NULL;
    return m->activation != NULL;
}

vit_norm vit_load_norm(weights *w, const char *name, int64_t n)
{
    char *gamma = new_format("%s.weight", name), *beta = new_format("%s.bias", name);
    vit_norm norm = {load_vector(w, gamma, n), load_vector(w, beta, n)};
    free(gamma);
    free(beta);
    return norm;
}

/* The gate called so in layer i, or none. */
static tensor load_gate(weights *w, const char *prefix, int i, const char *end, int64_t n)
{
    if (!end)
        return (tensor){0};
    char *name = new_format("%s.%d.%s", prefix, i, end);
    tensor gate = weights_has(w, name) ? load_vector(w, name, n) : (tensor){0};
    free(name);
    return gate;
}

static vit_layer load_layer(const vit *m, weights *w, const char *prefix, int i, const vit_names *n,
                            tensor_type type)
{
    const char *const qkv[] = {n->q, n->k, n->v};
    char name[128];
    int64_t D = m->width, F = m->ffn_width;
    vit_layer l;
#define NAME(end) (snprintf(name, sizeof name, "%s.%d.%s", prefix, i, end), name)
    l.norm1 = vit_load_norm(w, NAME(n->norm1), D);
    l.qkv = load_joined(w, NAME(""), 3, qkv, D, D, type);
    l.out = load_linear(w, NAME(n->out), D, D, type);
    l.norm2 = vit_load_norm(w, NAME(n->norm2), D);
    l.fc1 = load_linear(w, NAME(n->fc1), F, D, type);
    l.fc2 = load_linear(w, NAME(n->fc2), D, F, type);
#undef NAME
    l.gate1 = load_gate(w, prefix, i, n->gate1, D);
    l.gate2 = load_gate(w, prefix, i, n->gate2, D);
    return l;
}

void vit_load(vit *m, weights *w, const char *prefix, const vit_names *n, const char *last,
              tensor_type type)
{
    m->A = operand_type(type);
    m->layer = new_bytes((size_t)m->layers * sizeof *m->layer);
    for (int i = 0; i < m->layers; i++)
        m->layer[i] = load_layer(m, w, prefix, i, n, type);
    m->last = vit_load_norm(w, last, m->width);
}

void vit_free(vit *m) { free(m->layer); }

/* The convolution's weight as a matrix [D, K], with columns of zeros up to a multiple of 8. */
void vit_load_patches(vit_patches *p, weights *w, const char *name, int64_t width, tensor_type type)
{
    char *full = new_format("%s.weight", name), *bias = new_format("%s.bias", name);
    int64_t K = 3 * p->side * p->side, wide = (K + 7) / 8 * 8;
    weights_tensor(w, full, width, 3, p->side, p->side);
    if (wide == K) {
        p->weight = load_linear(w, name, width, K, type);
    } else {
        stored kept = weights_stored(w, name);
        p->padded = new_bytes((size_t)(width * wide) * 4);
        memset(p->padded, 0, (size_t)(width * wide) * 4);
        tensor matrix = tensor_of(p->padded, F32, width, wide);
        for (int64_t i = 0; i < width; i++)
            stored_values(rows(matrix, i, 1).data, &kept, i * K, K);
        p->weight = linear_upload(1, &(stored){.w = matrix}, NULL, type);
        if (count_nonfinite(p->weight.w))
            die("%s in %s has values that are not finite", full, weights_path(w));
        if (weights_has(w, bias))
            p->weight.b = load_vector(w, bias, width);
    }
    free(full);
    free(bias);
}
