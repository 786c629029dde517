/*
** clipscore.c: how well videos show their prompts, and how steady they are, by CLIP.
**
** Frames are read and resized in batches: of a longer video only the embeddings take more memory,
** one a frame.
*/
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "../../common/frames.h"
#include "../../common/line.h"
#include "../../common/recipe.h"
#include "../../common/utf8.h"
#include "bpe.h"
#include "clip.h"
#include "clipscore.h"
#include "preprocess.h"
#include "score.h"

static const char *directory, *prompt, *fit_name = "crop", *dtype = "fp32";
static bool per_frame, print_ids, pixels, embeds, dry;
enum { NUMERICS = 2 }; /* 2: cards before Hopper compute attention otherwise */
static const option options[] = {
    {'m', "model", OPTION_TEXT, &directory, 0, 0, true},
    {'p', "prompt", OPTION_TEXT, &prompt, 0, 0, false},
    {0, "fit", OPTION_TEXT, &fit_name, 0, 0, false},
    {0, "dtype", OPTION_TEXT, &dtype, 0, 0, false},
    {0, "per-frame", OPTION_FLAG, &per_frame, 0, 0, true},
    {0, "pixels", OPTION_FLAG, &pixels, 0, 0, true},
    {0, "embeds", OPTION_FLAG, &embeds, 0, 0, true},
    {0, "print-ids", OPTION_FLAG, &print_ids, 0, 0, true},
    {0, "recipe", OPTION_FLAG, &dry, 0, 0, true},
    OPTIONS_END,
};

typedef struct {
    clip model;
    bpe *tokenizer;
    fit how;
    char *last_prompt; /* whose embedding `text` is */
    tensor text;       /* host F32 [1, P] */
    writer out;        /* --pixels, --embeds */
} session;

static tensor host_f32(int64_t n, int64_t width)
{
    return tensor_of(new_bytes((size_t)(n * width) * 4), F32, n, width);
}

/* ---- a text ---- */

/* The embedding of the document's prompt, kept for the next one with the same; without a prompt
 * there is none. */
static tensor text_of(session *s, const reader *r)
{
    const char *text = prompt ? prompt : metadata_get(&r->d, "prompt");
    int32_t ids[BPE_MOST];
    int cut;
    if (!text) {
        warn("%s has no prompt, and there is no -p: its clip is left empty", document_called(r));
        return (tensor){0};
    }
    if (s->last_prompt && strcmp(text, s->last_prompt) == 0)
        return s->text;
    if (!is_utf8(text, strlen(text)))
        die("the prompt of %s is not UTF-8", document_called(r));
    int most = s->model.positions < BPE_MOST ? (int)s->model.positions : BPE_MOST;
    int n = bpe_encode(s->tokenizer, ids, most, text, strlen(text), &cut);
    if (cut)
        warn("the prompt of %s has more than %d tokens: cut", document_called(r), most);
    if (!s->text.data)
        s->text = host_f32(1, s->model.projection);
    free(s->last_prompt);
    s->last_prompt = new_format("%s", text);
    clip_text(&s->model, s->text, ids, n);
    return s->text;
}

/* ---- frames ---- */

/* Where a batch goes: the session, and the tensor of all embeddings. */
typedef struct {
    session *s;
    tensor vectors; /* host F32 [N, P] */
} batch_target;

static void encode_batch(void *data, tensor pictures, int64_t first)
{
    stats_phase("encode");
    const batch_target *to = data;
    const clip *m = &to->s->model;
    int64_t n = pictures.dim[0];
    tensor values =
        tensor_of(new_bytes((size_t)tensor_count(pictures) * 4), F32, 3, n, m->side, m->side);
    pixels_of(values, pictures, &clip_scale);
    clip_pictures(m, slice(to->vectors, first, n), values);
    free(values.data);
}

static void write_batch(void *data, tensor pictures, int64_t first)
{
    (void)first;
    writer_tensor(&((batch_target *)data)->s->out, pictures);
}

static void shrink(const void *how, unsigned char *picture, const unsigned char *frame)
{
    resize(how, picture, frame);
}

static void each_picture(session *s, reader *r, tensor frames, void (*use)(void *, tensor, int64_t),
                         tensor vectors)
{
    batch_target to = {s, vectors};
    int64_t side = s->model.side;
    resizer *small = resizer_open(frames.dim[1], frames.dim[2], side, s->how);
    each_batch(r, frames, &(picture_batches){side, side, shrink, small, use, &to});
    resizer_close(small);
}

/* ---- documents ---- */

/* What a record says of the model: all of it that the results depend on. */
static json_t *stamp_of(const clip *m)
{
    json_t *stamp = load_provenance(m->w, dry);
    json_object_set_new(stamp, "tokenizer", json_string(bpe_digest(directory).hex));
    json_object_set_new(stamp, "side", json_integer(m->side));
    json_object_set_new(
        stamp, "heads",
        json_pack("[I, I]", (json_int_t)m->vision.body.heads, (json_int_t)m->text.body.heads));
    json_object_set_new(stamp, "eps",
                        json_pack("[f, f]", m->vision.body.epsilon, m->text.body.epsilon));
    if (m->vision.body.activation == exact_gelu || m->text.body.activation == exact_gelu)
        json_object_set_new(stamp, "gelu",
                            json_pack("[b, b]", m->vision.body.activation == exact_gelu,
                                      m->text.body.activation == exact_gelu));
    json_object_set_new(stamp, "end", json_integer(m->end));
    return stamp;
}

