/*
** comparison.c: the one place that knows how a comparison stands in the tables.
**
** The tables compare one reference with all others. Against another of the variants, what is of
** each video can still be compared, as differences of the same pairs: their means are formed here,
** but there is no interval, no test and no floor of them in any table. What is of two videos
** together is known of pairs with the tables' reference alone.
*/
#include "comparison.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "../../common/metrics.h"
#include "text.h"

/* ---- pairs ---- */

bool is_pair(const evaluation *e, int variant, int i)
{
    bool chosen = e->base == 0 || recorded_row(e, 0, i) >= 0;
    return chosen && (variant == e->base || recorded_row(e, variant, i) >= 0);
}

int pair_count(const evaluation *e, int variant)
{
    int count = 0;
    for (int i = 0; i < e->subjects; i++)
        count += is_pair(e, variant, i);
    return count;
}

void pair_values(const evaluation *e, const metric *m, int variant, int i, double *a, double *b)
{
    const csv *t = &e->table[PAIRS];
    int other = distance_of(e, variant);
    *a = *b = NAN;
    if (m->of_pairs) {
        int row = other < 0 ? -1 : recorded_row(e, other, i);
        *b = row < 0 ? NAN : csv_number(t, row, m->column);
        return;
    }
    if (!is_pair(e, variant, i))
        return;
    int row = recorded_row(e, variant == e->base ? 0 : variant, i);
    *b = csv_number(t, row, variant == e->base ? m->column_a : m->column_b);
    *a = e->base == 0 ? csv_number(t, row, m->column_a)
                      : csv_number(t, recorded_row(e, 0, i), m->column_b);
}

double video_value(const evaluation *e, const metric *m, int variant, int i)
{
    const csv *t = &e->table[m->videos < TABLES ? m->videos : PAIRS];
    if (m->videos < TABLES)
        return known_at(t, video_row(e, m->videos, variant, i), m->name);
    if (variant != e->base) {
        int row = recorded_row(e, variant, i);
        return row < 0 ? NAN : csv_number(t, row, m->column_b);
    }
    double value = NAN;
    for (int v = 0; v < e->variants && isnan(value); v++)
        if (v != e->base && recorded_row(e, v, i) >= 0)
            value = csv_number(t, recorded_row(e, v, i), m->column_a);
    return value;
}

/* ---- what the tables say ---- */

static int summary_row(const evaluation *e, const metric *m, int variant, table_name *in)
{
    static const table_name summaries[] = {CLIP_SUMMARY, MOTION_SUMMARY, PAIR_SUMMARY,
                                           JUDGED_SUMMARY, OTHER_SUMMARY};
    condition where[] = {{"metric", m->name},
                         {"variant_a", e->recorded},
                         {"variant_b", e->variants == 1 ? "" : e->variant[variant]}};
    for (size_t i = 0; i < sizeof summaries / sizeof *summaries; i++) {
        *in = summaries[i];
        int row = has_table(e, *in) ? find_row(e, &e->table[*in], 0, 3, where) : -1;
        if (row >= 0)
            return row;
    }
    return -1;
}

static comparison unknown(void)
{
    return (comparison){NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN,
                        NAN, NAN, NAN, NAN, NAN, NAN, NAN, "",  "",  false};
}

