/*
** tables.c: the tables that come from the evaluation's CSV files. Numbers are rounded for reading;
** all their digits are in the files.
*/
#include "tables.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"

enum { FEWEST = 6 }; /* of fewer pairs, no two-sided signed-rank p is under 0.05: 2 / 2^5 */

static char *copy(const char *text) { return new_format("%s", text); }

static void column(table *t, const char *head, bool number) { table_column(t, copy(head), number); }

/* "0.2931 (0.0120)": mean and standard deviation. */
static char *mean_sd(double mean, double sd, int decimals)
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

char *sample_words(int pairs)
{
    if (pairs == 0)
        return copy("No pairs: nothing can be compared.");
    if (pairs == 1)
        return copy("One pair only: it shows an example, and no spread.");
    if (pairs < FEWEST)
        return new_format("%d pairs only: too few for any difference to be significant at 5 %% "
                          "(the smallest possible p is %.3g).",
                          pairs, 2 / pow(2, pairs));
    return new_format("%d pairs.", pairs);
}

/* ---- summaries ---- */

static void summary_line(table *t, const evaluation *e, const metric *m, int variant, bool notes)
{
    const csv *s = &e->table[m->summary];
    int row = summary_row(e, m, variant);
    double low = number_at(s, row, "low"), high = number_at(s, row, "high");
    double difference = number_at(s, row, "difference"), p = number_at(s, row, "p");
    int fine = decimals_for(isnan(low) ? difference : fmax(fabs(low), fabs(high)), 3, m->decimals);
    table_put(t, *m->unit ? new_format("%s (%s)", m->label, m->unit) : copy(m->label));
    table_put(t, count_text(row < 0 ? 0 : number_at(s, row, "n")));
    table_put(t, mean_sd(number_at(s, row, "mean_a"), number_at(s, row, "sd_a"), m->decimals));
    if (variant > 0) {
        table_put(t, mean_sd(number_at(s, row, "mean_b"), number_at(s, row, "sd_b"), m->decimals));
        table_put(t, figure(difference, fine));
        table_put(t, interval(low, high, fine));
        table_put(t, probability(p));
        table_copy(t, *text_at(s, row, "method") ? text_at(s, row, "method") : "\u2013");
    }
    if (notes)
        table_copy(t, text_at(s, row, "note"));
}

/* Has one of the n metrics a note? Else the column would be empty. */
static bool has_notes(const evaluation *e, int variant, const metric *m, int n)
{
    for (int i = 0; i < n; i++)
        if (*text_at(&e->table[m[i].summary], summary_row(e, &m[i], variant), "note"))
            return true;
    return false;
}

table summary_table(const evaluation *e, int variant)
{
    const char *a = e->variant[0], *b = e->variant[variant];
    table t = table_new(variant ? new_format("%s against %s: metrics of the videos, mean (standard "
                                             "deviation) over pairs",
                                             b, a)
                                : new_format("%s: metrics of the videos, mean (standard "
                                             "deviation)",
                                             a));
    column(&t, "metric", false);
    column(&t, "n", true);
    column(&t, a, true);
    if (variant) {
        column(&t, b, true);
        column(&t, "difference", true);
        column(&t, "95\u00a0% interval", true);
        column(&t, "p", true);
        column(&t, "test", false);
    }
    bool notes =
        has_notes(e, variant, METRIC, VIDEO_METRICS) || has_notes(e, variant, e->judge, e->judges);
    if (notes)
        column(&t, "note", false);
    for (int i = 0; i < VIDEO_METRICS; i++)
        summary_line(&t, e, &METRIC[i], variant, notes);
    for (int i = 0; i < e->judges; i++)
        summary_line(&t, e, &e->judge[i], variant, notes);
    return t;
}

