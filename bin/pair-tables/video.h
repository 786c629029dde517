/*
** video.h: the measurements of one video, and of one pair.
*/
#ifndef VIDEO_H
#define VIDEO_H

#include "../../common/csv.h"
#include "../../common/metrics.h"
#include "../../common/record.h"

/* The values of each metric of METRIC_TABLE, for a video or for a pair: [METRIC_ROWS][n]. NULL: not
 * measured. NAN: not defined, such as the first frame's difference from the frame before it. */
typedef struct {
    double **of;
    int64_t n; /* frames */
} measured_values;

typedef struct {
    const char *variant, *name;
    record about; /* about.fault: there is no such video */
    measured_values measured;
    csv *judged; /* one row: what the program in JUDGE printed for it; NULL: not judged */
} video;

/* Reads DIRECTORY/VARIANT/NAME.json, NAME.SOURCE.tsv for each source that measures videos, and
 * NAME.judge.tsv. Dies if a table has another number of rows than its source prints (the judge's:
 * one). A table that was measured on other contents counts as not measured. */
video video_read(const char *directory, const char *variant, const char *name);
void video_free(video *v);

/* Reads DIRECTORY/PAIR/NAME.SOURCE.tsv for each source that measures pairs. */
measured_values pair_read(const char *directory, const char *pair, const video *a, const video *b);
void values_free(measured_values *m);

/* The metric of the whole video or pair: its mean over the frames, from the first frame that has a
 * value (what kind of mean: METRIC_TABLE). NAN if it was not measured, or if a later frame has no
 * value. */
double value_of(const measured_values *m, const metric_row *metric);
/* The metric of one frame; NAN as above. */
double frame_of(const measured_values *m, const metric_row *metric, int64_t frame);

#endif
