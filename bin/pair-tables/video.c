/*
** video.c: the tables that filters printed of a video or a pair, a row a frame, read back.
**
** A table that has not as many rows as the video has frames was cut short or belongs to another
** video: it is refused, since a mean of it would look like any other.
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

/* Does the table say that it is of these contents (b NULL: of one)? One that says nothing is taken
 * for what its name says. */
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

/* PATH's table of `rows` rows, of these contents; false if there is no such file, or it is of what
 * the videos were before. */
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

/* [before + rows]: `before` NANs, then the column. */
static double *column_of(const csv *t, const char *column, int before)
{
    double *x = new_bytes((size_t)(before + t->rows) * sizeof *x);
    int c = csv_column(t, column);
    for (int i = 0; i < before; i++)
        x[i] = NAN;
    for (int i = 0; i < t->rows; i++)
        x[before + i] = csv_number(t, i, c);
    return x;
}

video video_read(const char *directory, const char *variant, const char *name)
{
    csv t;
    video v = {.variant = variant, .name = name};
    char *home = new_format("%s/%s", directory, variant);
    char *clip = new_format("%s/%s.clip.tsv", home, name);
    char *motion = new_format("%s/%s.motion.tsv", home, name);
    char *judge = new_format("%s/%s.judge.tsv", home, name);
    v.about = record_read(home, name);
    int64_t frames = v.about.frames;
    if (!v.about.fault && open_rows(&t, clip, frames, v.about.content, NULL)) {
        v.clip = column_of(&t, "clip", 0);
        v.temporal = column_of(&t, "temporal", 0);
        csv_close(&t);
    }
    /* flowmag has a row for each pair of neighbours, and one without a number if there is none */
    if (!v.about.fault &&
        open_rows(&t, motion, frames > 1 ? frames - 1 : 1, v.about.content, NULL)) {
        v.motion = column_of(&t, "magnitude", frames > 1);
        csv_close(&t);
    }
    if (!v.about.fault && open_rows(&t, judge, 1, v.about.content, NULL)) {
        v.judged = new_bytes(sizeof *v.judged);
        *v.judged = t;
        v.judged->name = judge; /* for messages: both end with the video */
        judge = NULL;
    }
    free(home);
    free(clip);
    free(motion);
    free(judge);
    return v;
}

void video_free(video *v)
{
    record_free(&v->about);
    free(v->clip);
    free(v->temporal);
    free(v->motion);
    if (v->judged) {
        free((char *)v->judged->name);
        csv_close(v->judged);
        free(v->judged);
    }
}

difference difference_read(const char *directory, const char *pair, const video *a, const video *b)
{
    csv t;
    difference d = {0};
    char *path = new_format("%s/%s/%s.diff.tsv", directory, pair, a->name);
    if (open_rows(&t, path, a->about.frames, a->about.content, b->about.content)) {
        d.psnr = column_of(&t, "psnr", 0);
        d.ssim = column_of(&t, "ssim", 0);
        d.mad = column_of(&t, "mad", 0);
        csv_close(&t);
    }
    free(path);
    return d;
}

void difference_free(difference *d)
{
    free(d->psnr);
    free(d->ssim);
    free(d->mad);
}

double mean_of(const double *x, int64_t from, int64_t n)
{
    double sum = 0;
    if (!x || from >= n)
        return NAN;
    for (int64_t i = from; i < n; i++)
        sum += x[i];
    return sum / (double)(n - from);
}

/* The mean squared error is what is averaged: 255^2 over it is the peak's ratio. */
double psnr_of(const double *psnr, int64_t n)
{
    double sum = 0;
    if (!psnr)
        return NAN;
    for (int64_t i = 0; i < n; i++)
        sum += pow(10, -psnr[i] / 10);
    return -10 * log10(sum / (double)n);
}
