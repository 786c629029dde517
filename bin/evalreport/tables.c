/*
** tables.c: what the metrics say of a variant against the reference, beside the floor. Numbers are
** rounded for reading; all their digits are in the evaluation's CSV files.
*/
#include "tables.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"

enum { FEWEST = 6 }; /* of fewer pairs, no two-sided signed-rank p is under 0.05: 2 / 2^5 */

static char *copy(const char *text) { return new_format("%s", text); }

/* "0.2931 (0.0120)": mean and standard deviation. */
char *mean_sd(double mean, double sd, int decimals)
{
    if (isnan(mean) || isnan(sd))
        return figure(mean, decimals);
    char *a = figure(mean, decimals), *b = figure(sd, decimals);
    char *text = new_format("%s (%s)", a, b);
    free(a);
    free(b);
    return text;
}

static char *count_text(double n) { return figure(n, 0); }

/* The tests are of prompts where they know them: the videos of one are no more than one. */
static double clusters_of(const evaluation *e, int variant)
{
    double clusters = NAN;
    for (int k = 0; k < e->of_videos; k++) /* a metric that no pair has is of no prompt */
        clusters = fmax(clusters, compare(e, &e->metric[k], variant).clusters);
    return clusters;
}

char *sample_words(const evaluation *e, int variant)
{
    int pairs = pair_count(e, variant);
    double clusters = clusters_of(e, variant);
    int n = clusters > 0 && clusters < pairs ? (int)clusters : pairs;
    if (pairs == 0)
        return copy("No pairs: nothing can be compared.");
    if (pairs == 1)
        return copy("One pair only: it shows an example, and no spread.");
    char *of = n < pairs ? new_format("%d pairs of %d prompt%s", pairs, n, n == 1 ? "" : "s")
                         : new_format("%d pairs", pairs);
    char *text = n >= FEWEST ? new_format("%s.", of)
                             : new_format("%s only: too few for any difference to be significant "
                                          "at 5 %% (the smallest possible p is %.3g).",
                                          of, fmin(1, 2 / pow(2, n)));
    free(of);
    return text;
}

/* ---- summaries ---- */

/* Has one of the n metrics a note? Else the column would be empty. */
static bool has_notes(const evaluation *e, int variant, const metric *m, int n)
{
    for (int i = 0; i < n; i++)
        if (*compare(e, &m[i], variant).note)
            return true;
    return false;
}

static void summary_line(table *t, const evaluation *e, const metric *m, int variant, bool notes)
{
    comparison c = compare(e, m, variant);
    int fine = difference_decimals(m, &c);
    table_put(t, metric_title(m));
    table_put(t, count_text(isnan(c.n) ? 0 : c.n));
    table_put(t, mean_sd(c.mean_a, c.sd_a, m->decimals));
    if (variant > 0) {
        table_put(t, mean_sd(c.mean_b, c.sd_b, m->decimals));
        table_put(t, figure(c.difference, fine));
        table_put(t, interval(c.low, c.high, fine));
        table_put(t, probability(c.p));
        table_copy(t, c.formed ? "none" : *c.method ? c.method : "\u2013");
    }
    if (notes)
        table_copy(t, c.note);
}

table summary_table(const evaluation *e, int variant)
{
    const char *a = e->variant[0], *b = e->variant[variant];
    bool notes = has_notes(e, variant, e->metric, e->of_videos) ||
                 has_notes(e, variant, e->judge, e->judges);
    table t = table_new(variant ? new_format("%s against %s: metrics of the videos, mean (standard "
                                             "deviation) over pairs",
                                             b, a)
                                : new_format("%s: metrics of the videos, mean (standard "
                                             "deviation)",
                                             a));
    table_head(&t, "metric", false);
    table_head(&t, "n", true);
    table_head(&t, a, true);
    if (variant) {
        table_head(&t, b, true);
        table_head(&t, "difference", true);
        table_head(&t, "95\u00a0% interval", true);
        table_head(&t, "p", true);
        table_head(&t, "test", false);
    }
    if (notes)
        table_head(&t, "note", false);
    for (int i = 0; i < e->of_videos; i++)
        summary_line(&t, e, &e->metric[i], variant, notes);
    for (int i = 0; i < e->judges; i++)
        summary_line(&t, e, &e->judge[i], variant, notes);
    return t;
}

