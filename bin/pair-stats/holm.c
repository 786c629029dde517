/*
** holm.c: p of several tests together.
*/
#include <math.h>
#include <stdlib.h>

#include "../../common/die.h"
#include "statistics.h"

typedef struct {
    double p;
    int of;
} place;

static int ascending(const void *a, const void *b)
{
    const place *x = a, *y = b;
    return (x->p > y->p) - (x->p < y->p);
}

void holm(double *adjusted, const double *p, int n)
{
    place *order = new_bytes((size_t)n * sizeof *order + 1);
    int tests = 0;
    double most = 0;
    for (int i = 0; i < n; i++) {
        adjusted[i] = NAN;
        if (!isnan(p[i]))
            order[tests++] = (place){p[i], i};
    }
    qsort(order, (size_t)tests, sizeof *order, ascending);
    for (int i = 0; i < tests; i++)
        adjusted[order[i].of] = most = fmax(most, fmin(1, (tests - i) * order[i].p));
    free(order);
}
