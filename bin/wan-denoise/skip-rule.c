/*
** skip-rule.c: the grammar of --skip, and TeaCache's published coefficients.
**
** Source of the coefficients: TeaCache4Wan2.1 (ali-vilab/TeaCache), text-to-video, with and without
** its use_ret_steps.
*/
#include "skip-rule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"

static const struct {
    const char *name;
    int64_t dim;
    bool projected;
    double c[COEFFICIENTS];
} PUBLISHED[] = {
    {"1.3B", 1536, false, {2396.76752, -1311.10545, 201.331979, -8.29855975, 0.137887774}},
    {"14B",
     5120,
     false,
     {-5784.54975374, 5449.50911966, -1811.16591783, 256.27178429, -13.02252404}},
    {"1.3B", 1536, true, {-52186.2437, 9230.41404, -528.275948, 13.6987616, -0.0499875664}},
    {"14B", 5120, true, {-303318.725, 49053.7029, -2655.30556, 58.7365115, -0.315583525}},
};
enum { SETS = sizeof PUBLISHED / sizeof *PUBLISHED };

_Noreturn static void unreadable(const char *text)
{
    usage_error("--skip takes STEP,.. or teacache:THRESHOLD.., magcache:THRESHOLD..:FILE or "
                "easycache:THRESHOLD.., not '%s'",
                text);
}

/* Numbers with commas between, up to the end; how many, at most `most`. */
static int numbers(double x[], int most, const char *text, const char *whole)
{
    int n = 0;
    for (const char *at = text;; at++) {
        char *end;
        if (n == most)
            unreadable(whole);
        x[n++] = strtod(at, &end);
        if (end == at || (*end && *end != ',') || !isfinite(x[n - 1]))
            unreadable(whole);
        at = end;
        if (!*at)
            return n;
    }
}

/* A number of this range. */
static double number(const char *text, const char *whole, double least, double most)
{
    double x;
    if (numbers(&x, 1, text, whole) != 1 || x < least || x > most)
        unreadable(whole);
    return x;
}

/* The text up to a colon or the end; *at is then behind it, or NULL. To be freed. */
static char *part(const char **at)
{
    size_t n = strcspn(*at, ":");
    char *text = new_format("%.*s", (int)n, *at);
    *at = (*at)[n] ? *at + n + 1 : NULL;
    return text;
}

/* 5,7-9 */
static void read_list(skip_rule *rule, const char *text)
{
    rule->kind = SKIP_LIST;
    for (const char *at = text;; at++) {
        char *end;
        long from = strtol(at, &end, 10), to = from;
        if (end != at && *end == '-') {
            at = end + 1;
            to = strtol(at, &end, 10);
        }
        if (end == at || (*end && *end != ',') || from < 1 || to < from || to > MOST_STEPS)
            unreadable(text);
        for (long i = from; i <= to; i++)
            rule->listed[i - 1] = true;
        rule->greatest = to > rule->greatest ? (int)to : rule->greatest;
        at = end;
        if (!*at)
            break;
    }
    if (rule->listed[0])
        usage_error("--skip: step 1 has nothing before it that would answer it");
}

/* THRESHOLD[:1.3B|14B|C,..][:ret] */
static void read_teacache(skip_rule *rule, const char *at, const char *whole)
{
    rule->kind = SKIP_TEACACHE;
    char *text = part(&at);
    rule->threshold = number(text, whole, 0, INFINITY);
    free(text);
    for (; at; free(text)) {
        text = part(&at);
        if (strcmp(text, "ret") == 0) {
            rule->projected = true;
            continue;
        }
        for (int i = 0; i < SETS; i++)
            if (strcmp(PUBLISHED[i].name, text) == 0)
                rule->of = PUBLISHED[i].name;
        if (!rule->of) {
            double c[COEFFICIENTS];
            int n = numbers(c, COEFFICIENTS, text, whole);
            memcpy(rule->c + COEFFICIENTS - n, c, sizeof *c * (size_t)n);
            rule->of = "given";
        }
    }
    rule->first = rule->projected ? 5 : 1;
}

/* THRESHOLD[,MOST[,RETENTION]]:FILE */
static void read_magcache(skip_rule *rule, const char *at, const char *whole)
{
    double value[3] = {0, 2, 0.2};
    rule->kind = SKIP_MAGCACHE;
    char *text = part(&at);
    numbers(value, 3, text, whole);
    free(text);
    if (!at || value[0] < 0 || value[1] < 0 || value[1] > MOST_STEPS || value[2] < 0 ||
        value[2] > 1)
        unreadable(whole);
    rule->threshold = value[0];
    rule->most = (int)value[1];
    rule->retention = value[2];
    rule->ratios = ratios_read(at);
    rule->text = new_format("magcache:%.9g,%d,%.9g", value[0], rule->most, value[2]);
}

/* THRESHOLD[,FIRST] */
static void read_easycache(skip_rule *rule, const char *at, const char *whole)
{
    double value[2] = {0, 10};
    rule->kind = SKIP_EASYCACHE;
    numbers(value, 2, at, whole);
    if (value[0] < 0 || value[1] < 1 || value[1] > MOST_STEPS)
        unreadable(whole);
    rule->threshold = value[0];
    rule->first = (int)value[1];
}

skip_rule skip_rule_read(const char *text)
{
    skip_rule rule = {0};
    if (!text)
        return rule;
    if (strncmp(text, "teacache:", 9) == 0)
        read_teacache(&rule, text + 9, text);
    else if (strncmp(text, "magcache:", 9) == 0)
        read_magcache(&rule, text + 9, text);
    else if (strncmp(text, "easycache:", 10) == 0)
        read_easycache(&rule, text + 10, text);
    else
        read_list(&rule, text);
    if (!rule.text)
        rule.text = new_format("%s", text);
    return rule;
}

void skip_rule_fit(skip_rule *rule, const request *q, const dit *m)
{
    if (rule->kind == SKIP_NONE)
        return;
    if (q->solver == SOLVER_HEUN)
        die("--skip is not for --solver heun, whose steps have two calls");
    if (rule->greatest > q->plan.steps)
        die("--skip names step %d of %d", rule->greatest, q->plan.steps);
    if (rule->kind != SKIP_TEACACHE || (rule->of && strcmp(rule->of, "given") == 0))
        return;
    for (int i = 0; i < SETS; i++)
        if (PUBLISHED[i].projected == rule->projected &&
            (rule->of ? strcmp(PUBLISHED[i].name, rule->of) == 0 : PUBLISHED[i].dim == m->dim)) {
            memcpy(rule->c, PUBLISHED[i].c, sizeof rule->c);
            return;
        }
    die("--skip teacache: no coefficients are published for a model %lld wide; give some, or say "
        "1.3B or 14B",
        (long long)m->dim);
}
