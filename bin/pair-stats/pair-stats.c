/*
** pair-stats.c: from a table of videos or pairs to a summary: means, deviations, the difference
** within pairs with its interval, whether it could be chance, and whether it is smaller than what
** twins of the reference differ by.
**
** Whatever is too few to say something is said to be so: a mean of three is printed, with a note.
*/
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "../../common/filedigest.h"
#include "../../common/metrics.h"
#include "../../common/program.h"
#include "../../common/recipe.h"
#include "floor.h"
#include "groups.h"
#include "pair-stats.h"
#include "statistics.h"
#include "twins.h"

enum {
    NUMERICS = 2
}; /* 2: clusters; intervals corrected for skewness; ranks with ties to n = 50 */

static const char *metrics, *family, *floor_path, *twins_path, *cluster_column;
static int64_t draws = 100000, seed = 1;
static bool dry;
static const option options[] = {
    {'c', "columns", OPTION_TEXT, &metrics, 0, 0, false},
    {'f', "family", OPTION_TEXT, &family, 0, 0, false},
    {0, "cluster", OPTION_TEXT, &cluster_column, 0, 0, false},
    {0, "floor", OPTION_TEXT, &floor_path, 0, 0, true},
    {0, "twins", OPTION_TEXT, &twins_path, 0, 0, true},
    {'B', "resamples", OPTION_INT, &draws, 100, 10000000, false},
    {'S', "seed", OPTION_INT, &seed, 0, 0x1p53, false},
    {0, "recipe", OPTION_FLAG, &dry, 0, 0, true},
    OPTIONS_END,
};

/* What is asked of which table. */
typedef struct {
    csv table, floor, twins; /* the last two if there is such a path */
    grouping groups;
    int cluster;        /* column; -1: none */
    int metrics, asked; /* of -c and -f, and how many of them are -c's */
    measure *metric;    /* [metrics]: those of -c first */
    paired_test *test;  /* [metrics, groups] */
    double *farther;    /* [metrics, groups]: means, beside twins */
    double *p_holm;     /* [metrics, groups] */
} work;

/* ---- what is asked ---- */

/* Adds the metrics of the list that are not there yet. */
static void add_metrics(work *w, const char *list)
{
    char *copy = new_format("%s", list), *rest = copy;
    for (char *name; (name = strsep(&rest, ","));) {
        bool there = false;
        for (int i = 0; i < w->metrics; i++)
            there |= strcmp(w->metric[i].name, name) == 0;
        if (there)
            continue;
        measure m = measure_of(&w->table, new_format("%s", name));
        if (twins_path && m.own >= 0 && w->groups.pairs)
            m.twin = twin_distances(&w->table, &w->twins, name);
        m.better = better_is(name);
        w->metric[w->metrics++] = m;
    }
    free(copy);
}

static int count_of(const char *list)
{
    int n = 1;
    for (; *list; list++)
        n += *list == ',';
    return n;
}

static int cluster_of(const csv *t)
{
    if (cluster_column)
        return *cluster_column ? csv_column(t, cluster_column) : -1;
    return csv_find(t, "prompt");
}

static void work_begin(work *w)
{
    if (floor_path) {
        csv_open(&w->floor, floor_path);
        floor_of(&w->floor, "", FLOOR_OF_DIFFERENCE);
    }
    if (twins_path)
        csv_open(&w->twins, twins_path);
    csv_read(&w->table, stdin, "standard input");
    w->groups = groups_of(&w->table);
    w->cluster = cluster_of(&w->table);
    w->metric =
        new_bytes((size_t)(count_of(metrics) + count_of(family ? family : "")) * sizeof *w->metric);
    add_metrics(w, metrics);
    w->asked = w->metrics;
    if (family)
        add_metrics(w, family);
    for (int i = 1; i < w->asked; i++)
        if ((w->metric[i].own < 0) != (w->metric[0].own < 0))
            csv_die(&w->table, -1,
                    "%s and %s need summaries of their own: one is measured twice a pair, one once",
                    w->metric[0].name, w->metric[i].name);
}

static void work_end(work *w)
{
    for (int i = 0; i < w->metrics; i++) {
        free((char *)w->metric[i].name);
        free((double *)w->metric[i].twin);
    }
    free(w->metric);
    free(w->test);
    free(w->p_holm);
    free(w->farther);
    groups_free(&w->groups);
    csv_close(&w->table);
    if (floor_path)
        csv_close(&w->floor);
    if (twins_path)
        csv_close(&w->twins);
}

/* ---- tests ---- */

