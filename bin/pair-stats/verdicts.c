/*
** verdicts.c: Q. McNemar's test of what is right or wrong, in its exact form.
*/
#include <math.h>

#include "statistics.h"

paired_test mcnemar(const double *difference, int n)
{
    int better = 0, worse = 0;
    for (int i = 0; i < n; i++) {
        better += difference[i] > 0;
        worse += difference[i] < 0;
    }
    int all = better + worse, fewer = better < worse ? better : worse;
    paired_test t = {all, fewer, NAN, NAN, ""};
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

paired_test test_of(const sample *s, bool verdicts, int64_t draws, uint64_t seed)
{
    if (!without_clusters(s))
        return sign_flips(s, draws, seed);
    return verdicts ? mcnemar(s->x, s->n) : signed_ranks(s->x, s->n);
}
