/*
** clip.c: for each range that has a scale (a group, a row, ...) the factor by which its least and
** greatest value are multiplied, so that rounding to nearest changes the layer's outputs least.
**
** 21 factors from 1 to 0.5 are tried, each on all ranges at once, and every range keeps its best
** (of two equally good ones the greater). AWQ's program searches so too, after its scales;
** OmniQuant (Shao et al. 2023, arXiv:2308.13137) learns the same factors by gradient descent.
*/
#include "clip.h"

#include <math.h>
#include <stdlib.h>

#include "../../common/die.h"
#include "trial.h"

enum { TRIALS = 21 };

float *clip_search(const rule *r, const float *w, int64_t out, int64_t in, const moments *m,
                   const char **why)
{
    int64_t n = rule_ranges(r, out, in);
    pieces p = pieces_of(r, out, in);
    float *best = new_bytes((size_t)n * sizeof *best), *now = new_bytes((size_t)n * sizeof *now);
    float *y = new_bytes((size_t)(out * in) * sizeof *y);
    double *errors = new_bytes((size_t)(out * p.n) * sizeof *errors);
    double *sum = new_bytes((size_t)n * sizeof *sum), *lowest = new_bytes((size_t)n * sizeof *sum);
    *why = NULL;
    for (int64_t i = 0; i < n; i++)
        lowest[i] = INFINITY;
    for (int trial = 0; trial < TRIALS && !*why; trial++) {
        for (int64_t i = 0; i < n; i++) {
            now[i] = 1 - 0.5f * (float)trial / (TRIALS - 1);
            sum[i] = 0;
        }
        *why = trial_values(r, y, w, out, in, now);
        if (*why)
            break;
        trial_errors(errors, y, w, out, &p, m);
        for (int64_t row = 0; row < out; row++)
            for (int i = 0; i < p.n; i++)
                sum[rule_range(r, in, row, p.first[i])] += errors[row * p.n + i];
        for (int64_t i = 0; i < n; i++)
            if (sum[i] < lowest[i]) {
                lowest[i] = sum[i];
                best[i] = now[i];
            }
    }
    free(lowest);
    free(sum);
    free(errors);
    free(y);
    free(now);
    pieces_free(&p);
    if (*why) {
        free(best);
        return NULL;
    }
    return best;
}
