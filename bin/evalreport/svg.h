/*
** svg.h: drawing in SVG that stands in a page: a plane with axes, marks that differ in form as well
** as in colour. Colours, fonts and line widths are the page's style sheet's (report.css).
*/
#ifndef SVG_H
#define SVG_H

#include <stdbool.h>
#include <stdio.h>

/* Part of a drawing in its own units (y downwards), with the values that its sides stand for. */
typedef struct {
    FILE *f;
    double left, right, top, bottom;
    double x0, x1; /* the values at left and right */
    double y0, y1; /* the values at bottom and top */
} plane;

/* Begins a drawing of that size, which says in words what it shows. */
void svg_begin(FILE *f, double width, double height, const char *title, const char *description);
void svg_end(FILE *f);

/* Grows [*low, *high] so that it has the finite ones of n values. Begins with *low > *high. */
void range_add(double *low, double *high, const double *value, int n);
/* The same with room at both ends; something where there was no value. */
void range_pad(double *low, double *high, double share);

double plane_x(const plane *p, double x);
double plane_y(const plane *p, double y);

/* Moves the left side to the right, where else axis_y() would write left of `from`; two thirds of
 * the width at most. */
void plane_fit(plane *p, double from);
/* Lines of the grid and their numbers, at round values; `name` stands along the axis. */
void axis_y(const plane *p, const char *name);
/* The same where y0 and y1 are decimal logarithms: a line at each power of ten, of few decades also
 * at 2 and 5 times it. */
void axis_y_log(const plane *p, const char *name);
/* Numbers along the bottom, at round values. */
void axis_x(const plane *p, const char *name);
/* What lies between the two values, as far as it is in the plane. */
void draw_band(const plane *p, double low, double high);
/* Whole numbers along the bottom. */
void axis_x_whole(const plane *p, const char *name);
/* The same, and under each number k what `under` says of it, to be freed. */
typedef char *axis_note(const void *of, int k);
void axis_x_noted(const plane *p, const char *name, axis_note *under, const void *of);

/* Text; anchor is "start", "middle" or "end"; class NULL: none. */
void svg_text(FILE *f, double x, double y, const char *anchor, const char *style, const char *text);
/* The mark of the variant i, with a note for who points at it (NULL: none). */
void svg_mark(FILE *f, int i, double x, double y, const char *note);
/* A line through n points (first + k, value[k]), broken where a value is not finite; a point alone
 * is a mark. Every few points carry the variant's mark. */
void svg_curve(const plane *p, int i, double first, const double *value, int n);
/* The line alone. */
void svg_line(const plane *p, int i, double first, const double *value, int n);
/* What stands for the variant i in a key: line and mark; and how much room it takes. */
void svg_key(FILE *f, int i, double x, double y, const char *name);
double svg_key_width(const char *name);
/* Keys of those of n variants that are had, from x on, in lines of so many pixels; how far down the
 * last line is from the first. f NULL: only that. */
double svg_keys(FILE *f, const char *const *name, const bool *has, int n, double x, double width);

#endif
