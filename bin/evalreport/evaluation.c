/*
** evaluation.c: reads the directory of an evaluation and finds rows in it.
**
** The files of REQUIRED must be there, and all be whole: a report that leaves out what it could not
** read would look like one that had nothing to say. Columns are found by name, so that tables of
** versions before and after are read too.
*/
#include "evaluation.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/die.h"
#include "../../common/nameindex.h"
#include "../../common/openfile.h"
#include "../../common/utf8.h"
#include "trace.h"

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
    [OTHERS] = {"metrics_per_video.csv", {"variant", "name"}},
    [OTHER_FRAMES] = {"metrics_per_frame.csv", {"variant", "name", "frame"}},
    [OTHER_SUMMARY] = {"metrics_summary.csv", {"metric", "variant_a", "variant_b"}},
    [FLOOR] = {"floor.csv", {"metric", "variant_a", "variant_b"}},
};

/* ---- reading ---- */

/* Most cells are numbers. */
static bool is_ascii(const char *text)
{
    while ((signed char)*text > 0)
        text++;
    return *text == 0;
}

static void open_table(evaluation *e, table_name name)
{
    csv *t = &e->table[name];
    csv_open(t, new_format("%s/%s", e->directory, TABLE[name].file));
    for (int i = 0; i < MOST_COLUMNS && TABLE[name].column[i]; i++)
        csv_column(t, TABLE[name].column[i]);
    for (int i = 0; i < t->rows; i++)
        for (int j = 0; j < t->columns; j++)
            if (!is_ascii(csv_text(t, i, j)) &&
                !is_utf8(csv_text(t, i, j), strlen(csv_text(t, i, j))))
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
    for (int i = TRACE; i < TABLES; i++)
        if (is_there(e, (table_name)i))
            open_table(e, (table_name)i);
}

bool has_table(const evaluation *e, table_name t) { return e->table[t].columns > 0; }

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
    if (index_find(e->variant_at, name) >= 0)
        return;
    index_note(&e->variant_at, name, e->variants);
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

/* Puts the reference that was asked for first; the others keep their order. */
static void choose_reference(evaluation *e, const char *against)
{
    e->recorded = e->variant[0];
    int chosen = against ? index_find(e->variant_at, against) : 0;
    if (chosen < 0)
        die("%s has no variant '%s': its first is '%s'", e->directory, against, e->variant[0]);
    const char *first = e->variant[chosen];
    memmove(e->variant + 1, e->variant, (size_t)chosen * sizeof *e->variant);
    e->variant[0] = first;
    e->base = chosen > 0;
    for (int i = 0; i <= chosen; i++)
        index_note(&e->variant_at, e->variant[i], i);
}

void evaluation_open(evaluation *e, const char *directory, const char *videos, const char *against)
{
    *e = (evaluation){.directory = directory, .videos = videos};
    for (int i = 0; i < REQUIRED; i++)
        open_table(e, (table_name)i);
    open_others(e);
    open_record(e);
    find_who(e);
    choose_reference(e, against);
    find_rows(e);
    traces_begin();
    find_metrics(e);
}

void evaluation_close(evaluation *e)
{
    traces_end(e);
    metrics_free(e);
    rows_free(e);
    for (int i = 0; i < TABLES; i++) {
        free((char *)e->table[i].name);
        csv_close(&e->table[i]);
    }
    json_decref(e->record);
    free(e->variant);
    free(e->subject);
    free(e->order);
    free(e->place);
    index_free(&e->variant_at);
    index_free(&e->subject_at);
}
