/*
** frames2mp4.c: makes each document of frames an mp4 file; ffmpeg encodes it.
**
** Frames are passed on one by one as they arrive. Odd sides are refused, as yuv420p halves them; so
** is a name that comes twice.
*/
#include <math.h>
#include <stdlib.h>

#include "../../common/die.h"
#include "../../common/ffmpeg.h"
#include "../../common/frames.h"
#include "../../common/recipe.h"
#include "../../common/splitmix.h"
#include "frames2mp4.h"
#include "mp4.h"
#include "names.h"

static const char *pattern, *by_recipe;
static bool dry, lossless;
static int64_t dither = INT64_MIN, generations = 1;
enum { NUMERICS = 1 };
static double fps, quality = 8; /* fps 0: the document's */
static const option options[] = {
    {'o', "output", OPTION_TEXT, &pattern, 0, 0, true},
    {'r', "fps", OPTION_FLOAT, &fps, 0.01, 1000, false},
    {'Q', "quality", OPTION_FLOAT, &quality, 0, 10, false},
    {0, "dither", OPTION_INT, &dither, 0, 0, true}, /* these three are recorded only if given */
    {0, "generations", OPTION_INT, &generations, 1, 100, true},
    {0, "lossless", OPTION_FLAG, &lossless, 0, 0, true},
    {0, "by-recipe", OPTION_TEXT, &by_recipe, 0, 0, true},
    {0, "recipe", OPTION_FLAG, &dry, 0, 0, true},
    OPTIONS_END,
};

/* The shape of the document's frames, which must suit the codec. */
static tensor frames_of(const reader *r)
{
    enum { MOST = 16384 }; /* the limit of H.264's levels and of x264 */
    tensor t = document_tensor(&r->d, "frames", r->name, U8, 4, (int64_t[]){-1, -1, -1, 3});
    int64_t N = t.dim[0], H = t.dim[1], W = t.dim[2];
    if (N < 1 || H < 1 || W < 1)
        die("the frames of %s are empty: %s", document_called(r), tensor_text(t));
    if (H % 2 || W % 2)
        die("the frames of %s are %lldx%lld: an mp4 needs even sides", document_called(r),
            (long long)W, (long long)H);
    if (H > MOST || W > MOST)
        die("the frames of %s are %lldx%lld: a side is at most %d", document_called(r),
            (long long)W, (long long)H, MOST);
    return t;
}

/* Frames a second: -r, else the document's, else the reference's. */
static double rate_of(const reader *r) { return fps > 0 ? fps : document_fps(r, 16); }

/* The file's metadata: those of the document, the rate in effect, and this program's record. */
static void describe(document *d, const document *in, double rate)
{
    char text[32];
    double asked = fps;
    *d = (document){0};
    metadata_copy(d, in);
    snprintf(text, sizeof text, "%.9g", rate);
    metadata_set(d, "fps", text);
    fps = rate;
    json_t *stamp =
        json_pack("{s:s, s:s}", "ffmpeg", ffmpeg_version(), "encoder", ffmpeg_encoder());
    if ((1 - quality / 10) * 51 < 1) /* older versions made these lossless: the records differ */
        json_object_set_new(stamp, "crf", json_integer(mp4_crf(quality)));
    if (dither >= 0)
        json_object_set_new(stamp, "dither", json_integer(dither));
    if (generations > 1)
        json_object_set_new(stamp, "generations", json_integer(generations));
    if (lossless)
        json_object_set_new(stamp, "lossless", json_true());
    recipe_input(stamp, in);
    provenance_add(d, options, NUMERICS, stamp);
    fps = asked;
}

/* Dithers values begin .. begin + n of a video: a quarter goes one level down, a quarter one up. */
static void add_dither(unsigned char *frame, size_t n, uint64_t begin)
{
    uint64_t start = splitmix_apart((uint64_t)dither);
    for (size_t i = 0; i < n; i++) {
        unsigned two = (unsigned)(splitmix(start, begin + i) >> 62);
        if (two == 0 && frame[i] > 0)
            frame[i]--;
        if (two == 1 && frame[i] < 255)
            frame[i]++;
    }
}

static void encode(reader *r, names *files)
{
    tensor frames = frames_of(r);
    int64_t N = frames.dim[0];
    size_t bytes = tensor_bytes(frames) / (size_t)N;
    double rate = rate_of(r);
    document about;
    mp4 file;
    char *frame = new_bytes(bytes);
    describe(&about, &r->d, rate);
    const char *name = names_next(files, r->documents, &about);
    mp4_settings s = {frames.dim[1], frames.dim[2], rate, quality, lossless, &about};
    mp4_open(&file, name, &s);
    for (uint64_t left = document_find(&r->d, "frames")->begin, n; left; left -= n)
        reader_bytes(r, frame, n = left < bytes ? left : bytes);
    for (int64_t i = 0; i < N; i++) {
        reader_bytes(r, frame, bytes);
        if (dither >= 0)
            add_dither((unsigned char *)frame, bytes, (uint64_t)i * bytes);
        mp4_write(&file, frame, bytes);
        progress(name, i + 1, N);
    }
    for (int64_t g = 1; g < generations; g++)
        mp4_again(&file);
    mp4_close(&file);
    document_free(&about);
    free(frame);
    stats_add("documents", 1);
    stats_add("frames", (double)N);
}

/* --recipe */
static void write_recipes(reader *r)
{
    writer out;
    writer_open(&out, stdout, "standard output");
    while (reader_next(r)) {
        document about;
        describe(&about, &r->d, rate_of(r));
        recipe_write(&out, &about);
        document_free(&about);
    }
    if (r->documents == 0)
        die("standard input has no document");
    writer_close(&out);
}

int main(int argc, char **argv)
{
    reader in;
    names files;
    int first = program_begin(argc, argv, options, usage);
    if (dither != INT64_MIN && dither < 0)
        usage_error("--dither takes a whole number from 0, not %lld", (long long)dither);
    reader_open(&in, stdin, "standard input");
    if (program_waits())
        reader_wait(&in);
    if (dry) {
        write_recipes(&in);
        return program_end();
    }
    names_open(&files, by_recipe, pattern, argv + first, argc - first);
    stats_phase("encode");
    while (reader_next(&in))
        encode(&in, &files);
    if (in.documents == 0)
        die("standard input has no document");
    names_end(&files, in.documents);
    return program_end();
}
