/*
** ranking.c: orders by a metric. Nothing is weighed against anything else: a ranking is by one
** metric, which it names, and a front (V. Pareto's) by one metric and one cost.
*/
#include "ranking.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "tables.h"

/* ---- order ---- */

typedef struct {
    double quality;
    int which;
} place;

static int by_quality(const void *a, const void *b)
{
    const place *p = a, *q = b;
    if (isnan(p->quality) != isnan(q->quality))
        return isnan(p->quality) ? 1 : -1;
    if (p->quality != q->quality && !isnan(p->quality))
        return p->quality > q->quality ? -1 : 1;
    return p->which - q->which;
}

/* Sorts, the greatest first, and returns who stands where; takes the places. */
static int *sorted(place *p, int n)
{
    int *order = new_bytes((size_t)(n + 1) * sizeof *order);
    qsort(p, (size_t)n, sizeof *p, by_quality);
    for (int i = 0; i < n; i++)
        order[i] = p[i].which;
    free(p);
    return order;
}

static double variant_quality(const evaluation *e, const metric *m, int variant)
{
    comparison c = compare(e, m, variant);
    return quality(m, c.difference, c.mean_b);
}

int *ranked_variants(const evaluation *e, const metric *m)
{
    place *p = new_bytes((size_t)e->variants * sizeof *p);
    for (int v = 1; v < e->variants; v++)
        p[v - 1] = (place){m ? variant_quality(e, m, v) : NAN, v};
    return sorted(p, e->variants - 1);
}

static bool all_have(const evaluation *e, const metric *m)
{
    for (int v = 1; v < e->variants; v++)
        if (isnan(variant_quality(e, m, v)))
            return false;
    return true;
}

/* All subjects, the one whose worst pair is the worst first; those without a pair last. Without a
 * metric to sort by, as they come. */
static int *worst_first(const evaluation *e)
{
    place *p = new_bytes((size_t)(e->subjects + 1) * sizeof *p);
    for (int i = 0; i < e->subjects; i++) {
        p[i] = (place){NAN, i};
        for (int v = 1; v < e->variants && e->by; v++) {
            double a, b;
            pair_values(e, e->by, v, i, &a, &b);
            double badness = -quality(e->by, b - a, b);
            if (!isnan(badness) && !(p[i].quality >= badness))
                p[i].quality = badness;
        }
    }
    return sorted(p, e->subjects);
}

static const metric *first_that_all_have(const evaluation *e)
{
    for (int k = e->of_videos; k < e->metrics; k++)
        if (all_have(e, &e->metric[k]))
            return &e->metric[k];
    for (int k = 0; k < e->of_videos; k++)
        if (all_have(e, &e->metric[k]))
            return &e->metric[k];
    return NULL;
}

void choose_rank(evaluation *e, const char *name)
{
    e->by = name ? metric_of(e, name) : NULL;
    if (name && !e->by)
        die("%s has no metric '%s'", e->directory, name);
    if (!e->by && e->variants > 1)
        e->by = first_that_all_have(e);
    e->order = worst_first(e);
    e->place = new_bytes((size_t)(e->subjects + 1) * sizeof *e->place);
    for (int i = 0; i < e->subjects; i++)
        e->place[e->order[i]] = i;
}

void choose_films(evaluation *e, int64_t most)
{
    e->films = most < e->subjects ? (int)most : e->subjects;
}

bool is_filmed(const evaluation *e, int which) { return e->place[which] < e->films; }

char *film_link(const evaluation *e, int which)
{
    return is_filmed(e, which) ? new_format("#video-%d", which + 1) : NULL;
}

/* ---- cost and front ---- */

/* Bytes as files have them, where the tables say so of a variant; else those on the device. */
static const char *bytes_column(const evaluation *e)
{
    for (int i = 0; i < e->table[COSTS].rows; i++)
        if (known_at(&e->table[COSTS], i, "format_bytes") > 0)
            return "format_bytes";
    return "weight_bytes";
}

