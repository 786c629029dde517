/*
** wan-vae-decode.c: latents to frames: the decoder of Wan's video autoencoder as a filter.
**
** Frames leave as they are made, so the next stage works while this one does; with --raw the
** channels come first and the frames second, so the whole video is kept until it is complete.
** While the device makes the pictures of a latent frame, those of the one before are written. A
** latent frame whose pictures have a NaN or an infinity ends the run: it is never written. With
** several gpus every rank gets whole pictures, and rank 0 writes them. A tiny autoencoder, for
** previews, is told by its tensors' names (tiny.h).
*/
#include <stdlib.h>

#include "../../common/checkpoint/layout.h"
#include "../../common/die.h"
#include "../../common/recipe.h"
#include "../load.h"
#include "../ranks.h"
#include "decoder.h"
#include "tiny.h"
#include "wan-vae-decode.h"

static const char *model, *dtype = "fp32";
static bool raw, dry;
enum { NUMERICS = 2 }; /* 2: on Hopper attention in strips, and norms of sums not yet rounded */
static int64_t gpus = 1;
static const option options[] = {
    {'m', "model", OPTION_TEXT, &model, 0, 0, true},
    {0, "dtype", OPTION_TEXT, &dtype, 0, 0, false},
    {'G', "gpus", OPTION_INT, &gpus, 1, MOST_RANKS, false},
    {0, "raw", OPTION_FLAG, &raw, 0, 0, false},
    {0, "recipe", OPTION_FLAG, &dry, 0, 0, true},
    OPTIONS_END,
};

/* The VAE's decoder, or a tiny one. */
typedef struct {
    bool tiny;
    int64_t space, time; /* as theirs */
    vae_decoder whole;
    tiny_decoder small;
} decoder;

/* The latents of the document just read, all in memory. */
static tensor read_latents(reader *r)
{
    static const int64_t shape[] = {LATENT_CHANNELS, -1, -1, -1};
    document_tensor(&r->d, "latents", r->name, F32, 4, shape);
    reader_load(r);
    tensor latents = document_tensor(&r->d, "latents", r->name, F32, 4, shape);
    if (tensor_count(latents) == 0)
        die("latents of document %d of %s are empty: %s", r->documents, r->name,
            tensor_text(latents));
    return latents;
}

/* What came in, and what this program adds. */
static void describe(document *d, const document *in, weights *checkpoint)
{
    json_t *stamp = load_provenance(checkpoint, dry);
    metadata_copy(d, in);
    if (!metadata_get(d, "fps"))
        metadata_set(d, "fps", "16");
    recipe_input(stamp, in);
    provenance_add(d, options, NUMERICS, stamp);
}

static void write_header(writer *w, const document *in, weights *checkpoint, const int64_t dim[3])
{
    document d = {0};
    describe(&d, in, checkpoint);
    document_add(&d, raw ? "video" : "frames",
                 raw ? tensor_of(NULL, F32, 3, dim[0], dim[1], dim[2])
                     : tensor_of(NULL, U8, dim[0], dim[1], dim[2], 3));
    writer_header(w, &d);
    document_free(&d);
}

/* How many values of the pictures on their way are not finite. */
static int64_t bad_values;

/* Starts the way of pictures F32 [n, H, W, 3] to the host: as bytes, or with --raw as they are. */
static void fetch(tensor host, tensor pictures)
{
    size_t mark = scratch_mark();
    const int64_t *dim = pictures.dim;
    tensor bad = scratch(I64, 1), frames = pictures;
    nonfinite_count(bad, pictures);
    if (!raw) {
        frames = scratch(U8, dim[0], dim[1], dim[2], 3);
        quantize_frames(frames, pictures);
    }
    download_start(tensor_of(&bad_values, I64, 1), bad);
    download_start(slice(host, 0, dim[0]), frames);
    scratch_reset(mark);
}

