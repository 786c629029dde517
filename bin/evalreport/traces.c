/*
** traces.c: the error of latents by step of all variants in one drawing and one table.
**
** The axis is logarithmic: a rounded last bit and weights of four bits are a factor of 10,000
** apart, and what multiplies by the same factor in each step is a straight line. An error of 0, of
** a variant that is still the reference, has no place on it: its line begins where there is one.
*/
#include <math.h>
#include <stdlib.h>

#include "../../common/die.h"
#include "svg.h"
#include "trace.h"

typedef struct {
    int steps, traced;       /* steps: one more than the last of all */
    trace_means *of;         /* [variants] */
    const double *sigma, *t; /* [steps] of the variant with the most */
} all_traces;

static all_traces traces_of(const evaluation *e)
{
    all_traces a = {.of = new_bytes((size_t)e->variants * sizeof *a.of)};
    for (int v = 0; v < e->variants; v++) {
        a.of[v] = trace_means_of(e, v);
        a.traced += a.of[v].steps > 0;
        if (a.of[v].steps > a.steps) {
            a.steps = a.of[v].steps;
            a.sigma = a.of[v].sigma, a.t = a.of[v].timestep;
        }
    }
    return a;
}

static void traces_free(const evaluation *e, all_traces *a)
{
    for (int v = 0; v < e->variants; v++)
        trace_means_free(&a->of[v]);
    free(a->of);
}

static double mean_at(const all_traces *a, int v, int k)
{
    return k < a->of[v].steps ? a->of[v].mean[k] : NAN;
}

/* Has a variant that step? */
static bool is_step(const evaluation *e, const all_traces *a, int k)
{
    for (int v = 0; v < e->variants; v++)
        if (isfinite(mean_at(a, v, k)))
            return true;
    return false;
}

/* ---- table ---- */

table traces_table(const evaluation *e)
{
    table t = table_new(new_format("All variants against %s: relative error (L2) of the latents "
                                   "after each step, mean over videos",
                                   e->variant[0]));
    all_traces a = traces_of(e);
    table_head(&t, "step", true);
    table_head(&t, "timestep", true);
    table_head(&t, "sigma", true);
    for (int v = 1; v < e->variants; v++)
        if (a.of[v].steps > 0)
            table_head(&t, e->variant[v], true);
    for (int k = 0; k < a.steps && a.traced > 1; k++) {
        if (!is_step(e, &a, k))
            continue;
        table_put(&t, figure(k, 0));
        table_put(&t, figure(a.t[k], a.t[k] == floor(a.t[k]) ? 0 : 1));
        table_put(&t, figure(a.sigma[k], 4));
        for (int v = 1; v < e->variants; v++)
            if (a.of[v].steps > 0)
                table_put(&t, figure(mean_at(&a, v, k), decimals_for(mean_at(&a, v, k), 3, 0)));
    }
    traces_free(e, &a);
    return t;
}

/* ---- drawing ---- */

static char *sigma_of(const void *of, int k)
{
    const all_traces *a = of;
    return k >= 0 && k < a->steps && isfinite(a->sigma[k]) ? figure(a->sigma[k], 3)
                                                           : new_format("%s", "");
}

/* The next of 1, 2 and 5 times a power of ten at or below, or above, a logarithm, as its own. */
static double round_log(double x, bool above)
{
    static const double digits[] = {1, 2, 5, 10};
    double power = floor(x), found = above ? power + 1 : power;
    for (int i = 0; i < 4; i++) {
        double at = power + log10(digits[above ? 3 - i : i]);
        if (above ? at >= x - 1e-9 : at <= x + 1e-9)
            found = at;
    }
    return found;
}

/* A variant's line, and marks with what they stand for; those of several variants are apart. */
static void draw_variant(const plane *p, const evaluation *e, const all_traces *a, int v,
                         const double *log_error)
{
    int n = a->of[v].steps, every = n / 8 + 1;
    svg_line(p, v, 0, log_error, n);
    for (int k = 0; k < n; k++) {
        bool alone = (k == 0 || isnan(log_error[k - 1])) && (k + 1 == n || isnan(log_error[k + 1]));
        if (isnan(log_error[k]) || (!alone && k % every != v % every && k != n - 1))
            continue;
        char *note = new_format("%s, step %d: %.4g", e->variant[v], k, a->of[v].mean[k]);
        svg_mark(p->f, v, plane_x(p, k), plane_y(p, log_error[k]), note);
        free(note);
    }
}

static void draw_traces(FILE *f, const evaluation *e, const all_traces *a, double *const *logs,
                        int first)
{
    plane p = {.f = f, .left = 70, .right = 390, .top = 26, .bottom = 232, .y0 = 1, .y1 = 0};
    bool *has = new_bytes((size_t)e->variants * sizeof *has);
    for (int v = 0; v < e->variants; v++) {
        range_add(&p.y0, &p.y1, logs[v], a->of[v].steps);
        has[v] = a->of[v].steps > 0;
    }
    double down = svg_keys(NULL, e->variant, has, e->variants, p.left, p.right - p.left + 10);
    p.top += down;
    p.bottom += down;
    p.y0 = round_log(p.y0, false);
    p.y1 = fmax(round_log(p.y1, true), p.y0 + log10(2));
    p.x0 = first < a->steps - 1 ? first : first - 0.5;
    p.x1 = first < a->steps - 1 ? a->steps - 1 : first + 0.5;
    char *title =
        new_format("Relative error of the latents by step: all against %s", e->variant[0]);
    char *said = new_format("A line for each of %d variants, the mean over its videos, on a "
                            "logarithmic axis from %.3g to %.3g; the table below has the numbers",
                            a->traced, pow(10, p.y0), pow(10, p.y1));
    svg_begin(f, 400, 282 + down, title, said);
    fprintf(f,
            "<g class=\"all-traces\" data-first=\"%g\" data-last=\"%g\" data-low=\"%.9g\" "
            "data-high=\"%.9g\" data-top=\"%g\" data-bottom=\"%g\">",
            p.x0, p.x1, p.y0, p.y1, p.top, p.bottom);
    axis_y_log(&p, "relative error of latents (log)");
    axis_x_noted(&p, "step, and its sigma", sigma_of, a);
    for (int v = 0; v < e->variants; v++)
        if (has[v])
            draw_variant(&p, e, a, v, logs[v]);
    svg_keys(f, e->variant, has, e->variants, p.left, p.right - p.left + 10);
    fputs("</g>\n", f);
    svg_end(f);
    free(title);
    free(said);
    free(has);
}

int plot_traces(FILE *f, const evaluation *e)
{
    all_traces a = traces_of(e);
    double **logs = new_bytes((size_t)e->variants * sizeof *logs);
    int first = a.steps, drawn = 0;
    for (int v = 0; v < e->variants; v++) {
        logs[v] = new_bytes((size_t)a.of[v].steps * sizeof **logs + 1);
        for (int k = 0; k < a.of[v].steps; k++) {
            bool is = a.of[v].mean[k] > 0 && isfinite(a.of[v].mean[k]);
            logs[v][k] = is ? log10(a.of[v].mean[k]) : NAN;
            if (is && k < first)
                first = k;
        }
    }
    if (a.traced > 1 && first < a.steps) {
        draw_traces(f, e, &a, logs, first);
        drawn = 1;
    }
    for (int v = 0; v < e->variants; v++)
        free(logs[v]);
    free(logs);
    traces_free(e, &a);
    return drawn;
}
