/*
** video.h: what was measured of one video, and of one pair.
*/
#ifndef VIDEO_H
#define VIDEO_H

#include "../../common/csv.h"
#include "../../common/metrics.h"
#include "../../common/record.h"

/* The values of each metric of METRIC_TABLE, of videos or of pairs: [METRIC_ROWS][n]. NULL: not
 * measured. NAN: not defined, as what a frame is with the one before it is of the first. */
typedef struct {
    double **of;
    int64_t n; /* frames */
} measured_values;

typedef struct {
    const char *variant, *name;
    record about; /* about.fault: there is no such video */
    measured_values measured;
    csv *judged; /* one row: what the judge says of it; NULL: not judged */
} video;

/* From DIRECTORY/VARIANT/NAME.json, .SOURCE.tsv of each source of videos, and .judge.tsv. Dies if a
 * table has not the rows that its source prints, or the judge's not one; one that says it is of
 * another content counts as not measured. */
video video_read(const char *directory, const char *variant, const char *name);
void video_free(video *v);

/* From DIRECTORY/PAIR/NAME.SOURCE.tsv of each source of pairs. */
measured_values pair_read(const char *directory, const char *pair, const video *a, const video *b);
void values_free(measured_values *m);

/* What the video, or the pair, has of the metric: over its frames, as the table says, from the
 * first of which it is defined. NAN if it was not measured, or not defined of one behind that. */
double value_of(const measured_values *m, const metric_row *metric);
/* Of a frame; NAN as above. */
double frame_of(const measured_values *m, const metric_row *metric, int64_t frame);

#endif
