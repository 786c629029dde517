/*
** twins.h: is a variant farther from the reference than twins of the reference are, which should be
** equal to it? Of metrics of two videos together, pair by pair: each video beside the farthest of
** the twins of the same name.
*/
#ifndef TWINS_H
#define TWINS_H

#include "groups.h"

/* For each row of t the metric of the farthest twin of that name and variant_a, by the rows of
 * `twins`, a table of pairs of the reference and its twins; NAN: there is none. To be freed; NULL:
 * the twins have no such metric, or it is not known whether more is better. */
double *twin_distances(const csv *t, const csv *twins, const char *metric);

/* The one-sided test that pairs are not farther than their twins: p_more of signed ranks, or of
 * clusters' signs. Infinite ones count as twice as far as the farthest other, which in ranks is as
 * far as can be. */
paired_test farther_test(values *v, int64_t draws, uint64_t seed);

#endif
