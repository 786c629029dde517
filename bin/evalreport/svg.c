/*
** svg.c: planes, axes, marks.
*/
#include "svg.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "../../common/die.h"
#include "text.h"

/* Circle, square, triangle, diamond; then again, in other colours and dashes, of which report.css
** has nine: no two of 36 variants look alike. */
enum { FORMS = 4, STYLES = 9 };
static const double LETTER = 6.4; /* about what a letter or digit takes */

void svg_begin(FILE *f, double width, double height, const char *title, const char *description)
{
    static int number;
    number++;
    fprintf(f,
            "<svg viewBox=\"0 0 %g %g\" role=\"img\" aria-labelledby=\"svg%d-t svg%d-d\">"
            "<title id=\"svg%d-t\">",
            width, height, number, number, number);
    put_text(f, HTML, title);
    fprintf(f, "</title><desc id=\"svg%d-d\">", number);
    put_text(f, HTML, description);
    fputs("</desc>\n", f);
}

void svg_end(FILE *f) { fputs("</svg>\n", f); }

/* ---- values and places ---- */

void range_add(double *low, double *high, const double *value, int n)
{
    for (int i = 0; i < n; i++) {
        if (!isfinite(value[i]))
            continue;
        bool first = *low > *high;
        *low = first ? value[i] : fmin(*low, value[i]);
        *high = first ? value[i] : fmax(*high, value[i]);
    }
}

void range_pad(double *low, double *high, double share)
{
    if (*low > *high) {
        *low = 0;
        *high = 1;
        return;
    }
    double room = (*high - *low) * share;
    if (room <= 0)
        room = *low == 0 ? 1 : fabs(*low) * 0.05;
    *low -= room;
    *high += room;
}

double plane_x(const plane *p, double x)
{
    return p->left + (x - p->x0) / (p->x1 - p->x0) * (p->right - p->left);
}

double plane_y(const plane *p, double y)
{
    return p->bottom + (y - p->y0) / (p->y1 - p->y0) * (p->top - p->bottom);
}

/* ---- axes ---- */

/* 1, 2 or 5 times a power of ten, so that about `most` of them fit the range. */
static double round_step(double range, int most)
{
    double step = pow(10, floor(log10(range / most)));
    double parts = range / step / most;
    return step * (parts <= 1 ? 1 : parts <= 2 ? 2 : parts <= 5 ? 5 : 10);
}

/* How many decimals show whole steps. */
static int decimals_of(double step) { return (int)fmax(0, ceil(-log10(step) - 1e-9)); }

/* How many letters the longest number of axis_y() has. */
static size_t longest_y(const plane *p)
{
    double step = round_step(p->y1 - p->y0, 5);
    size_t longest = 0;
    for (double k = ceil(p->y0 / step); k * step <= p->y1; k++) {
        char *number = figure(k * step, decimals_of(step));
        longest = letters(number) > longest ? letters(number) : longest;
        free(number);
    }
    return longest;
}

/* How far left of the plane the line is that its name stands on, beside the numbers. */
static double away(size_t longest) { return 14 + LETTER * (double)longest; }

void plane_fit(plane *p, double from)
{
    static const double high = 11; /* a letter, above its line; in print they are larger */
    double left = from + high + away(longest_y(p)), most = p->right - (p->right - p->left) / 3;
    p->left = fmax(p->left, fmin(left, most));
}

/* A line of the grid at y with its number; how many letters that has. */
static size_t grid_y(const plane *p, double y, char *number)
{
    size_t n = letters(number);
    fprintf(p->f, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.2f\" y2=\"%.2f\"/>", p->left, p->right, y,
            y);
    svg_text(p->f, p->left - 5, y + 3.5, "end", NULL, number);
    free(number);
    return n;
}

static void name_y(const plane *p, const char *name, size_t longest)
{
    fprintf(p->f,
            "<text class=\"name\" transform=\"translate(%.1f %.1f) rotate(-90)\" "
            "text-anchor=\"middle\">",
            p->left - away(longest), (p->top + p->bottom) / 2);
    put_text(p->f, HTML, name);
    fputs("</text></g>\n", p->f);
}

void axis_y(const plane *p, const char *name)
{
    double step = round_step(p->y1 - p->y0, 5);
    fputs("<g class=\"axis\">", p->f);
    for (double k = ceil(p->y0 / step); k * step <= p->y1; k++)
        grid_y(p, plane_y(p, k * step), figure(k * step, decimals_of(step)));
    name_y(p, name, longest_y(p));
}

/* 0.001, 0.02, 5; of more than four places the power: 1e-5 */
static char *power_text(int digit, int power)
{
    if (power < -4 || power > 4)
        return new_format("%de%s%d", digit, power < 0 ? "\u2212" : "", abs(power));
    return figure(digit * pow(10, power), power < 0 ? -power : 0);
}

void axis_y_log(const plane *p, const char *name)
{
    static const int digits[] = {1, 2, 5};
    bool few = p->y1 - p->y0 < 2.5;
    size_t longest = 0;
    fputs("<g class=\"axis\">", p->f);
    for (int power = (int)floor(p->y0); power <= p->y1; power++)
        for (int i = 0; i < (few ? 3 : 1); i++) {
            double y = power + log10(digits[i]);
            if (y < p->y0 || y > p->y1)
                continue;
            size_t n = grid_y(p, plane_y(p, y), power_text(digits[i], power));
            longest = n > longest ? n : longest;
        }
    name_y(p, name, longest);
}

