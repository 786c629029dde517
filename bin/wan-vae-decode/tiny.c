/*
** tiny.c: the decoder of a tiny video autoencoder as equations (TAEHV's taew2_1 by
** madebyollin, taehv.py: the model and its names are from there).
**
** Latents as the sampler has them, softly cut to -3..3, pass a convolution and three stages: blocks
** that see the frame before, a product that makes one or two frames of each, pictures of twice the
** size. All is in pictures, kernels of 3 x 3 on the frame and, at most, the one before; so a frame
** goes down the list to its pictures before the next starts (as in decoder.c), and memory does not
** grow with the video. The product is linear in each pixel, so it comes before the doubling, where
** there are a quarter as many; the original has it after.
**
** Each latent frame makes four pictures; of the first one the first three are left out, as in the
** original. It refuses latents of other than 16 channels, and stages other than these.
*/
#include "tiny.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../common/die.h"
#include "../load.h"

/* ---- loading; the layers of the list, which are counted from 0 ---- */

enum { FIRST = 1, STAGE = 3, STAGE_LAYERS = 6, GROW = 4, CONV = 5 };
enum { LAST = STAGE + TINY_STAGES * STAGE_LAYERS + 1 };

typedef struct {
    char text[64];
} layer_name;

static layer_name layer_of(int i, const char *rest)
{
    layer_name name;
    snprintf(name.text, sizeof name.text, "decoder.%d%s", i, rest);
    return name;
}

bool is_tiny(const weights *w)
{
    return weights_has(w, layer_of(FIRST, ".weight").text) &&
           weights_has(w, layer_of(STAGE, ".conv.0.weight").text);
}

/* A layer's name, once its kernel is seen to be [out, in, 3, 3]. */
static layer_name plane_of(weights *w, int i, const char *rest, int64_t out, int64_t in)
{
    layer_name layer = layer_of(i, rest);
    weights_tensor(w, joined(layer.text, ".weight").text, out, in, 3, 3);
    return layer;
}

static void memory_load(memory_block *b, weights *w, int i, int64_t C, tensor_type type)
{
    b->conv1 = load_pair_conv(w, plane_of(w, i, ".conv.0", C, 2 * C).text, C, C, type);
    b->conv2 = load_conv(w, plane_of(w, i, ".conv.2", C, C).text, C, C, type);
    b->conv3 = load_conv(w, plane_of(w, i, ".conv.4", C, C).text, C, C, type);
}

/* Channels out of a layer, as the file has them. */
static int64_t rows_of(weights *w, layer_name layer)
{
    tensor t = weights_any(w, joined(layer.text, ".weight").text);
    return t.rank ? t.dim[0] : 0;
}

static void stage_load(tiny_stage *s, weights *w, int first, int64_t C, tensor_type type)
{
    layer_name grow = layer_of(first + GROW, ".conv");
    int64_t rows = rows_of(w, grow);
    if (rows != C && rows != 2 * C)
        die("%s.weight in %s makes %lld channels of %lld: only one or two frames of each are made",
            grow.text, weights_path(w), (long long)rows, (long long)C);
    for (int i = 0; i < MEMORIES; i++)
        memory_load(&s->memory[i], w, first + i, C, type);
    s->in = C;
    s->frames = rows / C;
    s->grow = load_linear(w, grow.text, rows, C, type);
    s->out = rows_of(w, layer_of(first + CONV, ""));
    s->conv = load_bare_conv(w, plane_of(w, first + CONV, "", s->out, C).text, s->out, C, type);
}

/* What would need room of its own: widths are 64 and more. */
static int64_t whole_width(const weights *w, int64_t C)
{
    if (C % 8)
        die("%s has a layer of %lld channels, but only multiples of 8 are computed",
            weights_path(w), (long long)C);
    return C;
}

void tiny_load(tiny_decoder *v, weights *w, tensor_type dtype)
{
    weights_pass_over(w, "encoder.*");
    *v = (tiny_decoder){.A = operand_type(dtype), .space = 1, .time = 1};
    load_begin(w);
    tensor first = weights_any(w, layer_of(FIRST, ".weight").text);
    if (first.rank == 4 && first.dim[1] != LATENT_CHANNELS)
        die("%s is a tiny VAE of latents of %lld channels, not %d%s", weights_path(w),
            (long long)first.dim[1], LATENT_CHANNELS, first.dim[1] == 48 ? ": Wan 2.2's" : "");
    v->width = whole_width(w, rows_of(w, layer_of(FIRST, "")));
    v->first = load_conv(w, plane_of(w, FIRST, "", v->width, LATENT_CHANNELS).text, v->width,
                         LATENT_CHANNELS, dtype);
    int64_t C = v->width;
    for (int i = 0; i < TINY_STAGES; i++) {
        stage_load(&v->stage[i], w, STAGE + i * STAGE_LAYERS, C, dtype);
        C = whole_width(w, v->stage[i].out);
        v->space *= 2;
        v->time *= v->stage[i].frames;
    }
    v->last = load_conv(w, plane_of(w, LAST, "", 3, C).text, 3, C, dtype);
    load_end();
}

