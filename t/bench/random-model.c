/*
** random-model.c: a checkpoint of a real model's size with random weights, for benchmarks.
**
**     random-model DIR 1.3B|14B|small    DiT: DIR/config.json, DIR/diffusion_pytorch_model.safetensors, F16
**     random-model DIR text [LAYERS]     umT5-xxl: DIR/umt5_random.safetensors, BF16, 24 layers
**     random-model DIR vae               decoder: DIR/vae_random.safetensors, F32
**
** Names and shapes are those of the official checkpoints. Values are uniform with variance
** 1 / fan-in, so activations stay of order one through any depth; norms' gains are near one.
** "small" has one block, 6 heads and a narrow ffn: it is for tests that need more heads than two.
** The values repeat after a prime number of elements: made fast, and no two rows alike.
*/
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "../../common/die.h"
#include "../../common/stream.h"

enum { PERIOD = 1000003 };
static float uniform[PERIOD]; /* variance 1 */

static document model;
static tensor_type store;

static void __attribute__((format(printf, 1, 0)))
declare(const char *format, int rank, const int64_t *dim, va_list a)
{
    char name[128];
    vsnprintf(name, sizeof name, format, a);
    document_add(&model, name, tensor_make(NULL, store, rank, dim));
}

static void vector(int64_t n, const char *format, ...)
{
    va_list a;
    va_start(a, format);
    declare(format, 1, (int64_t[]){n}, a);
    va_end(a);
}

static void shaped(int rank, const int64_t *dim, const char *format, ...)
{
    va_list a;
    va_start(a, format);
    declare(format, rank, dim, a);
    va_end(a);
}
#define SHAPE(...)                                                                                 \
    sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (int64_t[]) { __VA_ARGS__ }

static void matrix(int64_t out, int64_t in, const char *name)
{
    shaped(SHAPE(out, in), "%s.weight", name);
}

static void linear(int64_t out, int64_t in, const char *name)
{
    matrix(out, in, name);
    vector(out, "%s.bias", name);
}

static void conv(int64_t out, int64_t in, int kt, int k, const char *name)
{
    shaped(SHAPE(out, in, kt, k, k), "%s.weight", name);
    vector(out, "%s.bias", name);
}

static const char *in_block(const char *block, int i, const char *name)
{
    static char text[2][128];
    static int next;
    char *s = text[next++ & 1];
    snprintf(s, 128, "%s.%d.%s", block, i, name);
    return s;
}

/* ---- the three models ---- */

static void dit(int64_t dim, int64_t ffn, int layers)
{
    static const char *const attentions[] = {"self_attn", "cross_attn"}, *const parts[] = {
                                                                             "q", "k", "v", "o"};
    store = F16;
    conv(dim, 16, 1, 2, "patch_embedding");
    linear(dim, 4096, "text_embedding.0");
    linear(dim, dim, "text_embedding.2");
    linear(dim, 256, "time_embedding.0");
    linear(dim, dim, "time_embedding.2");
    linear(6 * dim, dim, "time_projection.1");
    for (int i = 0; i < layers; i++) {
        shaped(SHAPE(1, 6, dim), "blocks.%d.modulation", i);
        for (int a = 0; a < 2; a++) {
            const char *attention = attentions[a];
            for (int p = 0; p < 4; p++) {
                char name[64];
                snprintf(name, sizeof name, "%s.%s", attention, parts[p]);
                linear(dim, dim, in_block("blocks", i, name));
            }
            vector(dim, "blocks.%d.%s.norm_q.weight", i, attention);
            vector(dim, "blocks.%d.%s.norm_k.weight", i, attention);
        }
        vector(dim, "blocks.%d.norm3.weight", i);
        vector(dim, "blocks.%d.norm3.bias", i);
        linear(ffn, dim, in_block("blocks", i, "ffn.0"));
        linear(dim, ffn, in_block("blocks", i, "ffn.2"));
    }
    linear(64, dim, "head.head");
    shaped(SHAPE(1, 2, dim), "head.modulation");
}