table distance_table(const evaluation *e, int variant)
{
    const csv *s = &e->table[PAIR_SUMMARY];
    table t = table_new(new_format("%s against %s: how far the videos of a pair are apart",
                                   e->variant[variant], e->variant[0]));
    column(&t, "metric", false);
    column(&t, "n", true);
    column(&t, "mean (sd)", true);
    column(&t, "95\u00a0% interval", true);
    bool notes = has_notes(e, variant, METRIC + VIDEO_METRICS, METRICS - VIDEO_METRICS);
    if (notes)
        column(&t, "note", false);
    for (int i = VIDEO_METRICS; i < METRICS; i++) {
        const metric *m = &METRIC[i];
        int row = summary_row(e, m, variant);
        table_put(&t, new_format("%s (%s)", m->label, m->unit));
        table_put(&t, count_text(row < 0 ? 0 : number_at(s, row, "n")));
        table_put(&t, mean_sd(number_at(s, row, "mean"), number_at(s, row, "sd"), m->decimals));
        table_put(&t, interval(number_at(s, row, "low"), number_at(s, row, "high"), m->decimals));
        if (notes)
            table_copy(&t, text_at(s, row, "note"));
    }
    return t;
}

/* ---- all variants ---- */

/* What a variant's row of costs says, as it stands; a dash where it says nothing. */
static char *said_text(const evaluation *e, int variant, const char *name)
{
    const char *text = said_at(&e->table[COSTS], cost_row(e, variant), name);
    return copy(*text ? text : "\u2013");
}

/* Two decimals; of videos with different bits, as it stands. */
static char *bits_text(const evaluation *e, int variant)
{
    char *text = said_text(e, variant, "bits"), *end;
    double bits = strtod(text, &end);
    if (end == text || *end)
        return text;
    free(text);
    return figure(bits, 2);
}

/* The mean of a metric over a variant's pairs; the reference's is of those with the first of the
 * others. */
static char *mean_text(const evaluation *e, const metric *m, int variant)
{
    const csv *s = &e->table[m->summary];
    int row = summary_row(e, m, variant ? variant : 1);
    const char *column = m->of_pairs ? "mean" : variant ? "mean_b" : "mean_a";
    return figure(m->of_pairs && !variant ? NAN : number_at(s, row, column), m->decimals);
}

static void weights_head(table *t)
{
    column(t, "format", false);
    column(t, "bits a weight", true);
    column(t, "weights (MB)", true);
    column(t, "stored", false);
    column(t, "activations", false);
    column(t, "attention", false);
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
    enum { SHOWN = METRICS - 1 }; /* without the last, which says what PSNR does */
    table t = table_new(new_format(what == JUDGEMENT
                                       ? "All variants as they were judged, means over the videos"
                                       : "All variants: their weights, and means over the videos; "
                                         "PSNR and SSIM against %s",
                                   e->variant[0]));
    column(&t, "variant", false);
    if (what != JUDGEMENT)
        weights_head(&t);
    for (int k = 0; what != WEIGHTS && k < e->judges; k++)
        column(&t, e->judge[k].label, true);
    for (int k = 0; what != JUDGEMENT && k < SHOWN; k++)
        column(&t, METRIC[k].brief, true);
    for (int v = 0; v < e->variants && (what != JUDGEMENT || e->judges); v++) {
        table_copy(&t, e->variant[v]);
        if (what != JUDGEMENT)
            put_weights(&t, e, v);
        for (int k = 0; what != WEIGHTS && k < e->judges; k++)
            table_put(&t, mean_text(e, &e->judge[k], v));
        for (int k = 0; what != JUDGEMENT && k < SHOWN; k++)
            table_put(&t, mean_text(e, &METRIC[k], v));
    }
    return t;
}

/* ---- pairs and videos ---- */