static comparison recorded(const evaluation *e, const metric *m, int variant)
{
    table_name in;
    comparison c = unknown();
    int row = summary_row(e, m, variant, &in);
    const csv *t = &e->table[in];
    if (row < 0)
        return c;
    c.n = known_at(t, row, "n");
    c.clusters = known_at(t, row, "clusters");
    c.mean_a = known_at(t, row, "mean_a");
    c.sd_a = known_at(t, row, "sd_a");
    c.mean_b = known_at(t, row, m->of_pairs && csv_find(t, "mean") >= 0 ? "mean" : "mean_b");
    c.sd_b = known_at(t, row, m->of_pairs && csv_find(t, "sd") >= 0 ? "sd" : "sd_b");
    c.difference = known_at(t, row, "difference");
    c.low = known_at(t, row, "low");
    c.high = known_at(t, row, "high");
    c.p = known_at(t, row, "p");
    c.p_holm = known_at(t, row, "p_holm");
    c.farther = known_at(t, row, "farther");
    c.detectable = known_at(t, row, "detectable");
    c.floor = known_at(t, row, "floor");
    c.within = known_at(t, row, "within");
    c.p_equivalence = known_at(t, row, "p_equivalence");
    c.equivalent = known_at(t, row, "equivalent");
    c.method = said_at(t, row, "method");
    c.note = said_at(t, row, "note");
    if (m->of_pairs && isnan(c.floor) && !isnan(floor_distance(e, m))) {
        c.floor = floor_distance(e, m);
        c.within = isnan(c.mean_b) ? NAN : quality(m, NAN, c.mean_b) >= quality(m, NAN, c.floor);
    }
    return c;
}

/* The same with the reference on the other side. */
static comparison turned(comparison c)
{
    comparison d = c;
    d.mean_a = c.mean_b, d.sd_a = c.sd_b;
    d.mean_b = c.mean_a, d.sd_b = c.sd_a;
    d.difference = -c.difference;
    d.low = -c.high, d.high = -c.low;
    return d;
}

static double deviation(double sum, double squares, int n)
{
    return n > 1 ? sqrt(fmax(0, (squares - sum * sum / n) / (n - 1))) : NAN;
}

static comparison formed(const evaluation *e, const metric *m, int variant)
{
    comparison c = unknown();
    double a, b, sum_a = 0, sum_b = 0, first_a = NAN, first_b = NAN, squares_a = 0, squares_b = 0;
    int n = 0;
    for (int i = 0; i < e->subjects && !m->of_pairs; i++) {
        pair_values(e, m, variant, i, &a, &b);
        if (!isfinite(a) || !isfinite(b))
            continue;
        if (n++ == 0)
            first_a = a, first_b = b;
        a -= first_a, b -= first_b; /* squares of what is small lose no digits */
        sum_a += a, squares_a += a * a;
        sum_b += b, squares_b += b * b;
    }
    c.formed = true;
    c.n = n;
    if (n == 0)
        return c;
    c.mean_a = first_a + sum_a / n, c.sd_a = deviation(sum_a, squares_a, n);
    c.mean_b = first_b + sum_b / n, c.sd_b = deviation(sum_b, squares_b, n);
    c.difference = c.mean_b - c.mean_a;
    return c;
}

comparison compare(const evaluation *e, const metric *m, int variant)
{
    if (e->base == 0)
        return recorded(e, m, variant);
    if (variant != e->base)
        return formed(e, m, variant);
    comparison c = recorded(e, m, 0);
    return m->of_pairs ? c : turned(c);
}

double quality(const metric *m, double difference, double distance)
{
    if (m->of_pairs)
        return (m->direction < 0 ? -1 : 1) * distance;
    return m->direction ? m->direction * difference : -fabs(difference);
}

/* ---- the floor ---- */

static bool any_known(const evaluation *e, bool holm)
{
    for (int v = 1; v < e->variants; v++)
        for (int k = 0; k < e->metrics + e->judges; k++) {
            comparison c =
                compare(e, k < e->metrics ? &e->metric[k] : &e->judge[k - e->metrics], v);
            if (isfinite(holm ? c.p_holm : c.floor))
                return true;
        }
    return false;
}

bool has_floor(const evaluation *e) { return any_known(e, false); }
bool has_holm(const evaluation *e) { return any_known(e, true); }

bool has_twins(const evaluation *e, int variant)
{
    for (int v = 1; v < e->variants; v++)
        for (int k = e->of_videos; k < e->metrics && (variant == 0 || v == variant); k++)
            if (isfinite(compare(e, &e->metric[k], v).p))
                return true;
    return false;
}

int floor_row(const evaluation *e, const metric *m, int from)
{
    condition where[] = {{"metric", m->name}, {"variant_a", e->recorded}};
    return has_table(e, FLOOR) ? find_row(e, &e->table[FLOOR], from, 2, where) : -1;
}

