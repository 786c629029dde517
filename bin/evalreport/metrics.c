/*
** metrics.c: which metrics an evaluation has, and in which of its tables.
**
** Of METRIC_TABLE (common/metrics.c) the six that are marked early are always there, if only as
** dashes; of the others those for which the CSV files have a column. A judge's metrics are not in
** it: they are the names in the judge's summary.
*/
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "../../common/metrics.h"
#include "evaluation.h"

/* The first of n tables that has the column; TABLES: none. */
static table_name with_column(const evaluation *e, int n, const table_name *of, const char *column)
{
    for (int i = 0; i < n; i++)
        if (has_table(e, of[i]) && csv_find(&e->table[of[i]], column) >= 0)
            return of[i];
    return TABLES;
}

static void find_columns(const evaluation *e, metric *m)
{
    char *a = new_format("%s_a", m->name), *b = new_format("%s_b", m->name);
    m->column_a = csv_find(&e->table[PAIRS], a);
    m->column_b = csv_find(&e->table[PAIRS], b);
    m->column = csv_find(&e->table[PAIRS], m->name);
    free(a);
    free(b);
}

static void add_metric(evaluation *e, const metric_row *r)
{
    static const table_name videos[] = {CLIP, MOTION, OTHERS};
    static const table_name video_frames[] = {CLIP_FRAMES, MOTION_FRAMES, OTHER_FRAMES};
    static const table_name pair_frames[] = {PAIR_FRAMES};
    metric m = {.name = r->name,
                .label = r->label,
                .brief = r->brief,
                .unit = r->unit,
                .direction = r->direction,
                .decimals = r->decimals,
                .of_pairs = r->kind == OF_PAIR,
                .videos = TABLES};
    if (!m.of_pairs)
        m.videos = with_column(e, 3, videos, m.name);
    m.frames = m.of_pairs ? with_column(e, 1, pair_frames, m.name)
                          : with_column(e, 3, video_frames, m.name);
    find_columns(e, &m);
    bool is_there =
        m.of_pairs ? m.column >= 0 : m.videos < TABLES || (m.column_a >= 0 && m.column_b >= 0);
    if (!r->early && !is_there)
        return;
    e->of_videos += !m.of_pairs;
    e->metric[e->metrics++] = m;
}

/* The metrics of the judge's summary, each once; the label of right_colour is "right colour". */
static void find_judges(evaluation *e)
{
    const csv *t = &e->table[JUDGED_SUMMARY];
    e->judge = new_bytes((size_t)(t->rows + 1) * sizeof *e->judge);
    for (int row = 0; row < t->rows; row++) {
        const char *name = text_at(t, row, "metric");
        condition where = {"metric", name};
        if (find_row(e, t, 0, 1, &where) != row)
            continue;
        csv_column(&e->table[JUDGED], name);
        char *label = new_format("%s", name);
        for (char *c = label; (c = strchr(c, '_'));)
            *c = ' ';
        e->judge[e->judges++] = (metric){.name = name,
                                         .label = label,
                                         .brief = label,
                                         .unit = "",
                                         .decimals = 3,
                                         .videos = JUDGED,
                                         .frames = TABLES};
        find_columns(e, &e->judge[e->judges - 1]);
    }
}

void find_metrics(evaluation *e)
{
    e->metric = new_bytes((size_t)METRIC_ROWS * sizeof *e->metric);
    for (int kind = OF_VIDEO; kind <= OF_PAIR; kind++)
        for (int i = 0; i < METRIC_ROWS; i++)
            if ((int)METRIC_TABLE[i].kind == kind)
                add_metric(e, &METRIC_TABLE[i]);
    find_judges(e);
}

void metrics_free(evaluation *e)
{
    for (int i = 0; i < e->judges; i++)
        free((char *)e->judge[i].label);
    free(e->judge);
    free(e->metric);
}

const metric *metric_of(const evaluation *e, const char *name)
{
    for (int i = 0; i < e->metrics; i++)
        if (strcmp(e->metric[i].name, name) == 0)
            return &e->metric[i];
    for (int i = 0; i < e->judges; i++)
        if (strcmp(e->judge[i].name, name) == 0)
            return &e->judge[i];
    return NULL;
}

char *metric_title(const metric *m)
{
    return *m->unit ? new_format("%s (%s)", m->label, m->unit) : new_format("%s", m->label);
}
