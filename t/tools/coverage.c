/*
** coverage.c: experiments that are drawn with a known truth, and how often pair-stats is right.
**
**     coverage [EXPERIMENTS [DESIGN [others]]]      a row a design, intraclass correlation and shape
**
** Each row is EXPERIMENTS (10000) experiments, of which the program's own functions say what they
** say of a user's:
**
**     coverage     how often the 95 % interval has the true mean
**     width        of the interval over Student's for clusters, mean
**     type_1       how often p <= 0.05 if both variants are drawn alike, so that nothing differs
**     mean_0       the same if the mean difference is 0 but its distribution is not symmetric
**     equivalence  how often p_equivalence <= 0.05 if the mean is the margin, the worse side
**     power        how often the interval leaves out 0 if the mean is what is `detectable`
**     alone, 1     coverage and type_1 if videos count as independent, whatever their prompt
**
** With `others` the columns are coverages of other intervals of the same experiments: Student's,
** Hall's, and of 999 resampled sets of clusters the percentile, BCa and studentised bootstrap (B. Efron and
** R. J. Tibshirani 1993). Values are y = sqrt(icc) c + sqrt(1 - icc) e, c the cluster's and e their
** own, both of mean 0 and variance 1.
*/
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../bin/pair-stats/statistics.h"
#include "../../common/die.h"

enum { MOST = 64, RESAMPLES = 999 };

/* ---- what is drawn ---- */

typedef struct {
    const char *name;
    int clusters;
    int size[MOST]; /* [clusters]; those that are 0 are as large as the first */
} design;

static const design DESIGN[] = {
    {"5x1", 5, {1}},
    {"7x1", 7, {1}},
    {"10x1", 10, {1}},
    {"20x1", 20, {1}},
    {"40x1", 40, {1}},
    {"5x2", 5, {2}},
    {"5x8", 5, {8}},
    {"10x2", 10, {2}},
    {"10x4", 10, {4}},
    {"20x2", 20, {2}},
    {"8,7,6,5,4,3,2,2,2,1", 10, {8, 7, 6, 5, 4, 3, 2, 2, 2, 1}},
    {"20,4x5", 6, {20, 4, 4, 4, 4, 4}},
    {"16,8,4,2,1", 5, {16, 8, 4, 2, 1}},
};

static const char *const SHAPE[] = {"normal", "skewed", "lognormal", "heavy", "ties"};
enum { NORMAL, SKEWED, LOGNORMAL, HEAVY, TIES, SHAPES };

static uint64_t state;

