/*
** plots.c: pairs, curves, bars.
**
** Points are drawn one by one and their number is said: with twenty pairs a reader should see them
** all, not a box. Nothing is smoothed. The axes of values do not begin at 0, for what matters are
** differences; bars do.
*/
#include "plots.h"

#include <math.h>
#include <stdlib.h>

#include "../../common/die.h"
#include "svg.h"
#include "tables.h"

/* ---- pairs ---- */

typedef struct {
    int n; /* pairs for which both have the metric */
    double *a, *b, *difference;
    const char **name;
} paired;

static paired paired_values(const evaluation *e, const metric *m, int variant)
{
    size_t most = (size_t)e->subjects;
    paired p = {0, new_bytes(most * 8), new_bytes(most * 8), new_bytes(most * 8),
                new_bytes(most * sizeof *p.name)};
    char *column_a = new_format("%s_a", m->name), *column_b = new_format("%s_b", m->name);
    for (int i = 0; i < e->subjects; i++) {
        int row = pair_row(e, variant, i);
        double a = number_at(&e->table[PAIRS], row, column_a);
        double b = number_at(&e->table[PAIRS], row, column_b);
        if (!isfinite(a) || !isfinite(b))
            continue;
        p.a[p.n] = a;
        p.b[p.n] = b;
        p.difference[p.n] = b - a;
        p.name[p.n++] = e->subject[i].name;
    }
    free(column_a);
    free(column_b);
    return p;
}

static void paired_free(paired *p)
{
    free(p->a);
    free(p->b);
    free(p->difference);
    free(p->name);
}

static void draw_slopes(plane p, const evaluation *e, const metric *m, int variant,
                        const paired *pairs)
{
    char *axis = new_format("%s (%s)", m->brief, m->unit);
    p.y0 = 1, p.y1 = 0, p.x0 = 0, p.x1 = 1;
    range_add(&p.y0, &p.y1, pairs->a, pairs->n);
    range_add(&p.y0, &p.y1, pairs->b, pairs->n);
    range_pad(&p.y0, &p.y1, 0.06);
    fprintf(p.f, "<g data-low=\"%.9g\" data-high=\"%.9g\">", p.y0, p.y1);
    axis_y(&p, axis);
    double xa = plane_x(&p, 0.16), xb = plane_x(&p, 0.84);
    for (int i = 0; i < pairs->n; i++)
        fprintf(p.f,
                "<line class=\"slope\" x1=\"%.2f\" x2=\"%.2f\" y1=\"%.2f\" y2=\"%.2f\">"
                "</line>",
                xa, xb, plane_y(&p, pairs->a[i]), plane_y(&p, pairs->b[i]));
    for (int i = 0; i < pairs->n; i++) {
        char *note = new_format("%s: %.9g, %.9g", pairs->name[i], pairs->a[i], pairs->b[i]);
        svg_mark(p.f, 0, xa, plane_y(&p, pairs->a[i]), note);
        svg_mark(p.f, variant, xb, plane_y(&p, pairs->b[i]), note);
        free(note);
    }
    svg_text(p.f, xa, p.bottom + 16, "middle", NULL, e->variant[0]);
    svg_text(p.f, xb, p.bottom + 16, "middle", NULL, e->variant[variant]);
    fputs("</g>\n", p.f);
    free(axis);
}

/* Points side by side, spread so that neighbours in the list are apart. */
static double spread(int i, double width)
{
    double golden = 0.6180339887498949 * (i + 1);
    return (golden - floor(golden) - 0.5) * width;
}

static void draw_differences(plane p, const paired *pairs, double mean, double low, double high)
{
    double shown[4] = {0, mean, low, high};
    p.y0 = 1, p.y1 = 0, p.x0 = 0, p.x1 = 1;
    range_add(&p.y0, &p.y1, pairs->difference, pairs->n);
    range_add(&p.y0, &p.y1, shown, 4);
    range_pad(&p.y0, &p.y1, 0.06);
    fprintf(p.f, "<g data-low=\"%.9g\" data-high=\"%.9g\">", p.y0, p.y1);
    axis_y(&p, "difference");
    fprintf(p.f, "<line class=\"zero\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.2f\" y2=\"%.2f\"/>", p.left,
            p.right, plane_y(&p, 0), plane_y(&p, 0));
    for (int i = 0; i < pairs->n; i++) {
        fprintf(p.f, "<circle class=\"point\" r=\"2.6\" cx=\"%.2f\" cy=\"%.2f\"><title>",
                plane_x(&p, 0.24) + spread(i, 26), plane_y(&p, pairs->difference[i]));
        put_text(p.f, HTML, pairs->name[i]);
        fprintf(p.f, ": %.9g</title></circle>", pairs->difference[i]);
    }
    double x = plane_x(&p, 0.76);
    if (isfinite(low) && isfinite(high))
        fprintf(p.f, "<path class=\"interval\" d=\"M%.2f %.2fV%.2fM%.2f %.2fh8M%.2f %.2fh8\"/>", x,
                plane_y(&p, low), plane_y(&p, high), x - 4, plane_y(&p, low), x - 4,
                plane_y(&p, high));
    if (isfinite(mean))
        fprintf(p.f, "<circle class=\"mean\" r=\"3.6\" cx=\"%.2f\" cy=\"%.2f\"/>", x,
                plane_y(&p, mean));
    svg_text(p.f, plane_x(&p, 0.24), p.bottom + 16, "middle", NULL, "pairs");
    svg_text(p.f, x, p.bottom + 16, "middle", NULL, isfinite(low) ? "mean, 95 %" : "mean");
    fputs("</g>\n", p.f);
}

