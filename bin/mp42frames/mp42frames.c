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
#include "conversion.h"
#include "mp42frames.h"
#include "probe.h"

static const char *prompts, *conversion_name = "exact";
static bool dry;
static conversion how;
enum { NUMERICS = 1 };
static bool only_about;
static const option options[] = {
    {0, "conversion", OPTION_TEXT, &conversion_name, 0, 0, false},
    {0, "prompts", OPTION_TEXT, &prompts, 0, 0, true},
    {0, "recipe", OPTION_FLAG, &dry, 0, 0, true},
    {0, "about", OPTION_FLAG, &only_about, 0, 0, true},
    OPTIONS_END,
};

enum { BLOCK = 1 << 20 };

/* All of its standard output, as text; it dies by its own message. */
static char *output_of(process *p)
{
    char *text = NULL;
    size_t n = 0, got;
    do {
        text = realloc(text, n + BLOCK + 1);
        if (!text)
            die("out of memory");
        n += got = process_read(p, text + n, BLOCK);
    } while (got == BLOCK);
    text[n] = 0;
    process_finish(p);
    return text;
}

/* Asks ffprobe; count: for its packets too, for which it reads the whole file. */
static void ask(process *p, const char *name, bool count)
{
    char *url = new_format("file:%s", name); /* no name is an option */
    const char *argv[] = {"ffprobe",     "-v",
                          "error",       "-select_streams",
                          "v:0",         "-show_entries",
                          VIDEO_ENTRIES, "-of",
                          "json",        "-i",
                          url,           count ? "-count_packets" : NULL,
                          NULL};
    process_collect(p, argv);
    free(url);
}

/* What it answers. */
static video probed(process *p, const char *name)
{
    char *text = output_of(p);
    video v = video_of(text, name);
    free(text);
    return v;
}

/* The frames, rows of RGB, in an unnamed temporary file, which ffmpeg writes itself; *count says
 * how many they are. */
static FILE *decoded(const char *name, const char *url, video *v, int64_t *count)
{
    char *filters = conversion_filters(how, v, name);
    char *what = new_format("the temporary file for the frames of %s", name);
    /* Opened by its name, if /proc is there, it is written in larger blocks than as a pipe. */
    const char *to = access("/dev/fd/1", F_OK) == 0 ? "file:/dev/fd/1" : "pipe:1";
    const char *argv[] = {"ffmpeg",      "-v",       "info",        "-nostdin", "-v",
                          "error",       "-xerror",  "-err_detect", "explode",  "-noautorotate",
                          "-i",          url,        "-map",        "0:v:0",    "-fps_mode",
                          "passthrough", "-vf",      filters,       "-pix_fmt", "rgb24",
                          "-f",          "rawvideo", "-y",          to,         NULL};
    process p;
    struct stat s;
    FILE *file = tmpfile();
    if (!file)
        die_errno("cannot make %s", what);
    process_run(&p, argv, fileno(file), what);
    ffmpeg_heard(process_finish(&p));
    if (fstat(fileno(file), &s) != 0 || fseeko(file, 0, SEEK_SET) != 0)
        die_errno("cannot read %s", what);
    free(what);
    free(filters);
    *count = video_frames(v, s.st_size, name);
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

/* ---- without decoding ---- */

/* A number that ffprobe prints as text; 0 if it is none. */
static int64_t whole(const json_t *stream, const char *key)
{
    const char *text = json_string_value(json_object_get(stream, key));
    return text ? strtoll(text, NULL, 10) : 0;
}

/* How many packets the video has; 0: they cannot be counted, or are not as many as its index
 * says. */
static int64_t packets(const video *v)
{
    const json_t *stream = json_array_get(json_object_get(v->all, "streams"), 0);
    int64_t n = whole(stream, "nb_read_packets"), index = whole(stream, "nb_frames");
    return index && index != n ? 0 : n;
}

/* What `tensor-info --json` says of the document, if the file has as many frames as packets; where
 * nobody counts these, it is decoded after all. p is of ffprobe, if that was asked already. */
static void print_about(process *p, const char *name)
{
    document d = {0};
    check_file(name);
    char *url = new_format("file:%s", name);
    json_t *sealed = sealed_metadata(name), *keys = json_object();
    if (!p->pid)
        ask(p, name, true);
    video v = probed(p, name);
    int64_t N = packets(&v);
    FILE *frames = N ? NULL : decoded(name, url, &v, &N);
    describe(&d, &v, name, sealed);
    for (int i = 0; i < d.keys; i++)
        json_object_set_new(keys, d.key[i].key, json_string(d.key[i].value));
    tensor t = tensor_of(NULL, U8, N, v.H, v.W, 3);
    json_t *line =
        json_pack("{s:o, s:[{s:s, s:s, s:[I,I,I,i], s:I}]}", "metadata", keys, "tensors", "name",
                  "frames", "type", type_name(t.type), "shape", (json_int_t)N, (json_int_t)v.H,
                  (json_int_t)v.W, 3, "bytes", (json_int_t)tensor_bytes(t));
    json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
    putchar('\n');
    output_flush();
    if (frames)
        fclose(frames);
    json_decref(line);
    document_free(&d);
    video_free(&v);
    json_decref(sealed);
    free(url);
}

static bool is_readable_file(const char *name)
{
    struct stat s;
    return stat(name, &s) == 0 && S_ISREG(s.st_mode) && access(name, R_OK) == 0;
}

/* Of n files, in order; ffprobe is asked of four at a time. What is wrong with a file is said in
 * its turn. */
static void print_all(char **names, int n)
{
    enum { AHEAD = 4 };
    int asked = 0;
    process *p = new_bytes((size_t)n * sizeof *p);
    for (int i = 0; i < n; i++) {
        for (; asked < n && asked < i + AHEAD; asked++)
            if (is_readable_file(names[asked]))
                ask(&p[asked], names[asked], true);
        print_about(&p[i], names[i]);
    }
    free(p);
}

/* ---- a document ---- */

static void write_document(writer *w, const char *name)
{
    int64_t N;
    document d = {0};
    check_file(name);
    char *url = new_format("file:%s", name), *block = new_bytes(BLOCK); /* no name is an option */
    json_t *sealed = sealed_metadata(name);
    process p;
    ask(&p, name, false);
    video v = probed(&p, name);
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
    how = conversion_named(conversion_name);
    if (dry) {
        recipe_print(options, NUMERICS, json_pack("{s:s}", "ffmpeg", ffmpeg_version()));
        return program_end();
    }
    if (first == argc)
        usage_error("FILE... is needed");
    if (prompts)
        byname_open(prompts);
    if (only_about) {
        print_all(argv + first, argc - first);
        return program_end();
    }
    writer_open(&out, stdout, "standard output");
    stats_phase("decode");
    for (int i = first; i < argc; i++) {
        write_document(&out, argv[i]);
        progress("files", i - first + 1, argc - first);
    }
    writer_close(&out);
    return program_end();
}