/* Adds the name of the model's file, for --recipe; of several files it is a pattern. */
static json_t *with_file(json_t *stamp, const weights *w)
{
    const char *slash = strrchr(weights_path(w), '/');
    json_object_set_new(stamp, "file", json_string(slash ? slash + 1 : weights_path(w)));
    return stamp;
}

static void write_pixels(session *s, reader *r)
{
    document d = {0};
    tensor frames = frames_shape(r);
    metadata_copy(&d, &r->d);
    json_t *stamp = json_pack("{s:s}", "made", "pixels");
    recipe_input(stamp, &r->d);
    provenance_add(&d, options, NUMERICS, stamp);
    document_add(&d, "frames", tensor_of(NULL, U8, frames.dim[0], s->model.side, s->model.side, 3));
    writer_header(&s->out, &d);
    each_picture(s, r, frames, write_batch, (tensor){0});
    writer_end(&s->out);
    document_free(&d);
}

static void write_embeds(session *s, const reader *r, const video *v)
{
    document d = {0};
    metadata_copy(&d, &r->d);
    json_t *stamp = stamp_of(&s->model);
    json_object_set_new(stamp, "made", json_string("embeds"));
    recipe_input(stamp, &r->d);
    provenance_add(&d, options, NUMERICS, stamp);
    document_add(&d, "image_embeds", v->pictures);
    if (v->text.data)
        document_add(&d, "text_embeds", v->text);
    writer_header(&s->out, &d);
    writer_tensor(&s->out, v->pictures);
    if (v->text.data)
        writer_tensor(&s->out, v->text);
    writer_end(&s->out);
    document_free(&d);
}

static void score_document(session *s, reader *r)
{
    tensor frames = frames_shape(r);
    video v = {.document = r->documents,
               .seed = metadata_get(&r->d, "seed"),
               .variant = document_variant(&r->d),
               .pictures = host_f32(frames.dim[0], s->model.projection),
               .text = text_of(s, r)};
    each_picture(s, r, frames, encode_batch, v.pictures);
    stats_phase("write");
    if (embeds)
        write_embeds(s, r, &v);
    else
        score_print(&v, per_frame);
    free(v.pictures.data);
}

static void all_documents(session *s)
{
    reader in;
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
        tensor_type type = dtype_named(dtype);
        stats_phase("load");
        if (type == F32)
            device_advice("--dtype fp16 needs less");
        device_open();
        clip_load(&s->model, type);
    }
    if (!pixels && !embeds)
        score_header(per_frame);
    do {
        if (pixels)
            write_pixels(s, &in);
        else
            score_document(s, &in);
        stats_phase("read");
    } while (reader_next(&in));
    if (!pixels)
        stats_set("peak_device_bytes", (double)device_peak_bytes());
}

/* ---- ids of lines ---- */

static void print_all_ids(const bpe *b)
{
    enum { POSITIONS = 77 };
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    int32_t ids[POSITIONS];
    for (long number = 1; (n = getline(&line, &room, stdin)) >= 0; number++) {
        size_t bytes = (size_t)n;
        const char *text = line_text(line, &bytes);
        if (!is_utf8(text, bytes))
            die("line %ld is not UTF-8", number);
        int count = bpe_encode(b, ids, POSITIONS, text, bytes, NULL);
        for (int i = 0; i < count; i++)
            printf("%s%d", i ? " " : "", ids[i]);
        printf("\n");
    }
    if (ferror(stdin))
        die_errno("cannot read standard input");
    free(line);
}

static fit fit_named(const char *name)
{
    static const char *const names[] = {"crop", "pad", "squash"};
    for (int i = 0; i < 3; i++)
        if (strcmp(name, names[i]) == 0)
            return (fit)i;
    usage_error("--fit is crop, pad or squash, not '%s'", name);
}

static void check_usage(int argc, char **argv, int first)
{
    if (first < argc)
        usage_error("unwanted operand '%s'", argv[first]);
    if (!directory)
        usage_error("-m DIR or -m FILE is needed");
    if (per_frame + print_ids + pixels + embeds > 1)
        usage_error("--per-frame, --print-ids, --pixels and --embeds exclude each other");
    if (dry && (print_ids || pixels || embeds))
        usage_error("--recipe is for the table");
    dtype_named(dtype);
}

int main(int argc, char **argv)
{
    session s = {0};
    check_usage(argc, argv, program_begin(argc, argv, options, usage));
    s.how = fit_named(fit_name);
    if (!pixels)
        s.tokenizer = bpe_open(directory);
    if (print_ids) {
        print_all_ids(s.tokenizer);
    } else {
        clip_open(&s.model, directory);
        weights_digest_begin(s.model.w);
        if (dry)
            recipe_print(options, NUMERICS, with_file(stamp_of(&s.model), s.model.w));
        else
            all_documents(&s);
        clip_close(&s.model);
    }
    if (s.tokenizer)
        bpe_close(s.tokenizer);
    free(s.text.data);
    free(s.last_prompt);
    return program_end();
}
