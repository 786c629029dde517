/*
** dit-load.c: a Wan checkpoint onto the device.
**
** Sizes are the weights' own; config.json adds what weights cannot tell (heads, text_len, eps) and
** must agree with them in the rest. Refused by name: image-to-video models, latents that do not
** have 16 channels, heads that are not 64 or 128 wide. The time's linears and the head are kept as
** F32, as the reference computes them; all else has the type asked for, and codes stay codes.
*/
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../common/checkpoint/config.h"
#include "../common/checkpoint/stored.h"
#include "../common/die.h"
#include "../common/program.h"
#include "dit.h"
#include "load.h"

enum { TEXT_LEN = 512, HEAD_WIDTH = 128 }; /* of all published models: without a config.json */

weights *dit_find(const char *path) { return model_find(path, PART_TRANSFORMER); }

/* ---- config.json ---- */

static bool is_directory(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

static void check_config(dit *m, const config *c)
{
    const char *type = config_text(c, "model_type"), *from = config_from(c);
    if (type && strcmp(type, "t2v") != 0)
        die("%s is of a '%s' model: only text-to-video (t2v) is supported", from, type);
    config_agree(c, "dim", m->dim);
    config_agree(c, "ffn_dim", m->ffn);
    config_agree(c, "freq_dim", m->freq);
    config_agree(c, "text_dim", m->text_dim);
    config_agree(c, "num_layers", m->layers);
    config_agree(c, "in_dim", LATENT_CHANNELS);
    config_agree(c, "out_dim", LATENT_CHANNELS);
    double heads = config_number(c, "num_heads", (double)(m->dim / HEAD_WIDTH));
    double text_len = config_number(c, "text_len", TEXT_LEN);
    double eps = config_number(c, "eps", 1e-6), patch[3];
    if (!(heads >= 1 && heads <= (double)m->dim) || heads != (double)(int64_t)heads ||
        m->dim % (int64_t)heads != 0)
        die("%s says %g heads, which do not divide a width of %lld", from, heads,
            (long long)m->dim);
    if (!(text_len >= 1 && text_len <= 1 << 20) || !(eps >= 0 && eps < 1))
        die("%s says text_len %g and eps %g", from, text_len, eps);
    m->heads = (int)heads;
    m->text_len = (int64_t)text_len;
    m->eps = (float)eps;
    config_agree(c, "head_dim", m->dim / m->heads);
    if (config_numbers(c, "patch_size", patch, 3) &&
        (patch[0] != m->patch[0] || patch[1] != m->patch[1] || patch[2] != m->patch[2]))
        die("%s says patches of %g x %g x %g, but the weights have %d x %d x %d", from, patch[0],
            patch[1], patch[2], m->patch[0], m->patch[1], m->patch[2]);
}

/* ---- sizes ---- */

static int count_layers(const weights *w)
{
    int layers = 0, i;
    for (int n = 0; n < weights_count(w); n++)
        if (sscanf(weights_name(w, n), "blocks.%6d.", &i) == 1 && i >= layers)
            layers = i + 1;
    return layers;
}

static void read_sizes(dit *m, weights *w, const char *path)
{
    tensor patch = weights_tensor(w, "patch_embedding.weight", -1, -1, -1, -1, -1);
    if (patch.dim[1] != LATENT_CHANNELS)
        die("%s is %s: patch_embedding takes %lld channels, not %d", path,
            patch.dim[1] == 36   ? "an image-to-video model"
            : patch.dim[1] == 48 ? "Wan 2.2's 5B, of other latents"
                                 : "no text-to-video model of Wan 2.1",
            (long long)patch.dim[1], LATENT_CHANNELS);
    m->dim = patch.dim[0];
    for (int i = 0; i < 3; i++)
        m->patch[i] = (int)patch.dim[2 + i];
    m->text_dim = weights_tensor(w, "text_embedding.0.weight", m->dim, -1).dim[1];
    m->freq = weights_tensor(w, "time_embedding.0.weight", m->dim, -1).dim[1];
    m->ffn = weights_tensor(w, "blocks.0.ffn.0.weight", -1, m->dim).dim[0];
    m->layers = count_layers(w);
    if (m->freq % 2 != 0)
        die("time_embedding.0.weight in %s takes %lld numbers: they must be even", path,
            (long long)m->freq);
}

/* ---- parameters ---- */

static const char *in_block(int i, const char *name)
{
    static char full[96];
    snprintf(full, sizeof full, "blocks.%d.%s", i, name);
    return full;
}

/* What a linear's inputs are made of: a step's latents, or once a document its text. */
typedef enum { OF_STEP, OF_TEXT } input_kind;

/* n weights that are not alike in what their inputs become: each a part of its own. */
static linear_weight load_apart(weights *w, const char *prefix, int n, const char *const suffix[],
                                int64_t out, int64_t in, tensor_type dtype)
{
    linear_weight first, *last = &first;
    for (int i = 0; i < n; i++) {
        linear_weight one = load_joined(w, prefix, 1, suffix + i, out, in, dtype);
        if (i) {
            linear_weight *below = weights_keep(w, new_bytes(sizeof *below));
            last->below = below;
            last = below;
        }
        *last = one;
    }
    return first;
}

/* What a quantizer left beside NAME.weight for the layer's i-th linear: that its inputs are to be
 * rotated, and a branch of low rank. */
static void load_extras(dit_layer *l, int i, weights *w, int64_t out, int64_t in, tensor_type dtype)
{
    char name[128], other[128];
    snprintf(name, sizeof name, "%s.weight_hadamard", l->name[i]);
    if (weights_has(w, name)) {
        tensor size = weights_tensor(w, name, 1);
        if (size.type != I32 || *(const int32_t *)size.data != 256 || in % 256)
            die("%s in %s is not I32 256, or the rows of %lld are not whole 256s", name,
                weights_path(w), (long long)in);
        l->rotated[i] = true;
    }
    snprintf(name, sizeof name, "%s.weight_low_rank_down", l->name[i]);
    snprintf(other, sizeof other, "%s.weight_low_rank_up", l->name[i]);
    if (!weights_has(w, name) && !weights_has(w, other))
        return;
    int64_t rank = weights_tensor(w, name, -1, in).dim[0];
    if (rank < 1 || rank % 8)
        die("%s in %s has the rank %lld: multiples of 8 are read", name, weights_path(w),
            (long long)rank);
    l->down[i] = load_matrix(w, name, rank, in, dtype);
    l->up[i] = load_matrix(w, other, out, rank, dtype);
}

/* Every linear of this model has a bias: where one is missing the file is damaged. */
static dit_layer load_layer(weights *w, const char *prefix, int n, const char *const suffix[],
                            int64_t out, int64_t in, tensor_type dtype, input_kind kind)
{
    char name[128];
    dit_layer l = layer_named(n, prefix, suffix);
    for (int i = 0; i < n; i++) {
        weights_keep(w, l.name[i]);
        snprintf(name, sizeof name, "%s.bias", l.name[i]);
        weights_tensor(w, name, out);
        load_extras(&l, i, w, out, in, dtype);
    }
    l.weight = layer_divided(&l) ? load_apart(w, prefix, n, suffix, out, in, dtype)
                                 : load_joined(w, prefix, n, suffix, out, in, dtype);
    l.statistics = statistics_of(n, l.name, l.weight.w.dim[1], kind == OF_TEXT);
    layer_loaded(&l);
    return l;
}

static dit_layer load_one(weights *w, const char *name, int64_t out, int64_t in, tensor_type dtype)
{
    return load_layer(w, name, 1, (const char *const[]){""}, out, in, dtype, OF_STEP);
}

/* The gains of q and k, one behind the other. */
static tensor load_norms(weights *w, int i, int64_t D)
{
    tensor both = scratch(F32, 2, D);
    size_t mark = scratch_mark();
    copy(rows(both, 0, 1), load_vector(w, in_block(i, "self_attn.norm_q.weight"), D));
    copy(rows(both, 1, 1), load_vector(w, in_block(i, "self_attn.norm_k.weight"), D));
    scratch_reset(mark);
    return both;
}

static void load_block(dit *m, int i, weights *w, tensor_type dtype)
{
    static const char *const q_k_v[] = {"q", "k", "v"}, *const k_v[] = {"k", "v"};
    dit_block *b = &m->block[i];
    int64_t D = m->dim;
    b->modulation = reshape(load_vector(w, in_block(i, "modulation"), 6 * D), 6, D);
    b->qkv = load_layer(w, in_block(i, "self_attn."), 3, q_k_v, D, D, dtype, OF_STEP);
    b->norm_qk = load_norms(w, i, D);
    b->o = load_one(w, in_block(i, "self_attn.o"), D, D, dtype);
    b->norm3_gamma = load_vector(w, in_block(i, "norm3.weight"), D);
    b->norm3_beta = load_vector(w, in_block(i, "norm3.bias"), D);
    b->text_q = load_one(w, in_block(i, "cross_attn.q"), D, D, dtype);
    b->text_kv = load_layer(w, in_block(i, "cross_attn."), 2, k_v, D, D, dtype, OF_TEXT);
    b->text_norm_q = load_vector(w, in_block(i, "cross_attn.norm_q.weight"), D);
    b->text_norm_k = load_vector(w, in_block(i, "cross_attn.norm_k.weight"), D);
    b->text_o = load_one(w, in_block(i, "cross_attn.o"), D, D, dtype);
    b->up = load_one(w, in_block(i, "ffn.0"), m->ffn, D, dtype);
    b->down = load_one(w, in_block(i, "ffn.2"), D, m->ffn, dtype);
}

void dit_open(dit *m, weights *w, const char *path, tensor_type dtype, dit_share share)
{
    *m = (dit){.type = dtype,
               .A = operand_type(dtype),
               .share = share,
               .text_len = TEXT_LEN,
               .eps = 1e-6f};
    weights_take_extras(w);
    read_sizes(m, w, path);
    config *c = config_open(w, PART_TRANSFORMER, is_directory(path));
    if (!config_there(c))
        warn("there is no %s: taking heads %d wide and text_len %d", config_from(c), HEAD_WIDTH,
             TEXT_LEN);
    check_config(m, c);
    config_close(c);
    int64_t D = m->dim, d = D / m->heads;
    if (d != 64 && d != 128)
        die("%s has attention heads %lld wide: only 64 and 128 are supported", path, (long long)d);
    if (m->heads % share.parts != 0)
        die("%s has %d attention heads: they cannot be shared by %d gpus", path, m->heads,
            share.parts);
}

/* A weight of a product in F32: 16 bits a value stay 16, and are widened when they are used. */
static dit_layer load_kept(weights *w, const char *name, int64_t out, int64_t in)
{
    tensor_type type = weights_stored(w, name).w.type;
    return load_one(w, name, out, in, type == F16 || type == BF16 ? type : F32);
}

void dit_load(dit *m, weights *w)
{
    int64_t D = m->dim;
    tensor_type dtype = m->type;
    load_begin(w);
    int64_t volume = (int64_t)m->patch[0] * m->patch[1] * m->patch[2];
    /* a convolution whose stride is its kernel: a product with patches [D, C x pt x py x px] */
    m->patch_embedding = load_one(w, "patch_embedding", D, LATENT_CHANNELS * volume, dtype);
    const char *const first[] = {"0"}, *const second[] = {"2"};
    m->text_0 = load_layer(w, "text_embedding.", 1, first, D, m->text_dim, dtype, OF_TEXT);
    m->text_2 = load_layer(w, "text_embedding.", 1, second, D, D, dtype, OF_TEXT);
    m->time_0 = load_kept(w, "time_embedding.0", D, m->freq);
    m->time_2 = load_kept(w, "time_embedding.2", D, D);
    m->time_projection = load_kept(w, "time_projection.1", 6 * D, D);
    m->block = new_bytes(sizeof *m->block * (unsigned long)m->layers);
    for (int i = 0; i < m->layers; i++) {
        size_t mark = scratch_mark();
        load_block(m, i, w, dtype);
        dit_memory_park(m->memory, i, mark);
        progress("load", i + 1, m->layers);
    }
    m->head_modulation = reshape(load_vector(w, "head.modulation", 2 * D), 2, D);
    m->head = load_one(w, "head.head", LATENT_CHANNELS * volume, D, F32);
    load_end();
}
