/*
** table.c: tables in HTML (caption, scopes), LaTeX (booktabs; long ones break over pages) and
** GitHub's Markdown.
*/
#include "table.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"

/* Rows that fit a page of LaTeX; letters that fit a line, lie between columns, that are long for a
** cell, and for the head of a column of numbers. */
enum { LONG_TABLE = 30, LINE = 112, BETWEEN = 2, LONG_TEXT = 16, LONG_HEAD = 12 };

static void *grown(void *p, int n, size_t size)
{
    p = realloc(p, (size_t)n * size);
    if (!p)
        die("out of memory");
    return p;
}

table table_new(char *caption) { return (table){.caption = caption}; }

void table_column(table *t, char *head, bool number)
{
    assert(t->cells == 0);
    t->head = grown(t->head, t->columns + 1, sizeof *t->head);
    t->number = grown(t->number, t->columns + 1, sizeof *t->number);
    t->head[t->columns] = head;
    t->number[t->columns++] = number;
}

void table_head(table *t, const char *head, bool number)
{
    table_column(t, new_format("%s", head), number);
}

void table_put(table *t, char *text)
{
    if (t->cells == t->room)
        t->cell = grown(t->cell, t->room = 2 * t->room + 32, sizeof *t->cell);
    t->cell[t->cells++] = text;
}

void table_copy(table *t, const char *text) { table_put(t, new_format("%s", text)); }

void table_link(table *t, char *address)
{
    int row = (t->cells - 1) / t->columns;
    assert((t->cells - 1) % t->columns == 0);
    if (row >= t->links) {
        t->link = grown(t->link, 2 * row + 16, sizeof *t->link);
        for (; t->links < 2 * row + 16; t->links++)
            t->link[t->links] = NULL;
    }
    t->link[row] = address;
}

int table_rows(const table *t)
{
    assert(t->cells % t->columns == 0);
    return t->cells / t->columns;
}

/* Is the head of that column stacked, word over word? */
static bool is_stacked(const table *t, int column)
{
    const char *head = t->head[column];
    return t->number[column] && letters(head) > LONG_HEAD && strchr(head, ' ');
}

static size_t longest_word(const char *text)
{
    size_t most = 0, n = 0;
    for (; *text; text++) {
        n = *text == ' ' ? 0 : n + ((*text & 0xc0) != 0x80);
        most = n > most ? n : most;
    }
    return most;
}

/* Letters of the longest text in a column. */
static size_t longest(const table *t, int column)
{
    size_t most = is_stacked(t, column) ? longest_word(t->head[column]) : letters(t->head[column]);
    for (int i = column; i < t->cells; i += t->columns)
        most = letters(t->cell[i]) > most ? letters(t->cell[i]) : most;
    return most;
}

/* ---- HTML ---- */

static void html_cell(FILE *f, const table *t, int i)
{
    int column = i % t->columns, row = i / t->columns;
    const char *link = column == 0 && row < t->links ? t->link[row] : NULL;
    const char *tag = column == 0 ? "th" : "td";
    const char *kind = "";
    if (t->number[column])
        kind = " class=\"n\"";
    else if (column > 0 && t->width[column] > 3 * LONG_TEXT) /* wide enough to be read */
        kind = " class=\"t\"";
    else if (column > 0 && t->width[column] > LONG_TEXT)
        kind = " class=\"w\"";
    fprintf(f, "<%s%s%s>", tag, column == 0 ? " scope=\"row\"" : "", kind);
    if (link)
        fprintf(f, "<a href=\"%s\">", link);
    fputs("<bdi>", f);
    put_text(f, HTML, t->cell[i]);
    fprintf(f, "</bdi>%s</%s>", link ? "</a>" : "", tag);
}

/* A wide table scrolls in its box, which therefore takes the keyboard's focus and has a name. */
static void write_html(FILE *f, const table *t)
{
    fputs("<div class=\"table\" tabindex=\"0\" role=\"region\" aria-label=\"", f);
    put_text(f, HTML, t->caption);
    fputs("\">\n<table>\n<caption><span>", f);
    put_text(f, HTML, t->caption);
    fputs("</span></caption>\n<thead><tr>", f);
    for (int j = 0; j < t->columns; j++) {
        fprintf(f, "<th scope=\"col\"%s>", t->number[j] ? " class=\"n\"" : "");
        put_text(f, HTML, t->head[j]);
        fputs("</th>", f);
    }
    fputs("</tr></thead>\n<tbody>\n", f);
    for (int i = 0; i < t->cells; i++) {
        if (i % t->columns == 0)
            fputs("<tr>", f);
        html_cell(f, t, i);
        if (i % t->columns == t->columns - 1)
            fputs("</tr>\n", f);
    }
    fputs("</tbody>\n</table>\n</div>\n", f);
}

/* ---- LaTeX ---- */

/* Columns of a part of a table: the first, and those from `from` to before `to`. */
typedef struct {
    int from, to;
} part;

static bool may_break(const table *t, int j) { return !t->number[j] && t->width[j] > LONG_TEXT; }

/* The least room of a column. */
static size_t least(const table *t, int j)
{
    return (may_break(t, j) ? LONG_TEXT : t->width[j]) + BETWEEN;
}

