/*
** vmafscore.c: VMAF of two videos, frame by frame, by the libvmaf that an ffmpeg was built with.
** For pairs: the same prompt and seed, another model.
**
** ffmpeg reads one pipe, so a frame of it is both: the reference's above the other's, which its
** filters part again. libvmaf writes its log to ffmpeg's standard output, a file in memory that we
** read when a video has ended.
*/
#include <ctype.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../common/die.h"
#include "../../common/ffmpeg.h"
#include "../../common/filedigest.h"
#include "../../common/frames.h"
#include "../../common/openfile.h"
#include "../../common/pairs.h"
#include "../../common/process.h"
#include "../../common/recipe.h"
#include "vmafscore.h"

static const char *model = "vmaf_v0.6.1";
static bool per_frame, dry;
enum { NUMERICS = 1, LEAST_SIDE = 17 /* that libvmaf 2.3.0 scores */ };
static const option options[] = {
    {'m', "model", OPTION_TEXT, &model, 0, 0, true},
    {0, "per-frame", OPTION_FLAG, &per_frame, 0, 0, true},
    {0, "recipe", OPTION_FLAG, &dry, 0, 0, true},
    OPTIONS_END,
};

/* ---- the model: a name that libvmaf knows, or a file ---- */

static bool is_file(void) { return strchr(model, '/') || strstr(model, ".json"); }

/* What libvmaf is told; of a file our descriptor, since its name could mean something to a filter,
 * a comma say. */
static char *model_words(void)
{
    if (!is_file())
        return new_format("version=%s", model);
    int fd = input_open(model);
    if (fd < 0)
        die_errno("cannot read %s", model);
    return new_format("path=/proc/%d/fd/%d", (int)getpid(), fd);
}

static void check_model(void)
{
    for (const char *c = model; !is_file() && *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("_.-", *c))
            usage_error("-m '%s' is neither a model's name, as vmaf_v0.6.1, nor a file, FILE.json",
                        model);
    if (!*model)
        usage_error("-m needs a model's name or a file");
}

/* ---- ffmpeg ---- */

/* Both halves of its frames become YUV as frames2mp4 makes it. */
#define YUV                                                                                        \
    "scale=out_color_matrix=bt601:out_range=tv:flags=bicubic+accurate_rnd+bitexact,format=yuv444p"

/* A file in memory for what ffmpeg prints. */
static int new_log(void)
{
    int fd = memfd_create("libvmaf", MFD_CLOEXEC);
    if (fd < 0)
        die_errno("cannot make a file in memory");
    return fd;
}

/* Starts ffmpeg for frames of W x 2 H; its standard output is log. */
static void start(process *p, int64_t W, int64_t H, int log)
{
    static char *words;
    if (!words)
        words = model_words();
    char *size = new_format("%" PRId64 "x%" PRId64, W, 2 * H);
    char *filters = new_format(
        "[0:v]split[x][y];"
        "[x]crop=%" PRId64 ":%" PRId64 ":0:0," YUV "[reference];"
        "[y]crop=%" PRId64 ":%" PRId64 ":0:%" PRId64 "," YUV "[other];"
        "[other][reference]libvmaf=model=%s:n_threads=%ld:log_fmt=json:log_path=/dev/stdout",
        W, H, W, H, H, words, sysconf(_SC_NPROCESSORS_ONLN));
    const char *argv[] = {"ffmpeg",   "-nostdin", "-v", "error", "-f", "rawvideo",
                          "-pix_fmt", "rgb24",    "-s", size,    "-i", "pipe:0",
                          "-lavfi",   filters,    "-f", "null",  "-",  NULL};
    process_feed(p, argv, log);
    free(size);
    free(filters);
}

/* libvmaf's log; dies if ffmpeg has written none. */
static json_t *log_of(int fd)
{
    json_error_t wrong;
    FILE *f = lseek(fd, 0, SEEK_SET) == 0 ? fdopen(fd, "r") : NULL;
    if (!f)
        die_errno("cannot read what libvmaf has written");
    json_t *log = json_loadf(f, 0, &wrong);
    fclose(f);
    if (!log)
        die("libvmaf's log is no JSON: %s", wrong.text);
    return log;
}