table pair_table(const evaluation *e, int variant)
{
    const csv *pairs = &e->table[PAIRS];
    table t = table_new(new_format(variant ? "Every pair: %s and %s" : "Every video of %s",
                                   e->variant[0], e->variant[variant]));
    column(&t, "video", false);
    for (int k = 0; k < VIDEO_METRICS; k++) {
        if (!variant) {
            column(&t, METRIC[k].label, true);
            continue;
        }
        table_column(&t, new_format("%s, %s", METRIC[k].label, e->variant[0]), true);
        table_column(&t, new_format("%s, %s", METRIC[k].label, e->variant[variant]), true);
    }
    for (int k = VIDEO_METRICS; variant && k < METRICS; k++)
        column(&t, METRIC[k].brief, true);
    for (int i = 0; i < e->subjects; i++) {
        int pair = pair_row(e, variant, i);
        if (variant && pair < 0)
            continue;
        table_copy(&t, e->subject[i].name);
        for (int k = 0; k < VIDEO_METRICS; k++) {
            const metric *m = &METRIC[k];
            table_name videos = m->frames == CLIP_FRAMES ? CLIP : MOTION;
            for (int v = 0; v <= variant; v += variant ? variant : 1)
                table_put(&t,
                          figure(number_at(&e->table[videos], video_row(e, videos, v, i), m->name),
                                 m->decimals));
        }
        for (int k = VIDEO_METRICS; variant && k < METRICS; k++)
            table_put(&t, figure(number_at(pairs, pair, METRIC[k].name), METRIC[k].decimals));
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
    column(&t, "video", false);
    for (int k = 0; k < e->judges; k++)
        column(&t, e->judge[k].label, true);
    for (int i = 0; i < e->subjects && e->judges; i++) {
        if (variant && pair_row(e, variant, i) < 0)
            continue;
        table_copy(&t, e->subject[i].name);
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
    column(&t, "variant", false);
    for (int k = 0; k < VIDEO_METRICS; k++)
        column(&t, METRIC[k].label, true);
    for (int k = VIDEO_METRICS; e->variants > 1 && k < METRICS; k++)
        column(&t, METRIC[k].brief, true);
    for (int k = 0; k < e->judges; k++)
        column(&t, e->judge[k].brief, true);
    for (int v = 0; v < e->variants; v++) {
        if (video_row(e, CLIP, v, which) < 0)
            continue;
        int pair = v ? pair_row(e, v, which) : -1;
        table_copy(&t, e->variant[v]);
        for (int k = 0; k < VIDEO_METRICS; k++) {
            const metric *m = &METRIC[k];
            table_name videos = m->frames == CLIP_FRAMES ? CLIP : MOTION;
            int row = video_row(e, videos, v, which);
            table_put(&t, figure(number_at(&e->table[videos], row, m->name), m->decimals));
        }
        for (int k = VIDEO_METRICS; e->variants > 1 && k < METRICS; k++)
            table_put(
                &t, figure(number_at(&e->table[PAIRS], pair, METRIC[k].name), METRIC[k].decimals));
        for (int k = 0; k < e->judges; k++)
            table_put(&t, judged_text(e, &e->judge[k], v, which));
    }
    return t;
}

table prompt_table(const evaluation *e)
{
    table t = table_new(copy("Prompts"));
    column(&t, "video", false);
    column(&t, "seed", true);
    column(&t, "prompt", false);
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
    column(&t, "video", false);
    column(&t, "variants", false);
    column(&t, "reason", false);
    for (int i = 0; i < r->rows; i++) {
        table_copy(&t, text_at(r, i, "name"));
        table_put(&t, new_format("%s, %s", text_at(r, i, "variant_a"), text_at(r, i, "variant_b")));
        table_copy(&t, text_at(r, i, "reason"));
    }
    return t;
}

/* ---- cost ---- */

/* PLAIN and SAID as they stand, SAID also where an older table has no such column. OWN: seconds
 * that the weights' format has no part in. */
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
    column(&t, "", false);
    for (int v = 0; v < e->variants; v++)
        column(&t, e->variant[v], true);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        table_put(&t, rows[i].q == BYTES ? new_format("%s (%s)", rows[i].label, unit)
                                         : copy(rows[i].label));
        for (int v = 0; v < e->variants; v++)
            table_put(&t, quantity_text(e, v, rows[i].name, rows[i].q, bytes));
    }
    return t;
}
