/*
** twins.c: each pair beside the farthest of the reference's twins.
**
** Signed effects of a metric of videos can cancel where every video is another: two videos with
** equal scores are not the same video. What is of two videos together does not cancel, but is
** never 0 either, so it is held against what the twins have of the same prompt and seed. The
** farthest of several twins is farther than any one of them mostly is: a variant that is one more
** twin is called different less often than the level of the test says.
*/
#include "twins.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "../../common/nameindex.h"
#include "floor.h"

static char *key_of(const csv *t, int row, int name, int reference)
{
    const char *first = csv_text(t, row, reference);
    return new_format("%zu:%s%s", strlen(first), first, csv_text(t, row, name));
}

double *twin_distances(const csv *t, const csv *twins, const char *metric)
{
    int own = csv_find(twins, metric), better = better_is(metric);
    int name = csv_column(twins, "name"), reference = csv_column(twins, "variant_a");
    int our_name = csv_column(t, "name"), our_reference = csv_column(t, "variant_a");
    if (own < 0 || better == 0)
        return NULL;
    double *worst = new_bytes((size_t)twins->rows * sizeof *worst + 1); /* [names] */
    double *of_row = new_bytes((size_t)t->rows * sizeof *of_row + 1);
    struct json_t *index = NULL;
    int names = 0;
    for (int row = 0; row < twins->rows; row++) {
        double x = csv_number(twins, row, own);
        if (isnan(x))
            continue;
        char *key = key_of(twins, row, name, reference);
        int at = index_find(index, key);
        if (at < 0) {
            index_note(&index, key, at = names++);
            worst[at] = x;
        }
        worst[at] = better > 0 ? fmin(worst[at], x) : fmax(worst[at], x);
        free(key);
    }
    for (int row = 0; row < t->rows; row++) {
        char *key = key_of(t, row, our_name, our_reference);
        int at = index_find(index, key);
        of_row[row] = at < 0 ? NAN : worst[at];
        free(key);
    }
    if (index)
        index_free(&index);
    free(worst);
    return of_row;
}

paired_test farther_test(values *v, int64_t draws, uint64_t seed)
{
    double most = 0;
    for (int i = 0; i < v->n; i++)
        if (isfinite(v->difference[i]))
            most = fmax(most, fabs(v->difference[i]));
    for (int i = 0; i < v->n; i++)
        if (isinf(v->difference[i]))
            v->difference[i] = copysign(most > 0 ? 2 * most : 1, v->difference[i]);
    sample s = sample_of(v);
    return test_of(&s, false, draws, seed);
}