static void test_family(work *w)
{
    int groups = w->groups.n, all = w->metrics * groups;
    double *p = new_bytes((size_t)all * sizeof *p + 1);
    w->p_holm = new_bytes((size_t)all * sizeof *p + 1);
    w->test = new_bytes((size_t)all * sizeof *w->test + 1);
    w->farther = new_bytes((size_t)all * sizeof *p + 1);
    for (int i = 0; i < all; i++) {
        const measure *m = &w->metric[i / groups];
        p[i] = w->farther[i] = NAN;
        w->test[i] = (paired_test){0, NAN, NAN, NAN, ""};
        if (m->own >= 0 && !m->twin)
            continue;
        values v = values_of(&w->table, m, &w->groups.of[i % groups], w->cluster);
        sample s = sample_of(&v);
        if (m->twin) {
            w->test[i] = farther_test(&v, draws, (uint64_t)seed);
            w->farther[i] = mean(v.difference, v.n);
            p[i] = w->test[i].p_more;
        } else {
            w->test[i] = test_of(&s, is_verdict(&v), draws, (uint64_t)seed);
            p[i] = w->test[i].p;
        }
        values_free(&v);
    }
    holm(w->p_holm, p, all);
    free(p);
}

/* ---- notes: what a reader must know ---- */

typedef struct {
    char text[600];
    size_t n;
} notes;

__attribute__((format(printf, 2, 3))) static void say(notes *to, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    to->n += (size_t)snprintf(to->text + to->n, sizeof to->text - to->n, "%s", to->n ? "; " : "");
    to->n += (size_t)vsnprintf(to->text + to->n, sizeof to->text - to->n, format, list);
    va_end(list);
}

static void note_size(notes *to, const values *v)
{
    enum { FEW = 5 }; /* of fewer even the corrected interval covers less if values are skewed */
    sample s = sample_of(v);
    bool single = without_clusters(&s);
    if (v->infinite)
        say(to, "%d infinite, left out", v->infinite);
    if (v->n > 1 && v->clusters == 1)
        say(to, "one cluster: interval and test are about it alone");
    if (v->n < 2)
        say(to, "n is too small for a deviation and an interval");
    else if (single && v->n < FEW)
        say(to, "n is too small for a 95 %% interval: it covers less");
    else if (!single && v->clusters < FEW)
        say(to, "%d clusters are too few for a 95 %% interval: it covers less", v->clusters);
}

static void note_test(notes *to, const values *v, const paired_test *t)
{
    sample s = sample_of(v);
    bool single = without_clusters(&s);
    if (v->n > 0 && t->n == 0)
        say(to, "no %s differs: nothing to test", single ? "pair" : "cluster");
    else if (t->n > 0 && ldexp(2, -t->n) > 0.05 && single)
        say(to, "n is too small for p below %g", fmin(1, ldexp(2, -t->n)));
    else if (t->n > 0 && ldexp(2, -t->n) > 0.05)
        say(to, "%d cluster%s differ%s: too few for p below %g", t->n, t->n == 1 ? "" : "s",
            t->n == 1 ? "s" : "", fmin(1, ldexp(2, -t->n)));
}

/* ---- the summary ---- */

static void put_text(const char *text, char end)
{
    csv_field(stdout, text);
    fputs(end == '\n' ? "\r\n" : ",", stdout);
}

static void put_figure(double x)
{
    csv_figure(stdout, x);
    putchar(',');
}

static void put_figures(const double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        put_figure(x[i]);
}

static void put_names(const measure *m, const group *g, const values *v)
{
    put_text(m->name, ',');
    put_text(g->variant_a, ',');
    put_text(g->variant_b, ',');
    printf("%d,", v->n);
}

/* Of one measurement beside twins: their test, and what a reader must know of it. */
static void put_twins(const work *w, const measure *m, int at, notes *note)
{
    if (!twins_path)
        return;
    const paired_test *t = &w->test[at];
    put_figure(w->farther[at]);
    put_figure(t->p_more);
    put_text(t->method, ',');
    put_figure(w->p_holm[at]);
    if (m->better != 0 && isnan(w->farther[at]))
        say(note, "no twin of the reference has it");
    else if (m->better != 0 && t->n == 0)
        say(note, "no pair is farther or nearer than its twins: nothing to test");
    else if (t->n > 0 && ldexp(1, -t->n) > 0.05)
        say(note, "beside twins n is too small for p below %g", ldexp(1, -t->n));
}

static void say_no_floor(notes *to)
{
    say(to, "the table of the floor has no interval of it of %d or more", FEWEST_TWINS);
}

/* floor, within, p_equivalence, equivalent; within: NAN, 0 or 1. */
static void put_floor(double floor, double within, double p)
{
    if (!floor_path)
        return;
    put_figure(floor);
    put_figure(within);
    put_figure(p);
    put_figure(isnan(p) ? NAN : p <= 0.05);
}

