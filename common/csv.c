/*
** csv.c: RFC 4180, with LF taken as CRLF, and nothing forgiven.
**
** Fields are unquoted in place: a field's text is never longer than what stood for it, and the
** separator behind it makes room for its end. So a table is one copy of the file and pointers into
** it.
*/
#include "csv.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "filemap.h"
#include "nameindex.h"
#include "openfile.h"

typedef struct {
    const char *name;
    char *at, *end; /* what is not read yet; *end is 0 */
    int line;
    char separator; /* a tab: nothing is quoted */
} scanner;

static void scan_die(const scanner *s, int line, const char *message)
{
    die("%s:%d: %s", s->name, line, message);
}

/* ---- fields ---- */

/* At the end of a record: how many bytes the line break has, 0 if there is none here. */
static int line_break(const scanner *s)
{
    if (s->at < s->end && *s->at == '\n')
        return 1;
    return s->end - s->at >= 2 && s->at[0] == '\r' && s->at[1] == '\n' ? 2 : 0;
}

static char *quoted(scanner *s)
{
    char *begin = ++s->at, *to = begin;
    int line = s->line;
    for (;; *to++ = *s->at++) {
        if (s->at == s->end)
            scan_die(s, line, "a quote opens here that nothing closes");
        if (*s->at == '"' && *++s->at != '"')
            break;
        s->line += *s->at == '\n';
    }
    if (s->at < s->end && *s->at != ',' && !line_break(s))
        scan_die(s, s->line, "text behind a closing quote");
    *to = 0;
    return begin;
}

static char *plain(scanner *s)
{
    char *begin = s->at;
    for (; s->at < s->end && *s->at != s->separator && !line_break(s); s->at++) {
        if (*s->at == '"' && s->separator == ',')
            scan_die(s, s->line, "a quote within a field that has none around it");
        if (*s->at == '\r')
            scan_die(s, s->line, "a carriage return without a line feed");
    }
    return begin;
}

/* Would a spreadsheet take the cell for a formula, but for the apostrophes before it? */
static bool looks_active(const char *text)
{
    text += strspn(text, "'");
    return *text && strchr("=+-@\t\r", *text);
}

/* The next field, without what csv_field() may have put before it; sets *last if it ends its
 * record. */
static char *field(scanner *s, bool *last)
{
    bool in_quotes = s->separator == ',' && s->at < s->end && *s->at == '"';
    char *text = in_quotes ? quoted(s) : plain(s);
    int ending = line_break(s);
    *last = ending || s->at == s->end;
    char *stop = s->at;
    s->at += *last ? ending : 1;
    s->line += ending > 0;
    if (!in_quotes)
        *stop = 0;
    return s->separator == ',' && *text == '\'' && looks_active(text) ? text + 1 : text;
}

/* ---- tables ---- */

static void *grown(void *p, size_t bytes)
{
    p = realloc(p, bytes);
    if (!p)
        die("out of memory");
    return p;
}

static void header(csv *t, scanner *s)
{
    for (bool last = false; !last; t->columns++) {
        if ((t->columns & (t->columns - 1)) == 0) /* twice as many */
            t->header =
                grown(t->header, (size_t)(t->columns ? 2 * t->columns : 1) * sizeof *t->header);
        t->header[t->columns] = field(s, &last);
        if (csv_find(t, t->header[t->columns]) >= 0)
            csv_die(t, -1, "two columns are named '%s'", t->header[t->columns]);
        index_note(&t->column_at, t->header[t->columns], t->columns);
    }
}

static void record(csv *t, scanner *s, int *room)
{
    if (t->rows == *room) {
        *room = 2 * *room + 16;
        t->cell = grown(t->cell, (size_t)*room * (size_t)t->columns * sizeof *t->cell);
        t->line = grown(t->line, (size_t)*room * sizeof *t->line);
    }
    t->line[t->rows] = s->line;
    char **to = t->cell + (size_t)t->rows * (size_t)t->columns;
    int n = 0;
    for (bool last = false; !last; n++) {
        char *text = field(s, &last);
        if (n < t->columns)
            to[n] = text;
    }
    if (n != t->columns)
        csv_die(t, t->rows, "%d field%s, not %d", n, n == 1 ? "" : "s", t->columns);
    t->rows++;
}

