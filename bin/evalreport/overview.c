/*
** overview.c: all variants beside each other: their weights, means of metrics, memory and time.
*/
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "ranking.h"
#include "tables.h"

static char *copy(const char *text) { return new_format("%s", text); }

/* ---- weights and metrics ---- */

/* A cell of the variant's row in the table of costs, as it stands; a dash if it is empty. */
static char *said_text(const evaluation *e, int variant, const char *name)
{
    const char *text = said_at(&e->table[COSTS], cost_row(e, variant), name);
    return copy(*text ? text : "\u2013");
}

/* Bits with two decimals; as they stand if they are several, as of videos with different bits. */
static char *bits_text(const evaluation *e, int variant)
{
    char *text = said_text(e, variant, "bits"), *end;
    double bits = strtod(text, &end);
    if (end == text || *end)
        return text;
    free(text);
    return figure(bits, 2);
}

/* The mean of a metric over a variant's pairs. The reference is in the pairs of every other: its
 * mean is over those with variant 1. */
static char *mean_text(const evaluation *e, const metric *m, int variant)
{
    comparison c = compare(e, m, variant ? variant : 1);
    return figure(m->of_pairs && !variant ? NAN : variant ? c.mean_b : c.mean_a, m->decimals);
}

static void weights_head(table *t)
{
    table_head(t, "format", false);
    table_head(t, "bits a weight", true);
    table_head(t, "weights (MB)", true);
    table_head(t, "stored", false);
    table_head(t, "activations", false);
    table_head(t, "attention", false);
}

static void put_weights(table *t, const evaluation *e, int v)
{
    double bytes = strtod(said_at(&e->table[COSTS], cost_row(e, v), "format_bytes"), NULL) / 1e6;
    table_put(t, said_text(e, v, "format"));
    table_put(t, bits_text(e, v));
    table_put(t, figure(bytes > 0 ? bytes : NAN, decimals_for(bytes, 3, 0)));
    table_put(t, is_fake(e, v) ? copy(FAKE) : said_text(e, v, "stored"));
    table_put(t, said_text(e, v, "act"));
    table_put(t, said_text(e, v, "attention"));
}

table overview_table(const evaluation *e, overview what)
{
    table t = table_new(new_format(what == JUDGEMENT
                                       ? "All variants as they were judged, means over the videos"
                                       : "All variants: their weights, and means over the videos; "
                                         "those of pairs against %s",
                                   e->variant[0]));
    table_head(&t, "variant", false);
    if (what != JUDGEMENT)
        weights_head(&t);
    for (int k = 0; what != WEIGHTS && k < e->judges; k++)
        table_head(&t, e->judge[k].label, true);
    for (int k = 0; what != JUDGEMENT && k < e->metrics; k++)
        if (is_shown(&e->metric[k]))
            table_head(&t, e->metric[k].brief, true);
    for (int v = 0; v < e->variants && (what != JUDGEMENT || e->judges); v++) {
        table_copy(&t, e->variant[v]);
        if (what != JUDGEMENT)
            put_weights(&t, e, v);
        for (int k = 0; what != WEIGHTS && k < e->judges; k++)
            table_put(&t, mean_text(e, &e->judge[k], v));
        for (int k = 0; what != JUDGEMENT && k < e->metrics; k++)
            if (is_shown(&e->metric[k]))
                table_put(&t, mean_text(e, &e->metric[k], v));
    }
    return t;
}

/* ---- cost ---- */

/* PLAIN, SAID: the cell as it stands; older tables may lack the column of SAID. OWN: seconds that
 * do not depend on the weights' format. */
typedef enum { PLAIN, SAID, BITS, STORED, BYTES, SECONDS, OWN } quantity;

const char *memory_unit(const evaluation *e, double *bytes)
{
    double peak = 0;
    for (int i = 0; i < e->table[COSTS].rows; i++)
        peak = fmax(peak, number_at(&e->table[COSTS], i, "peak_device_bytes"));
    *bytes = peak < 1 << 30 ? 1 << 20 : 1 << 30;
    return peak < 1 << 30 ? "MiB" : "GiB";
}

char *marked(char *number, bool fake)
{
    if (!fake || strcmp(number, "\u2013") == 0)
        return number;
    char *both = new_format("%s fake", number);
    free(number);
    return both;
}

static char *quantity_text(const evaluation *e, int variant, const char *name, quantity q,
                           double unit)
{
    const csv *t = &e->table[COSTS];
    int row = cost_row(e, variant);
    if (q < BYTES) {
        const char *text = q == PLAIN ? text_at(t, row, name) : said_at(t, row, name);
        char *end;
        double bits = strtod(text, &end);
        if (q == BITS && *text && !*end)
            return new_format("%.6g", bits);
        return copy(q == STORED && is_fake(e, variant) ? FAKE : *text ? text : "\u2013");
    }
    double x = number_at(t, row, name) / (q == BYTES ? unit : 1);
    return marked(figure(x, decimals_for(x, 3, 0)), q != OWN && is_fake(e, variant));
}

table cost_table(const evaluation *e)
{
    static const struct {
        const char *name, *label;
        quantity q;
    } rows[] = {
        {"precision", "precision", PLAIN},
        {"format", "format", SAID},
        {"bits", "bits a weight", BITS},
        {"format_bytes", "weight bytes", SAID},
        {"stored", "stored", STORED},
        {"gpu", "device", PLAIN},
        {"resolution", "resolution", PLAIN},
        {"frames", "frames", PLAIN},
        {"steps", "steps", PLAIN},
        {"videos", "videos", PLAIN},
        {"peak_device_bytes", "peak device memory", BYTES},
        {"steady_device_bytes", "steady device memory", BYTES},
        {"weight_bytes", "transformer weights on the device", BYTES},
        {"text_seconds", "encode prompts (s)", OWN},
        {"load_seconds", "load weights (s)", SECONDS},
        {"denoise_seconds", "denoise (s)", SECONDS},
        {"step_seconds", "one step (s)", SECONDS},
        {"decode_seconds", "decode and compress (s)", OWN},
        {"seconds", "in all (s)", SECONDS},
        {"runs", "runs", PLAIN},
        {"return_code", "return code", PLAIN},
    };
    double bytes;
    const char *unit = memory_unit(e, &bytes);
    table t = table_new(new_format("What each variant took, all of its videos together%s",
                                   has_fakes(e) ? "; " FAKE_NOTE : ""));
    table_head(&t, "", false);
    for (int v = 0; v < e->variants; v++)
        table_head(&t, e->variant[v], true);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        table_put(&t, rows[i].q == BYTES ? new_format("%s (%s)", rows[i].label, unit)
                                         : copy(rows[i].label));
        for (int v = 0; v < e->variants; v++)
            table_put(&t, quantity_text(e, v, rows[i].name, rows[i].q, bytes));
    }
    return t;
}
