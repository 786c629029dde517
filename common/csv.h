/*
** csv.h: tables of comma separated values, RFC 4180, read whole and written field by field.
**
** A table has a header line, and every record has as many fields as it. Lines end with LF or CRLF;
** fields in quotes may hold commas, line breaks and doubled quotes. What is broken ends the program
** with the file's name and the line: "pairs.csv:3: 4 fields, not 5".
**
** Text that a spreadsheet would compute (it begins with = + - @, a tab or a carriage return, and is
** no number) is written with an apostrophe before it, and read without: here it is what it was.
*/
#ifndef CSV_H
#define CSV_H

#include <stdio.h>

typedef struct {
    const char *name; /* of the file, for messages */
    int columns, rows;
    char **header;            /* [columns] */
    char **cell;              /* [rows][columns], without their quotes; UTF-8 is not checked */
    int *line;                /* [rows]: where the record begins, from 1 */
    char *text;               /* what they point into */
    struct json_t *column_at; /* nameindex.h */
    char *head; /* of a table with tabs: what its first line says behind "# ", or NULL */
} csv;

/* Reads f to its end. name must live as long as the table. */
void csv_read(csv *t, FILE *f, const char *name);
/* Opens, reads and closes the file. */
void csv_open(csv *t, const char *path);
/* The same of a table as filters print it: tabs between fields, and nothing is quoted. A first line
 * that begins with "# " says of what the table is. */
void csv_open_tabs(csv *t, const char *path);
void csv_close(csv *t);

/* The column of that name; -1: there is none. */
int csv_find(const csv *t, const char *column);
/* The same, but dies: "pairs.csv:1: no column 'seed'". */
int csv_column(const csv *t, const char *column);

/* The field; an absent one (column -1) is "". */
const char *csv_text(const csv *t, int row, int column);
/* The field as a number, NAN where it is empty or absent: what is undefined has an empty field.
** "inf" is a number; "nan" and all else dies. */
double csv_number(const csv *t, int row, int column);

/* "FILE:LINE: message" about that row; row -1: about the header. */
void csv_die(const csv *t, int row, const char *format, ...)
    __attribute__((noreturn, format(printf, 3, 4)));

/* Writing: a field, in quotes where it needs them. The caller writes the commas, and "\r\n" or "\n"
** behind the record. */
void csv_field(FILE *f, const char *text);
/* A number with all its digits (%.17g at most, the shortest that reads back); NAN: nothing. */
void csv_figure(FILE *f, double x);

/* Writing a table field by field: commas and line ends come by themselves. */
typedef struct {
    FILE *file;
    const char *path;
    int columns, column; /* fields written so far */
} csv_writer;

/* header: the columns' names with commas between them. Dies if the file cannot be made. */
void csv_create(csv_writer *w, const char *path, const char *header);
void csv_put(csv_writer *w, const char *text); /* NULL: empty */
void csv_put_figure(csv_writer *w, double x);
void csv_put_whole(csv_writer *w, long long n);
/* Dies if it could not be written; every row must be full. */
void csv_finish(csv_writer *w);

#endif