/* As pair-stats has it: the farthest limit of the twins' intervals, made twice as wide. */
double floor_distance(const evaluation *e, const metric *m)
{
    double worst = NAN;
    if (m->direction == 0)
        return worst;
    for (int row = -1; (row = floor_row(e, m, row + 1)) >= 0;) {
        double low = known_at(&e->table[FLOOR], row, "low");
        double high = known_at(&e->table[FLOOR], row, "high");
        double clusters = known_at(&e->table[FLOOR], row, "clusters");
        double size = isnan(clusters) ? known_at(&e->table[FLOOR], row, "n") : clusters;
        if (!(size >= FEWEST_TWINS))
            continue;
        double x = m->direction < 0 ? twin_high(low, high) : twin_low(low, high);
        if (isnan(worst) || quality(m, NAN, x) < quality(m, NAN, worst))
            worst = x;
    }
    return worst;
}

bool floor_band(const evaluation *e, const metric *m, double *low, double *high)
{
    double margin = NAN;
    for (int v = 1; v < e->variants && isnan(margin); v++)
        margin = compare(e, m, v).floor;
    if (m->of_pairs) {
        *low = m->direction < 0 ? -INFINITY : margin;
        *high = m->direction < 0 ? margin : INFINITY;
    } else {
        *low = -margin;
        *high = margin;
    }
    return isfinite(margin);
}

/* ---- words ---- */

int difference_decimals(const metric *m, const comparison *c)
{
    double most = isnan(c->low) ? c->difference : fmax(fabs(c->low), fabs(c->high));
    return decimals_for(most, 3, m->decimals);
}

double test_p(const comparison *c) { return isnan(c->p_holm) ? c->p : c->p_holm; }

char *verdict(const metric *m, const comparison *c)
{
    double p = test_p(c);
    const char *said;
    if (isnan(m->of_pairs ? c->mean_b : c->difference))
        said = "\u2013";
    else if (c->within == 1)
        said = c->equivalent == 1 ? "within the floor, equivalent"
               : p < 0.05         ? "within the floor, though p < 0.05"
                                  : "within the floor";
    else if (c->within == 0)
        said = isnan(p)   ? m->of_pairs ? "beyond the floor" : "beyond the floor, not tested"
               : p < 0.05 ? "different, beyond the floor"
                          : "beyond the floor, not significant";
    else
        said = isnan(p)   ? m->of_pairs ? "\u2013" : "not tested"
               : p < 0.05 ? "different"
                          : "not significant";
    return new_format("%s", said);
}

/* Text, and more text behind it; takes both. */
static char *join(char *text, char *more)
{
    char *both = new_format("%s%s", text, more);
    free(text);
    free(more);
    return both;
}

char *verdict_numbers(const metric *m, const comparison *c)
{
    int fine = difference_decimals(m, c), digits = m->of_pairs ? m->decimals : fine;
    char *x = figure(m->of_pairs ? c->mean_b : c->difference, digits);
    char *floor = figure(c->floor, digits), *p = probability(test_p(c));
    char *least = figure(c->detectable, decimals_for(c->detectable, 2, m->decimals));
    char *inside = new_format("%s", "");
    if (isfinite(c->floor))
        inside = join(inside, new_format("; floor %s", floor));
    if (isfinite(test_p(c)) && c->within != 1)
        inside = join(inside, new_format("; p %s%s%s", p[0] == '<' ? "" : "= ", p,
                                         isnan(c->p_holm) ? "" : " by Holm"));
    if (fabs(c->difference) < c->detectable && !(test_p(c) < 0.05) && c->within != 1)
        inside = join(inside, new_format("; below %s would not be seen", least));
    char *text = new_format("%s %s%s%s%s", m->label, x, *inside ? " (" : "",
                            *inside ? inside + 2 : "", *inside ? ")" : "");
    free(x);
    free(floor);
    free(p);
    free(least);
    free(inside);
    return text;
}
