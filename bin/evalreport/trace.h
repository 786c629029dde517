/*
** trace.h: how far the latents of a variant are from the reference's after each step, as trace.csv
** has it.
*/
#ifndef TRACE_H
#define TRACE_H

#include "evaluation.h"
#include "table.h"

/* Before the first question about an evaluation, and behind the last one. */
void traces_begin(void);
void traces_end(const evaluation *e);

/* Is there a trace of the variant and the reference? */
bool is_traced(const evaluation *e, int variant);
int traced_variants(const evaluation *e);
/* By step, over the videos that were traced. Without rows where none was. */
table trace_table(const evaluation *e, int variant);
/* The relative error against the step, which is also labelled by its sigma: a line for each video,
 * and their mean in bold. Writes nothing where none was traced. */
void plot_trace(FILE *f, const evaluation *e, int variant);

/* What is known of each step from 0 on, NAN where nothing is: the mean error over the videos that
 * have it. */
typedef struct {
    int steps, videos;               /* steps: one more than the last, 0: not traced */
    double *timestep, *sigma, *mean; /* [steps] */
} trace_means;

trace_means trace_means_of(const evaluation *e, int variant);
void trace_means_free(trace_means *m);

/* ---- traces.c: all variants together, where more than one was traced ---- */

/* A row a step, a column a variant; without rows where there are not two. */
table traces_table(const evaluation *e);
/* A line a variant, the mean over its videos, on a logarithmic axis. Writes nothing and returns 0
 * where there are not two. */
int plot_traces(FILE *f, const evaluation *e);

#endif
