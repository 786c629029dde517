/*
** rows.c: the rows of a table that say what is asked for, without looking at all of them.
**
** A report asks for each pair and each metric, so that looking through a table every time would
** take the square of the number of videos. Of each set of columns that was ever asked for there is
** an index: from their values in a row to the first such row, and from each row to the next one.
*/
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "../../common/nameindex.h"
#include "evaluation.h"

enum { MOST_COLUMNS = 4, MOST_INDICES = 32 };

typedef struct {
    const csv *table;
    int n, column[MOST_COLUMNS];
    struct json_t *first; /* the first row with these values */
    int *next;            /* [rows]: the next one like it, or -1 */
} row_index;

/* The values, each with its length before it: no two sets are alike. */
static char *joined(int n, const char *const value[])
{
    char *s = new_format("%s", "");
    for (int k = 0; k < n; k++) {
        char *longer = new_format("%s%zu:%s", s, strlen(value[k]), value[k]);
        free(s);
        s = longer;
    }
    return s;
}

static void build(row_index *x)
{
    const csv *t = x->table;
    x->next = new_bytes((size_t)(t->rows ? t->rows : 1) * sizeof *x->next);
    for (int row = t->rows - 1; row >= 0; row--) {
        const char *value[MOST_COLUMNS];
        for (int k = 0; k < x->n; k++)
            value[k] = csv_text(t, row, x->column[k]);
        char *key = joined(x->n, value);
        x->next[row] = index_find(x->first, key);
        index_note(&x->first, key, row);
        free(key);
    }
}

static const row_index *index_of(const csv *t, int n, const int column[])
{
    static row_index all[MOST_INDICES];
    static int have;
    for (int i = 0; i < have; i++) {
        int k = 0;
        while (all[i].table == t && all[i].n == n && k < n && all[i].column[k] == column[k])
            k++;
        if (k == n && all[i].table == t && all[i].n == n)
            return &all[i];
    }
    if (have == MOST_INDICES)
        return NULL;
    row_index *x = &all[have++];
    *x = (row_index){.table = t, .n = n};
    for (int k = 0; k < n; k++)
        x->column[k] = column[k];
    build(x);
    return x;
}

int find_row(const csv *t, int from, int n, const condition *where)
{
    int column[MOST_COLUMNS];
    const char *value[MOST_COLUMNS];
    for (int k = 0; k < n; k++) {
        column[k] = csv_column(t, where[k].column);
        value[k] = where[k].value;
    }
    const row_index *x = index_of(t, n, column);
    if (!x)
        die("%s is asked for by too many sets of columns", t->name);
    int k = 0;
    while (k < n && from > 0 && strcmp(csv_text(t, from - 1, column[k]), value[k]) == 0)
        k++;
    if (k == n) /* the row before is one: from there on */
        return x->next[from - 1];
    char *key = joined(n, value);
    int row = index_find(x->first, key);
    free(key);
    while (row >= 0 && row < from)
        row = x->next[row];
    return row;
}