void tiny_start(tiny_decoder *v, int64_t Y, int64_t X)
{
    for (tiny_stage *s = v->stage; s < v->stage + TINY_STAGES; s++, Y *= 2, X *= 2)
        for (memory_block *b = s->memory; b < s->memory + MEMORIES; b++) {
            b->before = scratch(v->A, 1, Y, X, s->in);
            b->now = scratch(v->A, 1, Y, X, s->in);
            b->seen = false;
        }
    v->left_out = v->time - 1;
    v->ones = scratch(F32, 1, Y, X, 3);
    float *one = new_bytes((unsigned long)tensor_count(v->ones) * sizeof *one);
    for (int64_t i = 0; i < tensor_count(v->ones); i++)
        one[i] = 1;
    upload_into(v->ones, tensor_of(one, F32, 1, Y, X, 3));
    free(one);
}

/* ---- the equations; pictures are A [1, Y, X, C] ---- */

/* y = relu(conv3(relu(conv2(relu(conv1(x, the frame before))))) + x), x being what is in b->now */
static void remembering(memory_block *b, tensor y)
{
    const tensor absent = {0};
    size_t mark = scratch_mark();
    tensor h = picture_like(b->now, b->now.type, b->now.dim[3]);
    tensor g = picture_like(b->now, b->now.type, b->now.dim[3]);
    conv3d(h, b->now, b->seen, &b->before, &b->conv1, false);
    add_relu(h, h, absent);
    conv3d(g, h, 0, NULL, &b->conv2, false);
    add_relu(g, g, absent);
    conv3d(h, g, 0, NULL, &b->conv3, false);
    add_relu(y, h, b->now);
    tensor free_now = b->before;
    b->before = b->now;
    b->now = free_now;
    b->seen = true;
    scratch_reset(mark);
}

/* picture F32 [1, H, W, 3] = 2 conv(relu(x)) - 1 */
static void finish(tiny_decoder *v, tensor picture, tensor x)
{
    const tensor absent = {0};
    tensor y = picture_like(x, F32, 3);
    add_relu(x, x, absent);
    conv3d(y, x, 0, NULL, &v->last, false);
    linear_combination(picture, 2, (const tensor[]){y, v->ones}, (const double[]){2, -1});
}

/* Stage i of the frame in its first block: every frame that comes of it goes to its picture, the
 * next of video. */
static void stages_from(tiny_decoder *v, int i, tensor video, int64_t *made)
{
    tiny_stage *s = &v->stage[i];
    int64_t Y = s->memory[0].now.dim[1], X = s->memory[0].now.dim[2], C = s->in;
    tensor x = scratch(v->A, 1, Y, X, C), grown = scratch(v->A, 1, Y, X, s->frames * C);
    for (int m = 0; m < MEMORIES; m++)
        remembering(&s->memory[m], m + 1 < MEMORIES ? s->memory[m + 1].now : x);
    linear(reshape(grown, Y * X, s->frames * C), reshape(x, Y * X, C), &s->grow);
    tensor frames = grown;
    if (s->frames == 2) {
        frames = scratch(v->A, 2, Y, X, C);
        split_frames(frames, grown);
    }
    for (int64_t f = 0; f < s->frames; f++) {
        bool whole = i + 1 == TINY_STAGES;
        size_t mark = scratch_mark();
        if (whole && v->left_out > 0) {
            v->left_out--;
            continue;
        }
        tensor y = whole ? scratch(v->A, 1, 2 * Y, 2 * X, s->out) : s[1].memory[0].now;
        conv3d(y, slice(frames, f, 1), 0, NULL, &s->conv, true);
        if (whole)
            finish(v, slice(video, (*made)++, 1), y);
        else
            stages_from(v, i + 1, video, made);
        scratch_reset(mark);
    }
}

/* 3 tanh(z / 3), channels last: host F32 [Y X, 16] of frame t of [16, T, Y, X] */
static void cut_softly(float *z, tensor latents, int64_t t)
{
    int64_t T = latents.dim[1], pixels = latents.dim[2] * latents.dim[3];
    for (int c = 0; c < LATENT_CHANNELS; c++) {
        const float *from = (const float *)latents.data + (c * T + t) * pixels;
        for (int64_t i = 0; i < pixels; i++)
            z[i * LATENT_CHANNELS + c] = 3 * tanhf(from[i] / 3);
    }
}

int64_t tiny_frame(tiny_decoder *v, tensor video, tensor latents, int64_t t)
{
    assert(latents.rank == 4 && latents.dim[0] == LATENT_CHANNELS && latents.type == F32);
    const tensor absent = {0};
    size_t mark = scratch_mark();
    int64_t Y = latents.dim[2], X = latents.dim[3], made = 0;
    float *host = new_bytes((unsigned long)(Y * X) * LATENT_CHANNELS * sizeof *host);
    tensor z = scratch(F32, 1, Y, X, LATENT_CHANNELS), x = v->stage[0].memory[0].now;
    cut_softly(host, latents, t);
    upload_into(z, tensor_of(host, F32, 1, Y, X, LATENT_CHANNELS));
    free(host);
    if (v->A != F32) {
        tensor narrow = scratch(v->A, 1, Y, X, LATENT_CHANNELS);
        copy(narrow, z);
        z = narrow;
    }
    conv3d(x, z, 0, NULL, &v->first, false);
    add_relu(x, x, absent);
    stages_from(v, 0, video, &made);
    scratch_reset(mark);
    return made;
}
