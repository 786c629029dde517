/*
** wan-vae-encode.c: frames to latents: the encoder of Wan's video autoencoder as a filter.
**
** Frames are read and encoded one by one. Of latents the channels come first, so they are kept
** until the video is complete: a twelfth of its frames' bytes. What is written is the mean of the
** distribution that the encoder gives: nothing is drawn. A latent frame with a NaN or an infinity
** ends the run: it is never written.
*/
#include <math.h>
#include <stdlib.h>

#include "../../common/checkpoint/layout.h"
#include "../../common/die.h"
#include "../../common/frames.h"
#include "../../common/recipe.h"
#include "../load.h"
#include "encoder.h"
#include "wan-vae-encode.h"

static const char *model, *dtype = "fp32";
static bool raw, strict, dry;
enum { NUMERICS = 1 };
static const option options[] = {
    {'m', "model", OPTION_TEXT, &model, 0, 0, true},
    {0, "dtype", OPTION_TEXT, &dtype, 0, 0, false},
    {0, "raw", OPTION_FLAG, &raw, 0, 0, false},
    {0, "strict", OPTION_FLAG, &strict, 0, 0, true},
    {0, "recipe", OPTION_FLAG, &dry, 0, 0, true},
    OPTIONS_END,
};

/* ---- frames in ---- */

/* The pictures of a document: `frames` one after another from the pipe, or `video`, whose channels
 * come first, whole in memory. */
typedef struct {
    int64_t N, H, W;
    const float *video; /* [3, N, H, W], or NULL */
    tensor one;         /* [H, W, 3] */
} pictures;

/* Cut to -1..1, a NaN would be black. */
static void check_finite(tensor video, const reader *r)
{
    int64_t bad = 0;
    for (int64_t i = 0; i < tensor_count(video); i++)
        bad += !isfinite(((const float *)video.data)[i]);
    if (bad)
        die("the video of document %d of %s has %lld value%s not finite", r->documents, r->name,
            (long long)bad, bad == 1 ? " that is" : "s that are");
}

/* Finds them; what must be whole is read, so that the device is claimed after it. */
static pictures pictures_begin(reader *r)
{
    pictures p = {0};
    if (!raw) {
        tensor shape = frames_shape(r);
        p = (pictures){.N = shape.dim[0], .H = shape.dim[1], .W = shape.dim[2]};
        p.one = tensor_of(NULL, U8, p.H, p.W, 3);
        frames_begin(r);
    } else {
        static const int64_t dim[] = {3, -1, -1, -1};
        tensor t = document_tensor(&r->d, "video", r->name, F32, 4, dim);
        if (tensor_count(t) == 0)
            die("the video of document %d of %s is empty: %s", r->documents, r->name,
                tensor_text(t));
        reader_load(r);
        p = (pictures){.N = t.dim[1], .H = t.dim[2], .W = t.dim[3]};
        t = document_tensor(&r->d, "video", r->name, F32, 4, dim);
        check_finite(t, r);
        p.video = t.data;
        p.one = tensor_of(NULL, F32, p.H, p.W, 3);
    }
    p.one.data = new_bytes(tensor_bytes(p.one));
    return p;
}

static tensor picture_next(pictures *p, reader *r, int64_t n)
{
    if (!raw) {
        reader_bytes(r, p->one.data, tensor_bytes(p->one));
        return p->one;
    }
    int64_t pixels = p->H * p->W;
    float *to = p->one.data;
    for (int c = 0; c < 3; c++)
        for (int64_t i = 0; i < pixels; i++)
            to[3 * i + c] = p->video[(c * p->N + n) * pixels + i];
    return p->one;
}

/* Of so many pictures these are encoded; a note, or with --strict an error, if not all. */
static int64_t whole_latents(const vae_encoder *v, const pictures *p, const reader *r)
{
    int64_t used = (p->N - 1) / v->time * v->time + 1;
    if (used == p->N)
        return used;
    if (strict)
        die("document %d of %s has %lld frames, not a multiple of %lld and one more", r->documents,
            r->name, (long long)p->N, (long long)v->time);
    warn("document %d has %lld frames: the first %lld are encoded, as the reference does",
         r->documents, (long long)p->N, (long long)used);
    return used;
}

static void check_sides(const vae_encoder *v, const pictures *p, const reader *r)
{
    if (p->H % v->space || p->W % v->space)
        die("the frames of document %d of %s are %lldx%lld: sides must be multiples of %lld",
            r->documents, r->name, (long long)p->W, (long long)p->H, (long long)v->space);
}

