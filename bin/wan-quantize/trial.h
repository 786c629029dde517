/*
** trial.h: a weight rounded to nearest on trial, and what that does to the outputs.
*/
#ifndef TRIAL_H
#define TRIAL_H

#include "calibration.h"
#include "rule.h"

/* y [out, in] = what w would be, by any rule; clip as in rule_fit(). NULL, or why it cannot be. */
const char *trial_values(const rule *r, float *y, const float *w, int64_t out, int64_t in,
                         const float *clip);

/* Columns in pieces that lie in one range of the rule and are 512 wide at most. */
typedef struct {
    int n;
    int64_t *first; /* [n + 1] */
} pieces;

pieces pieces_of(const rule *r, int64_t out, int64_t in);
void pieces_free(pieces *p);

/* errors [out, n]: of each row and piece of e = y - w, the sum of squares of what e adds to the
 * row's output: e G e^T of the piece's gram, or by the squares alone where there is no gram. */
void trial_errors(double *errors, const float *y, const float *w, int64_t out, const pieces *p,
                  const moments *m);
/* The sum of all of them. */
double trial_error(const float *y, const float *w, int64_t out, const pieces *p, const moments *m);

#endif
