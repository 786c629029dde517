/*
** evalreport.c: an evaluation's tables, record and videos as a report: a page to look at, or tables
** for a paper.
**
** It computes no metric and no statistic: what it says stands in the files of wan-experiment(5),
** and where one of them is missing or broken it says which, and where, and writes no report.
*/
#include <string.h>

#include "../../common/die.h"
#include "../../common/program.h"
#include "beside.h"
#include "evalreport.h"
#include "page.h"
#include "ranking.h"

static const char *format = "html";
static const char *films = ".";
static const char *against, *rank, *second;
static int64_t most = 100;
static bool linked;
static const option options[] = {
    {'f', "format", OPTION_TEXT, &format, 0, 0, false},
    {0, "beside", OPTION_TEXT, &second, 0, 0, true},
    {0, "against", OPTION_TEXT, &against, 0, 0, false},
    {'n', "most", OPTION_INT, &most, 0, 1000000, false},
    {0, "rank", OPTION_TEXT, &rank, 0, 0, false},
    {0, "link", OPTION_FLAG, &linked, 0, 0, false},
    {0, "videos", OPTION_TEXT, &films, 0, 0, true},
    OPTIONS_END,
};

int main(int argc, char **argv)
{
    evaluation e, other;
    int first = program_begin(argc, argv, options, usage);
    if (argc - first != 1)
        usage_error("one directory is needed, not %d", argc - first);
    bool html = strcmp(format, "html") == 0, tex = strcmp(format, "tex") == 0;
    if (!html && !tex && strcmp(format, "md") != 0)
        usage_error("--format is html, tex or md, not '%s'", format);
    stats_phase("read");
    evaluation_open(&e, argv[first], films, against);
    choose_rank(&e, rank);
    if (second) {
        evaluation_open(&other, second, films, against);
        e.beside = &other;
        beside_check(&e, &other);
    }
    stats_phase("write");
    choose_films(&e, html ? most : 0);
    if (html)
        write_html(&e, linked);
    else if (tex)
        write_tex(&e);
    else
        write_markdown(&e);
    stats_add("videos", e.table[CLIP].rows);
    evaluation_close(&e);
    if (second)
        evaluation_close(&other);
    return program_end();
}
