/*
** dinoscore.c: how much a video's subject stays itself, by DINO, as VBench measures it.
**
** VBench (Huang et al. 2023, "VBench: Comprehensive Benchmark Suite for Video Generative Models"),
** subject consistency: of frames 2 to N the mean of (max(0, cos(f_i, f_1)) + max(0, cos(f_i,
** f_{i-1}))) / 2, f being DINO's vectors. What is not defined (of a single frame) is an empty cell.
*/
#include <math.h>
#include <stdlib.h>

#include "../../common/die.h"
#include "../../common/frames.h"
#include "../../common/recipe.h"
#include "../vectors.h"
#include "dino.h"
#include "dinoscore.h"
#include "resize.h"

static const char *model, *dtype = "fp32";
static bool per_frame, pixels, embeds, dry;
enum { NUMERICS = 1 };
static const option options[] = {
    {'m', "model", OPTION_TEXT, &model, 0, 0, true},
    {0, "dtype", OPTION_TEXT, &dtype, 0, 0, false},
    {0, "per-frame", OPTION_FLAG, &per_frame, 0, 0, true},
    {0, "pixels", OPTION_FLAG, &pixels, 0, 0, true},
    {0, "embeds", OPTION_FLAG, &embeds, 0, 0, true},
    {0, "recipe", OPTION_FLAG, &dry, 0, 0, true},
    OPTIONS_END,
};

typedef struct {
    dino model;
    writer out;     /* --pixels, --embeds */
    tensor vectors; /* host F32 [N, D] of the document at hand */
} session;

/* ---- frames ---- */

static void encode_batch(void *data, tensor pictures, int64_t first)
{
    session *s = data;
    stats_phase("encode");
    tensor values = tensor_of(new_bytes((size_t)tensor_count(pictures) * 4), F32, 3,
                              pictures.dim[0], pictures.dim[1], pictures.dim[2]);
    pixels_of(values, pictures, &imagenet);
    dino_pictures(&s->model, slice(s->vectors, first, pictures.dim[0]), values);
    free(values.data);
}

static void write_batch(void *data, tensor pictures, int64_t first)
{
    (void)first;
    writer_tensor(&((session *)data)->out, pictures);
}

/* ---- the table ---- */

static double with(const session *s, int64_t i, int64_t other, int number)
{
    double c = vectors_cosine(rows(s->vectors, i, 1), rows(s->vectors, other, 1), number);
    return c > 0 ? c : 0;
}

static void print_names(const reader *r)
{
    printf("%d\t", r->documents);
    print_cell(metadata_get(&r->d, "seed"));
    print_cell(document_variant(&r->d));
}

static void print_document(const session *s, const reader *r)
{
    int64_t N = s->vectors.dim[0];
    double sum = 0;
    for (int64_t i = 0; i < N; i++) {
        double first = i ? with(s, i, 0, r->documents) : NAN;
        double last = i ? with(s, i, i - 1, r->documents) : NAN;
        sum += i ? (first + last) / 2 : 0;
        if (!per_frame)
            continue;
        print_names(r);
        printf("%lld\t", (long long)i);
        print_number((first + last) / 2, '\t');
        print_number(first, '\t');
        print_number(last, '\n');
    }
    if (!per_frame) {
        print_names(r);
        print_number(N > 1 ? sum / (double)(N - 1) : NAN, '\t');
        printf("%lld\n", (long long)N);
    }
    output_flush();
}

/* ---- documents ---- */

/* What a record says of the model: all that numbers depend on. */
static json_t *stamp_of(const dino *m)
{
    json_t *stamp = load_provenance(m->w, dry);
    json_object_set_new(stamp, "eps", json_real(m->body.epsilon));
    return stamp;
}

/* The header of a document of one tensor, made of r's. stamp: what it is made with; taken over. */
static void write_header(session *s, const reader *r, const char *name, tensor shape, json_t *stamp)
{
    document d = {0};
    metadata_copy(&d, &r->d);
    recipe_input(stamp, &r->d);
    provenance_add(&d, options, NUMERICS, stamp);
    document_add(&d, name, shape);
    writer_header(&s->out, &d);
    document_free(&d);
}

static void measure(session *s, reader *r)
{
    tensor frames = frames_shape(r);
    int64_t N = frames.dim[0], height, width, side = s->model.patches.side;
    resizer *small = resizer_open(frames.dim[1], frames.dim[2], side, &height, &width);
    picture_batches b = {height, width, resize, small, pixels ? write_batch : encode_batch, s};
    if (pixels) {
        write_header(s, r, "frames", tensor_of(NULL, U8, N, height, width, 3),
                     json_pack("{s:s, s:I}", "made", "pixels", "side", (json_int_t)side));
        each_batch(r, frames, &b);
        writer_end(&s->out);
    } else {
        s->vectors = tensor_of(new_bytes((size_t)(N * s->model.body.width) * 4), F32, N,
                               s->model.body.width);
        size_t mark = scratch_mark();
        dino_size(&s->model, height / side, width / side);
        each_batch(r, frames, &b);
        s->model.start.data = NULL;
        scratch_reset(mark);
        stats_phase("write");
        if (embeds) {
            json_t *stamp = stamp_of(&s->model);
            json_object_set_new(stamp, "made", json_string("embeds"));
            write_header(s, r, "image_embeds", s->vectors, stamp);
            writer_tensor(&s->out, s->vectors);
            writer_end(&s->out);
        } else {
            print_document(s, r);
        }
        free(s->vectors.data);
    }
    resizer_close(small);
}

static void all_documents(session *s)
{
    reader in;
    tensor_type type = dtype_named(dtype);
    if (!pixels)
        device_find();
    reader_open(&in, stdin, "standard input");
    writer_open(&s->out, stdout, "standard output");
    if (program_waits())
        reader_wait(&in);
    stats_phase("read");
    if (!reader_next(&in))
        die("standard input has no document");
    if (!pixels) {
        stats_phase("load");
        if (type == F32)
            device_advice("--dtype fp16 needs less");
        device_open();
        stats_set_device(device_details());
        dino_load(&s->model, type);
    }
    if (!pixels && !embeds)
        puts(per_frame ? "document\tseed\tvariant\tframe\tsubject\tfirst\tprevious"
                       : "document\tseed\tvariant\tsubject\tframes");
    do {
        measure(s, &in);
        stats_phase("read");
    } while (reader_next(&in));
    if (!pixels)
        stats_set("peak_device_bytes", (double)device_peak_bytes());
}

int main(int argc, char **argv)
{
    session s = {0};
    int first = program_begin(argc, argv, options, usage);
    if (first < argc)
        usage_error("unwanted operand '%s'", argv[first]);
    if (!model)
        usage_error("-m DIR or -m FILE is needed");
    if (per_frame + pixels + embeds > 1)
        usage_error("--per-frame, --pixels and --embeds exclude each other");
    if (dry && (pixels || embeds))
        usage_error("--recipe is for the table");
    dtype_named(dtype);
    dino_open(&s.model, model);
    weights_digest_begin(s.model.w);
    if (dry)
        recipe_print(options, NUMERICS, stamp_of(&s.model));
    else
        all_documents(&s);
    dino_close(&s.model);
    return program_end();
}
