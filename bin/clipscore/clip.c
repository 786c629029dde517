/*
** clip.c: CLIP (Radford et al. 2021, "Learning Transferable Visual Models From Natural Language
** Supervision") as Hugging Face lays it out: vision transformers of any size.
**
** Refused, by name: another activation than quick_gelu (OpenAI's) and gelu (LAION's and others'),
** heads that are not 64 wide, pictures that are not a whole number of patches.
**
** Both encoders are the same layers (bin/vit.c); one sees all positions, the other those before. A
** text is not padded: what follows its end token is never looked at.
*/
#include "clip.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../common/checkpoint/stored.h"
#include "../../common/die.h"
#include "../../common/program.h"

const vit_names clip_names = {
    .norm1 = "layer_norm1",
    .q = "self_attn.q_proj",
    .k = "self_attn.k_proj",
    .v = "self_attn.v_proj",
    .out = "self_attn.out_proj",
    .norm2 = "layer_norm2",
    .fc1 = "mlp.fc1",
    .fc2 = "mlp.fc2",
};

const char *clip_part(const clip_tower *t)
{
    return t->body.causal ? "text_model" : "vision_model";
}

/* ---- the forward pass ---- */

/* y, host [n, P] = projection layer_norm(x [n, D]) */
static void project(const clip_tower *m, tensor y, tensor x)
{
    size_t mark = scratch_mark();
    const vit *v = &m->body;
    tensor a = scratch(v->A, tensor_rows(x), v->width);
    tensor p = scratch(F32, tensor_rows(y), tensor_width(y));
    layer_norm(a, x, v->last.gamma, v->last.beta, v->epsilon);
    linear(p, a, &m->projection);
    int64_t bad = count_nonfinite(p);
    if (bad)
        die("the %s's vector has %lld values that are not finite; --dtype fp32 or bf16 may hold "
            "them",
            v->causal ? "text" : "picture", (long long)bad);
    download(y, p);
    scratch_reset(mark);
}

/* The vector of a picture is made of its class token. */
void clip_pictures(const clip *m, tensor y, tensor pixels)
{
    size_t mark = scratch_mark();
    int64_t n = pixels.dim[1], L = 1 + m->grid * m->grid, D = m->vision.body.width;
    tensor x = scratch(F32, n * L, D);
    vit_embed(&m->vision.body, &m->patches, x, m->start, pixels);
    layer_norm(x, x, m->first.gamma, m->first.beta, m->vision.body.epsilon);
    vit_transform(&m->vision.body, x, (int)n);
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
    int64_t L = 1 + end_of(m, ids, n), D = m->text.body.width;
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
    vit_transform(&m->text.body, x, 1);
    project(&m->text, y, rows(x, L - 1, 1));
    scratch_reset(mark);
}

/* ---- loading ---- */

static void load_tower(const clip *m, clip_tower *t, tensor_type type)
{
    bool text = t->body.causal;
    char *layers = new_format("%s.encoder.layers", clip_part(t));
    vit_load(&t->body, m->w, layers, &clip_names,
             text ? "text_model.final_layer_norm" : "vision_model.post_layernorm", type);
    t->projection = load_linear(m->w, text ? "text_projection" : "visual_projection", m->projection,
                                t->body.width, type);
    free(layers);
}

static void load_start(clip *m)
{
    int64_t L = 1 + m->grid * m->grid, D = m->vision.body.width;
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
    vit_load_patches(&m->patches, m->w, "vision_model.embeddings.patch_embedding",
                     m->vision.body.width, type);
    load_start(m);
    m->first = vit_load_norm(m->w, "vision_model.pre_layrnorm", m->vision.body.width);
    load_tower(m, &m->vision, type);
    load_tower(m, &m->text, type);
    load_end();
    stats_add("weight_loads", 1);
}

void clip_close(clip *m)
{
    vit_free(&m->vision.body);
    vit_free(&m->text.body);
    free(m->patches.padded);
    weights_close(m->w);
}
