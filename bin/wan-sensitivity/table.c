/*
** table.c: means over samplings and timesteps, their order, and how two orders agree.
**
** Spearman's coefficient is Pearson's of ranks, where equal values share the mean of their ranks
** (Spearman 1904; Kendall, Rank Correlation Methods, for ties).
*/
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "table.h"

#include "../../common/die.h"

error_table table_open(int rows, int points, const int64_t *timestep, bool final)
{
    error_table t = {.rows = rows, .points = points, .timestep = timestep, .final = final};
    t.row = new_bytes(sizeof *t.row * (size_t)rows);
    for (int i = 0; i < rows; i++)
        t.row[i].error = new_bytes(sizeof *t.row[i].error * (size_t)points);
    return t;
}

void table_close(error_table *t)
{
    for (int i = 0; i < t->rows; i++) {
        free(t->row[i].error);
        free(t->row[i].format);
    }
    free(t->row);
}

void table_add(error_table *t, int row, const double error[], double final)
{
    for (int k = 0; k < t->points; k++)
        t->row[row].error[k] += error[k];
    t->row[row].final += final;
    t->samplings += row == 0;
}

/* ---- means ---- */

static double mean_error(const error_table *t, const table_row *r)
{
    double sum = 0;
    for (int k = 0; k < t->points; k++)
        sum += r->error[k];
    return sum / t->points / t->samplings;
}

static double final_error(const error_table *t, const table_row *r)
{
    return r->final / t->samplings;
}

/* ---- orders ---- */

typedef struct {
    double value;
    int row;
} entry;

/* The greatest first; equals as they come in the model. */
static int compare(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->value != y->value)
        return x->value < y->value ? 1 : -1;
    return x->row - y->row;
}

static entry *sorted(const error_table *t, double (*value)(const error_table *, const table_row *))
{
    entry *all = new_bytes(sizeof *all * (size_t)t->rows);
    for (int i = 0; i < t->rows; i++)
        all[i] = (entry){value(t, t->row + i), i};
    qsort(all, (size_t)t->rows, sizeof *all, compare);
    return all;
}

/* Of each row; to be freed. */
static double *ranks(const error_table *t, double (*value)(const error_table *, const table_row *))
{
    entry *all = sorted(t, value);
    double *rank = new_bytes(sizeof *rank * (size_t)t->rows);
    for (int i = 0, k; i < t->rows; i = k) {
        for (k = i; k < t->rows && all[k].value == all[i].value;)
            k++;
        for (int j = i; j < k; j++)
            rank[all[j].row] = (i + k + 1) / 2.0; /* of i + 1 .. k */
    }
    free(all);
    return rank;
}

double table_correlation(const error_table *t)
{
    double *a = ranks(t, mean_error), *b = ranks(t, final_error), mean = (t->rows + 1) / 2.0;
    double ab = 0, aa = 0, bb = 0;
    for (int i = 0; i < t->rows; i++) {
        ab += (a[i] - mean) * (b[i] - mean);
        aa += (a[i] - mean) * (a[i] - mean);
        bb += (b[i] - mean) * (b[i] - mean);
    }
    free(a);
    free(b);
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : NAN;
}

/* ---- the table ---- */

static void print_row(const error_table *t, const table_row *r, int rank)
{
    printf("%d\t%s\t%s\t%.4g\t%lld\t%.6g", rank, r->name, r->format,
           8 * (double)r->bytes / (double)r->weights, (long long)r->saved, mean_error(t, r));
    if (t->final)
        printf("\t%.6g", final_error(t, r));
    for (int k = 0; k < t->points; k++)
        printf("\t%.6g", r->error[k] / t->samplings);
    putchar('\n');
}

void table_print(const error_table *t)
{
    entry *all = sorted(t, mean_error);
    printf("rank\tlayer\tformat\tbits\tsaved\terror%s", t->final ? "\tfinal" : "");
    for (int k = 0; k < t->points; k++)
        printf("\tt=%lld", (long long)t->timestep[k]);
    putchar('\n');
    for (int i = 0; i < t->rows; i++)
        print_row(t, t->row + all[i].row, i + 1);
    free(all);
}
