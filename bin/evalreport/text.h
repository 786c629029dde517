/*
** text.h: text in three languages, HTML, LaTeX and GitHub's Markdown, so that what a prompt says is
** what a reader sees, whatever it says.
*/
#ifndef TEXT_H
#define TEXT_H

#include <stdio.h>

typedef enum { HTML, TEX, MARKDOWN } markup;

/* Text (UTF-8) as text: nothing in it is markup. Line breaks and other control characters are
 * written as blanks. In HTML also right in a quoted attribute and in SVG; in LaTeX and Markdown
 * right within a table's cell. */
void put_text(FILE *f, markup m, const char *text);

/* How many letters UTF-8 text has. */
size_t letters(const char *text);

/* Numbers as text, to be freed: with a true minus; NAN is an en dash, infinity its sign. */
char *figure(double x, int decimals);
/* "[-0.1, 0.2]"; an en dash where either is not defined. */
char *interval(double low, double high, int decimals);
/* "0.012", "< 0.001" */
char *probability(double p);
/* How many decimals show x with that many significant digits; at least `least`. */
int decimals_for(double x, int significant, int least);

#endif