void axis_x(const plane *p, const char *name)
{
    double step = round_step(p->x1 - p->x0, 5);
    fputs("<g class=\"axis\">", p->f);
    for (double k = ceil(p->x0 / step); k * step <= p->x1; k++) {
        double x = plane_x(p, k * step);
        char *number = figure(k * step, decimals_of(step));
        fprintf(p->f, "<line x1=\"%.2f\" x2=\"%.2f\" y1=\"%.1f\" y2=\"%.1f\"/>", x, x, p->bottom,
                p->bottom + 4);
        svg_text(p->f, x, p->bottom + 16, "middle", NULL, number);
        free(number);
    }
    svg_text(p->f, (p->left + p->right) / 2, p->bottom + 31, "middle", "name", name);
    fputs("</g>\n", p->f);
}

void draw_band(const plane *p, double low, double high)
{
    double from = fmax(p->y0, low), to = fmin(p->y1, high);
    if (from < to)
        fprintf(p->f, "<rect class=\"band\" x=\"%.1f\" width=\"%.1f\" y=\"%.2f\" height=\"%.2f\"/>",
                p->left, p->right - p->left, plane_y(p, to), plane_y(p, from) - plane_y(p, to));
}

void axis_x_whole(const plane *p, const char *name) { axis_x_noted(p, name, NULL, NULL); }

void axis_x_noted(const plane *p, const char *name, axis_note *under, const void *of)
{
    double step = fmax(1, round_step(fmax(p->x1 - p->x0, 1), 8));
    fputs("<g class=\"axis\">", p->f);
    for (double k = ceil(p->x0 / step); k * step <= p->x1; k++) {
        char *number = figure(k * step, 0);
        svg_text(p->f, plane_x(p, k * step), p->bottom + 14, "middle", NULL, number);
        free(number);
        if (!under)
            continue;
        number = under(of, (int)(k * step));
        svg_text(p->f, plane_x(p, k * step), p->bottom + 27, "middle", NULL, number);
        free(number);
    }
    svg_text(p->f, (p->left + p->right) / 2, p->bottom + (under ? 43 : 29), "middle", "name", name);
    fputs("</g>\n", p->f);
}

/* ---- marks ---- */

void svg_text(FILE *f, double x, double y, const char *anchor, const char *style, const char *text)
{
    fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\"", x, y, anchor);
    if (style)
        fprintf(f, " class=\"%s\"", style);
    putc('>', f);
    put_text(f, HTML, text);
    fputs("</text>", f);
}

static void form(FILE *f, int i, double x, double y)
{
    fprintf(f, " class=\"mark v%d\"", i % STYLES);
    switch (i % FORMS) {
    case 0: fprintf(f, " r=\"3.2\" cx=\"%.2f\" cy=\"%.2f\"", x, y); break;
    case 1:
        fprintf(f, " width=\"5.8\" height=\"5.8\" x=\"%.2f\" y=\"%.2f\"", x - 2.9, y - 2.9);
        break;
    case 2: fprintf(f, " d=\"M%.2f %.2fl3.8 6.4h-7.6z\"", x, y - 3.9); break;
    case 3: fprintf(f, " d=\"M%.2f %.2fl3.9 3.9l-3.9 3.9l-3.9 -3.9z\"", x, y - 3.9); break;
    }
}

void svg_mark(FILE *f, int i, double x, double y, const char *note)
{
    static const char *const element[FORMS] = {"circle", "rect", "path", "path"};
    fprintf(f, "<%s", element[i % FORMS]);
    form(f, i, x, y);
    if (!note) {
        fputs("/>", f);
        return;
    }
    fputs("><title>", f);
    put_text(f, HTML, note);
    fprintf(f, "</title></%s>", element[i % FORMS]);
}

void svg_line(const plane *p, int i, double first, const double *value, int n)
{
    bool on = false;
    fprintf(p->f, "<path class=\"curve v%d\" d=\"", i % STYLES);
    for (int k = 0; k < n; k++) {
        if (isfinite(value[k]))
            fprintf(p->f, "%c%.2f %.2f", on ? 'L' : 'M', plane_x(p, first + k),
                    plane_y(p, value[k]));
        on = isfinite(value[k]);
    }
    fputs("\"/>\n", p->f);
}

void svg_curve(const plane *p, int i, double first, const double *value, int n)
{
    svg_line(p, i, first, value, n);
    int every = n / 8 + 1;
    for (int k = i * every / 3 % every; k < n; k += every)
        if (isfinite(value[k]))
            svg_mark(p->f, i, plane_x(p, first + k), plane_y(p, value[k]), NULL);
    putc('\n', p->f);
}

void svg_key(FILE *f, int i, double x, double y, const char *name)
{
    fprintf(f, "<path class=\"curve v%d\" d=\"M%.1f %.1fh22\"/>", i % STYLES, x, y - 3.5);
    svg_mark(f, i, x + 11, y - 3.5, NULL);
    svg_text(f, x + 27, y, "start", NULL, name);
}

double svg_key_width(const char *name) { return 27 + LETTER * (double)letters(name) + 14; }

double svg_keys(FILE *f, const char *const *name, const bool *has, int n, double x, double width)
{
    static const double line = 15;
    double at = 0, down = 0;
    for (int v = 0; v < n; v++) {
        double w = svg_key_width(name[v]);
        if (!has[v])
            continue;
        if (at > 0 && at + w > width)
            at = 0, down += line;
        if (f)
            svg_key(f, v, x + at, 14 + down, name[v]);
        at += w;
    }
    return down;
}
