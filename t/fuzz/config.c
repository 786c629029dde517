/*
** config.c: config.json as wan-denoise reads it, and, where the last byte is odd (a brace, say), as
** clipscore does. The weights that it must agree with are fixed; what is not a size is missing from
** them, so that loading ends behind the configuration.
*/
#include <unistd.h>

#include "../../bin/clipscore/clip.h"
#include "../../bin/dit.h"
#include "../../common/checkpoint/weights.h"
#include "../../common/stream.h"
#include "../../kernels/kernels.h"
#include "fuzz.h"

typedef struct {
    const char *name;
    tensor shape;
} entry_of;

static int transformer, clips, checkpoint; /* files; checkpoint is one of the two */

static int write_checkpoint(const entry_of *all, size_t n)
{
    static const char zeros[1 << 19];
    FILE *f = fuzz_blank();
    writer w;
    document d = {0};
    writer_open(&w, f, "the checkpoint");
    for (size_t i = 0; i < n; i++)
        document_add(&d, all[i].name, all[i].shape);
    writer_header(&w, &d);
    for (int i = 0; i < d.entries; i++)
        writer_bytes(&w, zeros, tensor_bytes(d.entry[i].t));
    writer_end(&w);
    document_free(&d);
    fflush(f);
    lseek(fileno(f), 0, SEEK_SET);
    return fileno(f);
}

void fuzz_begin(void)
{
    const entry_of of_transformer[] = {
        {"patch_embedding.weight", tensor_of(NULL, U8, 128, 16, 1, 2, 2)},
        {"text_embedding.0.weight", tensor_of(NULL, U8, 128, 64)},
        {"time_embedding.0.weight", tensor_of(NULL, U8, 128, 64)},
        {"blocks.0.ffn.0.weight", tensor_of(NULL, U8, 256, 128)},
    };
    const entry_of of_clip[] = {
        {"vision_model.encoder.layers.0.mlp.fc1.weight", tensor_of(NULL, U8, 128, 64)},
        {"vision_model.embeddings.patch_embedding.weight", tensor_of(NULL, U8, 64, 3, 14, 14)},
        {"vision_model.embeddings.position_embedding.weight", tensor_of(NULL, U8, 257, 64)},
        {"visual_projection.weight", tensor_of(NULL, U8, 64, 64)},
        {"text_model.encoder.layers.0.mlp.fc1.weight", tensor_of(NULL, U8, 128, 64)},
        {"text_model.embeddings.token_embedding.weight", tensor_of(NULL, U8, 514, 64)},
        {"text_model.embeddings.position_embedding.weight", tensor_of(NULL, U8, 77, 64)},
    };
    transformer = write_checkpoint(of_transformer, sizeof of_transformer / sizeof *of_transformer);
    clips = write_checkpoint(of_clip, sizeof of_clip / sizeof *of_clip);
    scratch(U8, 1); /* its memory is for good, and therefore not an input's */
}

/* dit_find() and clip_open() find the weights that are there. */
weights *__wrap_weights_find(const char *path, const char *const patterns[], const char *what)
{
    (void)path, (void)patterns, (void)what;
    return weights_open_fd(checkpoint, "checkpoint");
}

void fuzz_target(const uint8_t *bytes, size_t n)
{
    fuzz_file("config.json", bytes, n);
    scratch_reset(0);
    checkpoint = n && bytes[n - 1] % 2 ? clips : transformer;
    if (checkpoint == clips) {
        clip m;
        clip_open(&m, "model");
        weights_close(m.w);
    } else {
        dit m;
        weights *w = dit_find("model");
        dit_open(&m, w, "model/w.safetensors", F32, (dit_share){.parts = 1});
        weights_close(w);
    }
}
