/*
** mp42frames.c: videos to tensor streams, a document a file; ffprobe and ffmpeg do the decoding.
**
** A header has the number of frames before the first of them, and what a container says about that
** need not be true. So a video is decoded to a temporary file first, and the frames are counted:
** a file that is broken half way gives an error and not half a document.
*/
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/box.h"
#include "../../common/die.h"
#include "../../common/ffmpeg.h"
#include "../../common/filedigest.h"
#include "../../common/openfile.h"
#include "../../common/process.h"
#include "../../common/recipe.h"
#include "../../common/utf8.h"
#include "byname.h"
#include "mp42frames.h"
#include "probe.h"

static const char *prompts;
static bool dry;
enum { NUMERICS = 1 };
static const option options[] = {
    {0, "prompts", OPTION_TEXT, &prompts, 0, 0, true},
    {0, "recipe", OPTION_FLAG, &dry, 0, 0, true},
    OPTIONS_END,
};

enum { BLOCK = 1 << 20 };

/* All of argv's standard output, as text; argv dies by its own message. */
static char *output_of(const char *const argv[])
{
    process p;
    char *text = NULL;
    size_t n = 0, got;
    process_collect(&p, argv);
    do {
        text = realloc(text, n + BLOCK + 1);
        if (!text)
            die("out of memory");
        n += got = process_read(&p, text + n, BLOCK);
    } while (got == BLOCK);
    text[n] = 0;
    process_finish(&p);
    return text;
}

static video probe(const char *name, const char *url)
{
    const char *argv[] = {"ffprobe",
                          "-v",
                          "error",
                          "-select_streams",
                          "v:0",
                          "-show_entries",
                          "stream=width,height,avg_frame_rate:format_tags=comment",
                          "-of",
                          "json",
                          "-i",
                          url,
                          NULL};
    int fd = input_open(name);
    if (fd < 0)
        die_errno("cannot read %s", name);
    close(fd);
    char *text = output_of(argv);
    video v = video_of(text, name);
    free(text);
    return v;
}

/* The frames, rows of RGB, in an unnamed temporary file; *count says how many they are. Without
** full_chroma_int swscale's conversion to RGB is 1 to 2 levels too dark (FFmpeg 5.1, measured). */
static FILE *decoded(const char *name, const char *url, const video *v, int64_t *count)
{
    char scale[120];
    snprintf(scale, sizeof scale,
             "scale=%lld:%lld:flags=bicubic+accurate_rnd+full_chroma_int+bitexact", (long long)v->W,
             (long long)v->H);
    const char *argv[] = {
        "ffmpeg",    "-nostdin",      "-v",     "error", "-xerror",  "-err_detect",
        "explode",   "-noautorotate", "-i",     url,     "-map",     "0:v:0",
        "-fps_mode", "passthrough",   "-vf",    scale,   "-pix_fmt", "rgb24",
        "-f",        "rawvideo",      "pipe:1", NULL};
    FILE *file = tmpfile();
    if (!file)
        die_errno("cannot make a temporary file for the frames of %s", name);
    process p;
    char *block = new_bytes(BLOCK);
    int64_t bytes = 0;
    process_collect(&p, argv);
    for (size_t n; (n = process_read(&p, block, BLOCK)) > 0; bytes += (int64_t)n)
        if (fwrite(block, 1, n, file) != n)
            die_errno("cannot write the temporary file for the frames of %s", name);
    process_finish(&p);
    free(block);
    if (fflush(file) != 0 || fseeko(file, 0, SEEK_SET) != 0)
        die_errno("cannot write the temporary file for the frames of %s", name);
    *count = video_frames(v, bytes, name);
    return file;
}

/* What the file says of itself at its end, which it must then be; NULL: nothing. To be freed. */
static json_t *sealed_metadata(const char *name)
{
    box b;
    int fd = input_open(name);
    if (fd < 0)
        die_errno("cannot read %s", name);
    bool found = box_read(&b, fd);
    if (found) {
        digest now = box_digest(&b, fd, name);
        if (strcmp(now.hex, b.said.hex) != 0)
            die("%s is not as it was made: its digest is %s, not %s", name, now.hex, b.said.hex);
    }
    close(fd);
    return found ? b.metadata : NULL;
}

/* All metadata: the file's own, a prompt by its name if it says none, and this program's. */
static void describe(document *d, const video *v, const char *name, const json_t *sealed)
{
    video_metadata(d, v, sealed);
    const char *prompt = byname_prompt(name);
    if (prompt && !metadata_get(d, "prompt"))
        metadata_set(d, "prompt", prompt);
    const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
    if (is_utf8(base, strlen(base))) /* so that messages about a stream can name it */
        metadata_set(d, "file", base);
    json_t *stamp = json_pack("{s:s, s:b}", "ffmpeg", ffmpeg_version(), "sealed", sealed != NULL);
    json_object_set_new(stamp, "input", json_sprintf("file:%s", file_digest(name).hex));
    provenance_add(d, options, NUMERICS, stamp);
}

/* ffprobe, ffmpeg and we open it, and what it says of itself is at its end. */
static void check_file(const char *name)
{
    struct stat s;
    if (stat(name, &s) != 0)
        die_errno("cannot read %s", name);
    if (!S_ISREG(s.st_mode))
        die("%s is %s: a video is read from a file, more than once", name,
            S_ISDIR(s.st_mode)    ? "a directory"
            : S_ISFIFO(s.st_mode) ? "a pipe"
                                  : "a device");
}

static void write_document(writer *w, const char *name)
{
    int64_t N;
    document d = {0};
    check_file(name);
    char *url = new_format("file:%s", name), *block = new_bytes(BLOCK); /* no name is an option */
    json_t *sealed = sealed_metadata(name);
    video v = probe(name, url);
    FILE *frames = decoded(name, url, &v, &N);
    describe(&d, &v, name, sealed);
    document_add(&d, "frames", tensor_of(NULL, U8, N, v.H, v.W, 3));
    writer_header(w, &d);
    for (size_t n; (n = fread(block, 1, BLOCK, frames)) > 0;)
        writer_bytes(w, block, n);
    if (ferror(frames))
        die_errno("cannot read the temporary file for the frames of %s", name);
    writer_end(w);
    fclose(frames);
    document_free(&d);
    video_free(&v);
    json_decref(sealed);
    free(url);
    free(block);
    stats_add("documents", 1);
    stats_add("frames", (double)N);
}

int main(int argc, char **argv)
{
    writer out;
    int first = program_begin(argc, argv, options, usage);
    if (dry) {
        recipe_print(options, NUMERICS, json_pack("{s:s}", "ffmpeg", ffmpeg_version()));
        return program_end();
    }
    if (first == argc)
        usage_error("FILE... is needed");
    if (prompts)
        byname_open(prompts);
    writer_open(&out, stdout, "standard output");
    stats_phase("decode");
    for (int i = first; i < argc; i++) {
        write_document(&out, argv[i]);
        progress("files", i - first + 1, argc - first);
    }
    writer_close(&out);
    return program_end();
}
