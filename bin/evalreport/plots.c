/*
** plots.c: curves by frame, and bars. The axes of values do not begin at 0, for what matters are
** differences; bars do.
*/
#include "plots.h"

#include <math.h>
#include <stdlib.h>

#include "../../common/die.h"
#include "svg.h"
#include "tables.h"

/* ---- frame by frame ---- */

static void draw_curves(FILE *f, const evaluation *e, const metric *m, const curve *c,
                        const char *title)
{
    plane p = {.f = f, .left = 62, .right = 392, .top = 26, .bottom = 158};
    int first = -1, last = 0;
    bool *has = new_bytes((size_t)e->variants * sizeof *has);
    for (int v = 0; v < e->variants; v++)
        has[v] = c[v].n > 0;
    p.y0 = 1, p.y1 = 0;
    for (int v = 0; v < e->variants; v++) {
        if (c[v].n == 0)
            continue;
        first = first < 0 || c[v].first < first ? c[v].first : first;
        last = c[v].first + c[v].n - 1 > last ? c[v].first + c[v].n - 1 : last;
        range_add(&p.y0, &p.y1, c[v].value, c[v].n);
    }
    range_pad(&p.y0, &p.y1, 0.06);
    plane_fit(&p, 0);
    double more = svg_keys(NULL, e->variant, has, e->variants, p.left, p.right - p.left + 14);
    p.top += more;
    p.bottom += more;
    /* all curves of a video share their frames, whether or not its first has a value */
    p.x0 = last > 0 ? 0 : -0.5;
    p.x1 = last > 0 ? last : 0.5;
    char *axis = new_format("%s (%s)", m->brief, m->unit);
    char *said = new_format("frame by frame, from frame %d to %d; values from %.4g to %.4g", first,
                            last, p.y0, p.y1);
    svg_begin(f, 400, 196 + more, title, said);
    fprintf(f,
            "<g class=\"frames\" data-left=\"%g\" data-right=\"%g\" data-top=\"%g\" "
            "data-bottom=\"%g\" data-last=\"%d\" data-low=\"%.9g\" data-high=\"%.9g\">",
            p.left, p.right, p.top, p.bottom, last, p.y0, p.y1);
    axis_y(&p, axis);
    axis_x_whole(&p, "frame");
    for (int v = 0; v < e->variants; v++)
        if (c[v].n > 0)
            svg_curve(&p, v, c[v].first, c[v].value, c[v].n);
    svg_keys(f, e->variant, has, e->variants, p.left, p.right - p.left + 14);
    free(has);
    fputs("</g>\n", f);
    svg_end(f);
    free(axis);
    free(said);
}

int plot_frames(FILE *f, const evaluation *e, const metric *m, int which)
{
    curve *c = new_bytes((size_t)e->variants * sizeof *c);
    int drawn = 0;
    for (int v = 0; v < e->variants; v++) {
        c[v] = which >= 0 ? video_curve(e, m, v, which) : mean_curve(e, m, v);
        int finite = 0;
        for (int k = 0; k < c[v].n; k++)
            finite += isfinite(c[v].value[k]) != 0;
        if (finite == 0)
            c[v].n = 0;
        drawn += finite > 0;
    }
    char *title = which >= 0 ? new_format("%s by frame, %s", m->label, e->subject[which].name)
                             : new_format("%s by frame, mean over videos", m->label);
    if (drawn)
        draw_curves(f, e, m, c, title);
    free(title);
    for (int v = 0; v < e->variants; v++)
        free(c[v].value);
    free(c);
    return drawn;
}

/* ---- bars ---- */

static double largest_cost(const evaluation *e, const cost *costs, int n)
{
    double largest = 0;
    for (int k = 0; k < n; k++)
        for (int i = 0; i < e->table[COSTS].rows; i++)
            largest = fmax(largest, number_at(&e->table[COSTS], i, costs[k].column));
    return largest;
}

/* A bar with its name before it and its value behind it. */
static void draw_bar(FILE *f, int v, double y, double length, const char *name, const char *value)
{
    enum { LEFT = 100 };
    svg_text(f, LEFT - 6, y + 10.5, "end", NULL, name);
    if (length >= 0)
        fprintf(f, "<rect class=\"bar b%d\" x=\"%d\" y=\"%.1f\" width=\"%.2f\" height=\"13\"/>", v,
                LEFT, y, length);
    svg_text(f, LEFT + fmax(length, 0) + 5, y + 10.5, "start", NULL, value);
}

int plot_costs(FILE *f, const evaluation *e, const char *title, const cost *costs, int n,
               double divisor, const char *unit)
{
    const csv *t = &e->table[COSTS];
    double largest = largest_cost(e, costs, n), y = 4;
    if (largest <= 0)
        return 0;
    double height = n * (24 + 18.0 * e->variants) + 8;
    char *said = new_format("bars from 0; the longest is %.4g %s", largest / divisor, unit);
    svg_begin(f, 400, height, title, said);
    for (int k = 0; k < n; k++) {
        char *label = new_format("%s (%s)", costs[k].label, unit);
        svg_text(f, 100, y + 11, "start", "name", label);
        free(label);
        y += 18;
        for (int v = 0; v < e->variants; v++, y += 18) {
            double x = number_at(t, cost_row(e, v), costs[k].column);
            char *value = marked(figure(x / divisor, decimals_for(x / divisor, 3, 0)),
                                 costs[k].of_format && is_fake(e, v));
            draw_bar(f, v, y, isfinite(x) ? x / largest * 230 : -1, e->variant[v], value);
            free(value);
        }
        y += 6;
    }
    svg_end(f);
    free(said);
    return 1;
}
