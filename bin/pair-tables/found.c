/*
** found.c: the metrics of which there are numbers, as columns and as rows.
**
** The first metrics of the product have columns and tables that readers know: they are there with
** and without numbers. Those that came later are there where they were measured, so that a table
** says nothing of a program that nobody ran.
*/
#include "found.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"

void found_add(metric_set *f, const measured_values *m, metric_kind kind)
{
    for (int i = 0; m->of && i < METRIC_ROWS; i++) {
        const metric_row *metric = &METRIC_TABLE[i];
        int at = 0;
        if (metric->early || metric->kind != kind || !m->of[i])
            continue;
        while (at < f->n && f->metric[at] < metric)
            at++;
        if (at < f->n && f->metric[at] == metric)
            continue;
        f->metric = realloc(f->metric, (size_t)(f->n + 1) * sizeof *f->metric);
        if (!f->metric)
            die("out of memory");
        memmove(f->metric + at + 1, f->metric + at, (size_t)(f->n - at) * sizeof *f->metric);
        f->metric[at] = metric;
        f->n++;
    }
}

void metric_set_free(metric_set *f)
{
    free(f->metric);
    *f = (metric_set){0};
}

char *found_names(char *header, const metric_set *f, bool both)
{
    for (int i = 0; i < f->n; i++) {
        const char *name = f->metric[i]->name;
        char *more = both ? new_format("%s,%s_a,%s_b", header, name, name)
                          : new_format("%s,%s", header, name);
        free(header);
        header = more;
    }
    return header;
}

void found_put(csv_writer *w, const metric_set *f, const measured_values *m)
{
    for (int i = 0; i < f->n; i++)
        csv_put_figure(w, value_of(m, f->metric[i]));
}

void found_put_both(csv_writer *w, const metric_set *f, const measured_values *a,
                    const measured_values *b)
{
    for (int i = 0; i < f->n; i++) {
        csv_put_figure(w, value_of(a, f->metric[i]));
        csv_put_figure(w, value_of(b, f->metric[i]));
    }
}

void found_put_frame(csv_writer *w, const metric_set *f, const measured_values *m, int64_t frame)
{
    for (int i = 0; i < f->n; i++)
        csv_put_figure(w, frame_of(m, f->metric[i], frame));
}

/* ---- tidy.csv ---- */

static void put_number(csv_writer *w, const video *v, const char *metric, double value,
                       const char *reference, const char *measured)
{
    if (isnan(value))
        return;
    csv_put(w, v->variant);
    csv_put(w, v->name);
    csv_put(w, record_get(&v->about, "seed"));
    csv_put(w, record_get(&v->about, "prompt"));
    csv_put(w, metric);
    csv_put_figure(w, value);
    csv_put(w, reference);
    csv_put(w, measured);
}

void tidy_put(csv_writer *w, const video *v, const video *reference, const char *measured,
              const measured_values *m, metric_kind kind)
{
    for (int i = 0; i < METRIC_ROWS; i++)
        if (METRIC_TABLE[i].kind == kind)
            put_number(w, v, METRIC_TABLE[i].name, value_of(m, &METRIC_TABLE[i]),
                       reference ? reference->variant : NULL, measured);
}

void tidy_put_judged(csv_writer *w, const video *v, const char *measured, const judged *j)
{
    for (int k = 0; k < j->metrics; k++)
        put_number(w, v, j->name[k], judged_number(v, j->name[k]), NULL, measured);
}

/* ---- for scripts ---- */

void metrics_print(void)
{
    printf("metric\tof\tsource\tcolumn\tlabel\tunit\tdirection\tdecimals\tearly\n");
    for (int i = 0; i < METRIC_ROWS; i++) {
        const metric_row *m = &METRIC_TABLE[i];
        printf("%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\n", m->name,
               m->kind == OF_PAIR ? "pair" : "video", m->source, m->column, m->label, m->unit,
               m->direction, m->decimals, m->early);
    }
}

void sources_print(void)
{
    static const char *const rows[] = {
        [ROWS_FRAMES] = "frames", [ROWS_NEIGHBOURS] = "neighbours", [ROWS_VIDEO] = "video"};
    printf("source\tof\trows\tprogram\tvariable\toptions\tweights\n");
    for (int i = 0; i < SOURCES; i++) {
        const source_row *s = &SOURCE[i];
        printf("%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s->name, s->kind == OF_PAIR ? "pair" : "video",
               rows[s->rows], s->program, s->variable, *s->options ? s->options : " ",
               s->weights ? s->weights : "-");
    }
}
