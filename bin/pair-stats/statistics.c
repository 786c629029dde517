/*
** statistics.c: what can be said of a few numbers.
**
** The hard idea is one distribution for both exact cases: doubled ranks are whole numbers even
** where ties share a mean rank, so the number of ways in which signs can give each sum is counted
** by adding one rank after the other. Below 2^53 ways the counts are exact.
*/
#include "statistics.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"

double mean(const double *x, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += x[i];
    return n ? sum / n : NAN;
}

double deviation(const double *x, int n)
{
    double middle = mean(x, n), squares = 0;
    for (int i = 0; i < n; i++)
        squares += (x[i] - middle) * (x[i] - middle);
    return n > 1 ? sqrt(squares / (n - 1)) : NAN;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* ---- bootstrap ---- */

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static double quantile(const double *sorted, int n, double part)
{
    double place = part * (n - 1);
    int below = (int)place;
    return below == n - 1 ? sorted[below]
                          : sorted[below] + (place - below) * (sorted[below + 1] - sorted[below]);
}

interval bootstrap(const double *x, int n, int resamples, uint64_t seed)
{
    if (n < 2)
        return (interval){NAN, NAN};
    double *means = new_bytes((size_t)resamples * sizeof *means);
    for (int i = 0; i < resamples; i++) {
        double sum = 0;
        for (int j = 0; j < n; j++)
            sum += x[(unsigned __int128)splitmix64(&seed) * (unsigned)n >> 64];
        means[i] = sum / n;
    }
    qsort(means, (size_t)resamples, sizeof *means, ascending);
    interval i = {quantile(means, resamples, 0.025), quantile(means, resamples, 0.975)};
    free(means);
    return i;
}

/* ---- Wilcoxon's signed-rank test ---- */

typedef struct {
    int n;
    double *size;        /* [n] ascending: differences without their signs */
    int *rank;           /* [n] of size, doubled */
    double ties;         /* sum of t^3 - t over groups of t equal sizes */
    int64_t plus, minus; /* doubled sums of ranks */
} ranking;

/* Equal sizes share the mean of the ranks that they take together. */
static void assign_ranks(ranking *r)
{
    for (int i = 0, end; i < r->n; i = end) {
        for (end = i + 1; end < r->n && r->size[end] == r->size[i];)
            end++;
        for (int j = i; j < end; j++)
            r->rank[j] = i + 1 + end;
        double t = end - i;
        r->ties += t * t * t - t;
    }
}

static int rank_of(const ranking *r, double size)
{
    const double *at = bsearch(&size, r->size, (size_t)r->n, sizeof size, ascending);
    return r->rank[at - r->size];
}

static ranking ranking_of(const double *difference, int n)
{
    ranking r = {.size = new_bytes((size_t)n * sizeof *r.size + 1),
                 .rank = new_bytes((size_t)n * sizeof *r.rank + 1)};
    for (int i = 0; i < n; i++)
        if (difference[i] != 0)
            r.size[r.n++] = fabs(difference[i]);
    qsort(r.size, (size_t)r.n, sizeof *r.size, ascending);
    assign_ranks(&r);
    for (int i = 0; i < n; i++)
        if (difference[i] != 0)
            *(difference[i] > 0 ? &r.plus : &r.minus) += rank_of(&r, fabs(difference[i]));
    return r;
}

/* How probable, if signs are fair coins, is a sum of positive ranks at most r->plus, or at least?
 * Twice the lesser of the two. */
static double p_of_all_signs(const ranking *r)
{
    int64_t most = r->plus + r->minus, reached = 0;
    double *ways = new_bytes((size_t)(most + 1) * sizeof *ways), below = 0, above = 0;
    memset(ways, 0, (size_t)(most + 1) * sizeof *ways);
    ways[0] = 1;
    for (int i = 0; i < r->n; i++) {
        reached += r->rank[i];
        for (int64_t s = reached; s >= r->rank[i]; s--)
            ways[s] += ways[s - r->rank[i]];
    }
    for (int64_t s = 0; s <= most; s++) {
        below += s <= r->plus ? ways[s] : 0;
        above += s >= r->plus ? ways[s] : 0;
    }
    free(ways);
    return fmin(1, 2 * fmin(below, above) / pow(2, r->n));
}

static double p_of_normal(const ranking *r)
{
    double n = r->n, expected = n * (n + 1) / 4;
    double variance = (n * (n + 1) * (2 * n + 1) - r->ties / 2) / 24;
    return erfc(fabs((double)r->plus / 2 - expected) / sqrt(variance) / sqrt(2));
}

paired_test wilcoxon(const double *difference, int n)
{
    enum { EXACT = 50, PERMUTED = 13 };
    ranking r = ranking_of(difference, n);
    paired_test w = {r.n, (double)(r.plus < r.minus ? r.plus : r.minus) / 2, NAN, ""};
    bool plain = r.n == n && r.ties == 0;
    if (r.n > 0) {
        bool all_signs = n <= (plain ? EXACT : PERMUTED);
        w.method = !all_signs ? "normal" : plain ? "exact" : "permutation";
        w.p = all_signs ? p_of_all_signs(&r) : p_of_normal(&r);
    }
    free(r.size);
    free(r.rank);
    return w;
}

/* ---- McNemar's test ---- */

paired_test mcnemar(const double *difference, int n)
{
    int better = 0, worse = 0;
    for (int i = 0; i < n; i++) {
        better += difference[i] > 0;
        worse += difference[i] < 0;
    }
    int all = better + worse, fewer = better < worse ? better : worse;
    paired_test t = {all, fewer, NAN, ""};
    if (all == 0)
        return t;
    double ways = 1,
           sum = 1; /* C(all, k), and their sum so far; times 2^scale they are over 2^all */
    int scale = -all;
    for (int k = 1; k <= fewer; k++) {
        sum += ways = ways * (all - k + 1) / k;
        if (sum > 0x1p500)
            sum *= 0x1p-500, ways *= 0x1p-500, scale += 500;
    }
    t.p = fmin(1, ldexp(sum, scale + 1));
    t.method = "mcnemar";
    return t;
}
