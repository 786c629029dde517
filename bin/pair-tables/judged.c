/*
** judged.c: the tables of a judge, whose columns nobody knows before.
**
** A column is one of numbers if all its cells, of all videos, are numbers or empty; "?" in one of
** them makes it a column of words. A video of which the judge says nothing has empty cells.
*/
#include "judged.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"

/* What the tables of videos say already. */
static const char *const KNOWN[] = {"document", "name",   "variant",  "seed",
                                    "prompt",   "frames", "measured", NULL};

static bool is_among(const char *name, const char *const list[])
{
    for (; *list; list++)
        if (strcmp(name, *list) == 0)
            return true;
    return false;
}

static void add_column(judged *j, const csv *t, const char *name)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    if (is_among(name, KNOWN))
        return;
    for (int i = 0; i < j->n; i++)
        if (strcmp(j->name[i], name) == 0)
            return;
    if (!*name || name[strspn(name, letters)])
        csv_die(t, -1, "a judge's column is named '%s': letters, digits, _, . and - make a name",
                name);
    /* two columns of one name in pairs.csv, two rows of one metric in tidy.csv */
    if (metric_named(name) || strcmp(name, "file") == 0)
        csv_die(t, -1, "a judge's column is named '%s', which is another metric's name", name);
    j->name = realloc(j->name, (size_t)(j->n + 1) * sizeof *j->name);
    if (!j->name)
        die("out of memory");
    j->name[j->n++] = new_format("%s", name);
}

/* Is the text all of a finite number? */
static bool is_number(const char *text)
{
    char *end;
    double x = strtod(text, &end);
    return !*end && isfinite(x) && strspn(text, "+-.0123456789eE") == strlen(text);
}

static bool is_metric(const char *column, const video *v, int n)
{
    bool any = false;
    for (int i = 0; i < n; i++) {
        const char *text = judged_text(&v[i], column);
        if (*text && !is_number(text))
            return false;
        any = any || *text;
    }
    return any;
}

judged judged_of(const video *v, int n)
{
    judged j = {0};
    for (int i = 0; i < n; i++)
        for (int c = 0; v[i].judged && c < v[i].judged->columns; c++)
            add_column(&j, v[i].judged, v[i].judged->header[c]);
    for (int i = 0; i < j.n; i++) {
        if (!is_metric(j.name[i], v, n))
            continue;
        char *name = j.name[i];
        memmove(j.name + j.metrics + 1, j.name + j.metrics,
                (size_t)(i - j.metrics) * sizeof *j.name);
        j.name[j.metrics++] = name;
    }
    return j;
}

void judged_free(judged *j)
{
    for (int i = 0; i < j->n; i++)
        free(j->name[i]);
    free(j->name);
}

const char *judged_text(const video *v, const char *column)
{
    return v->judged ? csv_text(v->judged, 0, csv_find(v->judged, column)) : "";
}

double judged_number(const video *v, const char *column)
{
    return v->judged ? csv_number(v->judged, 0, csv_find(v->judged, column)) : NAN;
}
