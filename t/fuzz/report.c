/*
** report.c: the directory of an evaluation, tables and experiment.json, as a page, an article and a
** text. An input is parts, which zero bytes divide: the first a letter for the language and one for
** the reference, each further one the letter of a file and what it has instead of what t/corpus's
** `whole` has; a file of one letter is missing.
**
** What is written must be UTF-8 without marks that turn the direction of what follows, and its
** tables must have no more tags than are written on purpose.
*/
#include <stdlib.h>
#include <string.h>

#include "../../bin/evalreport/page.h"
#include "../../bin/evalreport/ranking.h"
#include "../../common/die.h"
#include "../../common/utf8.h"
#include "fuzz.h"

/* Letters a, b, ...; REQUIRED ones first. */
static const char *const FILES[] = {
    "/clip_temporal_per_video.csv",
    "/clip_per_frame.csv",
    "/clip_temporal_summary.csv",
    "/motion_per_video.csv",
    "/motion_per_frame.csv",
    "/motion_summary.csv",
    "/pairs.csv",
    "/pairs_per_frame.csv",
    "/pairs_summary.csv",
    "/pairs_refused.csv",
    "/paper_table.csv",
    "/judge_per_video.csv",
    "/judge_summary.csv",
    "/trace.csv",
    "/metrics_per_video.csv",
    "/metrics_per_frame.csv",
    "/metrics_summary.csv",
    "/floor.csv",
    "/experiment.json",
};
enum { FILES_N = sizeof FILES / sizeof *FILES };

static struct {
    const char *bytes;
    size_t n;
    bool changed;
} whole[FILES_N];

static char page[8 << 20];

/* The files of an input's parts; what is none of them stays as it was. */
static void take_parts(const uint8_t *bytes, size_t n, bool ours)
{
    for (size_t size; n;) {
        const char *part = fuzz_part(&bytes, &n, &size);
        int i = size ? part[0] - 'a' : FILES_N;
        if (i < 0 || i >= FILES_N)
            continue;
        if (ours) {
            whole[i].bytes = size > 1 ? part + 1 : NULL;
            whole[i].n = size - 1;
        }
        fuzz_mapped(FILES[i], size > 1 ? part + 1 : NULL, size - 1);
        whole[i].changed = !ours;
    }
}

void fuzz_begin(void)
{
    static uint8_t bytes[1 << 16];
    size_t n = fuzz_read(bytes, sizeof bytes, SOURCEDIR "/t/corpus/report/whole");
    take_parts(bytes, n, true);
    fuzz_mapped(".mp4", "a film", 6);
    stdout = fmemopen(page, sizeof page, "w");
    if (!stdout)
        fuzz_broken("a page can be written to memory");
}

/* U+202A to U+202E, U+2066 to U+2069, U+200E, U+200F: the direction of what follows. */
static bool turns(const char *text, size_t n)
{
    for (const char *p = text; (p = memchr(p, '\xe2', n - (size_t)(p - text))); p++) {
        unsigned char a = (unsigned char)p[1], b = (unsigned char)p[2];
        if ((a == 0x80 && ((b >= 0xaa && b <= 0xae) || b == 0x8e || b == 0x8f)) ||
            (a == 0x81 && b >= 0xa6 && b <= 0xa9))
            return true;
    }
    return false;
}

void fuzz_target(const uint8_t *bytes, size_t n)
{
    evaluation e;
    size_t size;
    const char *how = fuzz_part(&bytes, &n, &size);
    for (int i = 0; i < FILES_N; i++)
        if (whole[i].changed) {
            fuzz_mapped(FILES[i], whole[i].bytes, whole[i].n);
            whole[i].changed = false;
        }
    take_parts(bytes, n, false);
    rewind(stdout);
    evaluation_open(&e, "e", "films", size > 1 && how[1] == 'v' ? how + 2 : NULL);
    choose_rank(&e, size > 1 && how[1] != 'v' ? how + 1 : NULL);
    choose_films(&e, 1);
    if (!size || how[0] == 'h' || how[0] == 'l')
        write_html(&e, size);
    else if (how[0] == 't')
        write_tex(&e);
    else
        write_markdown(&e);
    fflush(stdout);
    long written = ftell(stdout);
    if (written < 0 || (size_t)written >= sizeof page)
        fuzz_broken("a page has less than eight megabytes");
    if (!is_utf8(page, (size_t)written))
        fuzz_broken("a page is UTF-8");
    if (turns(page, (size_t)written))
        fuzz_broken("a page has no marks of direction");
    evaluation_close(&e);
}