void plot_paired(FILE *f, const evaluation *e, const metric *m, int variant)
{
    const csv *t = &e->table[m->summary];
    int row = summary_row(e, m, variant);
    double mean = number_at(t, row, "difference");
    double low = number_at(t, row, "low"), high = number_at(t, row, "high");
    paired pairs = paired_values(e, m, variant);
    char *title =
        new_format("%s of each pair: %s and %s", m->label, e->variant[0], e->variant[variant]);
    int fine = decimals_for(mean, 3, m->decimals);
    char *middle = figure(mean, fine), *between = interval(low, high, fine);
    char *said = new_format("%d pairs. Left, a line for each pair from %s to %s. Right, the "
                            "differences, their mean %s and its 95 %% interval %s.",
                            pairs.n, e->variant[0], e->variant[variant], middle, between);
    svg_begin(f, 400, 260, title, said);
    if (pairs.n > 0) {
        draw_slopes((plane){.f = f, .left = 62, .right = 210, .top = 12, .bottom = 228}, e, m,
                    variant, &pairs);
        draw_differences((plane){.f = f, .left = 284, .right = 396, .top = 12, .bottom = 228},
                         &pairs, mean, low, high);
    } else {
        svg_text(f, 200, 130, "middle", "none", "no pair has it");
    }
    svg_end(f);
    free(title);
    free(middle);
    free(between);
    free(said);
    paired_free(&pairs);
}

/* ---- frame by frame ---- */

static const double KEY_LINE = 15;

/* Keys of the curves from x on, in lines of so many pixels; how many lines. f NULL: only that. */
static int draw_keys(FILE *f, const evaluation *e, const curve *c, double x, double width)
{
    double at = 0;
    int line = 0;
    for (int v = 0; v < e->variants; v++) {
        double w = svg_key_width(e->variant[v]);
        if (c[v].n == 0)
            continue;
        if (at > 0 && at + w > width)
            at = 0, line++;
        if (f)
            svg_key(f, v, x + at, 14 + KEY_LINE * line, e->variant[v]);
        at += w;
    }
    return line + 1;
}

static void draw_curves(FILE *f, const evaluation *e, const metric *m, const curve *c,
                        const char *title)
{
    plane p = {.f = f, .left = 62, .right = 392, .top = 26, .bottom = 158};
    int first = -1, last = 0;
    double more = KEY_LINE * (draw_keys(NULL, e, c, p.left, p.right - p.left + 14) - 1);
    p.top += more;
    p.bottom += more;
    p.y0 = 1, p.y1 = 0;
    for (int v = 0; v < e->variants; v++) {
        if (c[v].n == 0)
            continue;
        first = first < 0 || c[v].first < first ? c[v].first : first;
        last = c[v].first + c[v].n - 1 > last ? c[v].first + c[v].n - 1 : last;
        range_add(&p.y0, &p.y1, c[v].value, c[v].n);
    }
    range_pad(&p.y0, &p.y1, 0.06);
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
    draw_keys(f, e, c, p.left, p.right - p.left + 14);
    fputs("</g>\n", f);
    svg_end(f);
    free(axis);
    free(said);
}

int plot_frames(FILE *f, const evaluation *e, const metric *m, int which)
{
    curve *c = new_bytes((size_t)e->variants * sizeof *c);
    int drawn = 0, videos = 0;
    for (int v = 0; v < e->variants; v++) {
        bool pointless = m->of_pairs && v == 0;
        c[v] = pointless    ? (curve){0}
               : which >= 0 ? video_curve(e, m, v, which)
                            : mean_curve(e, m, v, &videos);
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
