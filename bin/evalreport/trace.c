/*
** trace.c: the error of latents by step, a line a video and their mean.
**
** The axis of errors begins at 0, so that a line that is twice as high is twice as far away. Videos
** need not have been traced all; a mean is over those that have the step, and their number is said.
*/
#include "trace.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "svg.h"

enum { MARKED = 200 }; /* of more videos no one follows a line */

/* What is known of each step from 0 on; NAN where nothing is. */
typedef struct {
    int steps, videos;        /* steps: one more than the last */
    double *timestep, *sigma; /* [steps] */
    double *error, *cosine;   /* [subjects][steps] */
} series;

enum { MOST_STEPS = 1000 }; /* as wan-denoise takes */

static double *undefined(size_t n)
{
    double *x = new_bytes(n * sizeof *x + 1);
    for (size_t i = 0; i < n; i++)
        x[i] = NAN;
    return x;
}

static int step_of(const csv *t, int row)
{
    double step = number_at(t, row, "step");
    if (!(step >= 0 && step <= MOST_STEPS && step == floor(step)))
        csv_die(t, row, "step is '%s', not its number", text_at(t, row, "step"));
    return (int)step;
}

static int pair_rows(const evaluation *e, int variant, int from)
{
    if (e->base)
        return -1;
    condition where[] = {{"variant_a", e->variant[0]}, {"variant_b", e->variant[variant]}};
    return find_row(e, &e->table[TRACE], from, 2, where);
}

bool is_traced(const evaluation *e, int variant)
{
    return variant > 0 && e->table[TRACE].rows > 0 && pair_rows(e, variant, 0) >= 0;
}

int traced_variants(const evaluation *e)
{
    int n = 0;
    for (int v = 0; v < e->variants; v++)
        n += is_traced(e, v);
    return n;
}

static bool any_finite(const double *x, int n)
{
    for (int i = 0; i < n; i++)
        if (isfinite(x[i]))
            return true;
    return false;
}

static series read_series(const evaluation *e, int variant)
{
    const csv *t = &e->table[TRACE];
    series s = {0};
    for (int row = -1; (row = pair_rows(e, variant, row + 1)) >= 0;)
        s.steps = step_of(t, row) >= s.steps ? step_of(t, row) + 1 : s.steps;
    s.timestep = undefined((size_t)s.steps);
    s.sigma = undefined((size_t)s.steps);
    s.error = undefined((size_t)e->subjects * (size_t)s.steps);
    s.cosine = undefined((size_t)e->subjects * (size_t)s.steps);
    for (int row = -1; (row = pair_rows(e, variant, row + 1)) >= 0;) {
        int i = subject_of(e, text_at(t, row, "name")), k = step_of(t, row);
        s.timestep[k] = number_at(t, row, "timestep");
        s.sigma[k] = number_at(t, row, "sigma");
        if (i < 0)
            continue;
        s.error[i * s.steps + k] = number_at(t, row, "relative");
        s.cosine[i * s.steps + k] = number_at(t, row, "cosine");
    }
    for (int i = 0; i < e->subjects; i++)
        s.videos += any_finite(s.error + i * s.steps, s.steps);
    return s;
}

/* Of the evaluation that is open; read once, as the drawings and tables of a variant ask for it in
** turn. */
static series *known; /* [variants] */

static const series *series_of(const evaluation *e, int variant)
{
    if (!known)
        known = new_bytes((size_t)e->variants * sizeof *known);
    if (!known[variant].error)
        known[variant] = read_series(e, variant);
    return &known[variant];
}

void traces_begin(void) { known = NULL; }

void traces_end(const evaluation *e)
{
    for (int v = 0; known && v < e->variants; v++) {
        free(known[v].timestep);
        free(known[v].sigma);
        free(known[v].error);
        free(known[v].cosine);
    }
    free(known);
    known = NULL;
}

/* Of the finite ones of x[subject][step]. */
typedef struct {
    int n;
    double mean, sd, most;
} spread;

