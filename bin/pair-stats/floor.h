/*
** floor.h: how much a metric moves for no reason: what was found between a reference and twins of
** it that should be equal, from a summary that pair-stats wrote of them.
*/
#ifndef FLOOR_H
#define FLOOR_H

#include "../../common/csv.h"

/* Of intervals twice as wide as the twins' are (twin_low, twin_high in metrics.h). */
typedef enum {
    FLOOR_OF_DIFFERENCE, /* of two measurements of a pair: the greatest absolute limit */
    FLOOR_OF_MEASURE     /* of one: the least limit if more is better, else the greatest */
} floor_kind;

/* NAN: the table has no such metric, none with an interval of FEWEST_TWINS or more, or for a
 * FLOOR_OF_MEASURE it is not known whether more is better. */
double floor_of(const csv *t, const char *metric, floor_kind kind);
/* Is it known, and what? 1: more is better, -1: less is, 0: neither or not known. */
int better_is(const char *metric);

#endif
