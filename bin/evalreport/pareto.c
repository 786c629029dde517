/*
** pareto.c: cost against quality. The nearer to the upper left, or of what is better small to the
** lower left, the better; a line joins the variants that are on the front.
*/
#include <math.h>
#include <stdlib.h>

#include "../../common/die.h"
#include "plots.h"
#include "ranking.h"
#include "svg.h"
#include "text.h"

typedef struct {
    double x, y;
    bool has, front;
} point;

/* Of differences the reference's is 0; no distance is drawn of it. */
static point *points_of(const evaluation *e, const metric *m, cost_kind kind, int *n)
{
    point *p = new_bytes((size_t)e->variants * sizeof *p);
    *n = 0;
    for (int v = 0; v < e->variants; v++) {
        comparison c = compare(e, m, v ? v : 1);
        p[v].x = cost_of(e, kind, v);
        p[v].y = m->of_pairs ? (v ? c.mean_b : NAN) : v ? c.difference : 0;
        p[v].has = isfinite(p[v].x) && isfinite(p[v].y);
        p[v].front = p[v].has && on_front(e, m, kind, v);
        *n += p[v].has;
    }
    return p;
}

/* Steps from one to the next, in the order of cost: between two nothing is known. */
static void draw_front(const plane *p, const point *at, int n)
{
    double last = -INFINITY, before = NAN;
    fputs("<path class=\"front\" d=\"", p->f);
    for (;;) {
        int next = -1;
        for (int v = 0; v < n; v++)
            if (at[v].front && at[v].x > last && (next < 0 || at[v].x < at[next].x))
                next = v;
        if (next < 0)
            break;
        last = at[next].x;
        if (isnan(before))
            fprintf(p->f, "M%.2f %.2f", plane_x(p, last), plane_y(p, at[next].y));
        else
            fprintf(p->f, "H%.2fV%.2f", plane_x(p, last), plane_y(p, at[next].y));
        before = at[next].y;
    }
    fputs("\"/>\n", p->f);
}

static void draw(FILE *f, const evaluation *e, const metric *m, cost_kind kind, const point *at)
{
    bool *has = new_bytes((size_t)e->variants * sizeof *has);
    for (int v = 0; v < e->variants; v++)
        has[v] = at[v].has;
    plane p = {.f = f, .left = 70, .right = 388, .top = 26, .bottom = 188};
    double low, high, edge[2];
    bool band = floor_band(e, m, &low, &high);
    char *axis = new_format(m->of_pairs ? "%s (%s)" : "difference of %s (%s)", m->brief,
                            *m->unit ? m->unit : "1");
    char *title = new_format("%s against %s", m->label, cost_name(kind));
    char *said = new_format("A mark a variant; a line joins those on the front.%s",
                            band ? " The band is the floor." : "");
    p.x0 = p.y0 = 1, p.x1 = p.y1 = 0;
    for (int v = 0; v < e->variants; v++)
        if (has[v]) {
            range_add(&p.x0, &p.x1, &at[v].x, 1);
            range_add(&p.y0, &p.y1, &at[v].y, 1);
        }
    edge[0] = low, edge[1] = high;
    if (band)
        range_add(&p.y0, &p.y1, edge, 2);
    range_pad(&p.x0, &p.x1, 0.08);
    range_pad(&p.y0, &p.y1, 0.08);
    plane_fit(&p, 0);
    double down = svg_keys(NULL, e->variant, has, e->variants, p.left, p.right - p.left + 14);
    p.top += down, p.bottom += down;
    svg_begin(f, 400, 226 + down, title, said);
    fprintf(f,
            "<g class=\"pareto\" data-left=\"%.9g\" data-right=\"%.9g\" data-low=\"%.9g\" "
            "data-high=\"%.9g\">",
            p.x0, p.x1, p.y0, p.y1);
    if (band)
        draw_band(&p, low, high);
    axis_y(&p, axis);
    axis_x(&p, cost_name(kind));
    draw_front(&p, at, e->variants);
    for (int v = 0; v < e->variants; v++) {
        char *note = new_format("%s: %.6g, %.6g", e->variant[v], at[v].x, at[v].y);
        if (has[v])
            svg_mark(f, v, plane_x(&p, at[v].x), plane_y(&p, at[v].y), note);
        free(note);
    }
    svg_keys(f, e->variant, has, e->variants, p.left, p.right - p.left + 14);
    fputs("</g>\n", f);
    svg_end(f);
    free(has);
    free(axis);
    free(title);
    free(said);
}

int plot_front(FILE *f, const evaluation *e, const metric *m, int kind)
{
    int n;
    point *at = points_of(e, m, (cost_kind)kind, &n);
    if (n > 1)
        draw(f, e, m, (cost_kind)kind, at);
    free(at);
    return n > 1;
}