static spread spread_of(const double *x, const series *s, int subjects, int step)
{
    spread of = {0, 0, 0, -INFINITY};
    for (int i = 0; i < subjects; i++) {
        double y = x[i * s->steps + step];
        if (!isfinite(y))
            continue;
        of.n++;
        of.mean += y;
        of.most = fmax(of.most, y);
    }
    of.mean = of.n ? of.mean / of.n : NAN;
    for (int i = 0; i < subjects; i++) {
        double d = x[i * s->steps + step] - of.mean;
        of.sd += isfinite(d) ? d * d : 0;
    }
    of.sd = of.n > 1 ? sqrt(of.sd / (of.n - 1)) : NAN;
    return of;
}

trace_means trace_means_of(const evaluation *e, int variant)
{
    trace_means m = {0};
    if (!is_traced(e, variant))
        return m;
    const series *s = series_of(e, variant);
    m = (trace_means){s->steps, s->videos, s->timestep, s->sigma, undefined((size_t)s->steps)};
    for (int k = 0; k < s->steps; k++)
        m.mean[k] = spread_of(s->error, s, e->subjects, k).mean;
    return m;
}

void trace_means_free(trace_means *m) { free(m->mean); }

/* ---- table ---- */

static void column(table *t, const char *head) { table_column(t, new_format("%s", head), true); }

static char *digits(double x) { return figure(x, decimals_for(x, 3, 0)); }

table trace_table(const evaluation *e, int variant)
{
    table t = table_new(new_format("%s against %s: relative error (L2) of the latents after each "
                                   "step, over videos",
                                   e->variant[variant], e->variant[0]));
    column(&t, "step");
    column(&t, "timestep");
    column(&t, "sigma");
    column(&t, "n");
    column(&t, "mean");
    column(&t, "sd");
    column(&t, "greatest");
    column(&t, "cosine, mean");
    if (!is_traced(e, variant))
        return t;
    const series *s = series_of(e, variant);
    for (int k = 0; k < s->steps; k++) {
        spread error = spread_of(s->error, s, e->subjects, k);
        if (error.n == 0)
            continue;
        table_put(&t, figure(k, 0));
        table_put(&t, figure(s->timestep[k], s->timestep[k] == floor(s->timestep[k]) ? 0 : 1));
        table_put(&t, figure(s->sigma[k], 4));
        table_put(&t, figure(error.n, 0));
        table_put(&t, digits(error.mean));
        table_put(&t, digits(error.sd));
        table_put(&t, digits(error.most));
        table_put(&t, figure(spread_of(s->cosine, s, e->subjects, k).mean, 6));
    }
    return t;
}

/* ---- plot ---- */

static char *sigma_of(const void *of, int k)
{
    const series *s = of;
    return k >= 0 && k < s->steps && isfinite(s->sigma[k]) ? figure(s->sigma[k], 3)
                                                           : new_format("%s", "");
}

