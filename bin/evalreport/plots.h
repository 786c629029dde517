/*
** plots.h: the report's drawings, each an SVG element with its key and its words.
*/
#ifndef PLOTS_H
#define PLOTS_H

#include <stdio.h>

#include "comparison.h"

/* paired.c: every pair a line from the reference to `variant`, and beside it the differences,
 * their mean and its 95 % interval as the summary has them. */
void plot_paired(FILE *f, const evaluation *e, const metric *m, int variant);

/* A metric frame by frame, a curve for each variant: of one subject, or (which -1) the mean over
 * all. Writes nothing and returns 0 where no variant has a value. */
int plot_frames(FILE *f, const evaluation *e, const metric *m, int which);

/* pareto.c: what variants cost against how good they are, the floor as a band about what the
 * reference is, and who is on the front as a line. Writes nothing and returns 0 where fewer than
 * two have both. */
int plot_front(FILE *f, const evaluation *e, const metric *m, int kind);

/* multiples.c: a little drawing for each prompt, all on one scale, with every variant's
 * differences (of metrics of pairs, distances), a mark a seed; of many prompts those with the worst
 * pairs. Writes nothing and returns 0 where there are none. */
int plot_prompts(FILE *f, const evaluation *e, const metric *m);
enum { PROMPTS = 24 }; /* at most */

/* Columns of paper_table.csv as bars, a group for each column. Writes nothing and returns 0 where
 * all are empty. */
typedef struct {
    const char *column, *label;
    bool of_format; /* depends on how weights are stored: a fake's is marked */
} cost;

int plot_costs(FILE *f, const evaluation *e, const char *title, const cost *costs, int n,
               double divisor, const char *unit);

#endif