static void read_table(csv *t, FILE *f, const char *name, char separator)
{
    filemap m;
    int room = 0;
    *t = (csv){.name = name};
    filemap_open(&m, fileno(f), name);
    t->text = new_bytes(m.bytes + 1);
    memcpy(t->text, m.at, m.bytes);
    t->text[m.bytes] = 0;
    scanner s = {name, t->text, t->text + m.bytes, 1, separator};
    filemap_close(&m);
    for (char *p = s.at; (p = memchr(p, 0, (size_t)(s.end - p))); p++)
        die("%s has a zero byte: it is no text", name);
    if (strncmp(s.at, "\xef\xbb\xbf", 3) == 0) /* the mark that spreadsheets begin UTF-8 with */
        s.at += 3;
    if (separator == '\t' && strncmp(s.at, "# ", 2) == 0) {
        char *end = strchr(s.at, '\n');
        if (!end)
            die("%s has no line of columns", name);
        t->head = s.at + 2;
        *end = 0;
        s.at = end + 1;
        s.line = 2;
    }
    header(t, &s);
    while (s.at < s.end)
        record(t, &s, &room);
}

void csv_read(csv *t, FILE *f, const char *name) { read_table(t, f, name, ','); }

static void open_table(csv *t, const char *path, char separator)
{
    FILE *f = input_file(path);
    if (!f)
        die_errno("cannot read %s", path);
    read_table(t, f, path, separator);
    fclose(f);
}

void csv_open(csv *t, const char *path) { open_table(t, path, ','); }

void csv_open_tabs(csv *t, const char *path) { open_table(t, path, '\t'); }

void csv_close(csv *t)
{
    index_free(&t->column_at);
    free(t->header);
    free(t->cell);
    free(t->line);
    free(t->text);
    *t = (csv){0};
}

int csv_find(const csv *t, const char *column) { return index_find(t->column_at, column); }

int csv_column(const csv *t, const char *column)
{
    int i = csv_find(t, column);
    if (i < 0)
        csv_die(t, -1, "no column '%s'", column);
    return i;
}

const char *csv_text(const csv *t, int row, int column)
{
    return column < 0 ? "" : t->cell[(size_t)row * (size_t)t->columns + (size_t)column];
}

double csv_number(const csv *t, int row, int column)
{
    const char *text = csv_text(t, row, column);
    char *end;
    if (!*text)
        return NAN;
    double x = strtod(text, &end);
    if (*end || isnan(x))
        csv_die(t, row, "%s is '%s', not a number", t->header[column], text);
    return x;
}

void csv_die(const csv *t, int row, const char *format, ...)
{
    va_list ap;
    char message[512];
    va_start(ap, format);
    vsnprintf(message, sizeof message, format, ap);
    va_end(ap);
    die("%s:%d: %s", t->name, row < 0 ? 1 : t->line[row], message);
}

/* ---- writing ---- */

static bool is_number(const char *text)
{
    char *end;
    strtod(text, &end);
    return *text && !isspace((unsigned char)*text) && !*end;
}

void csv_field(FILE *f, const char *text)
{
    char *inert = looks_active(text) && !is_number(text) ? new_format("'%s", text) : NULL;
    if (inert)
        text = inert;
    bool quotes = text[strcspn(text, "\",\r\n")];
    if (quotes)
        putc('"', f);
    for (; *text; text++) {
        if (*text == '"')
            putc('"', f);
        putc(*text, f);
    }
    if (quotes)
        putc('"', f);
    free(inert);
}

void csv_figure(FILE *f, double x)
{
    char text[32];
    if (isnan(x))
        return;
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (strtod(text, NULL) == x)
            break;
    }
    fputs(text, f);
}

void csv_create(csv_writer *w, const char *path, const char *header)
{
    *w = (csv_writer){.file = output_file(path), .path = path, .columns = 1};
    if (!w->file)
        die_errno("cannot create %s", path);
    for (const char *p = header; (p = strchr(p, ',')); p++)
        w->columns++;
    fprintf(w->file, "%s\r\n", header);
}

static void end_field(csv_writer *w)
{
    w->column++;
    fputs(w->column % w->columns ? "," : "\r\n", w->file);
}

void csv_put(csv_writer *w, const char *text)
{
    csv_field(w->file, text ? text : "");
    end_field(w);
}

void csv_put_figure(csv_writer *w, double x)
{
    csv_figure(w->file, x);
    end_field(w);
}

void csv_put_whole(csv_writer *w, long long n)
{
    fprintf(w->file, "%lld", n);
    end_field(w);
}

void csv_finish(csv_writer *w)
{
    assert(w->column % w->columns == 0);
    if (ferror(w->file) || fclose(w->file) != 0)
        die_errno("cannot write %s", w->path);
}