/* As many columns from `from` on as a line has room for, one at least. */
static part next_part(const table *t, int from)
{
    part p = {from, from};
    size_t all = least(t, 0);
    while (p.to < t->columns && (p.to == from || all + least(t, p.to) <= LINE))
        all += least(t, p.to++);
    return p;
}

static bool in_part(part p, int j) { return j == 0 || (j >= p.from && j < p.to); }

/* Where a part is wider than a line, its columns of long texts break theirs and share what the
** others leave. */
static void tex_columns(FILE *f, const table *t, part p)
{
    size_t all = 0, kept = 0;
    int broken = 0;
    for (int j = 0; j < t->columns; j++) {
        if (!in_part(p, j))
            continue;
        all += t->width[j] + BETWEEN;
        kept += may_break(t, j) ? BETWEEN : t->width[j] + BETWEEN;
        broken += may_break(t, j);
    }
    double width = fmax(0.1, 1 - (double)kept / LINE) / broken;
    putc('{', f);
    for (int j = 0; j < t->columns; j++) {
        if (!in_part(p, j))
            continue;
        if (all > LINE && may_break(t, j))
            fprintf(f, "p{%.3f\\linewidth}", width);
        else
            putc(t->number[j] ? 'r' : 'l', f);
    }
    fputs("}\n", f);
}

static void tex_row(FILE *f, const table *t, part p, char *const *cell)
{
    for (int j = 0; j < t->columns; j++) {
        if (!in_part(p, j))
            continue;
        fputs(j ? " & " : "", f);
        put_text(f, TEX, cell[j]);
    }
    fputs(" \\\\\n", f);
}

/* Long heads of numbers are stacked words. */
static void tex_head(FILE *f, const table *t, part p)
{
    for (int j = 0; j < t->columns; j++) {
        if (!in_part(p, j))
            continue;
        char *word = t->head[j], *rest;
        bool stack = is_stacked(t, j);
        fprintf(f, "%s%s", j ? " & " : "", stack ? "\\shortstack[r]{" : "");
        for (; stack && (rest = strchr(word, ' ')); word = rest + 1) {
            *rest = 0;
            put_text(f, TEX, word);
            fputs("\\\\", f);
            *rest = ' ';
        }
        put_text(f, TEX, word);
        fputs(stack ? "}" : "", f);
    }
    fputs(" \\\\\n", f);
}

static void tex_caption(FILE *f, const table *t, part p)
{
    fputs("\\caption{", f);
    put_text(f, TEX, t->caption);
    fprintf(f, "%s}", p.from > 1 ? " (continued)" : "");
}

static void tex_part(FILE *f, const table *t, part p)
{
    bool longer = table_rows(t) > LONG_TABLE;
    fprintf(f, "%s",
            longer ? "{\\footnotesize\n\\begin{longtable}" : "\\begin{table}[htbp]\n\\centering\n");
    if (!longer) {
        tex_caption(f, t, p);
        fputs("\n\\footnotesize\n\\begin{tabular}", f);
    }
    tex_columns(f, t, p);
    if (longer) {
        tex_caption(f, t, p);
        fputs("\\\\\n", f);
    }
    fputs("\\toprule\n", f);
    tex_head(f, t, p);
    fprintf(f, "\\midrule\n%s", longer ? "\\endhead\n\\bottomrule\n\\endfoot\n" : "");
    for (int i = 0; i < t->cells; i += t->columns)
        tex_row(f, t, p, t->cell + i);
    fputs(longer ? "\\end{longtable}\n}\n\n" : "\\bottomrule\n\\end{tabular}\n\\end{table}\n\n", f);
}

/* A table that is wider than a page, however its texts are broken, is written in parts. */
static void write_tex(FILE *f, const table *t)
{
    for (part p = next_part(t, 1); p.from < t->columns || p.from == 1; p = next_part(t, p.to))
        tex_part(f, t, p);
}

/* ---- Markdown ---- */

static void markdown_row(FILE *f, const table *t, char *const *cell)
{
    for (int j = 0; j < t->columns; j++) {
        fputs(j ? " | " : "| ", f);
        put_text(f, MARKDOWN, cell[j]);
    }
    fputs(" |\n", f);
}

static void write_markdown(FILE *f, const table *t)
{
    fputs("**", f);
    put_text(f, MARKDOWN, t->caption);
    fputs("**\n\n", f);
    markdown_row(f, t, t->head);
    for (int j = 0; j < t->columns; j++)
        fputs(t->number[j] ? "| ---: " : "| :--- ", f);
    fputs("|\n", f);
    for (int i = 0; i < t->cells; i += t->columns)
        markdown_row(f, t, t->cell + i);
    putc('\n', f);
}

void table_write(FILE *f, markup m, table *t)
{
    static void (*const write[])(FILE *, const table *) = {
        [HTML] = write_html, [TEX] = write_tex, [MARKDOWN] = write_markdown};
    t->width = new_bytes((size_t)t->columns * sizeof *t->width + 1);
    for (int j = 0; j < t->columns; j++)
        t->width[j] = longest(t, j);
    if (t->cells > 0)
        write[m](f, t);
    free(t->width);
    for (int i = 0; i < t->cells; i++)
        free(t->cell[i]);
    for (int j = 0; j < t->columns; j++)
        free(t->head[j]);
    for (int i = 0; i < t->links; i++)
        free(t->link[i]);
    free(t->link);
    free(t->cell);
    free(t->head);
    free(t->number);
    free(t->caption);
    *t = (table){0};
}
