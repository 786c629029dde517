/*
** metrics.h: the one table of the metrics that videos and pairs of videos are measured by. Tables,
** summaries, the report and the pipeline follow it: a new metric is a row here, and a program with
** its man page that prints the column.
**
** What measures is a source: a program, whose table of a video or pair is kept as
** NAME.SOURCE.tsv. A metric whose source gave no numbers is in no table.
*/
#ifndef METRICS_H
#define METRICS_H

#include <stdbool.h>

typedef enum { OF_VIDEO, OF_PAIR } metric_kind;

/* What the rows of a source's table are: a frame each, a frame and the one before (the first has
 * none), or the video as a whole. */
typedef enum { ROWS_FRAMES, ROWS_NEIGHBOURS, ROWS_VIDEO } source_rows;

/* How the values of frames become the video's. */
typedef enum {
    MEAN,       /* of the frames that have a value */
    MEAN_OF_MSE /* of dB: 10 log10 of 255^2 over the mean squared error of all frames */
} metric_mean;

typedef struct {
    const char *name; /* clip: NAME.clip.tsv */
    metric_kind kind;
    source_rows rows;
    const char *program;  /* clipscore */
    const char *variable; /* of make, which has the command: CLIPSCORE; "-" is none */
    const char *options;  /* of the program, for a table of these rows */
    const char *weights;  /* of make, what -m gets and without which it is not run: CLIP; NULL */
} source_row;

typedef struct {
    const char *name;   /* clip: columns clip, or of pairs clip_a and clip_b */
    const char *source; /* whose table has it */
    const char *column; /* there */
    const char *label;  /* in the report: CLIP score */
    const char *brief;  /* where there is little room: CLIP */
    const char *unit;   /* "" is none */
    int direction;      /* 1: more is better; -1: less is; 0: neither, a property */
    int decimals;
    metric_kind kind;
    metric_mean mean;
    bool early; /* has columns, tables and a summary of its own, by which readers know it */
} metric_row;

extern const source_row SOURCE[];
extern const int SOURCES;
extern const metric_row METRIC_TABLE[];
extern const int METRIC_ROWS;

/* The row of that name; NULL: there is none. */
const metric_row *metric_named(const char *name);
const source_row *source_named(const char *name);

/* Of fewer videos, or prompts where several are of one, a twin says nothing of the floor: its
 * interval is so wide that all would lie within. */
enum { FEWEST_TWINS = 5 };

/* Where another twin like one whose 95 % interval is low..high may lie: an interval twice as wide,
 * about the same middle. Of two studies of one size of changes that do just the same, the one is
 * then within the other's, by a test at 5 %, in 19 of 20: 2.09 + 2.09 - 1.73 standard errors (of 20
 * pairs) are 1.73 of the difference between the two. */
static inline double twin_low(double low, double high) { return low - (high - low) / 2; }
static inline double twin_high(double low, double high) { return high + (high - low) / 2; }

#endif
