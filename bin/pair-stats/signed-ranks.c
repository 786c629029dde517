/*
** signed-ranks.c: F. Wilcoxon's signed-rank test, exact where there are ties and zeros as well.
**
** Doubled ranks are whole numbers even where ties share a mean rank, so the number of ways in which
** signs can give each sum is counted by adding one rank after the other. Below 2^53 ways, which 50
** ranks are, the counts are exact.
*/
#include <math.h>
#include <stdlib.h>

#include "../../common/die.h"
#include "statistics.h"

typedef struct {
    int n;
    double *size;        /* [n] ascending: differences without their signs */
    int *rank;           /* [n] of size, doubled */
    double ties;         /* sum of t^3 - t over groups of t equal sizes */
    int64_t plus, minus; /* doubled sums of ranks */
} ranking;

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

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
 * Two-sided it is twice the lesser of the two. */
static void p_of_all_signs(paired_test *w, const ranking *r)
{
    int64_t most = r->plus + r->minus, reached = 0;
    double *ways = new_bytes((size_t)(most + 1) * sizeof *ways), below = 0, above = 0;
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
    w->p = fmin(1, 2 * fmin(below, above) / pow(2, r->n));
    w->p_more = above / pow(2, r->n);
}

static void p_of_normal(paired_test *w, const ranking *r)
{
    double n = r->n, expected = n * (n + 1) / 4;
    double variance = (n * (n + 1) * (2 * n + 1) - r->ties / 2) / 24;
    double z = ((double)r->plus / 2 - expected) / sqrt(variance);
    w->p = erfc(fabs(z) / sqrt(2));
    w->p_more = erfc(z / sqrt(2)) / 2;
}

paired_test signed_ranks(const double *difference, int n)
{
    enum { EXACT = 50 };
    ranking r = ranking_of(difference, n);
    paired_test w = {r.n, (double)(r.plus < r.minus ? r.plus : r.minus) / 2, NAN, NAN, ""};
    bool plain = r.n == n && r.ties == 0;
    if (r.n > 0) {
        bool all_signs = r.n <= EXACT;
        w.method = !all_signs ? "normal" : plain ? "exact" : "permutation";
        (all_signs ? p_of_all_signs : p_of_normal)(&w, &r);
    }
    free(r.size);
    free(r.rank);
    return w;
}