/* ---- latents out ---- */

/* What came in, and what this program adds. */
static void describe(document *d, const document *in, weights *checkpoint)
{
    json_t *stamp = load_provenance(checkpoint, dry);
    metadata_copy(d, in);
    recipe_input(stamp, in);
    provenance_add(d, options, NUMERICS, stamp);
}

/* Frame t of latents [16, T, Y, X] is frame [Y X, 16]. */
static void keep(tensor latents, int64_t t, tensor frame, const reader *r)
{
    int64_t T = latents.dim[1], size = tensor_rows(frame), bad = 0;
    const float *from = frame.data;
    for (int64_t i = 0; i < size * LATENT_CHANNELS; i++) {
        int64_t c = i % LATENT_CHANNELS;
        bad += !isfinite(from[i]);
        ((float *)latents.data)[(c * T + t) * size + i / LATENT_CHANNELS] = from[i];
    }
    if (bad)
        die("latent frame %lld of document %d has %lld values that are not finite: not written; "
            "--dtype fp32 or bf16 may hold them",
            (long long)t, r->documents, (long long)bad);
}

static void write_latents(writer *w, const document *in, weights *checkpoint, tensor latents)
{
    document d = {0};
    tensor shape = latents;
    shape.data = NULL;
    describe(&d, in, checkpoint);
    document_add(&d, "latents", shape);
    writer_header(w, &d);
    writer_tensor(w, latents);
    writer_end(w);
    document_free(&d);
}

static void encode(vae_encoder *v, weights *checkpoint, reader *r, pictures *p, writer *w)
{
    size_t mark = scratch_mark();
    check_sides(v, p, r);
    stats_phase("encode");
    int64_t N = whole_latents(v, p, r), Y = p->H / v->space, X = p->W / v->space, t = 0;
    tensor latents = tensor_of(NULL, F32, LATENT_CHANNELS, (N - 1) / v->time + 1, Y, X);
    tensor frame = tensor_of(NULL, F32, Y * X, LATENT_CHANNELS);
    latents.data = new_bytes(tensor_bytes(latents));
    frame.data = new_bytes(tensor_bytes(frame));
    encoder_start(v, p->H, p->W);
    for (int64_t n = 0; n < N; n++) {
        if (encoder_frame(v, frame, picture_next(p, r, n)))
            keep(latents, t++, frame, r);
        progress("encode", n + 1, N);
    }
    write_latents(w, &r->d, checkpoint, latents);
    free(latents.data);
    free(frame.data);
    stats_add("documents", 1);
    stats_add("frames", (double)N);
    stats_set("peak_device_bytes", (double)device_peak_bytes());
    scratch_reset(mark);
}

static void load_model(vae_encoder *v, weights *checkpoint, tensor_type type)
{
    stats_phase("load");
    device_advice(type == F32 ? "--dtype fp16 or smaller frames need less"
                              : "smaller frames need less");
    device_open();
    encoder_load(v, checkpoint, type);
    stats_add("weight_loads", 1);
}

/* --recipe */
static void write_recipe(reader *r, weights *checkpoint, writer *w)
{
    document d = {0};
    recipe_load(r);
    describe(&d, &r->d, checkpoint);
    recipe_write(w, &d);
    document_free(&d);
}

int main(int argc, char **argv)
{
    int first = program_begin(argc, argv, options, usage);
    if (first < argc)
        usage_error("unwanted operand '%s'", argv[first]);
    if (!model)
        usage_error("-m is needed: a directory or a file with the VAE's weights");
    tensor_type type = dtype_named(dtype);
    weights *checkpoint = model_find(model, PART_VAE);
    weights_digest_begin(checkpoint);
    if (!dry)
        device_find();
    reader in;
    writer out;
    reader_open(&in, stdin, "standard input");
    writer_open(&out, stdout, "standard output");
    if (program_waits())
        reader_wait(&in);
    static vae_encoder v;
    for (; stats_phase("read"), reader_next(&in);) {
        if (dry) {
            write_recipe(&in, checkpoint, &out);
            continue;
        }
        pictures p = pictures_begin(&in);
        if (!v.layer)
            load_model(&v, checkpoint, type);
        encode(&v, checkpoint, &in, &p, &out);
        free(p.one.data);
    }
    if (in.documents == 0)
        die("standard input has no document");
    writer_close(&out);
    return program_end();
}
