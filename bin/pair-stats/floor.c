/*
** floor.c: the margins in a summary of twins.
*/
#include "floor.h"

#include <math.h>
#include <string.h>

#include "../../common/metrics.h"

int better_is(const char *metric)
{
    const metric_row *row = metric_named(metric);
    return row ? row->direction : 0;
}

double floor_of(const csv *t, const char *metric, floor_kind kind)
{
    int name = csv_column(t, "metric"), low = csv_column(t, "low"), high = csv_column(t, "high");
    int n = csv_column(t, "n"), clusters = csv_find(t, "clusters"), better = better_is(metric);
    double found = NAN;
    for (int row = 0; row < t->rows; row++) {
        if (strcmp(csv_text(t, row, name), metric) != 0)
            continue;
        double from = csv_number(t, row, low), to = csv_number(t, row, high);
        double grouped = clusters < 0 ? NAN : csv_number(t, row, clusters);
        double size = isnan(grouped) ? csv_number(t, row, n) : grouped;
        if (isnan(from) || isnan(to) || !(size >= FEWEST_TWINS))
            continue;
        double least = twin_low(from, to), most = twin_high(from, to);
        if (kind == FLOOR_OF_DIFFERENCE)
            found = fmax(found, fmax(fabs(least), fabs(most)));
        else if (better != 0)
            found = better > 0 ? fmin(found, least) : fmax(found, most);
    }
    return found;
}