/* video, host [3, N, H, W], gets the pictures [n, H, W, 3] as its frames from `first` on. */
static void keep_raw(tensor video, int64_t first, tensor pictures)
{
    int64_t all = tensor_count(video) / 3, n = tensor_count(pictures) / 3;
    int64_t start = first * video.dim[2] * video.dim[3];
    const float *from = pictures.data;
    float *to = (float *)video.data + start;
    for (int64_t i = 0; i < n; i++)
        for (int c = 0; c < 3; c++)
            to[c * all + i] = from[3 * i + c];
}

static int64_t pictures_of(decoder *v, tensor video, tensor latents, int64_t t)
{
    return v->tiny ? tiny_frame(&v->small, video, latents, t)
                   : decoder_frame(&v->whole, video, latents, t);
}

static void decode(decoder *v, weights *checkpoint, const reader *r, tensor latents, writer *w)
{
    size_t mark = scratch_mark();
    int64_t T = latents.dim[1], N = v->time * (T - 1) + 1, H = v->space * latents.dim[2],
            W = v->space * latents.dim[3], done = 0, made = 0;
    stats_phase("decode");
    if (v->tiny)
        tiny_start(&v->small, latents.dim[2], latents.dim[3]);
    else
        decoder_start(&v->whole, latents.dim[2], latents.dim[3]);
    write_header(w, &r->d, checkpoint, (int64_t[]){N, H, W});
    tensor whole = tensor_of(NULL, F32, 3, N, H, W), video = scratch(F32, v->time, H, W, 3);
    tensor host = tensor_of(NULL, raw ? F32 : U8, v->time, H, W, 3);
    host.data = new_bytes(tensor_bytes(host));
    if (raw)
        whole.data = new_bytes(tensor_bytes(whole));
    for (int64_t t = 0; t <= T; t++) {
        int64_t next = t < T ? pictures_of(v, video, latents, t) : 0;
        if (t > 0) { /* while the device does that */
            download_finish();
            if (bad_values)
                die("latent frame %lld of document %d decodes to %lld values that are not finite: "
                    "not written; --dtype fp32 or bf16 may hold them if the latents are finite",
                    (long long)(t - 1), r->documents, (long long)bad_values);
            if (raw)
                keep_raw(whole, done, slice(host, 0, made));
            else
                writer_tensor(w, slice(host, 0, made));
            done += made;
            progress("decode", t, T);
        }
        if (next)
            fetch(host, slice(video, 0, next));
        made = next;
    }
    if (raw)
        writer_tensor(w, whole);
    free(host.data);
    free(whole.data);
    writer_end(w);
    stats_add("documents", 1);
    stats_add("frames", (double)N);
    stats_set("peak_device_bytes", ranks_greatest((double)device_peak_bytes()));
    scratch_reset(mark);
}

static void load_model(decoder *v, weights *checkpoint, tensor_type type, band ours)
{
    stats_phase("load");
    device_advice(type == F32 ? "--dtype fp16 or smaller pictures (wan-denoise --size) need less"
                              : "smaller pictures (wan-denoise --size) need less");
    device_open();
    if (v->tiny)
        tiny_load(&v->small, checkpoint, type);
    else
        decoder_load(&v->whole, checkpoint, type, ours);
    v->space = v->tiny ? v->small.space : v->whole.space;
    v->time = v->tiny ? v->small.time : v->whole.time;
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
    int ranks = dry ? 1 : (int)gpus;
    band ours = band_of(ranks_start(ranks), ranks);
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
    static decoder v;
    v.tiny = is_tiny(checkpoint);
    if (v.tiny && ours.count > 1)
        die("a tiny VAE is for one gpu: -G %d is too many", ours.count);
    for (; stats_phase("read"), reader_next(&in);) {
        if (dry) {
            write_recipe(&in, checkpoint, &out);
            continue;
        }
        tensor latents = read_latents(&in); /* all are here before the device is claimed */
        if (!v.space)
            load_model(&v, checkpoint, type, ours);
        decode(&v, checkpoint, &in, latents, &out);
    }
    if (in.documents == 0)
        die("standard input has no document");
    writer_close(&out);
    return program_end();
}
