/*
** t5.c: umT5's encoder (Raffel et al. 2020, "Exploring the Limits of Transfer Learning"; Chung et
** al. 2023, "UniMax"), as Wan uses it: ids to contexts.
**
** Refused: heads that are not 64 or 128 wide, a position table shared by the layers (T5, not
** umT5), and the decoder.
**
** The hard idea: the weights are eleven gigabytes and a prompt is twenty tokens, so the weights set
** the time. Each layer is loaded once and done for all sequences of a batch, and crosses to the
** device while the one before is being done (layer_begin); the table of tokens stays where it is.
** The sequences are not stacked into one product: libraries choose the order of a product's sums
** by its number of rows, and a context must not depend, not even in its last bit, on which other
** prompts are in the batch. Nothing is padded: a padded key's weight would be exactly 0, and
** relative positions do not move.
*/
#include "t5.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../common/checkpoint/config.h"
#include "../../common/checkpoint/stored.h"
#include "../../common/die.h"
#include "../../common/program.h"

static const float EPSILON = 1e-6f;

/* ---- sizes ---- */

/* Hugging Face's config.json; the official one is the transformer's. */
static void check_config(const t5 *m)
{
    config *c = config_open(m->w, PART_TEXT, false);
    const char *type = config_text(c, "model_type");
    if (type && strcmp(type, "umt5") == 0) {
        config_agree(c, "dim", m->width);
        config_agree(c, "dim_ffn", m->ffn_width);
        config_agree(c, "num_heads", m->heads);
        config_agree(c, "num_layers", m->layers);
        config_agree(c, "num_buckets", m->buckets);
    }
    config_close(c);
}

t5 t5_open(weights *w)
{
    t5 m = {.w = w};
    tensor table = weights_tensor(w, "token_embedding.weight", -1, -1);
    m.vocabulary = table.dim[0];
    if (m.vocabulary < 1)
        die("token_embedding.weight in %s is %s: it has no token", weights_path(w),
            tensor_text(table));
    m.width = table.dim[1];
    weights_tensor(w, "norm.weight", m.width); /* used last: better missed now */
    tensor q = weights_tensor(w, "blocks.0.attn.q.weight", -1, m.width);
    m.attention_width = q.dim[0];
    m.ffn_width = weights_tensor(w, "blocks.0.ffn.fc1.weight", -1, m.width).dim[0];
    tensor positions = weights_tensor(w, "blocks.0.pos_embedding.embedding.weight", -1, -1);
    m.buckets = positions.dim[0];
    m.heads = positions.dim[1];
    if (m.buckets < 4 || m.heads < 1 ||
        (m.attention_width != 64 * m.heads && m.attention_width != 128 * m.heads))
        die("%s has attention %lld wide with %lld heads: heads must be 64 or 128 wide",
            weights_path(w), (long long)m.attention_width, (long long)m.heads);
    if (m.width % 8 || m.ffn_width % 8)
        die("%s is %lld and %lld wide: widths must be multiples of 8", weights_path(w),
            (long long)m.width, (long long)m.ffn_width);
    for (int i = 0, block; i < weights_count(w); i++)
        if (sscanf(weights_name(w, i), "blocks.%4d.", &block) == 1 && block >= m.layers)
            m.layers = block + 1; /* a gap is a missing tensor, which loading names */
    if (m.layers > 1 && !weights_has(w, "blocks.1.pos_embedding.embedding.weight"))
        die("%s is the encoder of T5, whose layers share one table of positions, not umT5's",
            weights_path(w));
    /* umT5's activations leave the range of F16, so where those are operands it becomes BF16. */
    m.type = is_codes(q.type) || operand_type(q.type) == F16 ? BF16 : q.type;
    check_config(&m);
    return m;
}

/* ---- relative positions ---- */

/* The bucket of key - query (T5's, both directions, distances to 128): half of the buckets are for
** keys behind the query; of a half, one is for each small distance, then they widen
** logarithmically. */
static int64_t bucket(int64_t offset, int64_t buckets)
{
    int64_t half = buckets / 2, exact = half / 2, distance = llabs(offset);
    int64_t first = offset > 0 ? half : 0;
    if (distance < exact)
        return first + distance;
    float ratio = logf((float)distance / (float)exact) / (float)log(128.0 / (double)exact);
    int64_t far = exact + (int64_t)(ratio * (float)(half - exact));
    return first + (far < half - 1 ? far : half - 1);
}

/* bias [H, 2L - 1] of the table NAME.weight: column L - 1 + offset is the layer's learned number
** for that offset. */
static tensor position_bias(const t5 *m, const char *name, int64_t L)
{
    char full[128];
    snprintf(full, sizeof full, "%s.weight", name);
    weights_tensor(m->w, full, m->buckets, m->heads);
    stored table = weights_stored(m->w, name);
    tensor learned = stored_expanded(&table);
    tensor bias =
        tensor_of(new_bytes((size_t)(m->heads * (2 * L - 1)) * 4), F32, m->heads, 2 * L - 1);
    const float *from = learned.data;
    for (int64_t i = 0; i < m->buckets * m->heads; i++)
        if (!isfinite(from[i]))
            die("%s in %s has values that are not finite", weights_called(m->w, full),
                weights_path(m->w));
    float *to = bias.data;
    for (int64_t h = 0; h < m->heads; h++)
        for (int64_t offset = 1 - L; offset < L; offset++)
            *to++ = from[bucket(offset, m->buckets) * m->heads + h];
    tensor on_device = scratch(F32, m->heads, 2 * L - 1);
    upload_into(on_device, bias);
    free(learned.data);
    free(bias.data);
    return on_device;
}