table distance_table(const evaluation *e, int variant)
{
    bool notes = has_notes(e, variant, e->metric + e->of_videos, e->metrics - e->of_videos);
    bool twins = has_twins(e, variant);
    table t = table_new(new_format("%s against %s: how far the videos of a pair are apart",
                                   e->variant[variant], e->variant[0]));
    table_head(&t, "metric", false);
    table_head(&t, "n", true);
    table_head(&t, "mean (sd)", true);
    table_head(&t, "95\u00a0% interval", true);
    if (twins) {
        table_head(&t, "farther than twins", true);
        table_head(&t, "p", true);
        table_head(&t, "test", false);
    }
    if (notes)
        table_head(&t, "note", false);
    for (int i = e->of_videos; i < e->metrics && distance_of(e, variant) >= 0; i++) {
        const metric *m = &e->metric[i];
        comparison c = compare(e, m, variant);
        table_put(&t, metric_title(m));
        table_put(&t, count_text(isnan(c.n) ? 0 : c.n));
        table_put(&t, mean_sd(c.mean_b, c.sd_b, m->decimals));
        table_put(&t, interval(c.low, c.high, m->decimals));
        if (twins) {
            table_put(&t, figure(c.farther, m->decimals));
            table_put(&t, probability(c.p));
            table_copy(&t, *c.method ? c.method : "\u2013");
        }
        if (notes)
            table_copy(&t, c.note);
    }
    return t;
}

/* ---- the floor ---- */

static void effect_line(table *t, const metric *m, const comparison *c)
{
    int fine = difference_decimals(m, c);
    double effect = m->of_pairs ? c->mean_b : c->difference;
    table_put(t, metric_title(m));
    table_put(t, verdict(m, c));
    table_put(t, figure(effect, m->of_pairs ? m->decimals : fine));
    table_put(t, probability(c->p_holm));
    table_put(t, figure(c->floor, m->of_pairs ? m->decimals : fine));
    table_put(t, probability(c->p_equivalence));
    table_put(t, figure(c->detectable, decimals_for(c->detectable, 2, m->decimals)));
}

table effect_table(const evaluation *e, int variant)
{
    table t = table_new(
        new_format("%s against %s: effect beside floor", e->variant[variant], e->variant[0]));
    table_head(&t, "metric", false);
    table_head(&t, "in words", false);
    table_head(&t, "effect", true);
    table_head(&t, "p (Holm)", true);
    table_head(&t, "floor", true);
    table_head(&t, "p of equivalence", true);
    table_head(&t, "least that is seen", true);
    for (int k = 0; k < e->metrics + e->judges; k++) {
        const metric *m = k < e->metrics ? &e->metric[k] : &e->judge[k - e->metrics];
        comparison c = compare(e, m, variant);
        if (isfinite(c.floor) || isfinite(c.detectable) || isfinite(c.within))
            effect_line(&t, m, &c);
    }
    return t;
}

/* What a twin is, where its name is one of those that `make floor` gives. */
static const char *twin_words(const char *name)
{
    static const char *const twin[][2] = {
        {"perturb", "the initial noise changed in its last bit"},
        {"bf16", "computed in bf16"},
        {"reencode", "the mp4 compressed once more"},
        {"dither", "frames changed by one level"},
        {"frames", "frames in place of the mp4"},
    };
    for (size_t i = 0; i < sizeof twin / sizeof *twin; i++)
        if (strncmp(name, twin[i][0], strlen(twin[i][0])) == 0)
            return twin[i][1];
    return "\u2013";
}

table floor_table(const evaluation *e)
{
    const csv *f = &e->table[FLOOR];
    table t = table_new(new_format("The floor: twins of %s, which differ from it by rounding, "
                                   "decoding or compression alone",
                                   e->recorded));
    table_head(&t, "metric", false);
    table_head(&t, "twin", false);
    table_head(&t, "n", true);
    table_head(&t, "effect", true);
    table_head(&t, "95\u00a0% interval", true);
    table_head(&t, "what differs", false);
    for (int k = 0; k < e->metrics + e->judges; k++) {
        const metric *m = k < e->metrics ? &e->metric[k] : &e->judge[k - e->metrics];
        for (int row = -1; (row = floor_row(e, m, row + 1)) >= 0;) {
            comparison c = {.difference = known_at(f, row, "difference"),
                            .low = known_at(f, row, "low"),
                            .high = known_at(f, row, "high")};
            if (m->of_pairs) /* whose mean stands where that of one variant does */
                c.difference = known_at(f, row, csv_find(f, "mean") >= 0 ? "mean" : "mean_a");
            int fine = m->of_pairs ? m->decimals : difference_decimals(m, &c);
            table_put(&t, metric_title(m));
            table_copy(&t, text_at(f, row, "variant_b"));
            table_put(&t, count_text(known_at(f, row, "n")));
            table_put(&t, figure(c.difference, fine));
            table_put(&t, interval(c.low, c.high, fine));
            table_copy(&t, twin_words(text_at(f, row, "variant_b")));
        }
    }
    return t;
}
