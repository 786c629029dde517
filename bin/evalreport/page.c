/*
** page.c: report.html. Everything stands in the one file: style, script, drawings, videos.
**
** Without its script the page is whole but for the difference pictures, and each video has the
** browser's own controls. A policy in its head forbids it to load anything from elsewhere.
*/
#include "page.h"

#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "../../common/program.h"
#include "media.h"
#include "plots.h"
#include "report.css.h"
#include "report.js.h"
#include "tables.h"
#include "trace.h"

static FILE *out;

static void text(const char *s) { put_text(out, HTML, s); }

static void paragraph(char *s)
{
    fputs("<p>", out);
    text(s);
    fputs("</p>\n", out);
    free(s);
}

static void write_one(table t) { table_write(out, HTML, &t); }

/* ---- head ---- */

/* The fills of bars behind the first, which is full: hatched, dotted, crossed, and so on. */
static void write_patterns(void)
{
    static const char *const inside[] = {"<path d=\"M-1 7L7 -1M-1 1L1 -1M5 7L7 5\"/>",
                                         "<path d=\"M1.5 3h3M3 1.5v3\"/>",
                                         "<path d=\"M0 0L6 6M6 0L0 6\"/>",
                                         "<path d=\"M0 3h6\"/>",
                                         "<path d=\"M3 0v6\"/>",
                                         "<path d=\"M-1 -1L7 7M-1 5L1 7M5 -1L7 1\"/>",
                                         "<path d=\"M0 3h6M3 0v6\"/>",
                                         "<path d=\"M0 1h3M3 4h3\"/>"};
    enum { PATTERNS = sizeof inside / sizeof *inside };
    fputs("<svg class=\"patterns\" width=\"0\" height=\"0\" aria-hidden=\"true\"><defs>", out);
    for (int i = 0; i < PATTERNS; i++)
        fprintf(out,
                "<pattern id=\"fill%d\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\">"
                "<g class=\"hatch v%d\">%s</g></pattern>",
                i + 1, i + 1, inside[i]);
    fputs("</defs></svg>\n", out);
}

static void write_head(const evaluation *e, const char *title, bool linked)
{
    fprintf(out,
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
            "<meta name=\"color-scheme\" content=\"light dark\">\n"
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
            "'unsafe-inline'; script-src 'unsafe-inline'; media-src %s\">\n<title>",
            linked ? "*" : "data:");
    text(title);
    fprintf(out, " \u2013 evaluation</title>\n<style>\n%s</style>\n</head>\n<body>\n", report_css);
    fputs("<header>\n<h1>", out);
    text(title);
    fputs("</h1>\n<p class=\"lead\">", out);
    const csv *costs = &e->table[COSTS];
    fprintf(out, "%d video%s of each: ", e->subjects, e->subjects == 1 ? "" : "s");
    const char *const said[] = {"resolution", "frames", "steps", "gpu"};
    const char *const unit[] = {", ", " frames, ", " steps, ", ""};
    for (int i = 0; i < 4; i++) {
        const char *value = costs->rows ? text_at(costs, 0, said[i]) : "";
        text(*value ? value : "\u2013");
        text(unit[i]);
    }
    fputs("</p>\n<nav aria-label=\"Sections\"><ul>", out);
    static const char *const sections[][2] = {
        {"metrics", "Metrics"},        {"frames", "Frame by frame"}, {"steps", "Step by step"},
        {"cost", "Memory and time"},   {"videos", "Videos"},         {"pairs", "Every pair"},
        {"record", "What ran on what"}};
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        if (e->table[TRACE].rows > 0 || strcmp(sections[i][0], "steps") != 0)
            fprintf(out, "<li><a href=\"#%s\">%s</a></li>", sections[i][0], sections[i][1]);
    fputs("</ul></nav>\n</header>\n<main>\n", out);
    write_patterns();
}

static void section(const char *id, const char *title)
{
    fprintf(out, "<section id=\"%s\">\n<h2>%s</h2>\n", id, title);
}

static void section_end(void) { fputs("</section>\n", out); }

/* ---- metrics ---- */

