/*
** dit-load.c: a Wan checkpoint onto the device.
**
** Sizes are the weights' own; config.json adds what weights cannot tell (heads, text_len, eps) and
** must agree with them in the rest. Refused by name: image-to-video models, latents that do not
** have 16 channels, heads that are not 64 or 128 wide. The time's linears and the head are kept as
** F32, as the reference computes them; everything else has the type asked for, or I8 if it is I8.
*/
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../../common/die.h"
#include "../../common/program.h"
#include "../load.h"
#include "dit.h"

enum { TEXT_LEN = 512, HEAD_WIDTH = 128 }; /* of all published models: without a config.json */

weights *dit_find(const char *path)
{
    static const char *const patterns[] = {"diffusion_pytorch_model*.safetensors.index.json",
                                           "diffusion_pytorch_model*.safetensors",
                                           "*.safetensors.index.json", NULL};
    return weights_find(path, patterns);
}

/* ---- config.json ---- */

static bool is_directory(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

/* The configuration that comes with the weights at path: their metadata's "config", else the
 * config.json in that directory, or beside that file. `from` gets where it was found; NULL if a
 * file has none. */
static json_t *read_config(const weights *w, const char *path, char **from)
{
    json_error_t error;
    json_t *config;
    const char *text = weights_metadata(w, "config"), *slash = strrchr(path, '/');
    if (text) {
        *from = new_format("the config of %s", path);
        config = json_loads(text, 0, &error);
    } else {
        bool directory = is_directory(path);
        *from = directory ? new_format("%s/config.json", path)
                : slash   ? new_format("%.*s/config.json", (int)(slash - path), path)
                          : new_format("config.json");
        FILE *f = fopen(*from, "r");
        if (!f && errno == ENOENT && !directory)
            return NULL;
        if (!f)
            die_errno("cannot read %s", *from);
        config = json_loadf(f, 0, &error);
        fclose(f);
    }
    if (!config)
        die("cannot read %s: %s in line %d", *from, error.text, error.line);
    if (!json_is_object(config))
        die("cannot read %s: not a JSON object", *from);
    return config;
}

/* config's number `key`, or `otherwise` where there is none. */
static double number(const json_t *config, const char *from, const char *key, double otherwise)
{
    const json_t *value = json_object_get(config, key);
    if (value && !json_is_number(value))
        die("%s of %s is not a number", key, from);
    return value ? json_number_value(value) : otherwise;
}

static void agree(const json_t *config, const char *from, const char *key, int64_t have)
{
    double said = number(config, from, key, (double)have);
    if (said != (double)have)
        die("%s says %s %.10g, but the weights have %lld", from, key, said, (long long)have);
}

static void check_config(dit *m, const json_t *config, const char *from)
{
    const json_t *type = json_object_get(config, "model_type");
    if (type && (!json_is_string(type) || strcmp(json_string_value(type), "t2v") != 0))
        die("%s is of a '%s' model: only text-to-video (t2v) is supported", from,
            json_is_string(type) ? json_string_value(type) : "?");
    agree(config, from, "dim", m->dim);
    agree(config, from, "ffn_dim", m->ffn);
    agree(config, from, "freq_dim", m->freq);
    agree(config, from, "text_dim", m->text_dim);
    agree(config, from, "num_layers", m->layers);
    agree(config, from, "in_dim", LATENT_CHANNELS);
    agree(config, from, "out_dim", LATENT_CHANNELS);
    double heads = number(config, from, "num_heads", (double)(m->dim / HEAD_WIDTH));
    double text_len = number(config, from, "text_len", TEXT_LEN);
    double eps = number(config, from, "eps", 1e-6);
    if (!(heads >= 1 && heads <= (double)m->dim) || heads != (double)(int64_t)heads ||
        m->dim % (int64_t)heads != 0)
        die("%s says %g heads, which do not divide a width of %lld", from, heads,
            (long long)m->dim);
    if (!(text_len >= 1 && text_len <= 1 << 20) || !(eps >= 0 && eps < 1))
        die("%s says text_len %g and eps %g", from, text_len, eps);
    m->heads = (int)heads;
    m->text_len = (int64_t)text_len;
    m->eps = (float)eps;
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
    if (patch.dim[1] > LATENT_CHANNELS || weights_has(w, "img_emb.proj.0.weight"))
        die("%s is an image-to-video model: patch_embedding takes %lld channels, not %d", path,
            (long long)patch.dim[1], LATENT_CHANNELS);
    if (patch.dim[1] != LATENT_CHANNELS)
        die("%s takes latents of %lld channels: only %d are supported", path,
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

/* Every linear of this model has a bias: where one is missing the file is damaged. */
static linear_weight load_biased(weights *w, const char *prefix, int n, const char *const suffix[],
                                 int64_t out, int64_t in, tensor_type dtype)
{
    char name[128];
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "%s%s.bias", prefix, suffix[i]);
        weights_tensor(w, name, out);
    }
    return load_joined(w, prefix, n, suffix, out, in, dtype);
}

static linear_weight load_one(weights *w, const char *name, int64_t out, int64_t in,
                              tensor_type dtype)
{
    return load_biased(w, name, 1, (const char *const[]){""}, out, in, dtype);
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
    b->qkv = load_biased(w, in_block(i, "self_attn."), 3, q_k_v, D, D, dtype);
    b->norm_qk = load_norms(w, i, D);
    b->o = load_one(w, in_block(i, "self_attn.o"), D, D, dtype);
    b->norm3_gamma = load_vector(w, in_block(i, "norm3.weight"), D);
    b->norm3_beta = load_vector(w, in_block(i, "norm3.bias"), D);
    b->text_q = load_one(w, in_block(i, "cross_attn.q"), D, D, dtype);
    b->text_kv = load_biased(w, in_block(i, "cross_attn."), 2, k_v, D, D, dtype);
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
    read_sizes(m, w, path);
    char *from;
    json_t *config = read_config(w, path, &from);
    if (!config)
        warn("there is no %s: taking heads %d wide and text_len %d", from, HEAD_WIDTH, TEXT_LEN);
    check_config(m, config, from);
    json_decref(config);
    free(from);
    int64_t D = m->dim, d = D / m->heads;
    if (d != 64 && d != 128)
        die("%s has attention heads %lld wide: only 64 and 128 are supported", path, (long long)d);
    if (m->heads % share.parts != 0)
        die("%s has %d attention heads: they cannot be shared by %d gpus", path, m->heads,
            share.parts);
}

const char *dit_format(const weights *w, tensor_type dtype)
{
    bool codes = false;
    for (int i = 0; i < weights_count(w); i++)
        codes = codes || (weights_shape(w, i).type == I8 && strstr(weights_name(w, i), ".weight"));
    switch (dtype) {
    case F32: return codes ? "w8a32" : "fp32";
    case F16: return codes ? "w8a16" : "fp16";
    default: return codes ? "w8a16" : "bf16";
    }
}

void dit_load(dit *m, weights *w)
{
    int64_t D = m->dim;
    tensor_type dtype = m->type;
    load_begin(w);
    int64_t volume = (int64_t)m->patch[0] * m->patch[1] * m->patch[2];
    /* a convolution whose stride is its kernel: a product with patches [D, C x pt x py x px] */
    m->patch_embedding = load_one(w, "patch_embedding", D, LATENT_CHANNELS * volume, dtype);
    m->text_0 = load_one(w, "text_embedding.0", D, m->text_dim, dtype);
    m->text_2 = load_one(w, "text_embedding.2", D, D, dtype);
    m->time_0 = load_one(w, "time_embedding.0", D, m->freq, F32);
    m->time_2 = load_one(w, "time_embedding.2", D, D, F32);
    m->time_projection = load_one(w, "time_projection.1", 6 * D, D, F32);
    m->block = new_bytes(sizeof *m->block * (unsigned long)m->layers);
    for (int i = 0; i < m->layers; i++) {
        load_block(m, i, w, dtype);
        progress("load", i + 1, m->layers);
    }
    m->head_modulation = reshape(load_vector(w, "head.modulation", 2 * D), 2, D);
    m->head = load_one(w, "head.head", LATENT_CHANNELS * volume, D, F32);
    load_end();
}