static void draw_line(const plane *p, const char *style, const double *y, int n, const char *note)
{
    bool on = false;
    fprintf(p->f, "<path class=\"%s\" d=\"", style);
    for (int k = 0; k < n; k++) {
        if (isfinite(y[k]))
            fprintf(p->f, "%c%.2f %.2f", on ? 'L' : 'M', plane_x(p, k), plane_y(p, y[k]));
        on = isfinite(y[k]);
    }
    fputs("\"><title>", p->f);
    put_text(p->f, HTML, note);
    fputs("</title></path>\n", p->f);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* What lies between two shares of the videos, such as 0.25 and 0.75, step by step. */
static void draw_share(const plane *p, const series *s, const double *sorted, const int *n,
                       int subjects, double from, double to)
{
    char command = 'M';
    fputs("<path class=\"traced\" d=\"", p->f);
    for (int i = 0; i < 2 * s->steps; i++) {
        int k = i < s->steps ? i : 2 * s->steps - 1 - i;
        if (n[k] == 0)
            continue;
        double at = (n[k] - 1) * (i < s->steps ? from : to);
        fprintf(p->f, "%c%.2f %.2f", command, plane_x(p, k),
                plane_y(p, sorted[k * subjects + (int)round(at)]));
        command = 'L';
    }
    fputs("z\"/>\n", p->f);
}

/* Of many videos from the nearest to the farthest, and the middle half. */
static void draw_spread(const plane *p, const series *s, int subjects)
{
    double *sorted = undefined((size_t)subjects * (size_t)s->steps);
    int *n = new_bytes((size_t)s->steps * sizeof *n);
    for (int k = 0; k < s->steps; k++) {
        for (int i = 0; i < subjects; i++)
            if (isfinite(s->error[i * s->steps + k]))
                sorted[k * subjects + n[k]++] = s->error[i * s->steps + k];
        qsort(sorted + k * subjects, (size_t)n[k], sizeof *sorted, ascending);
    }
    draw_share(p, s, sorted, n, subjects, 0, 1);
    draw_share(p, s, sorted, n, subjects, 0.25, 0.75);
    free(sorted);
    free(n);
}

static void draw_trace(FILE *f, const evaluation *e, const series *s, const double *mean)
{
    plane p = {.f = f, .left = 62, .right = 378, .top = 12, .bottom = 178};
    double low = 1, high = 0;
    range_add(&low, &high, s->error, e->subjects * s->steps);
    p.y1 = high > 0 ? 1.06 * high : 1;
    plane_fit(&p, 0);
    int first = 0;
    while (first < s->steps - 1 && isnan(mean[first]))
        first++;
    p.x0 = first < s->steps - 1 ? first : first - 0.5;
    p.x1 = first < s->steps - 1 ? s->steps - 1 : first + 0.5;
    fprintf(f, "<g class=\"traces\" data-first=\"%g\" data-last=\"%g\" data-high=\"%.9g\">", p.x0,
            p.x1, p.y1);
    axis_y(&p, "relative error of latents");
    axis_x_noted(&p, "step, and its sigma", sigma_of, s);
    if (s->videos > MARKED)
        draw_spread(&p, s, e->subjects);
    for (int i = 0; i < e->subjects && s->videos <= MARKED; i++)
        if (any_finite(s->error + i * s->steps, s->steps))
            draw_line(&p, "trace", s->error + i * s->steps, s->steps, e->subject[i].name);
    draw_line(&p, "trace mean", mean, s->steps, "mean");
    for (int k = first; k < s->steps; k += s->steps / 12 + 1) {
        char *note = isnan(s->sigma[k])
                         ? new_format("step %d: mean %.4g", k, mean[k])
                         : new_format("step %d, sigma %.4g: mean %.4g", k, s->sigma[k], mean[k]);
        if (isfinite(mean[k]))
            svg_mark(f, 0, plane_x(&p, k), plane_y(&p, mean[k]), note);
        free(note);
    }
    fputs("</g>\n", f);
}

void plot_trace(FILE *f, const evaluation *e, int variant)
{
    if (!is_traced(e, variant))
        return;
    const series *s = series_of(e, variant);
    double *mean = undefined((size_t)s->steps);
    for (int k = 0; k < s->steps; k++)
        mean[k] = spread_of(s->error, s, e->subjects, k).mean;
    char *title = new_format("Relative error of the latents by step: %s against %s",
                             e->variant[variant], e->variant[0]);
    char *last = digits(mean[s->steps - 1]);
    char *said = new_format(
        "%d videos, %s, and their mean in bold, which is %s after the last step, %d", s->videos,
        s->videos > MARKED ? "from the nearest to the farthest, and their middle half"
                           : "a thin line each",
        last, s->steps - 1);
    svg_begin(f, 400, 228, title, said);
    svg_text(f, 62, 7, "start", "heading", e->variant[variant]);
    draw_trace(f, e, s, mean);
    svg_end(f);
    free(title);
    free(last);
    free(said);
    free(mean);
}
