/*
** trace.h: how far the latents of a variant are from the reference's after each step, as trace.csv
** has it.
*/
#ifndef TRACE_H
#define TRACE_H

#include "evaluation.h"
#include "table.h"

/* Is there a trace of the variant and the reference? */
bool is_traced(const evaluation *e, int variant);
/* By step, over the videos that were traced. Without rows where none was. */
table trace_table(const evaluation *e, int variant);
/* The relative error against the step, which is also labelled by its sigma: a line for each video,
 * and their mean in bold. Writes nothing where none was traced. */
void plot_trace(FILE *f, const evaluation *e, int variant);

#endif
