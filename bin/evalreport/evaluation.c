/*
** evaluation.c: reads the directory of an evaluation and finds rows in it.
**
** All files but those of a judge and of traces must be there, and all be whole: a report that
** leaves out what it could not read would look like one that had nothing to say. Tables are small,
** so a row is found by looking at all.
*/
#include "evaluation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/die.h"
#include "../../common/nameindex.h"
#include "../../common/openfile.h"
#include "../../common/utf8.h"

enum { MOST_COLUMNS = 20 };

static const struct {
    const char *file;
    const char *column[MOST_COLUMNS];
} TABLE[TABLES] = {
    [CLIP] = {"clip_temporal_per_video.csv",
              {"variant", "name", "seed", "prompt", "measured", "frames", "clip", "temporal"}},
    [CLIP_FRAMES] = {"clip_per_frame.csv", {"variant", "name", "frame", "clip", "temporal"}},
    [CLIP_SUMMARY] = {"clip_temporal_summary.csv",
                      {"metric", "variant_a", "variant_b", "n", "mean_a", "sd_a", "mean_b", "sd_b",
                       "difference", "difference_sd", "low", "high", "p", "method", "note"}},
    [MOTION] = {"motion_per_video.csv", {"variant", "name", "frames", "motion"}},
    [MOTION_FRAMES] = {"motion_per_frame.csv", {"variant", "name", "frame", "motion"}},
    [MOTION_SUMMARY] = {"motion_summary.csv",
                        {"metric", "variant_a", "variant_b", "n", "mean_a", "sd_a", "mean_b",
                         "sd_b", "difference", "difference_sd", "low", "high", "p", "method",
                         "note"}},
    [PAIRS] = {"pairs.csv",
               {"name", "variant_a", "variant_b", "pairing", "differs", "width", "height", "psnr",
                "ssim", "mad", "clip_a", "clip_b", "frames", "temporal_a", "temporal_b", "motion_a",
                "motion_b", "measured"}},
    [PAIR_FRAMES] = {"pairs_per_frame.csv",
                     {"name", "variant_a", "variant_b", "frame", "psnr", "ssim", "mad"}},
    [PAIR_SUMMARY] = {"pairs_summary.csv",
                      {"metric", "variant_a", "variant_b", "n", "mean", "sd", "low", "high",
                       "note"}},
    [REFUSED] = {"pairs_refused.csv", {"name", "variant_a", "variant_b", "reason"}},
    [COSTS] = {"paper_table.csv",
               {"variant", "precision", "gpu", "resolution", "frames", "steps", "videos",
                "peak_device_bytes", "steady_device_bytes", "weight_bytes", "text_seconds",
                "load_seconds", "denoise_seconds", "step_seconds", "decode_seconds", "seconds",
                "runs", "return_code"}},
    [JUDGED] = {"judge_per_video.csv", {"variant", "name"}},
    [JUDGED_SUMMARY] = {"judge_summary.csv",
                        {"metric", "variant_a", "variant_b", "n", "mean_a", "sd_a", "mean_b",
                         "sd_b", "difference", "difference_sd", "low", "high", "p", "method",
                         "note"}},
    [TRACE] = {"trace.csv",
               {"name", "variant_a", "variant_b", "step", "timestep", "sigma", "relative",
                "greatest", "cosine"}},
};

const metric METRIC[METRICS] = {
    {"clip", "CLIP score", "CLIP score", "cosine", 4, CLIP_FRAMES, CLIP_SUMMARY, false},
    {"temporal", "Temporal consistency", "Consistency", "cosine", 4, CLIP_FRAMES, CLIP_SUMMARY,
     false},
    {"motion", "Motion", "Motion", "pixels a frame", 3, MOTION_FRAMES, MOTION_SUMMARY, false},
    {"psnr", "PSNR", "PSNR", "dB", 2, PAIR_FRAMES, PAIR_SUMMARY, true},
    {"ssim", "SSIM", "SSIM", "1 is equal", 4, PAIR_FRAMES, PAIR_SUMMARY, true},
    {"mad", "Mean absolute difference", "MAD", "levels of 255", 2, PAIR_FRAMES, PAIR_SUMMARY, true},
};

/* ---- reading ---- */

static void open_table(evaluation *e, table_name name)
{
    csv *t = &e->table[name];
    csv_open(t, new_format("%s/%s", e->directory, TABLE[name].file));
    for (int i = 0; i < MOST_COLUMNS && TABLE[name].column[i]; i++)
        csv_column(t, TABLE[name].column[i]);
    for (int i = 0; i < t->rows; i++)
        for (int j = 0; j < t->columns; j++)
            if (!is_utf8(csv_text(t, i, j), strlen(csv_text(t, i, j))))
                csv_die(t, i, "%s is not UTF-8", t->header[j]);
}

