/*
** judged.h: what a judge found of the videos, a program of the user's that prints a line of columns
** for each: which of them are numbers, and so metrics.
*/
#ifndef JUDGED_H
#define JUDGED_H

#include "video.h"

typedef struct {
    int n, metrics; /* the metrics come first */
    char **name;    /* [n] */
} judged;

/* The columns of all videos' tables, in the order in which they come, but for those that only say
 * which video it is. One is a metric if all its cells are numbers or empty, and one of them is not
 * empty. Dies if a name cannot be one of a column, or is another metric's. */
judged judged_of(const video *v, int n);
void judged_free(judged *j);

/* A cell of the video's table; "" or NAN if it was not judged, or not in that. */
const char *judged_text(const video *v, const char *column);
double judged_number(const video *v, const char *column);

#endif
