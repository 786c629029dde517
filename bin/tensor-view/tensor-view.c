/*
** tensor-view: shows a tensor as a PNG: a video as a contact sheet, anything else as heat maps;
** with -a as an animation over the tensor's time.
**
** Colours span the range of the values, which is printed on stderr. ffmpeg makes the PNG; a file
** gets its final name only when it is complete.
*/
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "../../common/die.h"
#include "../../common/openfile.h"
#include "../../common/process.h"
#include "../../common/program.h"
#include "../../common/source.h"
#include "picture.h"
#include "tensor-view.h"

static const char *name_wanted, *output, *range_wanted;
static int64_t document_number = 1, tiles, across, pixels;
static double animate; /* frames a second; 0: one picture */

static const option options[] = {
    {'k', "name", OPTION_TEXT, &name_wanted, 0, 0, false},
    {'o', "output", OPTION_TEXT, &output, 0, 0, true},
    {'d', "document", OPTION_INT, &document_number, 1, 0x1p31, false},
    {'r', "range", OPTION_TEXT, &range_wanted, 0, 0, false},
    {'t', "tiles", OPTION_INT, &tiles, 1, 0x1p20, false},
    {'c', "columns", OPTION_INT, &across, 1, 0x1p20, false},
    {'a', "animate", OPTION_FLOAT, &animate, 0.1, 100, false},
    {'p', "pixels", OPTION_INT, &pixels, 16, 16384, false},
    OPTIONS_END,
};

/* The tensor with the given name; without a name the only one, or the main one of a stage's
 * stream (frames, video, latents, noise, context). */
static const entry *choose(source *s, const char *name)
{
    static const char *const usual[] = {"frames", "video", "latents", "noise", "context"};
    const document *d = source_document(s);
    const entry *e = NULL;
    if (name) {
        e = document_find(d, name);
        if (!e)
            die("%s has no tensor '%s'", source_where(s), name);
        return e;
    }
    if (d->entries == 1)
        return &d->entry[0];
    for (size_t i = 0; !e && i < sizeof usual / sizeof *usual; i++)
        e = document_find(d, usual[i]);
    if (!e)
        die("%s has %d tensors: choose one with -k (tensor-info -n lists them)", source_where(s),
            d->entries);
    return e;
}

static source *open_document(const char *path)
{
    source *s = source_open(path);
    for (int64_t i = 0; i < document_number; i++)
        if (!source_next(s)) {
            if (i == 0)
                die("%s is empty", source_name(s));
            die("%s has no document %d, only %d", source_name(s), (int)document_number, (int)i);
        }
    return s;
}

static value_range choose_range(tensor t, const layout *l)
{
    if (!range_wanted)
        return picture_range(t, l);
    char *end;
    value_range r = {.low = strtod(range_wanted, &end)};
    if (end == range_wanted || *end != ',')
        usage_error("--range takes LOW,HIGH, not '%s'", range_wanted);
    const char *high = end + 1;
    r.high = strtod(high, &end);
    if (end == high || *end || !(r.low < r.high) || isinf(r.low) || isinf(r.high))
        usage_error("--range takes LOW,HIGH, not '%s'", range_wanted);
    return r;
}

static void forget(void *part) { unlink(part); }

/* ---- pictures ---- */

/* The part of the tensor that is shown at one time, and the number of times. */
typedef struct {
    tensor t;
    layout l;
    value_range range;
    int64_t times;
} scene;

static bool ends_in(const char *name, const char *end)
{
    size_t n = name ? strlen(name) : 0, m = strlen(end);
    return n >= m && strcasecmp(name + n - m, end) == 0;
}

/* Each frame of a video, or picture of a stack, is a time. For latents [.., T, H, W] a time shows
 * the pictures of all channels at t. */
static int64_t times_of(const layout *l) { return l->columns ? l->columns : l->tiles; }

