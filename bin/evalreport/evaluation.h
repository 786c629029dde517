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
    TRACE,  /* where latents were traced step by step */
    OTHERS, /* metrics that have no table of their own */
    OTHER_FRAMES,
    OTHER_SUMMARY,
    FLOOR, /* twins of the reference, which differ from it by rounding alone */
    TABLES
} table_name;

typedef struct {
    const char *name; /* as columns have it */
    const char *label, *brief, *unit;
    int direction; /* 1: more is better; -1: less is; 0: neither */
    int decimals;
    bool of_pairs;                  /* of two videos together, not of one */
    table_name videos;              /* the table that has it of each video; TABLES: none has */
    table_name frames;              /* frame by frame; TABLES: none has */
    int column_a, column_b, column; /* of pairs.csv; -1: none */
} metric;

/* The videos of one prompt and seed, one a variant. */
typedef struct {
    const char *name, *seed, *prompt;
} subject;

typedef struct evaluation evaluation;
struct evaluation {
    const char *directory;
    const evaluation *beside; /* another of the same videos (beside.h); NULL: none */
    const char *videos;       /* where the variants are, from the directory */
    csv table[TABLES];        /* without columns: there is none */
    json_t *record;           /* experiment.json */
    int variants, subjects;
    const char **variant; /* the first is the reference: the others are compared with it */
    const char *recorded; /* the reference of the tables */
    int base;             /* its place among the variants: 0, but where another was chosen */
    subject *subject;
    struct json_t *variant_at, *subject_at; /* nameindex.h */
    struct row_indices *indices;            /* rows.c's */
    int *row[TABLES]; /* [variants][subjects], of tables of videos, and of PAIRS by variant_b; -1 */
    int metrics, of_videos; /* those of a video come first */
    metric *metric;
    int judges;
    metric *judge; /* what a judge found: in no unit, and not frame by frame */
    /* ranking.c's */
    const metric *by;   /* by what variants are ranked and pairs sorted; NULL: by nothing */
    int *order, *place; /* [subjects]: the worst first, and where in that each is */
    int films;          /* so many of them are shown */
};

/* Dies, naming file and line, if a file is missing or broken. against: the reference, NULL for that
 * of the tables; dies if there is no such variant. */
void evaluation_open(evaluation *e, const char *directory, const char *videos, const char *against);
void evaluation_close(evaluation *e);
bool has_table(const evaluation *e, table_name t);

/* ---- metrics.c: what is measured ---- */

void find_metrics(evaluation *e);
void metrics_free(evaluation *e);
/* The metric of that name, a judge's also; NULL: there is none. */
const metric *metric_of(const evaluation *e, const char *name);
/* "CLIP score (cosine)"; to be freed. */
char *metric_title(const metric *m);

/* ---- rows.c: looking up ---- */

/* The number in that column of the first row where column k1 is v1, and so on (NULL: not asked);
 * NAN if there is none or it is empty. */
typedef struct {
    const char *column, *value;
} condition;

/* The first row of t, a table of e, at or behind `from` that meets all n conditions; -1: none. */
int find_row(const evaluation *e, const csv *t, int from, int n, const condition *where);

/* Notes the rows of all videos and pairs for the next two. */
void find_rows(evaluation *e);
void rows_free(evaluation *e);
/* The row of a video in a table of videos; that of a pair of the tables' reference and `variant`,
 * whoever is the reference here; -1: none. */
int video_row(const evaluation *e, table_name t, int variant, int subject);
int recorded_row(const evaluation *e, int variant, int subject);
/* Whose recorded pairs are those of the reference and `variant`; -1: the tables have none. */
int distance_of(const evaluation *e, int variant);

int subject_of(const evaluation *e, const char *name); /* -1: a video that was not measured */

/* A number of that row; NAN if row is -1 or the field is empty. */
double number_at(const csv *t, int row, const char *column);
const char *text_at(const csv *t, int row, const char *column);

/* The same; NAN and "" too if the table has no such column, as those made by versions before have
 * not. */
double known_at(const csv *t, int row, const char *column);
const char *said_at(const csv *t, int row, const char *column);

/* The variant's row of costs; -1: none. */
int cost_row(const evaluation *e, int variant);
/* Are its weights rounded to a format but F16 in memory? Then what it took is not the format's. */
bool is_fake(const evaluation *e, int variant);
bool has_fakes(const evaluation *e);

/* ---- curves.c: frame by frame ---- */

/* A video's metric frame by frame (of a pair: with the tables' reference). value[i] belongs to the
 * frame first + i; to be freed. */
typedef struct {
    int first, n;
    double *value;
} curve;

curve video_curve(const evaluation *e, const metric *m, int variant, int subject);
/* The mean over all subjects of a variant. */
curve mean_curve(const evaluation *e, const metric *m, int variant);

#endif
