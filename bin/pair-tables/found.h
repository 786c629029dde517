/*
** found.h: of which metrics there are numbers, beside those that have tables of their own; and the
** columns of these, wide and long.
*/
#ifndef FOUND_H
#define FOUND_H

#include "judged.h"
#include "video.h"

/* Rows of METRIC_TABLE, in its order. */
typedef struct {
    int n;
    const metric_row **metric; /* [n] */
} metric_set;

/* Adds those of the kind that are not early and have values. */
void found_add(metric_set *f, const measured_values *m, metric_kind kind);
void metric_set_free(metric_set *f);

/* The header, and the names with a comma before each; both: NAME_a and NAME_b. Frees the header. */
char *found_names(char *header, const metric_set *f, bool both);
/* A field for each: of the video or pair; of a's and b's; of a frame. */
void found_put(csv_writer *w, const metric_set *f, const measured_values *m);
void found_put_both(csv_writer *w, const metric_set *f, const measured_values *a,
                    const measured_values *b);
void found_put_frame(csv_writer *w, const metric_set *f, const measured_values *m, int64_t frame);

/* ---- tidy.csv: a row for each number ---- */

#define TIDY_HEADER "variant,name,seed,prompt,metric,value,reference,measured"

/* Of the metrics of a kind, those that are defined; reference: the other of a pair, or NULL. */
void tidy_put(csv_writer *w, const video *v, const video *reference, const char *measured,
              const measured_values *m, metric_kind kind);
void tidy_put_judged(csv_writer *w, const video *v, const char *measured, const judged *j);

/* ---- the tables of common/metrics.h, for scripts: tabs, a header ---- */

void metrics_print(void);
void sources_print(void);

#endif
