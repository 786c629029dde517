/*
** pair-stats.c: from a table of videos or pairs to a summary: means, deviations, the difference
** within pairs with its interval, and whether it could be chance.
**
** What the rows are is told by the columns: variant_a and variant_b, and METRIC_a and METRIC_b
** (two measurements of a pair) or METRIC (one of the pair itself); or variant and METRIC. Whatever
** is too few to say something is said to be so: a mean of three is printed, with a note.
*/
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/csv.h"
#include "../../common/die.h"
#include "../../common/program.h"
#include "pair-stats.h"
#include "statistics.h"

static const char *metrics;
static int64_t resamples = 10000, seed = 1;
static const option options[] = {
    {'c', "columns", OPTION_TEXT, &metrics, 0, 0, false},
    {'B', "resamples", OPTION_INT, &resamples, 100, 10000000, false},
    {'S', "seed", OPTION_INT, &seed, 0, 0x1p53, false},
    OPTIONS_END,
};

/* The columns of one metric; -1: there is none. */
typedef struct {
    const char *name;
    int own, a, b;            /* METRIC, METRIC_a, METRIC_b */
    int variant_a, variant_b; /* variant_a: or `variant` */
} measure;

/* The values of one group of rows, those of one variant or pair of variants. */
typedef struct {
    const char *variant_a, *variant_b;
    int n;              /* that have a finite value, or two */
    int infinite;       /* left out */
    double *a, *b;      /* [n] */
    double *difference; /* [n]: b - a */
} group;

/* ---- the table ---- */

static measure measure_of(const csv *t, const char *metric)
{
    char name[128];
    measure c = {.name = metric, .own = csv_find(t, metric), .a = -1, .b = -1};
    c.variant_b = csv_find(t, "variant_b");
    c.variant_a = csv_column(t, c.variant_b < 0 ? "variant" : "variant_a");
    if (c.own < 0) {
        snprintf(name, sizeof name, "%s_a", metric);
        c.a = csv_column(t, name);
        snprintf(name, sizeof name, "%s_b", metric);
        c.b = csv_column(t, name);
    }
    return c;
}

static bool same_group(const csv *t, const measure *c, int row, int other)
{
    return strcmp(csv_text(t, row, c->variant_a), csv_text(t, other, c->variant_a)) == 0 &&
           strcmp(csv_text(t, row, c->variant_b), csv_text(t, other, c->variant_b)) == 0;
}

/* Is it the first of its group? */
static bool begins_group(const csv *t, const measure *c, int row)
{
    for (int i = 0; i < row; i++)
        if (same_group(t, c, i, row))
            return false;
    return true;
}

static group group_of(const csv *t, const measure *c, int first)
{
    size_t bytes = (size_t)t->rows * sizeof(double);
    group g = {csv_text(t, first, c->variant_a),
               csv_text(t, first, c->variant_b),
               0,
               0,
               new_bytes(bytes),
               new_bytes(bytes),
               new_bytes(bytes)};
    for (int row = first; row < t->rows; row++) {
        if (!same_group(t, c, row, first))
            continue;
        double a = csv_number(t, row, c->own < 0 ? c->a : c->own);
        double b = c->own < 0 ? csv_number(t, row, c->b) : 0;
        if (isnan(a) || isnan(b))
            continue;
        if (isinf(a) || isinf(b)) {
            g.infinite++;
            continue;
        }
        g.a[g.n] = a;
        g.b[g.n] = b;
        g.difference[g.n++] = b - a;
    }
    return g;
}

