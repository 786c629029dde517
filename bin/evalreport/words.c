/*
** words.c: what the report says in sentences, the same in all three languages.
*/
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "../../common/metrics.h"
#include "page.h"
#include "ranking.h"
#include "tables.h"

/* ---- sentences ---- */

char *title_text(const evaluation *e)
{
    char *text = new_format("%s", e->variant[0]);
    for (int v = 1; v < e->variants; v++) {
        char *more =
            new_format("%s%s%s", text, v == e->variants - 1 ? " and " : ", ", e->variant[v]);
        free(text);
        text = more;
    }
    return text;
}

char *lead_text(const evaluation *e)
{
    static const char *const said[] = {"resolution", "frames", "steps", "gpu"};
    static const char *const unit[] = {", ", " frames, ", " steps, ", ""};
    const csv *costs = &e->table[COSTS];
    char *text = new_format("%d video%s of each: ", e->subjects, e->subjects == 1 ? "" : "s");
    for (int i = 0; i < 4; i++) {
        const char *value = costs->rows ? text_at(costs, 0, said[i]) : "";
        char *more = new_format("%s%s%s", text, *value ? value : "\u2013", unit[i]);
        free(text);
        text = more;
    }
    return text;
}

char *judge_text(const evaluation *e)
{
    return new_format("%s", e->judges == 0
                                ? ""
                                : "The metrics without a unit are what a judge says of each video; "
                                  "where that is right or wrong, 1 or 0, the means are shares, and "
                                  "p is McNemar\u2019s exact test of the pairs of which one alone "
                                  "is right.");
}

/* Rows of a table whose column has that value. */
static int count_rows(const evaluation *e, const csv *t, const char *column, const char *value)
{
    condition where = {column, value};
    int n = 0;
    for (int row = -1; (row = find_row(e, t, row + 1, 1, &where)) >= 0;)
        n++;
    return n;
}

static const char *evaluated(const evaluation *e, const char *key)
{
    const char *said =
        json_string_value(json_object_get(json_object_get(e->record, "evaluation"), key));
    return said ? said : "";
}

/* Text, and more text behind it; takes the first. */
static char *with(char *text, const char *separator, const char *more)
{
    char *both = new_format("%s%s%s", text, *text ? separator : "", more);
    free(text);
    return both;
}

/* Others that read the same mp4 get other frames, by a level or so, and other numbers. */
static const char *decoding_words(const evaluation *e)
{
    return strncmp(evaluated(e, "conversion"), "opencv", 6) == 0
               ? " They were decoded as OpenCV\u2019s VideoCapture does it, by FFmpeg\u2019s fast "
                 "conversion to RGB, so that they compare with numbers that were published of it; "
                 "it is the less exact of the two."
               : " They were decoded by FFmpeg with its exact conversion to RGB. OpenCV\u2019s "
                 "VideoCapture takes the fast one, whose frames differ by a level or so, and in "
                 "places by many: numbers from it differ from these, optical flow most.";
}

char *measured_text(const evaluation *e)
{
    const csv *videos = &e->table[CLIP];
    int frames = count_rows(e, videos, "measured", "frames");
    if (frames == videos->rows)
        return new_format("Metrics are of the frames that the model made, before compression: no "
                          "codec and no decoder has a part in them.");
    if (frames == 0)
        return new_format("Metrics are of the mp4 files, as a viewer sees them.%s",
                          decoding_words(e));
    return new_format("Metrics of %d videos are of the frames that the model made, of %d they are "
                      "of the mp4 files: the two do not compare.%s",
                      frames, videos->rows - frames, decoding_words(e));
}

char *clip_text(const evaluation *e)
{
    const char *name = evaluated(e, "clip"), *sum = evaluated(e, "clip_sha256");
    const char *fit = evaluated(e, "fit");
    if (!*name)
        return new_format("%s", "");
    char *file = *sum ? new_format(" (SHA-256 of its weights %s)", sum) : new_format("%s", "");
    char *text = new_format(
        "CLIP is %s%s. Frames were made square by %s; a prompt of more than 77 tokens is cut and "
        "keeps its end token, where some tools drop it.",
        name, file, *fit ? fit : "crop");
    free(file);
    return text;
}

/* Every word of the column `differs` of pairs.csv once, in the order of their first. */
static char *what_differs(const csv *pairs)
{
    char *all = new_format("%s", ""), *rest, *word;
    for (int row = 0; row < pairs->rows; row++) {
        char *words = new_format("%s", text_at(pairs, row, "differs"));
        for (word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
            char *listed = new_format(", %s,", all), *wanted = new_format(" %s,", word);
            if (!strstr(listed, wanted)) {
                char *more = new_format("%s%s%s", all, *all ? ", " : "", word);
                free(all);
                all = more;
            }
            free(listed);
            free(wanted);
        }
        free(words);
    }
    return *all ? all : (free(all), new_format("nothing"));
}

char *pairing_text(const evaluation *e)
{
    const csv *pairs = &e->table[PAIRS];
    int by_name = count_rows(e, pairs, "pairing", "name");
    if (pairs->rows == 0)
        return new_format("There are no pairs.");
    char *differs = what_differs(pairs);
    char *checked =
        new_format("For each of %d pair%s it was checked that the two videos agree in all "
                   "that they say of how they were made (prompt, seed, size, steps and "
                   "every other option), but for: %s.",
                   pairs->rows - by_name, pairs->rows - by_name == 1 ? "" : "s", differs);
    char *named = new_format("%d pair%s by file name alone: the videos do not say how they were "
                             "made, so it could not be checked.",
                             by_name, by_name == 1 ? " is paired" : "s are paired");
    char *text = by_name == 0             ? new_format("%s", checked)
                 : by_name == pairs->rows ? new_format("%s", named)
                                          : new_format("%s %s", checked, named);
    free(differs);
    free(checked);
    free(named);
    return text;
}

