/*
** statistics.h: what can be said of differences within pairs, some of which belong together: an
** interval of their mean, a test, how small a difference would be seen, and whether it is smaller
** than a margin. t/tools/coverage.c simulates experiments with these same functions.
**
** Several seeds of one prompt are a cluster: what a change does to a prompt's video it does, more
** or less, with each seed. Clusters are taken as independent, what is within one is not.
*/
#ifndef STATISTICS_H
#define STATISTICS_H

#include <stdbool.h>
#include <stdint.h>

double mean(const double *x, int n); /* NAN if n is 0 */
/* Of a sample: the root of the sum of squares over n - 1. NAN if n < 2. */
double deviation(const double *x, int n);

/* ---- clusters.c ---- */

/* x[i] belongs to the cluster of that number, 0..clusters - 1; none is without a value. */
typedef struct {
    int n;
    const double *x;    /* [n] */
    const int *cluster; /* [n] */
    int clusters;
} sample;

/* Is each value a cluster of its own, or all of them one? Then the values are what is drawn: they
 * are independent, or all that is said is said of the one cluster. */
bool without_clusters(const sample *s);

/* Of the mean of all values: its standard error, degrees of freedom, and the skewness of what the
 * units, clusters or values, add to it. */
typedef struct {
    double mean, se, df, skewness; /* se and df are NAN if there are fewer than two units */
} estimate;

/* se: cluster-robust with the correction CR2 of R. M. Bell and D. F. McCaffrey, "Bias reduction
 * in standard errors for linear regression with multi-stage samples" (2002); df: theirs, that is
 * Satterthwaite's under independence. Of units of one size they are Student's, over their means.
 * skewness: of the units' sums of deviations, k3 / k2^1.5 over the root of the number of units K,
 * with the correction for small samples sqrt(K (K - 1)) / (K - 2); 0 if K < 3. */
estimate estimate_of(const sample *s);

/* ---- interval.c ---- */

typedef struct {
    double low, high;
} interval;

/* 95 % interval of the mean, studentised and corrected for skewness; NAN without standard error. */
interval interval_of(const estimate *e);

/* p of the one-sided test with which a limit goes: that the mean is not above (more: true) or not
 * below the bound. Without skewness it is that of the t test. Of values that are all the same it is
 * 0 or 1. */
double p_beyond(const estimate *e, double bound, bool more);

/* ---- tests ---- */

typedef struct {
    int n;            /* differences, or clusters, that are not 0: the others are left out */
    double statistic; /* see the test */
    double p;         /* two-sided; NAN if n is 0 */
    double p_more;    /* one-sided: of a statistic so far above 0; NAN of verdicts, or if n is 0 */
    const char *method; /* "" if n is 0 */
} paired_test;

/* signed-ranks.c: Wilcoxon's test (1945). Equal sizes share their mean rank; the statistic is the
 * lesser of the sums of ranks of positive and of negative differences. For up to 50 differences
 * that are not 0 p counts all signs: "exact", or where there are ties or zeros "permutation"; of
 * more it is the normal approximation with the variance corrected for ties, "normal". */
paired_test signed_ranks(const double *difference, int n);

/* verdicts.c: McNemar's test (1947) of differences that are -1, 0 or 1, in its exact form,
 * "mcnemar": of those that are not 0 each sign is as probable, so the lesser number of one sign,
 * the statistic, is binomial; p is twice the probability of so few, and at most 1. */
paired_test mcnemar(const double *difference, int n);

/* sign-flips.c: if a and b can be exchanged, the sign of each cluster as a whole is as probable as
 * its opposite (R. A. Fisher 1935, of pairs). The statistic is the mean of all values; p the share
 * of all signs of the clusters' sums whose sum is as far from 0. All are counted for up to 40
 * clusters whose sum is not 0, "clusters"; of more, `draws` signs are drawn with SplitMix64 from
 * `seed`, and theirs count as one of them, "clusters-sampled". */
paired_test sign_flips(const sample *s, int64_t draws, uint64_t seed);

/* The one of the three that fits: sign flips where there are clusters, else McNemar's test if
 * verdicts, else signed ranks. */
paired_test test_of(const sample *s, bool verdicts, int64_t draws, uint64_t seed);

/* holm.c: p of several tests, adjusted as S. Holm does (1979): the smallest by their number, the
 * next by one less, never below one before. NAN counts as no test. */
void holm(double *adjusted, const double *p, int n);

/* ---- power.c, equivalence.c ---- */

/* The mean that a two-sided t test at 5 % finds with probability 0.8, if standard error and degrees
 * of freedom are e's. NAN without a standard error, or if that is 0. */
double detectable(const estimate *e);

/* p of two one-sided tests (D. J. Schuirmann 1987): that the mean is not in -margin..margin,
 * the greater of the two. At most 0.05 where the 90 % interval, made as the 95 % one, is within. */
double p_equivalence(const estimate *e, double margin);

/* ---- student.c ---- */

double student_tail(double t, double df);        /* P(T > t) */
double student_quantile(double tail, double df); /* t > 0 with P(T > t) = tail < 0.5 */
/* P(|T| > t) of Student's t with noncentrality delta. */
double student_power(double delta, double t, double df);

#endif
