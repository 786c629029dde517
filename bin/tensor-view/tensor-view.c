/*
** tensor-view: a tensor as a PNG: a video as a contact sheet, anything else as heat maps.
**
** It looks and does not judge: ranges are those of the values and are said on stderr. The PNG is
** made by ffmpeg; a file appears under its name only when it is whole.
*/
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../common/die.h"
#include "../../common/process.h"
#include "../../common/program.h"
#include "../../common/source.h"
#include "picture.h"
#include "tensor-view.h"

static const char *name_wanted, *output, *range_wanted;
static int64_t document_number = 1, tiles, across, pixels = 1920;

static const option options[] = {
    {'k', "name", OPTION_TEXT, &name_wanted, 0, 0, false},
    {'o', "output", OPTION_TEXT, &output, 0, 0, true},
    {'d', "document", OPTION_INT, &document_number, 1, 0x1p31, false},
    {'r', "range", OPTION_TEXT, &range_wanted, 0, 0, false},
    {'t', "tiles", OPTION_INT, &tiles, 1, 0x1p20, false},
    {'c', "columns", OPTION_INT, &across, 1, 0x1p20, false},
    {'p', "pixels", OPTION_INT, &pixels, 16, 16384, false},
    OPTIONS_END,
};

/* The tensor named; else the only one, or the one that a stage's stream is about. */
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

/* To the descriptor out, through ffmpeg. */
static void encode(const picture *p, int out)
{
    process ffmpeg;
    char *size = new_format("%lldx%lld", (long long)p->width, (long long)p->height);
    const char *const argv[] = {"ffmpeg",   "-v", "error",      "-nostdin", "-f",
                                "rawvideo", "-s", size,         "-pix_fmt", "rgb24",
                                "-i",       "-",  "-frames:v",  "1",        "-c:v",
                                "png",      "-f", "image2pipe", "-",        NULL};
    process_feed(&ffmpeg, argv, out);
    process_write(&ffmpeg, p->rgb, (size_t)(p->width * p->height * 3));
    process_finish(&ffmpeg);
    free(size);
}

static void write_png(const picture *p)
{
    if (!output) {
        if (isatty(STDOUT_FILENO))
            die("standard output is a terminal: name a file with -o, or redirect it");
        encode(p, STDOUT_FILENO);
        return;
    }
    char *part = new_format("%s.part", output);
    int out = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (out < 0)
        die_errno("cannot write %s", part);
    at_death(forget, part);
    encode(p, out);
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
    tensor t = source_readable(s, e);
    layout l = picture_layout(t);
    value_range range = choose_range(t, &l);
    picture p = picture_make(t, &l, range,
                             tiles             ? tiles
                             : l.channels == 3 ? 16
                                               : 512,
                             across, pixels);
    write_png(&p);
    if (l.channels == 1)
        note("%s %s from %g to %g", shown(e->name), tensor_text(t), range.low, range.high);
    free(p.rgb);
    source_close(s);
    free(file);
    return program_end();
}
