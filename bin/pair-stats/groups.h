/*
** groups.h: which rows and cells of a table are summarised together.
**
** What the rows are is told by the columns: variant_a and variant_b, and METRIC_a and METRIC_b (two
** measurements of a pair) or METRIC (one of the pair itself); or variant and METRIC.
*/
#ifndef GROUPS_H
#define GROUPS_H

#include "../../common/csv.h"
#include "statistics.h"

/* The columns of one metric; -1: there is none. */
typedef struct {
    const char *name;
    int own, a, b;      /* METRIC, METRIC_a, METRIC_b */
    const double *twin; /* [rows], of METRIC: what twins have of each (twins.h); NULL: not asked */
    int better;         /* 1: more is, -1: less is */
} measure;

/* Dies if the table has neither. */
measure measure_of(const csv *t, const char *metric);

/* Rows of one variant, or of one pair of variants. */
typedef struct {
    const char *variant_a, *variant_b; /* variant_b: "" where there are no pairs */
    int rows;
    int *row; /* [rows] */
} group;

typedef struct {
    int n;
    group *of; /* [n], in the order of their first rows */
    bool pairs;
} grouping;

/* Dies if the table has not the columns of variants. */
grouping groups_of(const csv *t);
void groups_free(grouping *g);

/* The values of one metric and group. */
typedef struct {
    int n;              /* rows that have a finite value, or two */
    int infinite;       /* rows left out; beside twins, rows that are as far as can be */
    double *a, *b;      /* [n]; b is 0 where there is one measurement */
    double *difference; /* [n]: b - a; a where there is one measurement; beside twins, how much
                           farther: infinite where one of the two is */
    int *cluster;       /* [n] */
    int clusters;
} values;

/* clusters: the column whose equal cells make a cluster, -1: every row is one of its own, as is one
 * whose cell is empty. */
values values_of(const csv *t, const measure *m, const group *g, int clusters);
void values_free(values *v);
sample sample_of(const values *v);

/* Is every value 0 or 1, so that it is a verdict and not a quantity? */
bool is_verdict(const values *v);

#endif
