/*
** words.c: what the report says in sentences, and the two languages that have little besides.
*/
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "page.h"
#include "tables.h"
#include "trace.h"

/* ---- sentences ---- */

char *title_text(const evaluation *e)
{
    char *text = new_format("%s", e->variant[0]);
    for (int v = 1; v < e->variants; v++) {
        char *more =
            new_format("%s%s%s", text, v == e->variants - 1 ? " and " : ", ", e->variant[v]);
        free(text);
        text = more;
    }
    return text;
}

/* Rows of a table whose column has that value. */
static int count_rows(const csv *t, const char *column, const char *value)
{
    condition where = {column, value};
    int n = 0;
    for (int row = -1; (row = find_row(t, row + 1, 1, &where)) >= 0;)
        n++;
    return n;
}

char *measured_text(const evaluation *e)
{
    const csv *videos = &e->table[CLIP];
    int frames = count_rows(videos, "measured", "frames");
    if (frames == videos->rows)
        return new_format("Metrics are of the frames that the model made, before compression.");
    if (frames == 0)
        return new_format("Metrics are of the mp4 files, as a viewer sees them.");
    return new_format("Metrics of %d videos are of the frames that the model made, of %d they are "
                      "of the mp4 files: the two do not compare.",
                      frames, videos->rows - frames);
}

/* Every word of the column `differs` of pairs.csv once, in the order of their first. */
static char *what_differs(const csv *pairs)
{
    char *all = new_format("%s", ""), *rest, *word;
    for (int row = 0; row < pairs->rows; row++) {
        char *words = new_format("%s", text_at(pairs, row, "differs"));
        for (word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
            char *listed = new_format(", %s,", all), *wanted = new_format(" %s,", word);
            if (!strstr(listed, wanted)) {
                char *more = new_format("%s%s%s", all, *all ? ", " : "", word);
                free(all);
                all = more;
            }
            free(listed);
            free(wanted);
        }
        free(words);
    }
    return *all ? all : (free(all), new_format("nothing"));
}

char *pairing_text(const evaluation *e)
{
    const csv *pairs = &e->table[PAIRS];
    int by_name = count_rows(pairs, "pairing", "name");
    if (pairs->rows == 0)
        return new_format("There are no pairs.");
    char *differs = what_differs(pairs);
    char *checked =
        new_format("For each of %d pair%s it was checked that the two videos agree in all "
                   "that they say of how they were made (prompt, seed, size, steps and "
                   "every other option), but for: %s.",
                   pairs->rows - by_name, pairs->rows - by_name == 1 ? "" : "s", differs);
    char *named = new_format("%d pair%s by file name alone: the videos do not say how they were "
                             "made, so it could not be checked.",
                             by_name, by_name == 1 ? " is paired" : "s are paired");
    char *text = by_name == 0             ? new_format("%s", checked)
                 : by_name == pairs->rows ? new_format("%s", named)
                                          : new_format("%s %s", checked, named);
    free(differs);
    free(checked);
    free(named);
    return text;
}

/* ---- LaTeX and Markdown ---- */

static void write_paragraph(markup m, char *text)
{
    put_text(stdout, m, text);
    fputs("\n\n", stdout);
    free(text);
}

static void write_table(markup m, table t) { table_write(stdout, m, &t); }

/* LaTeX moves its tables about: headings would be left alone. */
static void heading(markup m, const char *text)
{
    if (m == MARKDOWN)
        printf("## %s\n\n", text);
}

static void write_body(const evaluation *e, markup m)
{
    write_paragraph(m, measured_text(e));
    write_paragraph(m, pairing_text(e));
    heading(m, "Metrics");
    if (e->variants == 1)
        write_table(m, summary_table(e, 0));
    if (e->variants > 2)
        write_table(m, overview_table(e, m == TEX ? WEIGHTS : ALL));
    if (e->variants > 2 && m == TEX)
        write_table(m, overview_table(e, JUDGEMENT));
    for (int v = 1; v < e->variants; v++) {
        char *words = sample_words(pair_count(e, v));
        write_paragraph(m, new_format("%s against %s: %s", e->variant[v], e->variant[0], words));
        free(words);
        write_table(m, summary_table(e, v));
        write_table(m, distance_table(e, v));
    }
    if (e->table[TRACE].rows > 0)
        heading(m, "Step by step");
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
