/*
** video.c: reads the tables that the measuring programs printed for a video or a pair, a row a
** frame.
**
** A table whose number of rows is not the number of frames was cut short or belongs to another
** video. It is refused: nobody would see that its mean is wrong.
*/
#include "video.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/csv.h"
#include "../../common/die.h"

/* Was the table measured on the videos with these digests (b NULL: on one video)? A table without
 * that information in its first line is accepted by its name alone. */
static bool is_of(const csv *t, const char *a, const char *b)
{
    json_t *head = t->head ? json_loads(t->head, JSON_REJECT_DUPLICATES, NULL) : NULL;
    json_t *inputs = json_object_get(head, "inputs");
    const char *x = json_string_value(json_array_get(inputs, 0));
    const char *y = json_string_value(json_array_get(inputs, 1));
    bool is = !t->head || (a && x && strcmp(a, x) == 0 && !b == !y && (!b || strcmp(b, y) == 0));
    json_decref(head);
    return is;
}

/* Opens the table at `path`, which must have `rows` rows. False if there is no such file, or if it
 * was measured on other contents than a and b, such as an older version of the videos. */
static bool open_rows(csv *t, const char *path, int64_t rows, const char *a, const char *b)
{
    if (access(path, F_OK) != 0)
        return false;
    csv_open_tabs(t, path);
    if (!is_of(t, a, b)) {
        csv_close(t);
        return false;
    }
    if (t->rows != rows)
        die("%s has %d rows, but %" PRId64 " are expected: remove it", path, t->rows, rows);
    return true;
}

/* The column as n values. A table of neighbours has one row less than there are frames: then the
 * first value is NAN. */
static double *column_of(const csv *t, int column, int64_t n)
{
    int64_t before = n - t->rows;
    double *x = new_bytes((size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; i++)
        x[i] = i < before ? NAN : csv_number(t, (int)(i - before), column);
    return x;
}

/* Reads the metrics of one source from its table HOME/NAME.SOURCE.tsv. A metric whose column is
 * missing stays unmeasured, unless the program has always printed it (`early`): then that is an
 * error. */
static void read_source(measured_values *m, const source_row *s, const char *home, const char *name,
                        const char *a, const char *b)
{
    csv t;
    char *path = new_format("%s/%s.%s.tsv", home, name, s->name);
    int64_t rows = s->rows == ROWS_VIDEO ? 1 : m->n;
    if (s->rows == ROWS_NEIGHBOURS && m->n > 1)
        rows--;
    if (open_rows(&t, path, rows, a, b)) {
        for (int i = 0; i < METRIC_ROWS; i++) {
            const metric_row *metric = &METRIC_TABLE[i];
            int c = csv_find(&t, metric->column);
            if (strcmp(metric->source, s->name) != 0)
                continue;
            if (metric->early && c < 0)
                csv_column(&t, metric->column); /* says so */
            if (c < 0)
                continue;
            m->of[i] = column_of(&t, c, s->rows == ROWS_VIDEO ? 1 : m->n);
        }
        csv_close(&t);
    }
    free(path);
}

static measured_values values_new(int64_t frames)
{
    measured_values m = {.n = frames};
    m.of = new_bytes((size_t)METRIC_ROWS * sizeof *m.of);
    return m;
}

void values_free(measured_values *m)
{
    for (int i = 0; m->of && i < METRIC_ROWS; i++)
        free(m->of[i]);
    free(m->of);
    *m = (measured_values){0};
}

video video_read(const char *directory, const char *variant, const char *name)
{
    csv t;
    video v = {.variant = variant, .name = name};
    char *home = new_format("%s/%s", directory, variant);
    char *judge = new_format("%s/%s.judge.tsv", home, name);
    v.about = record_read(home, name);
    v.measured = values_new(v.about.frames);
    for (int i = 0; !v.about.fault && i < SOURCES; i++)
        if (SOURCE[i].kind == OF_VIDEO)
            read_source(&v.measured, &SOURCE[i], home, name, v.about.content, NULL);
    if (!v.about.fault && open_rows(&t, judge, 1, v.about.content, NULL)) {
        v.judged = new_bytes(sizeof *v.judged);
        *v.judged = t;
        v.judged->name = judge; /* for messages: both end with the video */
        judge = NULL;
    }
    free(home);
    free(judge);
    return v;
}

void video_free(video *v)
{
    record_free(&v->about);
    values_free(&v->measured);
    if (v->judged) {
        free((char *)v->judged->name);
        csv_close(v->judged);
        free(v->judged);
    }
}

measured_values pair_read(const char *directory, const char *pair, const video *a, const video *b)
{
    measured_values m = values_new(a->about.frames);
    char *home = new_format("%s/%s", directory, pair);
    for (int i = 0; i < SOURCES; i++)
        if (SOURCE[i].kind == OF_PAIR)
            read_source(&m, &SOURCE[i], home, a->name, a->about.content, b->about.content);
    free(home);
    return m;
}

double value_of(const measured_values *m, const metric_row *metric)
{
    const double *x = m->of ? m->of[metric - METRIC_TABLE] : NULL;
    if (!x || m->n < 1)
        return NAN;
    if (source_named(metric->source)->rows == ROWS_VIDEO)
        return x[0];
    double sum = 0;
    int64_t from = 0;
    while (from < m->n && isnan(x[from]))
        from++;
    for (int64_t i = from; i < m->n; i++) /* PSNR: the mean is over squared errors, not decibels */
        sum += metric->mean == MEAN_OF_MSE ? pow(10, -x[i] / 10) : x[i];
    double mean = from < m->n ? sum / (double)(m->n - from) : NAN;
    return metric->mean == MEAN_OF_MSE ? -10 * log10(mean) : mean;
}

double frame_of(const measured_values *m, const metric_row *metric, int64_t frame)
{
    const double *x = m->of ? m->of[metric - METRIC_TABLE] : NULL;
    return x && source_named(metric->source)->rows != ROWS_VIDEO ? x[frame] : NAN;
}