static void text(int layers)
{
    enum { VOCABULARY = 256384, DIM = 4096, FFN = 10240, HEADS = 64 };
    static const char *const square[] = {"attn.q", "attn.k", "attn.v", "attn.o"};
    store = BF16;
    matrix(VOCABULARY, DIM, "token_embedding");
    for (int i = 0; i < layers; i++) {
        for (int p = 0; p < 4; p++)
            matrix(DIM, DIM, in_block("blocks", i, square[p]));
        vector(DIM, "blocks.%d.norm1.weight", i);
        vector(DIM, "blocks.%d.norm2.weight", i);
        matrix(FFN, DIM, in_block("blocks", i, "ffn.gate.0"));
        matrix(FFN, DIM, in_block("blocks", i, "ffn.fc1"));
        matrix(DIM, FFN, in_block("blocks", i, "ffn.fc2"));
        matrix(32, HEADS, in_block("blocks", i, "pos_embedding.embedding"));
    }
    vector(DIM, "norm.weight");
}

static void residual(const char *block, int i, int64_t in, int64_t out)
{
    shaped(SHAPE(in, 1, 1, 1), "%s.%d.residual.0.gamma", block, i);
    conv(out, in, 3, 3, in_block(block, i, "residual.2"));
    shaped(SHAPE(out, 1, 1, 1), "%s.%d.residual.3.gamma", block, i);
    conv(out, out, 3, 3, in_block(block, i, "residual.6"));
    if (in != out)
        conv(out, in, 1, 1, in_block(block, i, "shortcut"));
}

static void square_picture(int64_t out, int64_t in, const char *name)
{
    shaped(SHAPE(out, in, 1, 1), "%s.weight", name);
    vector(out, "%s.bias", name);
}

static void middle(const char *block, int64_t wide)
{
    char name[64];
    residual(block, 0, wide, wide);
    shaped(SHAPE(wide, 1, 1), "%s.1.norm.gamma", block);
    snprintf(name, sizeof name, "%s.1.to_qkv", block);
    square_picture(3 * wide, wide, name);
    snprintf(name, sizeof name, "%s.1.proj", block);
    square_picture(wide, wide, name);
    residual(block, 2, wide, wide);
}

static void encoder(int64_t wide)
{
    static const int64_t stage_in[] = {96, 96, 192, 384}, stage_out[] = {96, 192, 384, 384};
    conv(32, 32, 1, 1, "conv1");
    conv(96, 3, 3, 3, "encoder.conv1");
    for (int stage = 0, i = 0; stage < 4; stage++) {
        int64_t in = stage_in[stage], out = stage_out[stage];
        for (int r = 0; r < 2; r++, i++)
            residual("encoder.downsamples", i, r ? out : in, out);
        if (stage == 3)
            break;
        shaped(SHAPE(out, out, 3, 3), "encoder.downsamples.%d.resample.1.weight", i);
        vector(out, "encoder.downsamples.%d.resample.1.bias", i);
        if (stage > 0) {
            shaped(SHAPE(out, out, 3, 1, 1), "encoder.downsamples.%d.time_conv.weight", i);
            vector(out, "encoder.downsamples.%d.time_conv.bias", i);
        }
        i++;
    }
    middle("encoder.middle", wide);
    shaped(SHAPE(wide, 1, 1, 1), "encoder.head.0.gamma");
    conv(32, wide, 3, 3, "encoder.head.2");
}

static void vae(void)
{
    enum { WIDE = 384 };
    static const int64_t stage_in[] = {384, 192, 192, 96}, stage_out[] = {384, 384, 192, 96};
    store = F32;
    conv(16, 16, 1, 1, "conv2");
    conv(WIDE, 16, 3, 3, "decoder.conv1");
    middle("decoder.middle", WIDE);
    for (int stage = 0, i = 0; stage < 4; stage++) {
        int64_t in = stage_in[stage], out = stage_out[stage];
        for (int r = 0; r < 3; r++, i++)
            residual("decoder.upsamples", i, r ? out : in, out);
        if (stage == 3)
            break;
        shaped(SHAPE(out / 2, out, 3, 3), "decoder.upsamples.%d.resample.1.weight", i);
        vector(out / 2, "decoder.upsamples.%d.resample.1.bias", i);
        if (stage < 2) {
            shaped(SHAPE(2 * out, out, 3, 1, 1), "decoder.upsamples.%d.time_conv.weight", i);
            vector(2 * out, "decoder.upsamples.%d.time_conv.bias", i);
        }
        i++;
    }
    shaped(SHAPE(96, 1, 1, 1), "decoder.head.0.gamma");
    conv(3, 96, 3, 3, "decoder.head.2");
    encoder(WIDE);
}

