/*
** curves.c: metrics frame by frame, of one video and as the mean over all of a variant.
*/
#include <math.h>
#include <stdlib.h>

#include "../../common/die.h"
#include "evaluation.h"

static void curve_add(const csv *t, int row, curve *c, double value)
{
    double frame = number_at(t, row, "frame");
    if (!(frame >= 0 && frame < 1e6 && frame == floor(frame)))
        csv_die(t, row, "frame is '%s', not its number", text_at(t, row, "frame"));
    if (c->n == 0)
        c->first = (int)frame;
    if ((int)frame != c->first + c->n)
        csv_die(t, row, "frame %d follows %d", (int)frame, c->first + c->n - 1);
    c->value = realloc(c->value, (size_t)(c->n + 1) * sizeof *c->value);
    if (!c->value)
        die("out of memory");
    c->value[c->n++] = value;
}

curve video_curve(const evaluation *e, const metric *m, int variant, int i)
{
    curve c = {0};
    int other = m->of_pairs ? distance_of(e, variant) : variant, n = 2;
    if (m->frames == TABLES || other < 0)
        return c;
    const csv *t = &e->table[m->frames];
    condition where[3] = {{"name", e->subject[i].name},
                          {m->of_pairs ? "variant_b" : "variant", e->variant[other]}};
    if (m->of_pairs)
        where[n++] = (condition){"variant_a", e->recorded};
    for (int row = -1; (row = find_row(e, t, row + 1, n, where)) >= 0;)
        curve_add(t, row, &c, number_at(t, row, m->name));
    return c;
}

curve mean_curve(const evaluation *e, const metric *m, int variant)
{
    curve mean = {0};
    int *count = NULL;
    for (int i = 0; i < e->subjects; i++) {
        curve c = video_curve(e, m, variant, i);
        int end = c.first + c.n;
        if (end > mean.n) {
            mean.value = realloc(mean.value, (size_t)end * sizeof *mean.value);
            count = realloc(count, (size_t)end * sizeof *count);
            if (!mean.value || !count)
                die("out of memory");
            for (; mean.n < end; mean.n++)
                mean.value[mean.n] = count[mean.n] = 0;
        }
        for (int k = 0; k < c.n; k++)
            if (isfinite(c.value[k])) {
                mean.value[c.first + k] += c.value[k];
                count[c.first + k]++;
            }
        free(c.value);
    }
    for (int k = 0; k < mean.n; k++)
        mean.value[k] = count[k] ? mean.value[k] / count[k] : NAN;
    free(count);
    return mean;
}