static void write_comparison(const evaluation *e, int v)
{
    char *words = sample_words(pair_count(e, v));
    fputs("<h3>", out);
    text(e->variant[v]);
    fputs(" against ", out);
    text(e->variant[0]);
    fputs("</h3>\n", out);
    write_one(summary_table(e, v));
    fputs("<figure>\n<div class=\"plots\">\n", out);
    for (int i = 0; i < VIDEO_METRICS; i++)
        plot_paired(out, e, &METRIC[i], v);
    fputs("</div>\n<figcaption>", out);
    text(words);
    fputs(" Left in each: a line for each pair. Right: the differences, ", out);
    text(e->variant[v]);
    fputs(" minus ", out);
    text(e->variant[0]);
    fputs(", their mean, and its 95\u00a0% bootstrap interval. The axes do not begin at 0."
          "</figcaption>\n</figure>\n",
          out);
    write_one(distance_table(e, v));
    free(words);
}

static void write_metrics(const evaluation *e)
{
    section("metrics", "Metrics");
    paragraph(measured_text(e));
    paragraph(pairing_text(e));
    if (e->variants == 1)
        write_one(summary_table(e, 0));
    if (e->variants > 2)
        write_one(overview_table(e, ALL));
    for (int v = 1; v < e->variants; v++)
        write_comparison(e, v);
    if (e->table[REFUSED].rows > 0)
        write_one(refused_table(e));
    if (e->judges)
        fputs("<p class=\"note\">The rows behind Motion are what a judge says of each video; where "
              "that is right or wrong, 1 or 0, the means are shares, and p is McNemar\u2019s exact "
              "test of the pairs of which one alone is right.</p>\n",
              out);
    fputs(
        "<p class=\"note\">CLIP score: mean over frames of the cosine between CLIP\u2019s vectors "
        "of the frame and of the prompt. Temporal consistency: the same between neighbouring "
        "frames. Motion: mean length of the optical flow (Farneback). p: Wilcoxon\u2019s "
        "signed-rank test, two-sided. An en dash (\u2013) stands for what is not defined, "
        "as the motion of a single frame.</p>\n",
        out);
    section_end();
}

static void write_curves(const evaluation *e)
{
    int drawn = 0;
    section("frames", "Frame by frame");
    fputs("<figure>\n<div class=\"plots\">\n", out);
    for (int i = 0; i < METRICS; i++)
        drawn += plot_frames(out, e, &METRIC[i], -1);
    fprintf(out,
            "</div>\n<figcaption>Mean over the videos of a variant, frame by frame; %d video%s "
            "at most. What compares two videos is against ",
            e->subjects, e->subjects == 1 ? "" : "s");
    text(e->variant[0]);
    fprintf(out, ".%s</figcaption>\n</figure>\n", drawn ? "" : " Nothing is defined.");
    section_end();
}

/* Where latents were traced, how far the variants are apart after each step. */
static void write_steps(const evaluation *e)
{
    if (e->table[TRACE].rows == 0)
        return;
    section("steps", "Step by step");
    fputs("<figure>\n<div class=\"plots\">\n", out);
    for (int v = 1; v < e->variants; v++)
        plot_trace(out, e, v);
    fputs("</div>\n<figcaption>Relative error (L2) of the latents after each step, against ", out);
    text(e->variant[0]);
    fputs(": a thin line for each video, their mean in bold. Under the number of a step is its "
          "sigma, the share of noise that is left. Errors begin at 0.</figcaption>\n</figure>\n",
          out);
    for (int v = 1; v < e->variants; v++)
        write_one(trace_table(e, v));
    section_end();
}

/* ---- cost ---- */

static void write_cost(const evaluation *e)
{
    static const cost memory[] = {{"peak_device_bytes", "peak device memory", true},
                                  {"steady_device_bytes", "steady device memory", true},
                                  {"weight_bytes", "transformer weights", true}};
    static const cost stages[] = {{"text_seconds", "encode prompts", false},
                                  {"load_seconds", "load weights", true},
                                  {"denoise_seconds", "denoise", true},
                                  {"decode_seconds", "decode and compress", false},
                                  {"seconds", "in all", true}};
    static const cost step[] = {{"step_seconds", "one step of the sampler", true}};
    double divisor;
    const char *unit = memory_unit(e, &divisor);
    section("cost", "Memory and time");
    fputs("<figure>\n<div class=\"plots\">\n", out);
    plot_costs(out, e, "Device memory", memory, 3, divisor, unit);
    plot_costs(out, e, "Seconds of each stage", stages, 5, 1, "s");
    plot_costs(out, e, "Seconds of one step", step, 1, 1, "s");
    fprintf(out,
            "</div>\n<figcaption>All videos of a variant together, one run of each: no spread is "
            "known. Bars begin at 0.%s</figcaption>\n</figure>\n",
            has_fakes(e) ? " " FAKE_NOTE "." : "");
    write_one(cost_table(e));
    section_end();
}

