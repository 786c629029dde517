/*
** statistics.h: what can be said of a few numbers: mean, deviation, an interval of the mean,
** Wilcoxon's signed-rank test, and McNemar's of what is right or wrong.
*/
#ifndef STATISTICS_H
#define STATISTICS_H

#include <stdint.h>

double mean(const double *x, int n); /* NAN if n is 0 */
/* Of a sample: the root of the sum of squares over n - 1. NAN if n < 2. */
double deviation(const double *x, int n);

typedef struct {
    double low, high;
} interval;

/* 95 % percentile bootstrap interval of the mean; NAN if n < 2. Of `resamples` means of n values
 * drawn with replacement, the 2.5 and the 97.5 % quantile, between order statistics by linear
 * interpolation (R's type 7). The draws are SplitMix64's (Steele, Lea, Flood 2014), whose state is
 * `seed` at first: each of its numbers u picks x[floor(u n / 2^64)]. */
interval bootstrap(const double *x, int n, int resamples, uint64_t seed);

typedef struct {
    int n;              /* differences that are not 0: the others are left out */
    double statistic;   /* the lesser of the sums of ranks, or for McNemar of the numbers, of
                         * positive and of negative differences */
    double p;           /* two-sided; NAN if n is 0 */
    const char *method; /* "exact", "permutation", "normal", "mcnemar"; "" if n is 0 */
} paired_test;

/* Wilcoxon's signed-rank test of differences, as scipy.stats.wilcoxon (1.17, method 'auto',
 * zero_method 'wilcox', no correction) makes it: the exact distribution for up to 50 differences
 * without ties and zeros, that of all signs of the ranks there are for up to 13 with them, else the
 * normal approximation with its variance corrected for ties. */
paired_test wilcoxon(const double *difference, int n);

/* McNemar's test (1947) of differences that are -1, 0 or 1, in its exact form: of those that are
 * not 0 each sign is as probable, so the lesser number of one sign is binomial; p is twice the
 * probability of so few, and at most 1. */
paired_test mcnemar(const double *difference, int n);

#endif
