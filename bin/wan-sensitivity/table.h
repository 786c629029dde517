/*
** table.h: what each swap did, ranked from the worst.
*/
#ifndef TABLE_H
#define TABLE_H

#include <stdbool.h>
#include <stdint.h>

/* What is said of a swap; errors are sums over so many samplings until the table is printed. */
typedef struct {
    const char *name;
    char *format;           /* to be freed by table_close */
    int64_t weights, bytes; /* of the quantised linears */
    int64_t saved;          /* bytes fewer than the reference's */
    double *error;          /* [points] */
    double final;
} table_row;

typedef struct {
    int rows, points, samplings;
    table_row *row;          /* [rows] */
    const int64_t *timestep; /* [points] */
    bool final;              /* are final errors known? */
} error_table;

error_table table_open(int rows, int points, const int64_t *timestep, bool final);
void table_add(error_table *t, int row, const double error[], double final);
/* A header and a line each on standard output, with tabs. */
void table_print(const error_table *t);
/* Spearman's rank correlation of the mean errors and the final errors over the rows; NAN where it
 * is not defined: one row, or all of one error. */
double table_correlation(const error_table *t);
void table_close(error_table *t);

#endif