static uint64_t splitmix64(void)
{
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static double uniform(void) { return ((double)(splitmix64() >> 11) + 0.5) * 0x1p-53; }

static double normal(void)
{
    double r = sqrt(-2 * log(uniform()));
    return r * cos(2 * M_PI * uniform());
}

/* exp of a normal number with this deviation, less its mean, over its deviation. */
static double lognormal(double sigma)
{
    double v = exp(sigma * sigma);
    return (exp(sigma * normal()) - sqrt(v)) / sqrt(v * (v - 1));
}

/* Mean 0, variance 1. heavy: Student's t with 3 degrees of freedom, skewness 1.75 and 6.2 of the
 * lognormal ones. */
static double draw(int shape)
{
    double squares = 0;
    switch (shape) {
    case SKEWED: return lognormal(0.5);
    case LOGNORMAL: return lognormal(1);
    case HEAVY:
        for (int i = 0; i < 3; i++) {
            double z = normal();
            squares += z * z;
        }
        return normal() / sqrt(squares);
    default: return normal();
    }
}

typedef struct {
    sample s;
    double x[MOST * MOST];
    int cluster[MOST * MOST];
} experiment;

/* ties: steps of 5/6, of which a third are 0. */
static void draw_experiment(experiment *e, const design *d, int shape, double icc)
{
    int n = 0;
    for (int g = 0; g < d->clusters; g++) {
        double shared = sqrt(icc) * draw(shape);
        for (int i = 0; i < (d->size[g] ? d->size[g] : d->size[0]); i++, n++) {
            double y = shared + sqrt(1 - icc) * draw(shape);
            e->x[n] = shape == TIES ? rint(1.2 * y) / 1.2 : y;
            e->cluster[n] = g;
        }
    }
    e->s = (sample){n, e->x, e->cluster, d->clusters};
}

static void alone(experiment *e)
{
    for (int i = 0; i < e->s.n; i++)
        e->cluster[i] = i;
    e->s.clusters = e->s.n;
}

/* ---- what is said of it ---- */

typedef struct {
    double coverage, width, type_1, mean_0, equivalence, power, alone, alone_1;
} rates;

static bool covers(const interval *i, double x) { return i->low <= x && x <= i->high; }

/* Of the mean, as the experiments are drawn. */
static double true_error(const experiment *e, double icc)
{
    double size[MOST] = {0}, variance = 0;
    for (int i = 0; i < e->s.n; i++)
        size[e->cluster[i]]++;
    for (int g = 0; g < e->s.clusters; g++)
        variance += size[g] * (1 + (size[g] - 1) * icc);
    return sqrt(variance) / e->s.n;
}

static bool significant(const experiment *e) { return test_of(&e->s, false, 1000, 1).p <= 0.05; }

/* shift: what is detectable if the standard error is the true one. */
static void of_values(rates *sum, double beyond[2], experiment *e, double error, double shift)
{
    estimate of = estimate_of(&e->s);
    interval i = interval_of(&of);
    double t = student_quantile(0.025, of.df);
    sum->coverage += covers(&i, 0);
    sum->width += of.se > 0 ? (i.high - i.low) / (2 * t * of.se) : 1;
    sum->mean_0 += significant(e);
    interval moved = {i.low + shift, i.high + shift};
    sum->power += !covers(&moved, 0);
    for (int side = 0; side < 2; side++) {
        estimate at = of;
        at.mean += (side ? -3 : 3) * error;
        beyond[side] += p_equivalence(&at, 3 * error) <= 0.05;
    }
    alone(e);
    estimate naive = estimate_of(&e->s);
    i = interval_of(&naive);
    sum->alone += covers(&i, 0);
}

/* b less a, both drawn alike. */
static void of_equals(rates *sum, experiment *e, const design *d, int shape, double icc)
{
    static experiment other;
    draw_experiment(e, d, shape, icc);
    draw_experiment(&other, d, shape, icc);
    for (int i = 0; i < e->s.n; i++)
        e->x[i] -= other.x[i];
    sum->type_1 += significant(e);
    alone(e);
    sum->alone_1 += significant(e);
}

static void print_rates(const design *d, int shape, double icc, int experiments)
{
    static experiment e;
    rates sum = {0};
    double beyond[2] = {0}, n = experiments;
    draw_experiment(&e, d, shape, icc);
    estimate truth = {0, true_error(&e, icc), estimate_of(&e.s).df, 0};
    double shift = detectable(&truth);
    for (int i = 0; i < experiments; i++) {
        draw_experiment(&e, d, shape, icc);
        of_values(&sum, beyond, &e, truth.se, shift);
        of_equals(&sum, &e, d, shape, icc);
    }
    printf("%.3f\t%.2f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\n", sum.coverage / n, sum.width / n,
           sum.type_1 / n, sum.mean_0 / n, fmax(beyond[0], beyond[1]) / n, sum.power / n,
           sum.alone / n, sum.alone_1 / n);
}

/* ---- others ---- */

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(const double *sorted, double part)
{
    double place = part * (RESAMPLES - 1);
    int below = (int)place;
    return below >= RESAMPLES - 1
               ? sorted[RESAMPLES - 1]
               : sorted[below] + (place - below) * (sorted[below + 1] - sorted[below]);
}

/* As many clusters, drawn with replacement. */
static void resample(experiment *to, const experiment *from)
{
    int n = 0;
    for (int g = 0; g < from->s.clusters; g++) {
        int drawn = (int)((unsigned __int128)splitmix64() * (unsigned)from->s.clusters >> 64);
        for (int i = 0; i < from->s.n; i++)
            if (from->cluster[i] == drawn) {
                to->x[n] = from->x[i];
                to->cluster[n++] = g;
            }
    }
    to->s = (sample){n, to->x, to->cluster, from->s.clusters};
}

static double below(double z) { return erfc(-z / sqrt(2)) / 2; }

/* The inverse of below(), by Newton's method. */
static double normal_quantile(double p)
{
    double z = 0;
    for (int i = 0; i < 100; i++)
        z += fmax(-1, fmin(1, (p - below(z)) * sqrt(2 * M_PI) * exp(z * z / 2)));
    return z;
}

/* Means without each cluster: k3 / (6 k2^1.5) of their deviations. */
static double acceleration(const experiment *e)
{
    double without[MOST] = {0}, n[MOST] = {0}, middle = 0, squares = 0, cubes = 0;
    int K = e->s.clusters;
    for (int g = 0; g < K; g++) {
        for (int i = 0; i < e->s.n; i++)
            if (e->cluster[i] != g)
                without[g] += e->x[i], n[g]++;
        middle += without[g] /= n[g];
    }
    for (int g = 0; g < K; g++) {
        double d = middle / K - without[g];
        squares += d * d;
        cubes += d * d * d;
    }
    return squares > 0 ? cubes / (6 * squares * sqrt(squares)) : 0;
}

/* Of skewness A, as interval.c has it, on both sides. */
static interval hall(const estimate *e, double t)
{
    double A = fabs(e->skewness) < 1e-9 ? 1e-9 : e->skewness;
    return (interval){e->mean - e->se * 3 / A * (cbrt(1 + A * (t - A / 6)) - 1),
                      e->mean - e->se * 3 / A * (cbrt(1 + A * (-t - A / 6)) - 1)};
}

static void print_others(const design *d, int shape, double icc, int experiments)
{
    static experiment e, again;
    double means[RESAMPLES], studentised[RESAMPLES], n = experiments;
    int covered[5] = {0};
    for (int i = 0; i < experiments; i++) {
        draw_experiment(&e, d, shape, icc);
        estimate of = estimate_of(&e.s);
        double t = student_quantile(0.025, of.df), less = 0;
        for (int r = 0; r < RESAMPLES; r++) {
            resample(&again, &e);
            estimate b = estimate_of(&again.s);
            double distance = b.mean - of.mean;
            means[r] = b.mean;
            studentised[r] = b.se > 0       ? distance / b.se
                             : distance < 0 ? -1e9
                             : distance > 0 ? 1e9
                                            : 0;
            less += distance < 0 ? 1 : distance > 0 ? 0 : 0.5;
        }
        qsort(means, RESAMPLES, sizeof *means, ascending);
        qsort(studentised, RESAMPLES, sizeof *studentised, ascending);
        double bias = normal_quantile(fmax(0.5, fmin(RESAMPLES - 0.5, less)) / RESAMPLES);
        double a = acceleration(&e), low = bias - 1.959964, high = bias + 1.959964;
        interval all[] = {
            {of.mean - t * of.se, of.mean + t * of.se},
            hall(&of, t),
            {quantile(means, 0.025), quantile(means, 0.975)},
            {quantile(means, below(bias + low / (1 - a * low))),
             quantile(means, below(bias + high / (1 - a * high)))},
            {of.mean - of.se * quantile(studentised, 0.975),
             of.mean - of.se * quantile(studentised, 0.025)},
        };
        for (int k = 0; k < 5; k++)
            covered[k] += covers(&all[k], 0);
    }
    for (int k = 0; k < 5; k++)
        printf("%.3f%c", covered[k] / n, k < 4 ? '\t' : '\n');
}

int main(int argc, char **argv)
{
    static const double ICC[] = {0, 0.3, 0.5};
    int experiments = argc > 1 ? atoi(argv[1]) : 10000;
    bool others = argc > 3;
    printf("design\tvalues\ticc\t%s\n",
           others ? "student\thall\tpercentile\tbca\tbootstrap_t"
                  : "coverage\twidth\ttype_1\tmean_0\tequivalence\tpower\talone\talone_1");
    for (size_t d = 0; d < sizeof DESIGN / sizeof *DESIGN; d++) {
        if (argc > 2 && *argv[2] && strcmp(argv[2], DESIGN[d].name) != 0)
            continue;
        for (int shape = 0; shape < SHAPES; shape++)
            for (int c = 0; c < (DESIGN[d].size[0] > 1 ? 3 : 1); c++) {
                state = d << 40 | (uint64_t)shape << 20 | (uint64_t)c;
                printf("%s\t%s\t%.1f\t", DESIGN[d].name, SHAPE[shape], ICC[c]);
                (others ? print_others : print_rates)(&DESIGN[d], shape, ICC[c], experiments);
                fflush(stdout);
            }
    }
    return 0;
}