static bool is_there(const evaluation *e, table_name name)
{
    char *path = new_format("%s/%s", e->directory, TABLE[name].file);
    bool is = access(path, F_OK) == 0;
    free(path);
    return is;
}

/* Tables that need not be there; but the two of a judge belong together. */
static void open_others(evaluation *e)
{
    bool judged = is_there(e, JUDGED) || is_there(e, JUDGED_SUMMARY);
    if (judged)
        open_table(e, JUDGED);
    if (judged)
        open_table(e, JUDGED_SUMMARY);
    if (is_there(e, TRACE))
        open_table(e, TRACE);
}

/* The different metrics of the judge's summary; right_colour is called right colour. */
static void find_judges(evaluation *e)
{
    const csv *t = &e->table[JUDGED_SUMMARY];
    e->judge = new_bytes((size_t)(t->rows + 1) * sizeof *e->judge);
    for (int row = 0; row < t->rows; row++) {
        const char *name = text_at(t, row, "metric");
        condition where = {"metric", name};
        if (find_row(t, 0, 1, &where) != row)
            continue;
        csv_column(&e->table[JUDGED], name);
        char *label = new_format("%s", name);
        for (char *c = label; (c = strchr(c, '_'));)
            *c = ' ';
        e->judge[e->judges++] = (metric){name, label, label, "", 3, JUDGED, JUDGED_SUMMARY, false};
    }
}

static void open_record(evaluation *e)
{
    json_error_t error;
    char *path = new_format("%s/experiment.json", e->directory);
    FILE *f = input_file(path);
    if (!f)
        die_errno("cannot read %s", path);
    e->record = json_loadf(f, JSON_REJECT_DUPLICATES, &error);
    fclose(f);
    if (!e->record)
        die("%s:%d: %s", path, error.line, error.text);
    if (!json_is_object(e->record))
        die("%s is no object", path);
    free(path);
}

static void add_variant(evaluation *e, const char *name)
{
    for (int i = 0; i < e->variants; i++)
        if (strcmp(e->variant[i], name) == 0)
            return;
    e->variant[e->variants++] = name;
}

static void add_subject(evaluation *e, const csv *t, int row)
{
    const char *name = text_at(t, row, "name"), *prompt = text_at(t, row, "prompt");
    int i = subject_of(e, name);
    if (i >= 0) {
        if (!*e->subject[i].prompt) /* a variant whose videos say nothing came first */
            e->subject[i] = (subject){name, text_at(t, row, "seed"), prompt};
        return;
    }
    index_note(&e->subject_at, name, e->subjects);
    e->subject[e->subjects++] = (subject){name, text_at(t, row, "seed"), prompt};
}

/* Variants are those that are compared, have videos or have costs; the reference stands first in
** comparisons even where none of its videos is whole. */
static void find_who(evaluation *e)
{
    const csv *videos = &e->table[CLIP], *costs = &e->table[COSTS];
    const csv *compared = &e->table[CLIP_SUMMARY];
    int most = videos->rows + costs->rows + 2 * compared->rows;
    e->variant = new_bytes((size_t)(most + 1) * sizeof *e->variant);
    e->subject = new_bytes((size_t)(most + 1) * sizeof *e->subject);
    for (int i = 0; i < compared->rows; i++) {
        add_variant(e, text_at(compared, i, "variant_a"));
        if (*text_at(compared, i, "variant_b"))
            add_variant(e, text_at(compared, i, "variant_b"));
    }
    for (int i = 0; i < videos->rows; i++) {
        add_variant(e, text_at(videos, i, "variant"));
        add_subject(e, videos, i);
    }
    for (int i = 0; i < costs->rows; i++)
        add_variant(e, text_at(costs, i, "variant"));
    if (videos->rows == 0)
        die("%s has no video", videos->name);
}

void evaluation_open(evaluation *e, const char *directory, const char *videos)
{
    *e = (evaluation){.directory = directory, .videos = videos};
    for (int i = 0; i < REQUIRED; i++)
        open_table(e, (table_name)i);
    open_others(e);
    open_record(e);
    find_who(e);
    find_judges(e);
}

void evaluation_close(evaluation *e)
{
    for (int i = 0; i < e->judges; i++)
        free((char *)e->judge[i].label);
    free(e->judge);
    for (int i = 0; i < TABLES; i++) {
        free((char *)e->table[i].name);
        csv_close(&e->table[i]);
    }
    json_decref(e->record);
    free(e->variant);
    free(e->subject);
    index_free(&e->subject_at);
}

