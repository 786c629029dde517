/*
** paired.c: every pair of a variant and the reference, and their differences.
**
** Points are drawn one by one and their number is said: with twenty pairs a reader should see them
** all, not a box. Of very many they are all drawn too, but no longer named. Nothing is smoothed.
*/
#include <math.h>
#include <stdlib.h>

#include "../../common/die.h"
#include "plots.h"
#include "svg.h"
#include "text.h"

enum { SLOPES = 210 }; /* where these end, and what belongs to the differences begins */
enum { MARKED = 200 }; /* of more pairs no one finds one by its mark */

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
    for (int i = 0; i < e->subjects; i++) {
        double a, b;
        pair_values(e, m, variant, i, &a, &b);
        if (!isfinite(a) || !isfinite(b))
            continue;
        p.a[p.n] = a;
        p.b[p.n] = b;
        p.difference[p.n] = b - a;
        p.name[p.n++] = e->subject[i].name;
    }
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
    plane_fit(&p, 0);
    fprintf(p.f, "<g data-low=\"%.9g\" data-high=\"%.9g\">", p.y0, p.y1);
    axis_y(&p, axis);
    double xa = plane_x(&p, 0.16), xb = plane_x(&p, 0.84);
    if (pairs->n > MARKED) {
        fputs("<path class=\"slope many\" d=\"", p.f);
        for (int i = 0; i < pairs->n; i++)
            fprintf(p.f, "M%.0f %.1fL%.0f %.1f", xa, plane_y(&p, pairs->a[i]), xb,
                    plane_y(&p, pairs->b[i]));
        fputs("\"/>", p.f);
    }
    for (int i = 0; i < pairs->n && pairs->n <= MARKED; i++)
        fprintf(p.f,
                "<line class=\"slope\" x1=\"%.2f\" x2=\"%.2f\" y1=\"%.2f\" y2=\"%.2f\">"
                "</line>",
                xa, xb, plane_y(&p, pairs->a[i]), plane_y(&p, pairs->b[i]));
    for (int i = 0; i < pairs->n && pairs->n <= MARKED; i++) {
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

static void draw_differences(plane p, const paired *pairs, const comparison *c)
{
    double mean = c->difference, low = c->low, high = c->high;
    double shown[4] = {0, mean, low, high};
    p.y0 = 1, p.y1 = 0, p.x0 = 0, p.x1 = 1;
    range_add(&p.y0, &p.y1, pairs->difference, pairs->n);
    range_add(&p.y0, &p.y1, shown, 4);
    range_pad(&p.y0, &p.y1, 0.06);
    plane_fit(&p, SLOPES);
    fprintf(p.f, "<g data-low=\"%.9g\" data-high=\"%.9g\">", p.y0, p.y1);
    if (isfinite(c->floor))
        draw_band(&p, -c->floor, c->floor);
    axis_y(&p, "difference");
    fprintf(p.f, "<line class=\"zero\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.2f\" y2=\"%.2f\"/>", p.left,
            p.right, plane_y(&p, 0), plane_y(&p, 0));
    if (pairs->n > MARKED) {
        fputs("<path class=\"points\" d=\"", p.f);
        for (int i = 0; i < pairs->n; i++)
            fprintf(p.f, "M%.1f %.1fh0", plane_x(&p, 0.24) + spread(i, 26),
                    plane_y(&p, pairs->difference[i]));
        fputs("\"/>", p.f);
    }
    for (int i = 0; i < pairs->n && pairs->n <= MARKED; i++) {
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
    comparison c = compare(e, m, variant);
    double mean = c.difference, low = c.low, high = c.high;
    paired pairs = paired_values(e, m, variant);
    char *title =
        new_format("%s of each pair: %s and %s", m->label, e->variant[0], e->variant[variant]);
    int fine = decimals_for(mean, 3, m->decimals);
    char *middle = figure(mean, fine), *between = interval(low, high, fine);
    char *said = new_format("%d pairs. Left, a line for each pair from %s to %s. Right, the "
                            "differences, their mean %s and its 95 %% interval %s.%s",
                            pairs.n, e->variant[0], e->variant[variant], middle, between,
                            isfinite(c.floor) ? " The band about 0 is the floor." : "");
    svg_begin(f, 400, 260, title, said);
    if (pairs.n > 0) {
        draw_slopes((plane){.f = f, .left = 62, .right = SLOPES, .top = 12, .bottom = 228}, e, m,
                    variant, &pairs);
        draw_differences((plane){.f = f, .left = 284, .right = 396, .top = 12, .bottom = 228},
                         &pairs, &c);
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