/* ---- a layer ---- */

typedef struct {
    tensor norm1, norm2; /* [D] */
    linear_weight q, k, v, o, gate, up, down;
    tensor bias; /* [H, 2L - 1], L the longest sequence */
} layer;

static layer load_layer(const t5 *m, int i, int64_t longest)
{
    char name[96];
    int64_t D = m->width, A = m->attention_width, F = m->ffn_width;
#define NAME(end) (snprintf(name, sizeof name, "blocks.%d." end, i), name)
    layer l;
    l.norm1 = load_vector(m->w, NAME("norm1.weight"), D);
    l.q = load_linear(m->w, NAME("attn.q"), A, D, m->type);
    l.k = load_linear(m->w, NAME("attn.k"), A, D, m->type);
    l.v = load_linear(m->w, NAME("attn.v"), A, D, m->type);
    l.o = load_linear(m->w, NAME("attn.o"), D, A, m->type);
    l.norm2 = load_vector(m->w, NAME("norm2.weight"), D);
    l.gate = load_linear(m->w, NAME("ffn.gate.0"), F, D, m->type);
    l.up = load_linear(m->w, NAME("ffn.fc1"), F, D, m->type);
    l.down = load_linear(m->w, NAME("ffn.fc2"), D, F, m->type);
    l.bias = position_bias(m, NAME("pos_embedding.embedding"), longest);
#undef NAME
    return l;
}

/* x [L, D] += Wo softmax(q k^T + bias) v, with q, k, v = W rms_norm(x).
** No 1/sqrt(d): T5 has it in its weights. */
static void attend(const t5 *m, const layer *l, tensor x)
{
    tensor_type A = operand_type(m->type);
    int64_t L = tensor_rows(x), D = m->width, W = m->attention_width;
    int64_t longest = (l->bias.dim[1] + 1) / 2;
    size_t mark = scratch_mark();
    tensor a = scratch(A, L, D), q = scratch(A, L, W), k = scratch(A, L, W), v = scratch(A, L, W);
    tensor y = scratch(F32, L, D), bias = scratch(F32, m->heads, 2 * L - 1);
    rms_norm(a, x, l->norm1, EPSILON);
    linear(q, a, &l->q);
    linear(k, a, &l->k);
    linear(v, a, &l->v);
    copy(bias, columns(l->bias, longest - L, 2 * L - 1));
    tensor o = scratch(A, L, W);
    attention(o, q, k, v,
              &(attention_spec){.batch = 1, .heads = (int)m->heads, .scale = 1, .bias = bias});
    linear(y, o, &l->o);
    add(x, y);
    scratch_reset(mark);
}

/* x [L, D] += Wdown (gelu(Wgate a) * Wup a), with a = rms_norm(x) */
static void feed_forward(const t5 *m, const layer *l, tensor x)
{
    tensor_type A = operand_type(m->type);
    int64_t L = tensor_rows(x), D = m->width, F = m->ffn_width;
    size_t mark = scratch_mark();
    tensor a = scratch(A, L, D), gate = scratch(A, L, F), up = scratch(A, L, F);
    tensor y = scratch(F32, L, D);
    rms_norm(a, x, l->norm2, EPSILON);
    linear(gate, a, &l->gate);
    linear(up, a, &l->up);
    mul_gelu(gate, gate, up);
    linear(y, gate, &l->down);
    add(x, y);
    scratch_reset(mark);
}

/* ---- the encoder ---- */

/* x F32 [N, D]: the table's row of each id, gathered on the host out of the mapped file. */
static tensor embed(const t5 *m, const int32_t *ids, int64_t N)
{
    stored table = weights_stored(m->w, "token_embedding");
    tensor host = tensor_of(new_bytes((size_t)(N * m->width) * 4), F32, N, m->width);
    for (int64_t i = 0; i < N; i++)
        stored_values(rows(host, i, 1).data, &table, ids[i] * m->width, m->width);
    tensor x = scratch(F32, N, m->width);
    upload_into(x, host);
    free(host.data);
    if (count_nonfinite(x))
        die("token_embedding.weight in %s has values that are not finite", weights_path(m->w));
    return x;
}

void t5_encode(const t5 *m, tensor context, const int32_t *ids, int n, const int64_t length[])
{
    int64_t longest = 1;
    for (int i = 0; i < n; i++)
        longest = length[i] > longest ? length[i] : longest;
    size_t mark = scratch_mark();
    load_begin(m->w);
    tensor x = embed(m, ids, context.dim[0]);
    for (int i = 0; i < m->layers; i++) {
        size_t layer_mark = scratch_mark();
        layer_begin(i);
        layer l = load_layer(m, i, longest);
        layer_end();
        for (int64_t s = 0, first = 0; s < n; first += length[s++]) {
            tensor sequence = rows(x, first, length[s]);
            attend(m, &l, sequence);
            feed_forward(m, &l, sequence);
        }
        scratch_reset(layer_mark);
        progress("layer", i + 1, m->layers);
    }
    rms_norm(x, x, load_vector(m->w, "norm.weight", m->width), EPSILON);
    load_end();
    download(context, x);
    scratch_reset(mark);
    stats_add("weight_loads", 1);
}