/* ---- videos ---- */

static void write_film(const evaluation *e, int v, int i, bool linked)
{
    int pair = -1;
    for (int k = 1; k < e->variants && pair < 0; k++)
        pair = pair_row(e, k, i);
    double width = number_at(&e->table[PAIRS], pair, "width");
    double height = number_at(&e->table[PAIRS], pair, "height");
    fputs("<figure class=\"film\"><video controls muted loop playsinline preload=\"metadata\"",
          out);
    if (width > 0 && height > 0)
        fprintf(out, " width=\"%.0f\" height=\"%.0f\"", width, height);
    fputs(" aria-label=\"", out);
    text(e->variant[v]);
    fputs(": ", out);
    text(e->subject[i].prompt);
    fputs("\" src=\"", out);
    stats_add("video_bytes", (double)put_video(out, e->directory, e->videos, e->variant[v],
                                               e->subject[i].name, linked));
    fputs("\"></video><figcaption>", out);
    text(e->variant[v]);
    fputs("</figcaption></figure>\n", out);
}

static void write_subject(const evaluation *e, int i, bool linked)
{
    int frames = 0;
    fprintf(out, "<article id=\"video-%d\">\n<h3><bdi>", i + 1);
    text(*e->subject[i].prompt ? e->subject[i].prompt : e->subject[i].name);
    fputs("</bdi></h3>\n<p class=\"name\">", out);
    text(e->subject[i].name);
    fputs("</p>\n", out);
    for (int v = 0; v < e->variants; v++) {
        double n = number_at(&e->table[CLIP], video_row(e, CLIP, v, i), "frames");
        frames = n > frames && n < 1e6 ? (int)n : frames;
    }
    fprintf(out, "<div class=\"films\" data-frames=\"%d\">\n", frames);
    for (int v = 0; v < e->variants; v++)
        if (video_row(e, CLIP, v, i) >= 0)
            write_film(e, v, i, linked);
        else {
            fputs("<p class=\"film none\">", out);
            text(e->variant[v]);
            fputs(": there is no video.</p>\n", out);
        }
    fputs("</div>\n", out);
    write_one(subject_table(e, i));
    fputs("<div class=\"plots\">\n", out);
    static const int shown[] = {0, 2, 3};
    for (int k = 0; k < 3; k++)
        plot_frames(out, e, &METRIC[shown[k]], i);
    fputs("</div>\n</article>\n", out);
    progress("videos", i + 1, e->subjects);
}

static void write_videos(const evaluation *e, bool linked)
{
    section("videos", "Videos");
    fputs("<p class=\"keys\">The videos of a prompt play in step. Keys, where the focus is on one: "
          "<kbd>space</kbd> plays and stops, <kbd>,</kbd> and <kbd>.</kbd> go a frame back and "
          "on, <kbd>Home</kbd> and <kbd>End</kbd> to the first and the last. The difference is "
          "the absolute difference of each colour, amplified: black is equal. Frames count from "
          "0.</p>\n",
          out);
    for (int i = 0; i < e->subjects; i++)
        write_subject(e, i, linked);
    section_end();
}

/* ---- the rest ---- */

static void write_pairs(const evaluation *e)
{
    section("pairs", e->variants > 1 ? "Every pair" : "Every video");
    for (int v = e->variants > 1; v < e->variants; v++)
        write_one(pair_table(e, v));
    for (int v = e->variants > 1; v < e->variants; v++)
        write_one(judged_table(e, v));
    section_end();
}

static void write_record(const evaluation *e)
{
    section("record", "What ran on what");
    write_one(machine_table(e));
    write_one(differing_table(e));
    write_one(shared_table(e));
    write_one(measuring_table(e));
    write_one(runs_table(e));
    section_end();
}

void write_html(const evaluation *e, bool linked)
{
    char *title = title_text(e);
    out = stdout;
    write_head(e, title, linked);
    write_metrics(e);
    write_curves(e);
    write_steps(e);
    write_cost(e);
    write_videos(e, linked);
    write_pairs(e);
    write_record(e);
    fprintf(out, "</main>\n<script>\n%s</script>\n</body>\n</html>\n", report_js);
    free(title);
}
