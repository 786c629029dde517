/*
** judged.h: the results of a judge, a program of the user that prints a row for each video. Columns
** of numbers become metrics.
*/
#ifndef JUDGED_H
#define JUDGED_H

#include "video.h"

typedef struct {
    int n, metrics; /* the metrics come first */
    char **name;    /* [n] */
} judged;

/* Collects the columns of all videos' tables, in their order, without those that only identify the
 * video. A column is a metric if all its cells are numbers or empty, and not all are empty. Dies if
 * its name cannot be the name of a column, or is that of another metric. */
judged judged_of(const video *v, int n);
void judged_free(judged *j);

/* A cell of the video's table; "" or NAN if the video was not judged or its table has no such
 * column. */
const char *judged_text(const video *v, const char *column);
double judged_number(const video *v, const char *column);

#endif