static void group_free(group *g)
{
    free(g->a);
    free(g->b);
    free(g->difference);
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

/* What a reader must know; "" if nothing. w NULL: there is no test. */
static void put_note(const group *g, const paired_test *w)
{
    enum { FEW = 10 }; /* a percentile interval of fewer is too narrow to be called 95 % */
    char text[400] = "";
    size_t n = 0;
#define SAY(...)                                                                                   \
    n += (size_t)snprintf(text + n, sizeof text - n, "%s", n ? "; " : ""),                         \
        n += (size_t)snprintf(text + n, sizeof text - n, __VA_ARGS__)
    if (g->infinite)
        SAY("%d infinite, left out", g->infinite);
    if (g->n < 2)
        SAY("n is too small for a deviation and an interval");
    else if (g->n < FEW)
        SAY("n is too small for a 95 %% interval: it covers less");
    if (w && g->n > 0 && w->n == 0)
        SAY("no pair differs: nothing to test");
    else if (w && w->n > 0 && ldexp(2, -w->n) > 0.05)
        SAY("n is too small for p below %g", fmin(1, ldexp(2, -w->n)));
#undef SAY
    put_text(text, '\n');
}

/* Is every value 0 or 1, so that it is a verdict and not a quantity? */
static bool is_verdict(const group *g)
{
    for (int i = 0; i < g->n; i++)
        if ((g->a[i] != 0 && g->a[i] != 1) || (g->b[i] != 0 && g->b[i] != 1))
            return false;
    return true;
}

/* Two measurements of each pair. */
static void print_paired(const measure *c, const group *g)
{
    interval i = bootstrap(g->difference, g->n, (int)resamples, (uint64_t)seed);
    paired_test w = is_verdict(g) ? mcnemar(g->difference, g->n) : wilcoxon(g->difference, g->n);
    double means[] = {mean(g->a, g->n),
                      deviation(g->a, g->n),
                      mean(g->b, g->n),
                      deviation(g->b, g->n),
                      mean(g->difference, g->n),
                      deviation(g->difference, g->n),
                      i.low,
                      i.high,
                      w.n > 0 ? w.statistic : NAN,
                      w.p};
    put_text(c->name, ',');
    put_text(g->variant_a, ',');
    put_text(g->variant_b, ',');
    printf("%d,", g->n);
    for (size_t k = 0; k < sizeof means / sizeof *means; k++)
        put_figure(means[k]);
    put_text(w.method, ',');
    put_note(g, &w);
}

/* One variant alone, in the columns of print_paired(). */
static void print_variant(const measure *c, const group *g)
{
    put_text(c->name, ',');
    put_text(g->variant_a, ',');
    printf(",%d,", g->n);
    put_figure(mean(g->a, g->n));
    put_figure(deviation(g->a, g->n));
    fputs(",,,,,,,,,", stdout);
    put_note(g, NULL);
}

/* One measurement of each pair. */
static void print_single(const measure *c, const group *g)
{
    interval i = bootstrap(g->a, g->n, (int)resamples, (uint64_t)seed);
    double means[] = {mean(g->a, g->n), deviation(g->a, g->n), i.low, i.high};
    put_text(c->name, ',');
    put_text(g->variant_a, ',');
    put_text(g->variant_b, ',');
    printf("%d,", g->n);
    for (size_t k = 0; k < sizeof means / sizeof *means; k++)
        put_figure(means[k]);
    put_note(g, NULL);
}

static void print_header(const measure *c)
{
    printf("metric,variant_a,variant_b,n,%s,note\r\n",
           c->own >= 0 && c->variant_b >= 0
               ? "mean,sd,low,high"
               : "mean_a,sd_a,mean_b,sd_b,difference,difference_sd,low,high,statistic,p,method");
}

static void summarize(const csv *t, const char *metric, bool first)
{
    measure c = measure_of(t, metric);
    if (first)
        print_header(&c);
    for (int row = 0; row < t->rows; row++) {
        if (!begins_group(t, &c, row))
            continue;
        group g = group_of(t, &c, row);
        if (c.own < 0)
            print_paired(&c, &g);
        else if (c.variant_b >= 0)
            print_single(&c, &g);
        else
            print_variant(&c, &g);
        group_free(&g);
    }
}

int main(int argc, char **argv)
{
    csv t;
    if (program_begin(argc, argv, options, usage) != argc)
        usage_error("a table is read from standard input: unwanted operand '%s'", argv[argc - 1]);
    if (!metrics || !*metrics)
        usage_error("-c METRIC,.. is needed");
    csv_read(&t, stdin, "standard input");
    char *list = new_format("%s", metrics), *rest = list;
    for (char *name; (name = strsep(&rest, ","));)
        summarize(&t, name, name == list);
    csv_close(&t);
    free(list);
    return program_end();
}