static picture at_time(const scene *s, int64_t i)
{
    int64_t all = times_of(&s->l), most = tiles ? tiles : s->l.channels == 3 ? 16 : 512;
    if (!animate) {
        int64_t n = s->l.tiles < most ? s->l.tiles : most;
        return picture_make(s->t, &s->l, s->range, (selection){n, 0, s->l.tiles - 1}, across,
                            pixels);
    }
    int64_t t = s->times > 1 ? i * (all - 1) / (s->times - 1) : 0, n = s->l.tiles / all;
    return picture_make(s->t, &s->l, s->range, (selection){n, t, t + (n - 1) * all}, across,
                        pixels);
}

/* Writes to the descriptor out, through ffmpeg: a PNG; with several times an APNG or a GIF. */
static void encode(const scene *s, int out)
{
    static const char palette[] = "split[a][b];[a]palettegen[p];[b][p]paletteuse";
    process ffmpeg;
    picture p = at_time(s, 0);
    bool gif = ends_in(output, ".gif");
    char *size = new_format("%lldx%lld", (long long)p.width, (long long)p.height);
    char *rate = new_format("%.9g", animate ? animate : 1);
    const char *const one[] = {"ffmpeg", "-v",       "error", "-nostdin",   "-f", "rawvideo",  "-s",
                               size,     "-pix_fmt", "rgb24", "-i",         "-",  "-frames:v", "1",
                               "-c:v",   "png",      "-f",    "image2pipe", "-",  NULL};
    const char *const many[] = {"ffmpeg",
                                "-v",
                                "error",
                                "-nostdin",
                                "-f",
                                "rawvideo",
                                "-s",
                                size,
                                "-pix_fmt",
                                "rgb24",
                                "-framerate",
                                rate,
                                "-i",
                                "-",
                                "-filter_complex",
                                gif ? palette : "null",
                                gif ? "-loop" : "-plays",
                                "0",
                                "-f",
                                gif ? "gif" : "apng",
                                "-",
                                NULL};
    process_feed(&ffmpeg, animate ? many : one, out);
    for (int64_t i = 0;; p = at_time(s, i)) {
        process_write(&ffmpeg, p.rgb, (size_t)(p.width * p.height * 3));
        free(p.rgb);
        progress("pictures", i + 1, s->times);
        if (++i == s->times)
            break;
    }
    process_finish(&ffmpeg);
    free(size);
    free(rate);
}

static void write_png(const scene *s)
{
    if (!output) {
        if (isatty(STDOUT_FILENO))
            die("standard output is a terminal: name a file with -o, or redirect it");
        encode(s, STDOUT_FILENO);
        return;
    }
    output_replaces(output);
    char *part = new_format("%s.part", output);
    int out = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (out < 0)
        die_errno("cannot write %s", part);
    at_death(forget, part);
    encode(s, out);
    if (close(out) != 0 || rename(part, output) != 0)
        die_errno("cannot write %s", output);
    at_death(NULL, part);
    free(part);
}

int main(int argc, char **argv)
{
    char *file = NULL, *name = NULL;
    int first = program_begin(argc, argv, options, usage);
    if (argc - first > 1)
        usage_error("one operand at most, not %d", argc - first);
    if (first < argc)
        operand_split(argv[first], &file, &name);
    source *s = open_document(file ? file : "-");
    const entry *e = choose(s, name_wanted ? name_wanted : name);
    scene all = {.t = source_readable(s, e), .times = 1};
    all.l = picture_layout(all.t);
    all.range = choose_range(all.t, &all.l);
    if (!pixels)
        pixels = animate ? 640 : 1920;
    if (animate)
        all.times = tiles && tiles < times_of(&all.l) ? tiles : times_of(&all.l);
    write_png(&all);
    if (all.l.channels == 1)
        note("%s %s from %g to %g", shown(e->name), tensor_text(all.t), all.range.low,
             all.range.high);
    source_close(s);
    free(file);
    return program_end();
}