/* Dies unless ffmpeg has libvmaf. */
static void ask_filter(void)
{
    static const char *const argv[] = {"ffmpeg", "-v", "error", "-h", "filter=libvmaf", NULL};
    char text[4096], rest[4096];
    process p;
    process_collect(&p, argv);
    text[process_read(&p, text, sizeof text - 1)] = 0;
    while (process_read(&p, rest, sizeof rest) > 0)
        ;
    process_finish(&p);
    if (!strstr(text, "log_path"))
        die("ffmpeg %s has no filter libvmaf: another, built with --enable-libvmaf, must be first "
            "in PATH",
            ffmpeg_version());
}

/* libvmaf's version, from a grey frame: no other way to ask. */
static json_t *stamp_of(void)
{
    enum { SIDE = 64 };
    uint8_t grey[2 * SIDE * SIDE * 3];
    process p;
    int log = new_log();
    ask_filter();
    memset(grey, 128, sizeof grey);
    start(&p, SIDE, SIDE, log);
    process_write(&p, grey, sizeof grey);
    process_finish(&p);
    json_t *said = log_of(log);
    const char *version = json_string_value(json_object_get(said, "version"));
    json_t *stamp = json_pack("{s:s, s:s, s:s}", "ffmpeg", ffmpeg_version(), "libvmaf",
                              version ? version : "unknown", "model",
                              is_file() ? file_digest(model).hex : model);
    json_decref(said);
    return stamp;
}

/* ---- the table ---- */

static void print_header(void)
{
    pair_columns(per_frame);
    puts("\tvmaf");
}

/* number: of the frame, or of frames in the video. */
static void print_line(const reader *a, const reader *b, int64_t number, double score)
{
    pair_cells(a, b, number);
    print_number(score, '\n');
}

/* Of N frames, as the log has them. */
static void print_scores(const reader *a, const reader *b, const json_t *log, int64_t N)
{
    const json_t *frames = json_object_get(log, "frames");
    double sum = 0;
    if ((int64_t)json_array_size(frames) != N)
        die("libvmaf has scored %zu frames of %" PRId64, json_array_size(frames), N);
    for (int64_t i = 0; i < N; i++) {
        const json_t *metrics = json_object_get(json_array_get(frames, (size_t)i), "metrics");
        const json_t *score = json_object_get(metrics, "vmaf");
        if (!json_is_number(score))
            die("libvmaf has not scored frame %" PRId64, i + 1);
        sum += json_number_value(score);
        if (per_frame)
            print_line(a, b, i + 1, json_number_value(score));
    }
    if (!per_frame)
        print_line(a, b, N, sum / (double)N);
}

static void compare(reader *a, reader *b)
{
    tensor shape = pair_shape(a, b);
    int64_t N = shape.dim[0], H = shape.dim[1], W = shape.dim[2];
    size_t bytes = (size_t)(3 * H * W);
    if (H < LEAST_SIDE || W < LEAST_SIDE)
        die("%s of %s is %" PRId64 "x%" PRId64 ": VMAF needs %d pixels a side", document_called(a),
            a->name, W, H, LEAST_SIDE);
    uint8_t *two = new_bytes(2 * bytes);
    process p;
    int fd = new_log();
    start(&p, W, H, fd);
    frames_begin(a);
    frames_begin(b);
    for (int64_t i = 0; i < N; i++) {
        stats_phase("read");
        reader_bytes(a, two, bytes);
        reader_bytes(b, two + bytes, bytes);
        stats_phase("compare");
        process_write(&p, two, 2 * bytes);
        progress("frames", i + 1, N);
    }
    process_finish(&p);
    json_t *log = log_of(fd);
    print_scores(a, b, log, N);
    json_decref(log);
    free(two);
    stats_add("documents", 1);
    stats_add("frames", (double)N);
}

int main(int argc, char **argv)
{
    reader a, b;
    int first = program_begin(argc, argv, options, usage);
    check_model();
    if (dry) {
        recipe_print(options, NUMERICS, stamp_of());
        return program_end();
    }
    if (argc - first != 2)
        usage_error("two operands are needed, not %d", argc - first);
    ask_filter();
    pair_open(&a, &b, argv[first], argv[first + 1]);
    while (pair_next(&a, &b)) {
        if (a.documents == 1)
            print_header();
        compare(&a, &b);
        output_flush();
    }
    return program_end();
}
