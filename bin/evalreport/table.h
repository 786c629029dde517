/*
** table.h: a table as text, and the three ways to write it.
*/
#ifndef TABLE_H
#define TABLE_H

#include <stdbool.h>
#include <stdio.h>

#include "text.h"

/* Cells are plain text; the first column names its row. */
typedef struct {
    char *caption;
    int columns, cells, room;
    char **head;
    bool *number;  /* columns of numbers, to be aligned */
    size_t *width; /* of columns, letters of the longest text; known when it is written */
    char **cell;   /* [cells], row after row */
    char **link;   /* [links]: of the first cell of each row, so far */
    int links;
} table;

table table_new(char *caption);
/* Before the first cell. */
void table_column(table *t, char *head, bool number);
/* The same with a text that stays the caller's. */
void table_head(table *t, const char *head, bool number);
/* The next cell; takes the text, which is freed with the table. */
void table_put(table *t, char *text);
/* The same with a text that stays the caller's. */
void table_copy(table *t, const char *text);

/* Where the cell before leads in a page, which is freed; NULL: nowhere. Only of first columns. */
void table_link(table *t, char *address);

int table_rows(const table *t);
/* Writes it, unless it has no row, and frees it. */
void table_write(FILE *f, markup m, table *t);

#endif
