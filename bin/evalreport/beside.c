/*
** beside.c: does what is concluded depend on what was measured?
**
** The codec takes away what a viewer does not see, and adds its own noise to all: an effect may be
** there in the frames and not in the mp4, or the other way round. Both are shown with the p that
** each evaluation has of it; their difference is not tested.
*/
#include "beside.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "../../common/nameindex.h"
#include "comparison.h"

/* What an evaluation is of. */
static const char *measured(const evaluation *e)
{
    const char *said = text_at(&e->table[CLIP], 0, "measured");
    return *said ? said : e->directory;
}

static int variant_there(const evaluation *other, const char *name)
{
    int v = index_find(other->variant_at, name);
    return v > 0 ? v : -1;
}

void beside_check(const evaluation *e, const evaluation *other)
{
    int both = 0;
    if (strcmp(e->variant[0], other->variant[0]) != 0)
        die("%s compares with %s, %s with %s", e->directory, e->variant[0], other->directory,
            other->variant[0]);
    for (int v = 1; v < e->variants; v++)
        both += variant_there(other, e->variant[v]) > 0;
    if (both == 0)
        die("%s and %s compare no variant that both have", e->directory, other->directory);
}

/* ---- the same comparison in both ---- */

typedef struct {
    const metric *m;
    const char *variant;
    comparison one, two;
} both;

typedef enum { AGREE, ONE_ALONE, TWO_ALONE, OPPOSITE, UNTESTED } agreement;

static double effect_of(const metric *m, const comparison *c)
{
    return m->of_pairs ? c->mean_b : c->difference;
}

/* The k-th metric, of judges too, of variant v; false: not both have it. */
static bool find_both(const evaluation *e, const evaluation *other, int v, int k, both *b)
{
    b->m = k < e->metrics ? &e->metric[k] : &e->judge[k - e->metrics];
    b->variant = e->variant[v];
    const metric *there = metric_of(other, b->m->name);
    int w = variant_there(other, b->variant);
    if (!there || w < 0)
        return false;
    b->one = compare(e, b->m, v);
    b->two = compare(other, there, w);
    return !isnan(effect_of(b->m, &b->one)) && !isnan(effect_of(b->m, &b->two));
}

static agreement agreement_of(const both *b)
{
    double p = test_p(&b->one), q = test_p(&b->two);
    if (isnan(p) || isnan(q))
        return UNTESTED;
    if (p < 0.05 && q < 0.05)
        return !b->m->of_pairs && b->one.difference * b->two.difference < 0 ? OPPOSITE : AGREE;
    return p < 0.05 ? ONE_ALONE : q < 0.05 ? TWO_ALONE : AGREE;
}

static int decimals_of(const both *b)
{
    int one = difference_decimals(b->m, &b->one), two = difference_decimals(b->m, &b->two);
    return b->m->of_pairs ? b->m->decimals : one > two ? one : two;
}

/* ---- table ---- */

static char *agreement_text(const both *b, const char *one, const char *two)
{
    switch (agreement_of(b)) {
    case AGREE: return new_format("the same");
    case ONE_ALONE: return new_format("significant by %s alone", one);
    case TWO_ALONE: return new_format("significant by %s alone", two);
    case OPPOSITE: return new_format("opposite signs");
    default: return figure(NAN, 0);
    }
}

/* "-0.0040, within the floor" has its words in the ranking: here are numbers alone. */
static void put_side(table *t, const both *b, const comparison *c, bool floored)
{
    table_put(t, figure(effect_of(b->m, c), decimals_of(b)));
    table_put(t, probability(test_p(c)));
    if (floored)
        table_put(t, isnan(c->within) ? figure(NAN, 0) : new_format(c->within == 1 ? "yes" : "no"));
}

static void head_side(table *t, const char *name, const char *p, bool floored)
{
    table_column(t, new_format("effect by %s", name), true);
    table_column(t, new_format("%s", p), true);
    if (floored)
        table_column(t, new_format("within floor"), false);
}

table beside_table(const evaluation *e, const evaluation *other)
{
    const char *one = measured(e), *two = measured(other);
    bool floor_one = has_floor(e), floor_two = has_floor(other);
    both b;
    table t = table_new(new_format("By %s and by %s: effects against %s, metric by metric", one,
                                   two, e->variant[0]));
    table_head(&t, "variant", false);
    table_head(&t, "metric", false);
    head_side(&t, one, has_holm(e) ? "p (Holm)" : "p", floor_one);
    head_side(&t, two, has_holm(other) ? "p (Holm)" : "p", floor_two);
    table_head(&t, "conclusion", false);
    for (int v = 1; v < e->variants; v++)
        for (int k = 0; k < e->metrics + e->judges; k++)
            if (find_both(e, other, v, k, &b)) {
                table_copy(&t, b.variant);
                table_put(&t, metric_title(b.m));
                put_side(&t, &b, &b.one, floor_one);
                put_side(&t, &b, &b.two, floor_two);
                table_put(&t, agreement_text(&b, one, two));
            }
    return t;
}

/* ---- sentences ---- */

/* "by frames 0.0012 (p = 0.012)" */
static char *side_text(const both *b, const comparison *c, const char *name)
{
    char *x = figure(effect_of(b->m, c), decimals_of(b)), *p = probability(test_p(c));
    char *text = new_format("by %s %s (p %s%s)", name, x, p[0] == '<' ? "" : "= ", p);
    free(x);
    free(p);
    return text;
}

char *beside_text(const evaluation *e, const evaluation *other)
{
    const char *one = measured(e), *two = measured(other);
    char *text = new_format("%s", "");
    int tested = 0;
    both b;
    for (int v = 1; v < e->variants; v++)
        for (int k = 0; k < e->metrics + e->judges; k++) {
            if (!find_both(e, other, v, k, &b) || agreement_of(&b) == UNTESTED)
                continue;
            tested++;
            if (agreement_of(&b) == AGREE)
                continue;
            char *x = side_text(&b, &b.one, one), *y = side_text(&b, &b.two, two);
            char *more = new_format(
                "%s%s%s of %s %s: %s, %s.", text, *text ? " " : "", b.m->label, b.variant,
                agreement_of(&b) == OPPOSITE ? "changes its sign" : "changes its significance", x,
                y);
            free(x);
            free(y);
            free(text);
            text = more;
        }
    char *lead;
    if (tested == 0)
        lead = new_format("Measured by %s and by %s; nothing was tested by both.", one, two);
    else if (*text)
        lead = new_format("What is concluded depends on what is measured. %s", text);
    else
        lead = new_format("By %s and by %s the conclusions are the same: no effect changes its "
                          "significance, nor a significant one its sign.",
                          one, two);
    free(text);
    return lead;
}
