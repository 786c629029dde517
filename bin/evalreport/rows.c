/*
** rows.c: the rows of a table that say what is asked for, without looking at all of them.
**
** A report asks for each pair and each metric, so that looking through a table every time would
** take the square of the number of videos. The rows of videos and of pairs are noted once, by
** variant and subject. Of each set of columns that is asked for besides there is an index: from
** their values in a row to the first such row, and from each row to the next one.
*/
#include <jansson.h>
#include <math.h>
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

/* Have both rows these values? */
static bool alike(const row_index *x, int a, int b)
{
    for (int k = 0; k < x->n; k++)
        if (strcmp(csv_text(x->table, a, x->column[k]), csv_text(x->table, b, x->column[k])) != 0)
            return false;
    return true;
}

static char *key_of(const row_index *x, int row)
{
    const char *value[MOST_COLUMNS];
    for (int k = 0; k < x->n; k++)
        value[k] = csv_text(x->table, row, x->column[k]);
    return joined(x->n, value);
}

/* Rows that are alike mostly stand together, the frames of a video: only a run's ends are looked
** up. */
static void build(row_index *x)
{
    int rows = x->table->rows;
    x->next = new_bytes((size_t)(rows ? rows : 1) * sizeof *x->next);
    for (int row = rows - 1; row >= 0; row--) {
        bool last = row == rows - 1 || !alike(x, row, row + 1);
        bool first = row == 0 || !alike(x, row, row - 1);
        char *key = first || last ? key_of(x, row) : NULL;
        x->next[row] = last ? index_find(x->first, key) : row + 1;
        if (first)
            index_note(&x->first, key, row);
        free(key);
    }
}

/* Of an evaluation's tables, each made when it is first asked for. */
struct row_indices {
    row_index index[MOST_INDICES];
    int n;
};

static const row_index *index_of(struct row_indices *all, const csv *t, int n, const int column[])
{
    for (int i = 0; i < all->n; i++) {
        const row_index *x = &all->index[i];
        int k = 0;
        while (x->table == t && x->n == n && k < n && x->column[k] == column[k])
            k++;
        if (k == n && x->table == t && x->n == n)
            return x;
    }
    if (all->n == MOST_INDICES)
        return NULL;
    row_index *x = &all->index[all->n++];
    *x = (row_index){.table = t, .n = n};
    for (int k = 0; k < n; k++)
        x->column[k] = column[k];
    build(x);
    return x;
}

int find_row(const evaluation *e, const csv *t, int from, int n, const condition *where)
{
    int column[MOST_COLUMNS];
    const char *value[MOST_COLUMNS];
    for (int k = 0; k < n; k++) {
        column[k] = csv_column(t, where[k].column);
        value[k] = where[k].value;
    }
    const row_index *x = index_of(e->indices, t, n, column);
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

/* ---- videos and pairs ---- */

/* Notes the first row of each video or pair of that table, named by the columns who and name. */
static void note_rows(evaluation *e, table_name name, const char *who)
{
    const csv *t = &e->table[name];
    size_t all = (size_t)e->variants * (size_t)e->subjects;
    e->row[name] = new_bytes((all + 1) * sizeof *e->row[name]);
    for (size_t i = 0; i < all; i++)
        e->row[name][i] = -1;
    for (int row = t->rows - 1; row >= 0; row--) {
        int v = index_find(e->variant_at, text_at(t, row, who));
        int i = subject_of(e, text_at(t, row, "name"));
        bool ours = name != PAIRS || strcmp(text_at(t, row, "variant_a"), e->recorded) == 0;
        if (v >= 0 && i >= 0 && ours)
            e->row[name][(size_t)v * (size_t)e->subjects + (size_t)i] = row;
    }
}

void find_rows(evaluation *e)
{
    static const table_name of_videos[] = {CLIP, MOTION, JUDGED, OTHERS};
    e->indices = new_bytes(sizeof *e->indices);
    for (size_t i = 0; i < sizeof of_videos / sizeof *of_videos; i++)
        if (has_table(e, of_videos[i]))
            note_rows(e, of_videos[i], "variant");
    note_rows(e, PAIRS, "variant_b");
}

void rows_free(evaluation *e)
{
    for (int i = 0; i < TABLES; i++)
        free(e->row[i]);
    for (int i = 0; i < e->indices->n; i++) {
        index_free(&e->indices->index[i].first);
        free(e->indices->index[i].next);
    }
    free(e->indices);
}

int video_row(const evaluation *e, table_name t, int variant, int i)
{
    return t < TABLES && e->row[t] ? e->row[t][(size_t)variant * (size_t)e->subjects + (size_t)i]
                                   : -1;
}

int recorded_row(const evaluation *e, int variant, int i)
{
    return video_row(e, PAIRS, variant, i);
}

int distance_of(const evaluation *e, int variant)
{
    return e->base == 0 ? (variant > 0 ? variant : -1) : variant == e->base ? 0 : -1;
}

int subject_of(const evaluation *e, const char *name) { return index_find(e->subject_at, name); }

/* ---- cells ---- */

double number_at(const csv *t, int row, const char *column)
{
    return row < 0 ? NAN : csv_number(t, row, csv_column(t, column));
}

const char *text_at(const csv *t, int row, const char *column)
{
    return row < 0 ? "" : csv_text(t, row, csv_column(t, column));
}

double known_at(const csv *t, int row, const char *column)
{
    return row < 0 ? NAN : csv_number(t, row, csv_find(t, column));
}

const char *said_at(const csv *t, int row, const char *column)
{
    return row < 0 ? "" : csv_text(t, row, csv_find(t, column));
}

/* ---- costs ---- */

int cost_row(const evaluation *e, int variant)
{
    condition where = {"variant", e->variant[variant]};
    return find_row(e, &e->table[COSTS], 0, 1, &where);
}

bool is_fake(const evaluation *e, int variant)
{
    return strstr(said_at(&e->table[COSTS], cost_row(e, variant), "stored"), "fake") != NULL;
}

bool has_fakes(const evaluation *e)
{
    for (int v = 0; v < e->variants; v++)
        if (is_fake(e, v))
            return true;
    return false;
}
