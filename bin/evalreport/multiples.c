/*
** multiples.c: small multiples (E. Tufte's word), a panel for each prompt. All panels have one
** scale, so that a prompt that is unlike the others is seen to be.
*/
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "../../common/nameindex.h"
#include "plots.h"
#include "ranking.h"
#include "svg.h"
#include "text.h"

enum { ACROSS = 3, WIDTH = 400, HEAD = 16, PANEL = 76, ROOM = 18 };
enum { LETTERS = 19 }; /* of a prompt, over its panel */

/* The prompts, in the order of their worst pairs. */
typedef struct {
    int n;
    const char **text;
    int *of; /* [subjects]: the number of its prompt, -1: not shown */
} prompts;

static prompts prompts_of(const evaluation *e)
{
    struct json_t *index = NULL;
    prompts p = {0, new_bytes(PROMPTS * sizeof *p.text),
                 new_bytes((size_t)(e->subjects + 1) * sizeof *p.of)};
    for (int i = 0; i < e->subjects; i++) {
        const subject *s = &e->subject[e->order[i]];
        const char *text = *s->prompt ? s->prompt : s->name;
        int k = index_find(index, text);
        if (k < 0 && p.n < PROMPTS) {
            p.text[p.n] = text;
            index_note(&index, text, k = p.n++);
        }
        p.of[e->order[i]] = k;
    }
    index_free(&index);
    return p;
}

/* The first letters of a text, and an ellipsis if there are more; to be freed. */
static char *shortened(const char *text)
{
    if (letters(text) <= LETTERS)
        return new_format("%s", text);
    int n = 0;
    const char *end = text;
    for (; n < LETTERS; n++)
        for (end++; (*end & 0xc0) == 0x80;)
            end++;
    return new_format("%.*s\u2026", (int)(end - text), text);
}

static double value_of(const evaluation *e, const metric *m, int v, int i)
{
    double a, b;
    pair_values(e, m, v, i, &a, &b);
    return m->of_pairs ? b : b - a;
}

static void draw_panel(plane p, const evaluation *e, const metric *m, const prompts *of, int k,
                       const double *band)
{
    char *name = shortened(of->text[k]);
    fprintf(p.f,
            "<g data-low=\"%.9g\" data-high=\"%.9g\"><rect class=\"panel\" x=\"%.1f\" y=\"%.1f\" "
            "width=\"%.1f\" height=\"%.1f\"/>",
            p.y0, p.y1, p.left, p.top, p.right - p.left, p.bottom - p.top);
    if (band)
        draw_band(&p, band[0], band[1]);
    if (p.y0 <= 0 && p.y1 >= 0)
        fprintf(p.f, "<line class=\"zero\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.2f\" y2=\"%.2f\"/>",
                p.left, p.right, plane_y(&p, 0), plane_y(&p, 0));
    fputs("<g class=\"over\">", p.f);
    svg_text(p.f, p.left, p.top - 5, "start", NULL, name);
    fputs("<title>", p.f);
    put_text(p.f, HTML, of->text[k]);
    fputs("</title></g>", p.f);
    free(name);
    for (int i = 0; i < e->subjects; i++)
        for (int v = 1; v < e->variants && of->of[i] == k; v++) {
            double y = value_of(e, m, v, i);
            char *note = new_format("%s, %s: %.9g", e->variant[v], e->subject[i].name, y);
            if (isfinite(y))
                svg_mark(p.f, v, plane_x(&p, v), plane_y(&p, y), note);
            free(note);
        }
    fputs("</g>\n", p.f);
}

static void draw(FILE *f, const evaluation *e, const metric *m, const prompts *of,
                 const double *band, double low, double high)
{
    bool *has = new_bytes((size_t)e->variants * sizeof *has);
    for (int v = 1; v < e->variants; v++)
        has[v] = true;
    plane all = {.left = 58, .right = WIDTH - 4, .y0 = low, .y1 = high};
    plane_fit(&all, 0);
    double left = all.left, width = (all.right - left) / ACROSS;
    double down = svg_keys(NULL, e->variant, has, e->variants, left, WIDTH - left);
    double top = HEAD + 42 + down;
    int rows = (of->n + ACROSS - 1) / ACROSS;
    char *title = new_format("%s by prompt", m->label);
    char *axis = new_format(m->of_pairs ? "%s" : "difference", m->brief);
    char *named = metric_title(m);
    char *heading = new_format(m->of_pairs ? "%s" : "%s: difference", named);
    char *said = new_format("%d prompts, all on one scale from %.4g to %.4g; a mark for each "
                            "video of a variant",
                            of->n, low, high);
    svg_begin(f, WIDTH, top + rows * (PANEL + ROOM), title, said);
    svg_text(f, left, 11, "start", "heading", heading);
    fprintf(f, "<g class=\"multiples\">\n<g transform=\"translate(0 %d)\">", HEAD);
    svg_keys(f, e->variant, has, e->variants, left, WIDTH - left);
    fputs("</g>\n", f);
    for (int k = 0; k < of->n; k++) {
        int x = k % ACROSS, y = k / ACROSS;
        plane p = {.f = f, .left = left + x * width, .top = top + y * (PANEL + ROOM)};
        p.right = p.left + width - 8, p.bottom = p.top + PANEL - 8;
        p.x0 = 0.4, p.x1 = e->variants - 0.4;
        p.y0 = low, p.y1 = high;
        if (x == 0) {
            plane whole = p;
            whole.right = fmin(all.right, left + width * fmin(ACROSS, of->n - k) - 8);
            axis_y(&whole, axis);
        }
        draw_panel(p, e, m, of, k, band);
    }
    fputs("</g>\n", f);
    svg_end(f);
    free(has);
    free(title);
    free(axis);
    free(named);
    free(heading);
    free(said);
}

int plot_prompts(FILE *f, const evaluation *e, const metric *m)
{
    prompts of = prompts_of(e);
    double low = 1, high = 0, zero = 0, band[2];
    bool floored = floor_band(e, m, &band[0], &band[1]);
    for (int v = 1; v < e->variants; v++)
        for (int i = 0; i < e->subjects; i++) {
            double y = value_of(e, m, v, i);
            if (of.of[i] >= 0)
                range_add(&low, &high, &y, 1);
        }
    bool any = low <= high;
    if (!m->of_pairs)
        range_add(&low, &high, &zero, 1);
    range_pad(&low, &high, 0.1);
    if (any)
        draw(f, e, m, &of, floored ? band : NULL, low, high);
    free(of.text);
    free(of.of);
    return any;
}
