/*
** sign-flips.c: the permutation test of pairs whose clusters keep together: all signs of the
** clusters' sums, counted without going through them one by one.
**
** The sums of all signs of half of the clusters are a list that one cluster more doubles: the list
** less its size and the list more its size, both sorted, are merged. Of two such lists, a place in
** one and a place in the other that moves against it count the pairs whose sum is far enough: 2^40
** signs with 2^21 sums (E. Horowitz and S. Sahni 1974).
*/
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "statistics.h"

enum { COUNTED = 40 };

/* Sums of sizes that are equal in decimals can differ in their last bits: such sums count as
 * reached. Of the sum of all sizes. */
static const double EQUAL = 1e-11;

/* All 2^k sums of signed sizes, ascending. */
static double *signed_sums(const double *size, int k)
{
    double *sums = new_bytes(sizeof *sums << k), *next = new_bytes(sizeof *next << k);
    size_t n = 1;
    for (int j = 0; j < k; j++, n *= 2) {
        for (size_t less = 0, more = 0; less + more < 2 * n;) {
            bool first = more == n || (less < n && sums[less] - size[j] <= sums[more] + size[j]);
            next[less + more] = first ? sums[less] - size[j] : sums[more] + size[j];
            *(first ? &less : &more) += 1;
        }
        double *old = sums;
        sums = next;
        next = old;
    }
    free(next);
    return sums;
}

/* How many of all signs have a sum of at least `least`, of 2^k. */
static double count_from(const double *size, int k, double least)
{
    int half = k / 2;
    size_t n = (size_t)1 << half, m = (size_t)1 << (k - half), from = m;
    double *a = signed_sums(size, half), *b = signed_sums(size + half, k - half);
    uint64_t count = 0;
    for (size_t i = 0; i < n; i++) {
        while (from > 0 && a[i] + b[from - 1] >= least)
            from--;
        count += m - from;
    }
    free(a);
    free(b);
    return (double)count;
}

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* [(k + 7) / 8][256]: the sum of eight sizes for each choice of their signs; a bit is a plus. */
static double *sums_of_bytes(const double *size, int k)
{
    int bytes = (k + 7) / 8;
    double *sums = new_bytes((size_t)bytes * 256 * sizeof *sums);
    for (int i = 0; i < 256 * bytes; i++)
        for (int j = 0; j < 8 && i / 256 * 8 + j < k; j++)
            sums[i] += (i >> j & 1 ? 1 : -1) * size[i / 256 * 8 + j];
    return sums;
}

/* The shares of drawn signs whose sum is as far from 0, and as far above it, those of the sample
 * among them (B. Phipson and G. K. Smyth 2010). */
static void p_of_draws(paired_test *t, const double *size, int k, const double least[2],
                       int64_t draws, uint64_t seed)
{
    double *sums = sums_of_bytes(size, k);
    int64_t reached = 1, above = 1;
    for (int64_t i = 0; i < draws; i++) {
        double sum = 0;
        uint64_t bits = 0;
        for (int j = 0; 8 * j < k; j++, bits >>= 8) {
            if (j % 8 == 0)
                bits = splitmix64(&seed);
            sum += sums[256 * j + (int)(bits & 255)];
        }
        reached += fabs(sum) >= least[0];
        above += sum >= least[1];
    }
    free(sums);
    t->p = (double)reached / (double)(draws + 1);
    t->p_more = (double)above / (double)(draws + 1);
}

/* The clusters' sums that are not 0, without their signs; returns how many. */
static int sizes_of(const sample *s, double *size, double *total)
{
    int k = 0;
    for (int i = 0; i < s->n; i++)
        size[s->cluster[i]] += s->x[i];
    for (int g = 0; g < s->clusters; g++)
        *total += fabs(size[g]);
    for (int g = 0; g < s->clusters; g++)
        if (fabs(size[g]) > EQUAL * *total)
            size[k++] = fabs(size[g]);
    return k;
}

paired_test sign_flips(const sample *s, int64_t draws, uint64_t seed)
{
    double *size = new_bytes((size_t)s->clusters * sizeof *size + 1), total = 0;
    int k = sizes_of(s, size, &total);
    paired_test t = {k, mean(s->x, s->n), NAN, NAN, ""};
    if (k > 0) {
        bool counted = k <= COUNTED;
        double sum = t.statistic * s->n;
        double least[2] = {fabs(sum) - EQUAL * total, sum - EQUAL * total};
        t.method = counted ? "clusters" : "clusters-sampled";
        if (counted) {
            t.p = ldexp(count_from(size, k, least[0]), 1 - k);
            t.p_more = ldexp(count_from(size, k, least[1]), -k);
        } else
            p_of_draws(&t, size, k, least, draws, seed);
        if (least[0] <= 0)
            t.p = 1;
    }
    free(size);
    return t;
}
