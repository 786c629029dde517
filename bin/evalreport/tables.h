/*
** tables.h: what the report says in tables, the same in HTML, LaTeX and Markdown. A table without
** rows is not written.
*/
#ifndef TABLES_H
#define TABLES_H

#include "comparison.h"
#include "evaluation.h"
#include "table.h"

/* ---- tables.c: of a variant against the reference ---- */

/* Metrics of the videos; variant 0: of the only one. */
table summary_table(const evaluation *e, int variant);
/* How far the pairs are apart. */
table distance_table(const evaluation *e, int variant);
/* What of it rounding alone can make, and how small a difference could have been seen. */
table effect_table(const evaluation *e, int variant);
table floor_table(const evaluation *e);
/* "0.2931 (0.0120)" */
char *mean_sd(double mean, double sd, int decimals);
/* What is said of a number of pairs beside a table or drawing: "20 pairs of 5 prompts.", and of
 * few, what they cannot show. To be freed. */
char *sample_words(const evaluation *e, int variant);

/* ---- overview.c: of all variants ---- */

/* A row a variant: format, bits, bytes, and the mean of every metric. A page of paper is not wide
 * enough for all: WEIGHTS is without what a judge said, JUDGEMENT that alone. */
typedef enum { ALL, WEIGHTS, JUDGEMENT } overview;
table overview_table(const evaluation *e, overview what);
/* What each variant cost, a column each. */
table cost_table(const evaluation *e);
/* What is said of weights that are rounded to a format and stored as F16, and of their costs. */
#define FAKE "fake: F16 in memory"
#define FAKE_NOTE FAKE ", so bytes and seconds are those of F16, not of the format"
/* The number, and that it is a fake's, if so. Takes the text, returns another. */
char *marked(char *number, bool fake);
/* The unit of its memory, GiB or MiB, and how many bytes that is. */
const char *memory_unit(const evaluation *e, double *bytes);

/* ---- listing.c: of pairs and videos ---- */

/* Every pair with its metrics; variant 0: every video of the only one. */
table pair_table(const evaluation *e, int variant);
/* The same of what a judge found; without rows where there was none. */
table judged_table(const evaluation *e, int variant);
/* One subject's videos, a row each. */
table subject_table(const evaluation *e, int which);
table prompt_table(const evaluation *e);
table refused_table(const evaluation *e);

/* ---- record.c: from experiment.json; without rows where it does not say ---- */

table machine_table(const evaluation *e);
table runs_table(const evaluation *e);
table differing_table(const evaluation *e);
table shared_table(const evaluation *e);
table measuring_table(const evaluation *e);

#endif
