/*
** listing.c: the tables that have a row for each pair, video or prompt.
*/
#include <math.h>
#include <stdlib.h>

#include "../../common/die.h"
#include "ranking.h"
#include "tables.h"

static char *copy(const char *text) { return new_format("%s", text); }

/* The metric of a video; of a metric of pairs, of that video and the reference's. */
static void put_value(table *t, const evaluation *e, const metric *m, int variant, int i)
{
    double a, b;
    if (m->of_pairs)
        pair_values(e, m, variant, i, &a, &b);
    else
        b = video_value(e, m, variant, i);
    table_put(t, figure(b, m->decimals));
}

table pair_table(const evaluation *e, int variant)
{
    table t = table_new(new_format(variant ? "Every pair: %s and %s" : "Every video of %s",
                                   e->variant[0], e->variant[variant]));
    bool apart = variant && distance_of(e, variant) >= 0;
    table_head(&t, "video", false);
    for (int k = 0; k < e->of_videos; k++) {
        const char *label = e->metric[k].label;
        if (!variant) {
            table_head(&t, label, true);
            continue;
        }
        table_column(&t, new_format("%s, %s", label, e->variant[0]), true);
        table_column(&t, new_format("%s, %s", label, e->variant[variant]), true);
    }
    for (int k = e->of_videos; apart && k < e->metrics; k++)
        table_head(&t, e->metric[k].brief, true);
    for (int i = 0; i < e->subjects; i++) {
        if (variant && !is_pair(e, variant, i))
            continue;
        table_copy(&t, e->subject[i].name);
        table_link(&t, film_link(e, i));
        for (int k = 0; k < e->of_videos; k++)
            for (int v = 0; v <= variant; v += variant ? variant : 1)
                put_value(&t, e, &e->metric[k], v, i);
        for (int k = e->of_videos; apart && k < e->metrics; k++)
            put_value(&t, e, &e->metric[k], variant, i);
    }
    return t;
}

/* What the judge found of a video: verdicts are 0 or 1. */
static char *judged_text(const evaluation *e, const metric *m, int variant, int which)
{
    double x = number_at(&e->table[JUDGED], video_row(e, JUDGED, variant, which), m->name);
    return figure(x, x == floor(x) ? 0 : m->decimals);
}

table judged_table(const evaluation *e, int variant)
{
    table t = table_new(variant ? new_format("Every pair as it was judged: %s, %s", e->variant[0],
                                             e->variant[variant])
                                : new_format("Every video of %s as it was judged", e->variant[0]));
    table_head(&t, "video", false);
    for (int k = 0; k < e->judges; k++)
        table_head(&t, e->judge[k].label, true);
    for (int i = 0; i < e->subjects && e->judges; i++) {
        if (variant && !is_pair(e, variant, i))
            continue;
        table_copy(&t, e->subject[i].name);
        table_link(&t, film_link(e, i));
        for (int k = 0; k < e->judges; k++) {
            char *a = judged_text(e, &e->judge[k], 0, i);
            if (!variant) {
                table_put(&t, a);
                continue;
            }
            char *b = judged_text(e, &e->judge[k], variant, i);
            table_put(&t, new_format("%s, %s", a, b));
            free(a);
            free(b);
        }
    }
    return t;
}

table subject_table(const evaluation *e, int which)
{
    table t = table_new(new_format("Metrics of %s", e->subject[which].name));
    table_head(&t, "variant", false);
    for (int k = 0; k < e->of_videos; k++)
        table_head(&t, e->metric[k].label, true);
    for (int k = e->of_videos; e->variants > 1 && k < e->metrics; k++)
        table_head(&t, e->metric[k].brief, true);
    for (int k = 0; k < e->judges; k++)
        table_head(&t, e->judge[k].brief, true);
    for (int v = 0; v < e->variants; v++) {
        if (video_row(e, CLIP, v, which) < 0)
            continue;
        table_copy(&t, e->variant[v]);
        for (int k = 0; k < (e->variants > 1 ? e->metrics : e->of_videos); k++)
            put_value(&t, e, &e->metric[k], v, which);
        for (int k = 0; k < e->judges; k++)
            table_put(&t, judged_text(e, &e->judge[k], v, which));
    }
    return t;
}

table prompt_table(const evaluation *e)
{
    table t = table_new(copy("Prompts"));
    table_head(&t, "video", false);
    table_head(&t, "seed", true);
    table_head(&t, "prompt", false);
    for (int i = 0; i < e->subjects; i++) {
        table_copy(&t, e->subject[i].name);
        table_copy(&t, e->subject[i].seed);
        table_copy(&t, e->subject[i].prompt);
    }
    return t;
}

table refused_table(const evaluation *e)
{
    const csv *r = &e->table[REFUSED];
    table t = table_new(copy("What is no pair, and so is in no comparison"));
    table_head(&t, "video", false);
    table_head(&t, "variants", false);
    table_head(&t, "reason", false);
    for (int i = 0; i < r->rows; i++) {
        table_copy(&t, text_at(r, i, "name"));
        table_put(&t, new_format("%s, %s", text_at(r, i, "variant_a"), text_at(r, i, "variant_b")));
        table_copy(&t, text_at(r, i, "reason"));
    }
    return t;
}