/* ---- writing ---- */

static void fill(void)
{
    uint64_t s = 0x9e3779b97f4a7c15u;
    for (int i = 0; i < PERIOD; i++) {
        s ^= s << 13;
        s ^= s >> 7;
        s ^= s << 17;
        uniform[i] = ((float)(s >> 40) * 0x1p-24f - 0.5f) * 3.4641016f;
    }
}

/* As many numbers as the period are made and converted; a large tensor is them again and again. */
static void write_tensor(writer *w, const entry *e)
{
    static float values[PERIOD];
    static char stored[PERIOD * sizeof(float)];
    static int64_t at;
    int64_t count = tensor_count(e->t), fan = e->t.rank > 1 ? count / e->t.dim[0] : 1;
    int64_t made = count < PERIOD ? count : PERIOD, size = (int64_t)type_size(store);
    bool gain = e->t.rank == 1 && !strstr(e->name, "bias");
    gain |= strstr(e->name, "gamma") != NULL;
    float scale = gain || strstr(e->name, "bias") ? 0.1f : 1.0f / sqrtf((float)fan);
    if (strstr(e->name, "modulation") || strstr(e->name, "embedding.weight"))
        scale = 0.3f;
    for (int64_t i = 0; i < made; i++)
        values[i] = (gain ? 1.0f : 0.0f) + scale * uniform[(at + i) % PERIOD];
    host_convert(tensor_of(stored, store, made), tensor_of(values, F32, made));
    for (int64_t i = 0; i < count; i += made)
        writer_bytes(w, stored, (size_t)((count - i < made ? count - i : made) * size));
    at = (at + count) % PERIOD;
}

static void write_model(const char *directory, const char *file)
{
    char *path = new_format("%s/%s", directory, file);
    writer w;
    FILE *f = fopen(path, "wb");
    if (!f)
        die_errno("cannot create %s", path);
    writer_open(&w, f, path);
    writer_header(&w, &model);
    fill();
    for (int i = 0; i < model.entries; i++)
        write_tensor(&w, &model.entry[i]);
    writer_end(&w);
    writer_close(&w);
    free(path);
}

static void write_config(const char *directory, int64_t dim, int64_t ffn, int layers)
{
    char *path = new_format("%s/config.json", directory);
    FILE *f = fopen(path, "w");
    if (!f ||
        fprintf(f,
                "{\"model_type\": \"t2v\", \"dim\": %lld, \"ffn_dim\": %lld, \"freq_dim\": 256, "
                "\"in_dim\": 16, \"out_dim\": 16, \"num_heads\": %lld, \"num_layers\": %d, "
                "\"text_len\": 512, \"eps\": 1e-06}\n",
                (long long)dim, (long long)ffn, (long long)dim / 128, layers) < 0 ||
        fclose(f) != 0)
        die_errno("cannot write %s", path);
    free(path);
}

int main(int argc, char **argv)
{
    program_name_set(argv[0]);
    if (argc < 3)
        usage_error("usage: random-model DIR 1.3B|14B|small|text|vae [LAYERS]");
    const char *directory = argv[1];
    static const struct {
        const char *name;
        int64_t dim, ffn;
        int layers;
    } dits[] = {{"1.3B", 1536, 8960, 30}, {"14B", 5120, 13824, 40}, {"small", 768, 512, 1}};
    enum { DITS = sizeof dits / sizeof *dits };
    int d = 0;
    while (d < DITS && strcmp(argv[2], dits[d].name) != 0)
        d++;
    int layers = argc > 3 ? atoi(argv[3]) : 0;
    mkdir(directory, 0777);
    if (d < DITS) {
        layers = layers ? layers : dits[d].layers;
        dit(dits[d].dim, dits[d].ffn, layers);
        write_config(directory, dits[d].dim, dits[d].ffn, layers);
        write_model(directory, "diffusion_pytorch_model.safetensors");
    } else if (strcmp(argv[2], "text") == 0) {
        text(layers ? layers : 24);
        write_model(directory, "umt5_random.safetensors");
    } else if (strcmp(argv[2], "vae") == 0) {
        vae();
        write_model(directory, "vae_random.safetensors");
    } else
        usage_error("no such model: %s", argv[2]);
    return 0;
}