char *against_text(const evaluation *e)
{
    if (e->base == 0)
        return new_format("%s", "");
    const char *chosen = e->variant[0], *base = e->recorded;
    return new_format(
        "The tables compare with %s; this report compares with %s. Differences of the metrics of "
        "videos are formed from the pairs that both have with %s. Of them there are means alone: "
        "intervals, tests and the floor are in the tables of comparisons with %s only, and so is "
        "what compares two videos with each other (PSNR and the like, by pair and by frame) and "
        "the "
        "error by step. `make eval` with VARIANTS beginning with %s has them measured.",
        base, chosen, base, base, chosen);
}

char *floor_text(const evaluation *e)
{
    if (!has_floor(e) && e->table[FLOOR].rows == 0)
        return new_format("No floor was measured: how large a difference rounding, compression or "
                          "decoding alone makes is not known, so a small one, even where p is "
                          "small, may be no more than that.");
    return new_format("The floor is how far %s is from twins of itself that differ by rounding, "
                      "compression or decoding alone: the farthest end of the intervals of their "
                      "differences, made twice as wide. Within the floor: the mean difference is "
                      "no larger. Equivalent: "
                      "two one-sided tests with the floor as margin (of a distance one), at 5 %%.",
                      e->recorded);
}

char *tests_text(const evaluation *e)
{
    return new_format(
        "p is two-sided, of the paired differences; the column test says by which "
        "method (pair-stats(1) has them).%s%s An en dash (\u2013) stands for what is not "
        "defined, as the motion of a single frame.",
        has_holm(e) ? " p (Holm) is corrected for all tests of the tables."
                    : " It is of each test alone, not corrected for their number.",
        has_twins(e, 0) ? " Of metrics of pairs p is one-sided: that a video is farther from the "
                          "reference than the farthest twin of its prompt and seed. Effects of "
                          "the metrics of videos can cancel where every video is another; this "
                          "cannot."
                        : "");
}

char *metrics_text(const evaluation *e)
{
    char *text = new_format(
        "CLIP score: mean over frames of the cosine between CLIP\u2019s vectors of the frame and "
        "of "
        "the prompt. Temporal consistency: the same between neighbouring frames. Motion: mean "
        "length of the optical flow (Farneback).");
    for (int k = 0; k < e->metrics; k++) {
        const metric_row *r = metric_named(e->metric[k].name);
        const source_row *s = r && !r->early ? source_named(r->source) : NULL;
        char *more = s ? new_format("%s: %s(1).", r->label, s->program) : NULL;
        if (s)
            text = with(text, " ", more);
        free(more);
    }
    return text;
}

/* What is said of a group of metrics, with a capital; distances without a floor are said alone. */
static char *group_name(const char *words)
{
    char *name = new_format("%s", strcmp(words, "\u2013") == 0 ? "apart by" : words);
    if (name[0] >= 'a' && name[0] <= 'z')
        name[0] = (char)(name[0] - 'a' + 'A');
    return name;
}

/* Of metrics of pairs: is the variant farther away than twins of the reference are? "" where that
 * was not tested. */
static char *twins_text(const evaluation *e, int variant)
{
    const char *by = has_holm(e) ? " by Holm" : "";
    char *found = new_format("%s", ""), *text;
    double least = 1;
    for (int k = e->of_videos; k < e->metrics; k++) {
        comparison c = compare(e, &e->metric[k], variant);
        double at = test_p(&c);
        least = at < least ? at : least;
        if (!(at < 0.05))
            continue;
        char *p = probability(at);
        char *more =
            new_format("%s (p %s%s%s)", e->metric[k].label, p[0] == '<' ? "" : "= ", p, by);
        found = with(found, ", ", more);
        free(more);
        free(p);
    }
    char *p = probability(least);
    if (*found)
        text = new_format("Different: farther from %s than its twins by %s.", e->recorded, found);
    else if (has_twins(e, variant))
        text =
            new_format("Not shown to be farther from %s than its twins: no metric of pairs has a "
                       "p below %s%s.",
                       e->recorded, p, by);
    else
        text = new_format("%s", "");
    free(found);
    free(p);
    return text;
}

char *finding_text(const evaluation *e, int variant)
{
    int n = e->metrics + e->judges;
    char **words = new_bytes((size_t)n * sizeof *words), *sample = sample_words(e, variant);
    char *text = new_format("%s against %s. %s", e->variant[variant], e->variant[0], sample);
    free(sample);
    char *twins = twins_text(e, variant);
    if (*twins)
        text = with(text, " ", twins);
    free(twins);
    for (int k = 0; k < n; k++) {
        const metric *m = k < e->metrics ? &e->metric[k] : &e->judge[k - e->metrics];
        comparison c = compare(e, m, variant);
        double effect = m->of_pairs ? c.mean_b : c.difference;
        words[k] = effect != effect ? NULL : verdict(m, &c);
    }
    for (int k = 0; k < n; k++) {
        if (!words[k])
            continue;
        char *group = group_name(words[k]);
        text = with(text, " ", group);
        free(group);
        const char *separator = ": ";
        char *same = new_format("%s", words[k]);
        for (int i = k; i < n; i++) {
            if (!words[i] || strcmp(words[i], same) != 0)
                continue;
            const metric *m = i < e->metrics ? &e->metric[i] : &e->judge[i - e->metrics];
            comparison c = compare(e, m, variant);
            char *numbers = verdict_numbers(m, &c);
            text = with(text, separator, numbers);
            free(numbers);
            free(words[i]);
            words[i] = NULL;
            separator = "; ";
        }
        free(same);
        text = with(text, "", ".");
    }
    free(words);
    return text;
}
