/*
** skip-rule.h: --skip's rule, read from its text.
*/
#ifndef SKIP_RULE_H
#define SKIP_RULE_H

#include "ratios.h"
#include "run.h"

enum { COEFFICIENTS = 5, MOST_STEPS = 1000 };

typedef enum { SKIP_NONE, SKIP_LIST, SKIP_TEACACHE, SKIP_MAGCACHE, SKIP_EASYCACHE } skip_kind;

typedef struct {
    skip_kind kind;
    char *text; /* for the record: without a file's name */
    bool listed[MOST_STEPS];
    int greatest; /* of the list, counted from 1 */
    double threshold;
    double c[COEFFICIENTS]; /* TeaCache's polynomial, the constant last */
    const char *of;         /* whose coefficients these are; NULL: those of the model's width */
    bool projected;   /* TeaCache: looks at the projected embedding, with other coefficients */
    int first;        /* so many steps are computed, whatever the rule says */
    int most;         /* MagCache: so many answers in a row */
    double retention; /* MagCache: such a share of the steps is computed first */
    ratio_table ratios;
} skip_rule;

/* Usage error, or death for a file that is not of ratios. text: NULL: no rule. */
skip_rule skip_rule_read(const char *text);
/* Dies if it is not for these steps or this model; completes the rule. */
void skip_rule_fit(skip_rule *rule, const request *q, const dit *m);

#endif
