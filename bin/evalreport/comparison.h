/*
** comparison.h: what the tables say of a metric of a variant against the reference, and in words.
*/
#ifndef COMPARISON_H
#define COMPARISON_H

#include "evaluation.h"

/* Numbers are NAN where the tables do not say them. Of a metric of pairs, mean_b and sd_b are the
 * distance's, low and high those of its mean, and there is no difference. */
typedef struct {
    double n, clusters; /* pairs, and how many prompts they are of */
    double mean_a, sd_a, mean_b, sd_b, difference, low, high;
    double p, p_holm;  /* p_holm: corrected for all tests of the tables */
    double farther;    /* of a metric of pairs: than the farthest twin, of which p is then */
    double detectable; /* the smallest difference that n pairs show with power 0.8 */
    double floor;      /* how far rounding alone can bring the reference from itself */
    double within, p_equivalence, equivalent; /* within, equivalent: 1 or 0 */
    const char *method, *note;
    bool formed; /* from the pairs, here: no table has a test of it */
} comparison;

comparison compare(const evaluation *e, const metric *m, int variant);

/* Do both have the video, and as a pair? */
bool is_pair(const evaluation *e, int variant, int subject);
int pair_count(const evaluation *e, int variant);
/* The metric of the reference's video and of the variant's; of a metric of pairs, b is the
 * distance and a NAN. */
void pair_values(const evaluation *e, const metric *m, int variant, int subject, double *a,
                 double *b);

/* The metric of one video, in a pair or not. */
double video_value(const evaluation *e, const metric *m, int variant, int subject);

/* What orders variants, and pairs: the greater the better. Without a direction what is nearer to
 * the reference is. NAN: not known. */
double quality(const metric *m, double difference, double distance);

/* p as it is to be read; NAN: there was no test. */
double test_p(const comparison *c);
/* Is one of the metrics of pairs tested beside twins, of that variant (0: of any)? */
bool has_twins(const evaluation *e, int variant);
/* Does one of the comparisons with a variant know that? */
bool has_floor(const evaluation *e);
bool has_holm(const evaluation *e);
/* The rows of floor.csv that have the metric, from `from` on; -1: none more. */
int floor_row(const evaluation *e, const metric *m, int from);
/* The distance of the twin that is the farthest, which is the floor of a metric of pairs where the
 * summary has none; NAN: none was measured. */
double floor_distance(const evaluation *e, const metric *m);

/* What lies within the floor: of differences either way of 0, of distances what is as near as the
 * farthest twin, so that one end is infinite. False: no floor is known. */
bool floor_band(const evaluation *e, const metric *m, double *low, double *high);

/* How many decimals a difference takes to be read. */
int difference_decimals(const metric *m, const comparison *c);
/* "within the floor, equivalent", "different, beyond the floor"; to be freed. */
char *verdict(const metric *m, const comparison *c);
/* Its numbers: "CLIP score 0.0021 (floor 0.0050; p = 0.012 by Holm)"; to be freed. */
char *verdict_numbers(const metric *m, const comparison *c);

#endif
