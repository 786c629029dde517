/*
** files.c: small files that programs keep, or are given, each whole behind the byte that says
** which: a record of a video (a), a table with its head (m), a finished file (f), a list of names and
** prompts (b), a run's lines (l), the cache of digests (c), statistics for a calibration (s), a
** summary with the floor (t), a document whose records are compared with its own (w), what a video
** says in an experiment's record (v), lines that a file is named by (n).
*/
#include <stdlib.h>
#include <string.h>

/* Their tables are static, and a program reads only one. */
#include "../../bin/mp42frames/byname.c"
#include "../../common/filedigest.c"

#include "../../bin/experiment-record/runs.h"
#include "../../bin/experiment-record/variant.h"
#include "../../bin/frames2mp4/names.h"
#include "../../bin/pair-stats/floor.h"
#include "../../bin/wan-quantize/calibration.h"
#include "../../bin/wan-recipe/about.h"
#include "../../bin/wan-recipe/found.h"
#include "../../bin/wan-recipe/measured.h"
#include "../../bin/wan-recipe/why.h"
#include "../../common/metrics.h"
#include "fuzz.h"

void fuzz_begin(void) { setenv("WAN_CACHE", "here", 1); }

static void read_about(void)
{
    about a = about_read("input");
    if (a.there && (!a.content || a.frames <= 0))
        fuzz_broken("a record that is there says what it is of");
    about_free(&a);
    about_check("input");
}

static void read_found(void)
{
    found f = found_file("input");
    if (f.recipe && !f.whole)
        fuzz_broken("a file that is not whole has no recipe");
    found_free(&f);
    is_current("input", "0123456789abcdef0123456789abcdef");
}

static void read_prompts(void)
{
    list.n = 0;
    list.line = NULL;
    byname_open("input");
    byname_prompt("somewhere/a cat.mp4");
    for (int i = 0; i < list.n; i++) {
        const char *prompt = byname_prompt(list.line[i].name);
        if (prompt && strlen(prompt) > MOST_BYTES)
            fuzz_broken("a prompt has its bound");
    }
    for (int i = 0; i < list.n; i++) {
        free(list.line[i].name);
        free(list.line[i].prompt);
    }
    free(list.line);
}

static void read_run(void)
{
    json_t *lines = lines_read("input"), *machine = machine_of(lines);
    if (json_object_size(machine) != 12)
        fuzz_broken("a machine has all its keys");
    json_decref(machine);
    json_decref(lines);
}

static void read_digests(void)
{
    digest key = {"0123456789abcdef0123456789abcdef"}, d;
    memset(&cache, 0, sizeof cache);
    if (digest_recall(&key, &d) && !is_digest(d.hex))
        fuzz_broken("what is recalled is a digest");
    free(cache.line);
}

static void read_calibration(void)
{
    char *name = "input";
    calibration *c = calibration_open(&(option_list){.n = 1, .text = (const char **)&name});
    if (calibration_has(c, "l")) {
        moments m = calibration_of(c, "l", 2, true);
        moments_free(&m);
    }
    calibration_close(c);
}

static void read_floor(void)
{
    csv t;
    csv_open(&t, "input");
    for (int i = 0; i < METRIC_ROWS; i++) {
        floor_of(&t, METRIC_TABLE[i].name, FLOOR_OF_DIFFERENCE);
        floor_of(&t, METRIC_TABLE[i].name, (floor_kind)(FLOOR_OF_DIFFERENCE + 1));
    }
    csv_close(&t);
}

static void read_why(void)
{
    reader r;
    FILE *f = fopen("input", "rb");
    reader_open(&r, f, "input");
    if (reader_next(&r)) {
        wanted w = wanted_of(&r.d, STAGES, 1);
        found its = found_file("input");
        for (int s = 0; s < STAGES; s++)
            free(why_not(&w, (stage)s, &its, &r.d));
        found_free(&its);
        wanted_free(&w);
    }
    document_free(&r.d);
    fclose(f);
}

static void read_variant(const uint8_t *bytes, size_t n)
{
    fuzz_mapped("/n.json", bytes, n);
    record its[2] = {record_read("e", "n"), record_read("e", "n")};
    variant v = {.name = "a", .videos = 2, .about = its};
    json_t *all = metadata_of(&v);
    json_decref(weights_of(&v, all));
    free(values_of(&v, "wan-denoise.steps"));
    free(values_of(&v, "prompt"));
    json_decref(all);
    for (int i = 0; i < 2; i++)
        record_free(&its[i]);
}

/* Documents' lines of variant, seed and prompt; the first line is the pattern. No name leads out of
 * where the pattern is. */
static void name_files(const char *all)
{
    names n;
    int number = 0;
    char *text = new_format("%s", all), *at = text, *pattern = strsep(&at, "\n");
    names_open(&n, NULL, pattern, NULL, 0);
    for (char *line; (line = strsep(&at, "\n"));) {
        document d = {0};
        static const char *const keys[] = {"variant", "seed", "prompt"};
        for (int i = 0; i < 3; i++) {
            const char *value = strsep(&line, "\t");
            if (value)
                metadata_set(&d, keys[i], value);
        }
        const char *name = names_next(&n, ++number, &d);
        if (!strstr(pattern, "..") && *pattern != '/' &&
            (*name == '/' || strncmp(name, "../", 3) == 0 || strstr(name, "/../")))
            fuzz_broken("a value leads nowhere else");
        document_free(&d);
    }
    names_end(&n, number);
    free(text);
}

void fuzz_target(const uint8_t *bytes, size_t n)
{
    if (n == 0)
        return;
    fuzz_mapped("input", bytes + 1, n - 1);
    fuzz_mapped("here/digests", bytes + 1, n - 1);
    switch (bytes[0]) {
    case 'a': read_about(); break;
    case 'm': measured_check("input"); break;
    case 'f': read_found(); break;
    case 'b': read_prompts(); break;
    case 'l': read_run(); break;
    case 'c': read_digests(); break;
    case 's': read_calibration(); break;
    case 't': read_floor(); break;
    case 'w': read_why(); break;
    case 'v': read_variant(bytes + 1, n - 1); break;
    default: name_files((const char *)bytes + 1);
    }
}
