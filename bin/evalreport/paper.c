/*
** paper.c: the report in LaTeX and in Markdown: the sentences and tables of the page.
*/
#include <stdlib.h>

#include "../../common/die.h"
#include "beside.h"
#include "page.h"
#include "ranking.h"
#include "tables.h"
#include "trace.h"

static void write_paragraph(markup m, char *text)
{
    put_text(stdout, m, text);
    fputs(*text ? "\n\n" : "", stdout);
    free(text);
}

static void write_table(markup m, table t) { table_write(stdout, m, &t); }

/* LaTeX moves its tables about: headings would be left alone. */
static void heading(markup m, const char *text)
{
    if (m == MARKDOWN)
        printf("## %s\n\n", text);
}

static void write_short(const evaluation *e, markup m)
{
    heading(m, "In short");
    write_paragraph(m, against_text(e));
    if (e->variants > 2) {
        write_table(m, overview_table(e, m == TEX ? WEIGHTS : ALL));
        if (m == TEX)
            write_table(m, overview_table(e, JUDGEMENT));
        write_table(m, ranking_table(e));
    }
    for (int v = 1; v < e->variants; v++)
        write_paragraph(m, finding_text(e, v));
    if (e->beside) {
        write_paragraph(m, beside_text(e, e->beside));
        write_table(m, beside_table(e, e->beside));
    }
    write_paragraph(m, floor_text(e));
    write_paragraph(m, tests_text(e));
    if (e->variants > 2) {
        for (int k = 0; k < e->metrics; k++)
            write_table(m, metric_table(e, &e->metric[k]));
        write_table(m, front_table(e));
    }
    if (e->table[FLOOR].rows > 0)
        write_table(m, floor_table(e));
    write_table(m, worst_table(e));
}

static void write_metrics(const evaluation *e, markup m)
{
    heading(m, "Metrics");
    write_paragraph(m, measured_text(e));
    write_paragraph(m, clip_text(e));
    write_paragraph(m, pairing_text(e));
    write_paragraph(m, metrics_text(e));
    write_paragraph(m, judge_text(e));
    if (e->variants == 1)
        write_table(m, summary_table(e, 0));
    for (int v = 1; v < e->variants; v++) {
        write_table(m, summary_table(e, v));
        write_table(m, effect_table(e, v));
        write_table(m, distance_table(e, v));
    }
}

static void write_body(const evaluation *e, markup m)
{
    write_paragraph(m, lead_text(e));
    if (e->variants > 1)
        write_short(e, m);
    write_metrics(e, m);
    if (e->table[TRACE].rows > 0 && e->base == 0)
        heading(m, "Step by step");
    write_table(m, traces_table(e));
    for (int v = 1; v < e->variants; v++)
        write_table(m, trace_table(e, v));
    heading(m, "Cost");
    write_table(m, cost_table(e));
    heading(m, "Videos");
    for (int v = e->variants > 1; v < e->variants; v++)
        write_table(m, pair_table(e, v));
    for (int v = e->variants > 1; v < e->variants; v++)
        write_table(m, judged_table(e, v));
    if (e->table[REFUSED].rows > 0)
        write_table(m, refused_table(e));
    write_table(m, prompt_table(e));
    heading(m, "Record");
    write_table(m, machine_table(e));
    write_table(m, differing_table(e));
    write_table(m, shared_table(e));
    write_table(m, measuring_table(e));
    write_table(m, runs_table(e));
}

void write_tex(const evaluation *e)
{
    char *title = title_text(e);
    fputs("\\documentclass{article}\n"
          "\\ifdefined\\Umathchar\\else\\usepackage[T1]{fontenc}\\fi\n"
          "\\usepackage{booktabs,longtable}\n"
          "\\setlength\\textwidth{16.5cm}\\setlength\\oddsidemargin{-0.3cm}\n"
          "\\setlength\\tabcolsep{4pt}\n"
          "% Letters that not every engine has: the letter, or the number it has in Unicode.\n"
          "\\newcommand\\otherletter[2]{\\ifdefined\\Umathchar#1\\else\\texttt{U+#2}"
          "\\allowbreak\\fi}\n"
          "\\begin{document}\n\n"
          "\\section*{",
          stdout);
    put_text(stdout, TEX, title);
    fputs("}\n\n", stdout);
    write_body(e, TEX);
    fputs("\\end{document}\n", stdout);
    free(title);
}

void write_markdown(const evaluation *e)
{
    char *title = title_text(e);
    fputs("# ", stdout);
    put_text(stdout, MARKDOWN, title);
    fputs("\n\n", stdout);
    write_body(e, MARKDOWN);
    free(title);
}