/* ---- looking up ---- */

int subject_of(const evaluation *e, const char *name) { return index_find(e->subject_at, name); }

static int pair_condition(const evaluation *e, condition *where, int variant)
{
    where[0] = (condition){"variant_a", e->variant[0]};
    where[1] = (condition){"variant_b", e->variant[variant]};
    return 2;
}

int video_row(const evaluation *e, table_name t, int variant, int i)
{
    condition where[] = {{"variant", e->variant[variant]}, {"name", e->subject[i].name}};
    return find_row(&e->table[t], 0, 2, where);
}

int pair_row(const evaluation *e, int variant, int i)
{
    condition where[3];
    int n = pair_condition(e, where, variant);
    where[n++] = (condition){"name", e->subject[i].name};
    return find_row(&e->table[PAIRS], 0, n, where);
}

int summary_row(const evaluation *e, const metric *m, int variant)
{
    condition where[3];
    int n = pair_condition(e, where, variant);
    if (variant == 0) /* one variant only */
        where[1].value = "";
    where[n++] = (condition){"metric", m->name};
    return find_row(&e->table[m->summary], 0, n, where);
}

int pair_count(const evaluation *e, int variant)
{
    int count = 0;
    for (int i = 0; i < e->subjects; i++)
        count += pair_row(e, variant, i) >= 0;
    return count;
}

double number_at(const csv *t, int row, const char *column)
{
    return row < 0 ? NAN : csv_number(t, row, csv_column(t, column));
}

const char *text_at(const csv *t, int row, const char *column)
{
    return row < 0 ? "" : csv_text(t, row, csv_column(t, column));
}

const char *said_at(const csv *t, int row, const char *column)
{
    return row < 0 ? "" : csv_text(t, row, csv_find(t, column));
}

int cost_row(const evaluation *e, int variant)
{
    condition where = {"variant", e->variant[variant]};
    return find_row(&e->table[COSTS], 0, 1, &where);
}

bool is_fake(const evaluation *e, int variant)
{
    return strstr(said_at(&e->table[COSTS], cost_row(e, variant), "stored"), "fake") != NULL;
}

bool has_fakes(const evaluation *e)
{
    for (int v = 0; v < e->variants; v++)
        if (is_fake(e, v))
            return true;
    return false;
}

/* ---- frame by frame ---- */

static void curve_add(const csv *t, int row, curve *c, double value)
{
    double frame = number_at(t, row, "frame");
    if (!(frame >= 0 && frame < 1e6 && frame == floor(frame)))
        csv_die(t, row, "frame is '%s', not its number", text_at(t, row, "frame"));
    if (c->n == 0)
        c->first = (int)frame;
    if ((int)frame != c->first + c->n)
        csv_die(t, row, "frame %d follows %d", (int)frame, c->first + c->n - 1);
    c->value = realloc(c->value, (size_t)(c->n + 1) * sizeof *c->value);
    if (!c->value)
        die("out of memory");
    c->value[c->n++] = value;
}

curve video_curve(const evaluation *e, const metric *m, int variant, int i)
{
    const csv *t = &e->table[m->frames];
    curve c = {0};
    condition where[3] = {{"name", e->subject[i].name}, {"variant", e->variant[variant]}};
    int n = m->of_pairs ? 1 + pair_condition(e, where + 1, variant) : 2;
    for (int row = -1; (row = find_row(t, row + 1, n, where)) >= 0;)
        curve_add(t, row, &c, number_at(t, row, m->name));
    return c;
}

curve mean_curve(const evaluation *e, const metric *m, int variant, int *videos)
{
    curve mean = {0};
    int *count = NULL;
    *videos = 0;
    for (int i = 0; i < e->subjects; i++) {
        curve c = video_curve(e, m, variant, i);
        int end = c.first + c.n;
        if (end > mean.n) {
            mean.value = realloc(mean.value, (size_t)end * sizeof *mean.value);
            count = realloc(count, (size_t)end * sizeof *count);
            if (!mean.value || !count)
                die("out of memory");
            for (; mean.n < end; mean.n++)
                mean.value[mean.n] = count[mean.n] = 0;
        }
        for (int k = 0; k < c.n; k++)
            if (isfinite(c.value[k])) {
                mean.value[c.first + k] += c.value[k];
                count[c.first + k]++;
            }
        *videos += c.n > 0;
        free(c.value);
    }
    for (int k = 0; k < mean.n; k++)
        mean.value[k] = count[k] ? mean.value[k] / count[k] : NAN;
    free(count);
    return mean;
}