double cost_of(const evaluation *e, cost_kind kind, int variant)
{
    const csv *t = &e->table[COSTS];
    const char *column = kind == OF_BYTES ? bytes_column(e) : "step_seconds";
    double x = known_at(t, cost_row(e, variant), column);
    if (strcmp(column, "format_bytes") != 0 && is_fake(e, variant))
        return NAN;
    return x > 0 ? x / (kind == OF_BYTES ? 1e6 : 1) : NAN;
}

const char *cost_name(cost_kind kind) { return kind == OF_BYTES ? "weights (MB)" : "one step (s)"; }

bool is_costed(const evaluation *e, cost_kind kind)
{
    int n = 0;
    for (int v = 0; v < e->variants; v++)
        n += isfinite(cost_of(e, kind, v)) != 0;
    return n > 1;
}

/* That of the reference is what a difference of 0 is, or no distance at all. */
static double place_of(const evaluation *e, const metric *m, int variant)
{
    return variant ? variant_quality(e, m, variant) : m->of_pairs ? INFINITY : 0;
}

bool on_front(const evaluation *e, const metric *m, cost_kind kind, int variant)
{
    double cost = cost_of(e, kind, variant), good = place_of(e, m, variant);
    if (m->direction == 0 || isnan(cost) || isnan(good))
        return false;
    for (int v = 0; v < e->variants; v++) {
        double c = cost_of(e, kind, v), q = place_of(e, m, v);
        if (c <= cost && q >= good && (c < cost || q > good))
            return false;
    }
    return true;
}

bool is_shown(const metric *m) { return strcmp(m->name, "mad") != 0; /* PSNR says the same */ }

/* ---- tables ---- */

static void put_cost(table *t, const evaluation *e, cost_kind kind, int v)
{
    double x = cost_of(e, kind, v);
    table_put(t, figure(x, decimals_for(x, 3, 0)));
}

/* "-0.0040, within the floor" */
static char *effect_words(const evaluation *e, const metric *m, int v)
{
    comparison c = compare(e, m, v);
    char *x = m->of_pairs ? figure(c.mean_b, m->decimals)
                          : figure(c.difference, difference_decimals(m, &c));
    char *words = verdict(m, &c);
    char *text = strcmp(words, "\u2013") == 0 || c.formed ? new_format("%s", x)
                                                          : new_format("%s, %s", x, words);
    free(x);
    free(words);
    return text;
}

table ranking_table(const evaluation *e)
{
    table t = table_new(new_format("Variants against %s%s%s: differences of the metrics of videos, "
                                   "and means of those of pairs",
                                   e->variant[0], e->by ? ", ranked by " : "",
                                   e->by ? e->by->label : ""));
    bool costed[] = {is_costed(e, OF_BYTES), is_costed(e, OF_SECONDS)};
    table_head(&t, "variant", false);
    table_head(&t, "rank", true);
    for (int k = OF_BYTES; k <= OF_SECONDS; k++)
        if (costed[k])
            table_head(&t, cost_name((cost_kind)k), true);
    for (int k = 0; k < e->metrics; k++)
        if (is_shown(&e->metric[k]))
            table_head(&t, e->metric[k].brief, false);
    for (int k = 0; k < e->judges; k++)
        table_head(&t, e->judge[k].brief, false);
    int *order = ranked_variants(e, e->by);
    for (int i = -1; i < e->variants - 1; i++) {
        int v = i < 0 ? 0 : order[i];
        bool ranked = v && e->by && !isnan(variant_quality(e, e->by, v));
        table_copy(&t, e->variant[v]);
        table_put(&t, figure(ranked ? i + 1 : NAN, 0));
        for (int k = OF_BYTES; k <= OF_SECONDS; k++)
            if (costed[k])
                put_cost(&t, e, (cost_kind)k, v);
        for (int k = 0; k < e->metrics + e->judges; k++) {
            const metric *m = k < e->metrics ? &e->metric[k] : &e->judge[k - e->metrics];
            if (is_shown(m))
                table_put(&t, v ? effect_words(e, m, v) : new_format("reference"));
        }
    }
    free(order);
    return t;
}

