/*
** evaluation.h: what an evaluation found, as wan-experiment(5) has it: the tables, the record, and
** from them who is compared with whom.
*/
#ifndef EVALUATION_H
#define EVALUATION_H

#include <jansson.h>
#include <stdbool.h>

#include "../../common/csv.h"

/* The tables, in the order of evaluation.c's list of their columns. */
typedef enum {
    CLIP,
    CLIP_FRAMES,
    CLIP_SUMMARY,
    MOTION,
    MOTION_FRAMES,
    MOTION_SUMMARY,
    PAIRS,
    PAIR_FRAMES,
    PAIR_SUMMARY,
    REFUSED,
    COSTS,
    REQUIRED,
    JUDGED = REQUIRED, /* these two where videos were judged */
    JUDGED_SUMMARY,
    TRACE, /* where latents were traced step by step */
    TABLES
} table_name;

typedef struct {
    const char *name; /* as columns have it */
    const char *label, *brief, *unit;
    int decimals;
    table_name frames; /* the table that has it frame by frame */
    table_name summary;
    bool of_pairs; /* of two videos together, not of one */
} metric;

/* The videos of one prompt and seed, one a variant. */
typedef struct {
    const char *name, *seed, *prompt;
} subject;

typedef struct {
    const char *directory;
    const char *videos; /* where the variants are, from the directory */
    csv table[TABLES];  /* without columns: there is none */
    json_t *record;     /* experiment.json */
    int variants, subjects;
    const char **variant; /* the first is the reference: the others are compared with it */
    subject *subject;
    struct json_t *subject_at; /* nameindex.h */
    int judges;
    metric *judge; /* what a judge found: in no unit, and not frame by frame */
} evaluation;

/* Dies, naming file and line, if a file is missing or broken. */
void evaluation_open(evaluation *e, const char *directory, const char *videos);
void evaluation_close(evaluation *e);

/* ---- what is measured ---- */

enum { VIDEO_METRICS = 3, METRICS = 6 };
extern const metric METRIC[METRICS]; /* those of videos first */

/* ---- looking up ---- */

/* The number in that column of the first row where column k1 is v1, and so on (NULL: not asked);
 * NAN if there is none or it is empty. */
typedef struct {
    const char *column, *value;
} condition;

/* The first row at or behind `from` that meets all n conditions; -1: none. */
int find_row(const csv *t, int from, int n, const condition *where);
int subject_of(const evaluation *e, const char *name); /* -1: a video that was not measured */

/* The row of a video, of a pair with the reference, of a comparison; -1: none. */
int video_row(const evaluation *e, table_name t, int variant, int subject);
int pair_row(const evaluation *e, int variant, int subject);
int summary_row(const evaluation *e, const metric *m, int variant);
/* How many pairs `variant` has with the reference. */
int pair_count(const evaluation *e, int variant);

/* A number of that row; NAN if row is -1 or the field is empty. */
double number_at(const csv *t, int row, const char *column);
const char *text_at(const csv *t, int row, const char *column);

/* The same; "" too if the table has no such column, as those made by versions before have not. */
const char *said_at(const csv *t, int row, const char *column);

/* The variant's row of costs; -1: none. */
int cost_row(const evaluation *e, int variant);
/* Are its weights rounded to a format but F16 in memory? Then what it took is not the format's. */
bool is_fake(const evaluation *e, int variant);
bool has_fakes(const evaluation *e);

/* A video's metric frame by frame (of a pair: with the reference). value[i] belongs to the frame
 * first + i; to be freed. */
typedef struct {
    int first, n;
    double *value;
} curve;

curve video_curve(const evaluation *e, const metric *m, int variant, int subject);
/* The mean over all subjects of a variant, and over how many. */
curve mean_curve(const evaluation *e, const metric *m, int variant, int *videos);

#endif