/* Two measurements of each pair. */
static void print_paired(const work *w, const measure *m, const group *g, const values *v,
                         const paired_test *t, double p_holm)
{
    sample s = sample_of(v);
    estimate e = estimate_of(&s);
    interval i = interval_of(&e);
    double difference = mean(v->difference, v->n);
    double means[] = {mean(v->a, v->n),
                      deviation(v->a, v->n),
                      mean(v->b, v->n),
                      deviation(v->b, v->n),
                      difference,
                      deviation(v->difference, v->n),
                      i.low,
                      i.high,
                      t->n > 0 ? t->statistic : NAN,
                      t->p};
    double floor = floor_path ? floor_of(&w->floor, m->name, FLOOR_OF_DIFFERENCE) : NAN;
    notes note = {"", 0};
    put_names(m, g, v);
    put_figures(means, sizeof means / sizeof *means);
    put_text(t->method, ',');
    printf("%d,", v->clusters);
    put_figure(p_holm);
    put_figure(detectable(&e));
    put_floor(floor, isnan(floor) || isnan(difference) ? NAN : fabs(difference) <= floor,
              p_equivalence(&e, floor));
    note_size(&note, v);
    note_test(&note, v, t);
    if (floor_path && isnan(floor))
        say_no_floor(&note);
    put_text(note.text, '\n');
}

/* One variant alone, in the columns of print_paired(). */
static void print_variant(const measure *m, const group *g, const values *v)
{
    notes note = {"", 0};
    put_names(m, g, v);
    put_figure(mean(v->a, v->n));
    put_figure(deviation(v->a, v->n));
    printf(",,,,,,,,,%d,,,", v->clusters);
    put_floor(NAN, NAN, NAN);
    note_size(&note, v);
    put_text(note.text, '\n');
}

/* One measurement of each pair. */
static void print_single(const work *w, const measure *m, const group *g, const values *v, int at)
{
    sample s = sample_of(v);
    estimate e = estimate_of(&s);
    interval i = interval_of(&e);
    double means[] = {mean(v->a, v->n), deviation(v->a, v->n), i.low, i.high};
    double floor = floor_path ? floor_of(&w->floor, m->name, FLOOR_OF_MEASURE) : NAN;
    int better = better_is(m->name);
    notes note = {"", 0};
    put_names(m, g, v);
    put_figures(means, sizeof means / sizeof *means);
    printf("%d,", v->clusters);
    put_twins(w, m, at, &note);
    put_floor(floor,
              isnan(floor) || v->n == 0 ? NAN
              : better > 0              ? e.mean >= floor
                                        : e.mean <= floor,
              p_beyond(&e, floor, better > 0));
    note_size(&note, v);
    if (floor_path && better == 0)
        say(&note, "no floor: it is not known whether more is better");
    else if (floor_path && isnan(floor))
        say_no_floor(&note);
    put_text(note.text, '\n');
}

static void print_header(const work *w)
{
    bool single = w->metric[0].own >= 0 && w->groups.pairs;
    printf("metric,variant_a,variant_b,n,%s,clusters%s%s,note\r\n",
           single ? "mean,sd,low,high"
                  : "mean_a,sd_a,mean_b,sd_b,difference,difference_sd,low,high,statistic,p,method",
           !single      ? ",p_holm,detectable"
           : twins_path ? ",farther,p,method,p_holm"
                        : "",
           floor_path ? ",floor,within,p_equivalence,equivalent" : "");
}

static void summarize(const work *w, int metric, int in)
{
    const measure *m = &w->metric[metric];
    const group *g = &w->groups.of[in];
    measure plain = *m;
    plain.twin = NULL;
    values v = values_of(&w->table, &plain, g, w->cluster);
    int at = metric * w->groups.n + in;
    if (m->own < 0)
        print_paired(w, m, g, &v, &w->test[at], w->p_holm[at]);
    else if (w->groups.pairs)
        print_single(w, m, g, &v, at);
    else
        print_variant(m, g, &v);
    values_free(&v);
}

int main(int argc, char **argv)
{
    work w = {0};
    if (program_begin(argc, argv, options, usage) != argc)
        usage_error("a table is read from standard input: unwanted operand '%s'", argv[argc - 1]);
    if (dry) {
        json_t *extra = json_object();
        if (floor_path)
            json_object_set_new(extra, "floor", json_string(file_digest(floor_path).hex));
        if (twins_path)
            json_object_set_new(extra, "twins", json_string(file_digest(twins_path).hex));
        recipe_print(options, NUMERICS, extra);
        return program_end();
    }
    if (!metrics || !*metrics)
        usage_error("-c METRIC,.. is needed");
    work_begin(&w);
    test_family(&w);
    print_header(&w);
    for (int i = 0; i < w.asked; i++)
        for (int g = 0; g < w.groups.n; g++)
            summarize(&w, i, g);
    work_end(&w);
    return program_end();
}