table metric_table(const evaluation *e, const metric *m)
{
    bool holm = has_holm(e), floored = has_floor(e), tested = !m->of_pairs || has_twins(e, 0);
    char *title = metric_title(m);
    table t = table_new(new_format("%s: variants against %s, %s first", title, e->variant[0],
                                   m->direction && !m->of_pairs ? "the best" : "the nearest"));
    free(title);
    table_head(&t, "variant", false);
    table_head(&t, "in words", false);
    table_head(&t, "n", true);
    table_head(&t, "mean (sd)", true);
    if (!m->of_pairs)
        table_head(&t, "difference", true);
    table_head(&t, "95\u00a0% interval", true);
    if (tested)
        table_head(&t, "p", true);
    if (holm && tested)
        table_head(&t, "p (Holm)", true);
    if (floored)
        table_head(&t, "floor", true);
    int *order = ranked_variants(e, m);
    for (int i = 0; i < e->variants - 1; i++) {
        comparison c = compare(e, m, order[i]);
        int fine = m->of_pairs ? m->decimals : difference_decimals(m, &c);
        if (isnan(quality(m, c.difference, c.mean_b)))
            continue;
        table_copy(&t, e->variant[order[i]]);
        table_put(&t, verdict(m, &c));
        table_put(&t, figure(c.n, 0));
        table_put(&t, mean_sd(c.mean_b, c.sd_b, m->decimals));
        if (!m->of_pairs)
            table_put(&t, figure(c.difference, fine));
        table_put(&t, interval(c.low, c.high, fine));
        if (tested)
            table_put(&t, probability(c.p));
        if (holm && tested)
            table_put(&t, probability(c.p_holm));
        if (floored)
            table_put(&t, figure(c.floor, fine));
    }
    free(order);
    return t;
}

static char *front_text(const evaluation *e, const metric *m, cost_kind kind)
{
    char *text = new_format("%s", "");
    for (int v = 0; v < e->variants; v++) {
        if (!on_front(e, m, kind, v))
            continue;
        char *more = new_format("%s%s%s", text, *text ? ", " : "", e->variant[v]);
        free(text);
        text = more;
    }
    return *text ? text : (free(text), figure(NAN, 0));
}

table front_table(const evaluation *e)
{
    bool costed[] = {is_costed(e, OF_BYTES), is_costed(e, OF_SECONDS)};
    table t = table_new(new_format("The fronts: variants of which no other is both as cheap and as "
                                   "good"));
    table_head(&t, "metric", false);
    if (costed[OF_BYTES])
        table_head(&t, "by bytes of weights", false);
    if (costed[OF_SECONDS])
        table_head(&t, "by seconds of a step", false);
    for (int k = 0; k < e->metrics && (costed[0] || costed[1]); k++) {
        const metric *m = &e->metric[k];
        if (!is_shown(m) || m->direction == 0)
            continue;
        table_put(&t, metric_title(m));
        for (int kind = OF_BYTES; kind <= OF_SECONDS; kind++)
            if (costed[kind])
                table_put(&t, front_text(e, m, (cost_kind)kind));
    }
    return t;
}

table worst_table(const evaluation *e)
{
    enum { WORST = 10 };
    table t = table_new(new_format("The worst pairs by %s, each with the variant that is the worst",
                                   e->by ? e->by->label : ""));
    const int *order = e->order;
    table_head(&t, "video", false);
    table_head(&t, "variant", false);
    table_head(&t, e->by ? e->by->brief : "", true);
    table_head(&t, "prompt", false);
    for (int i = 0; i < e->subjects && i < WORST && e->by; i++) {
        int worst = 0;
        double at = NAN, shown = NAN;
        for (int v = 1; v < e->variants; v++) {
            double a, b;
            pair_values(e, e->by, v, order[i], &a, &b);
            double q = quality(e->by, b - a, b);
            if (!isnan(q) && !(at <= q))
                at = q, worst = v, shown = e->by->of_pairs ? b : b - a;
        }
        if (worst == 0)
            break;
        table_copy(&t, e->subject[order[i]].name);
        table_link(&t, film_link(e, order[i]));
        table_copy(&t, e->variant[worst]);
        table_put(&t, figure(shown, decimals_for(shown, 3, e->by->decimals)));
        table_copy(&t, e->subject[order[i]].prompt);
    }
    return t;
}
