/*
** page.c: report.html. Everything is in this one file: style, script, drawings, videos.
**
** Without its script the page lacks only the difference pictures, and each video has the browser's
** own controls. A Content-Security-Policy forbids loading anything but, with --link, videos.
*/
#include "page.h"

#include "beside.h"

#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "plots.h"
#include "ranking.h"
#include "report.css.h"
#include "report.js.h"
#include "tables.h"
#include "trace.h"

static FILE *out;

static void text(const char *s) { put_text(out, HTML, s); }

static void paragraph(char *s)
{
    if (*s) {
        fputs("<p>", out);
        text(s);
        fputs("</p>\n", out);
    }
    free(s);
}

static void write_one(table t) { table_write(out, HTML, &t); }

/* ---- head ---- */

/* The fills of all bars after the first, which is solid: hatched, dotted, crossed, and so on. */
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

/* Is the section in this page? */
static bool is_written(const evaluation *e, const char *id)
{
    if (strcmp(id, "steps") == 0)
        return e->table[TRACE].rows > 0 && e->base == 0;
    return e->variants > 1 || (strcmp(id, "short") != 0 && strcmp(id, "prompts") != 0);
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
    char *lead = lead_text(e);
    text(lead);
    free(lead);
    fputs("</p>\n<nav aria-label=\"Sections\"><ul>", out);
    static const char *const sections[][2] = {
        {"short", "In short"},         {"prompts", "Prompt by prompt"},
        {"metrics", "Metrics"},        {"frames", "Frame by frame"},
        {"steps", "Step by step"},     {"cost", "Memory and time"},
        {"videos", "Videos"},          {"pairs", "Every pair"},
        {"record", "What ran on what"}};
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        if (is_written(e, sections[i][0]))
            fprintf(out, "<li><a href=\"#%s\">%s</a></li>", sections[i][0], sections[i][1]);
    fputs("</ul></nav>\n</header>\n<main>\n", out);
    write_patterns();
}

static void section(const char *id, const char *title)
{
    fprintf(out, "<section id=\"%s\">\n<h2>%s</h2>\n", id, title);
}

static void section_end(void) { fputs("</section>\n", out); }

/* ---- in short ---- */

/* The fronts of all metrics of which more, or less, is better. */
static void write_fronts(const evaluation *e)
{
    int drawn = 0;
    fputs("<figure>\n", out);
    for (int kind = OF_BYTES; kind <= OF_SECONDS; kind++) {
        fputs("<div class=\"plots\">\n", out);
        for (int k = 0; k < e->metrics; k++)
            if (is_shown(&e->metric[k]) && e->metric[k].direction)
                drawn += plot_front(out, e, &e->metric[k], kind);
        fputs("</div>\n", out);
    }
    fprintf(out,
            "<figcaption>%sA line joins the variants on the front: no other is both as "
            "cheap and as good. A metric that is neither better large nor small is not drawn.%s "
            "The axes do not begin at 0.</figcaption>\n</figure>\n",
            drawn ? "" : "Bytes and seconds are not known. ",
            has_floor(e) || e->table[FLOOR].rows > 0 ? " The band is the floor." : "");
    write_one(front_table(e));
}

static void write_prompts(const evaluation *e)
{
    int drawn = 0;
    fputs("<figure>\n<div class=\"plots\">\n", out);
    for (int k = 0; k < e->metrics; k++)
        if (is_shown(&e->metric[k]))
            drawn += plot_prompts(out, e, &e->metric[k]) != 0;
    fprintf(out,
            "</div>\n<figcaption>A panel a prompt, %d at most, those with the worst pairs "
            "first, all on one scale; a mark for each seed and variant.%s%s"
            "</figcaption>\n</figure>\n",
            PROMPTS, has_floor(e) ? " The band is the floor." : "",
            drawn ? "" : " Nothing is defined.");
}

/* The sentence begins with the variant's name, which is written in bold. */
static void write_finding(const evaluation *e, int v)
{
    char *s = finding_text(e, v);
    fputs("<p><strong>", out);
    text(e->variant[v]);
    fputs("</strong>", out);
    text(s + strlen(e->variant[v]));
    fputs("</p>\n", out);
    free(s);
}

static void write_short(const evaluation *e)
{
    section("short", "In short");
    paragraph(against_text(e));
    if (e->variants > 2) {
        write_one(overview_table(e, ALL));
        write_one(ranking_table(e));
    }
    for (int v = 1; v < e->variants; v++)
        write_finding(e, v);
    if (e->beside) {
        paragraph(beside_text(e, e->beside));
        write_one(beside_table(e, e->beside));
    }
    paragraph(floor_text(e));
    paragraph(tests_text(e));
    if (e->variants > 2) {
        write_fronts(e);
        for (int k = 0; k < e->metrics; k++)
            write_one(metric_table(e, &e->metric[k]));
    }
    if (e->table[FLOOR].rows > 0)
        write_one(floor_table(e));
    section_end();
    section("prompts", "Prompt by prompt");
    write_prompts(e);
    write_one(worst_table(e));
    section_end();
}

/* ---- metrics ---- */

static void write_comparison(const evaluation *e, int v)
{
    char *words = sample_words(e, v);
    fputs("<h3>", out);
    text(e->variant[v]);
    fputs(" against ", out);
    text(e->variant[0]);
    fputs("</h3>\n", out);
    write_one(summary_table(e, v));
    write_one(effect_table(e, v));
    fputs("<figure>\n<div class=\"plots\">\n", out);
    for (int i = 0; i < e->of_videos; i++)
        plot_paired(out, e, &e->metric[i], v);
    fputs("</div>\n<figcaption>", out);
    text(words);
    fputs(" Left in each: a line for each pair. Right: the differences, ", out);
    text(e->variant[v]);
    fputs(" minus ", out);
    text(e->variant[0]);
    fprintf(out,
            ", their mean, and its 95\u00a0%% interval.%s The axes do not begin at 0."
            "</figcaption>\n</figure>\n",
            has_floor(e) ? " The band about 0 is the floor." : "");
    write_one(distance_table(e, v));
    free(words);
}

static void write_metrics(const evaluation *e)
{
    section("metrics", "Metrics");
    paragraph(measured_text(e));
    paragraph(clip_text(e));
    paragraph(pairing_text(e));
    paragraph(metrics_text(e));
    if (e->variants == 1)
        write_one(summary_table(e, 0));
    for (int v = 1; v < e->variants; v++)
        write_comparison(e, v);
    if (e->table[REFUSED].rows > 0)
        write_one(refused_table(e));
    paragraph(judge_text(e));
    section_end();
}

static void write_curves(const evaluation *e)
{
    int drawn = 0;
    section("frames", "Frame by frame");
    fputs("<figure>\n<div class=\"plots\">\n", out);
    for (int i = 0; i < e->metrics; i++)
        drawn += plot_frames(out, e, &e->metric[i], -1);
    fprintf(out,
            "</div>\n<figcaption>Mean over the videos of a variant, frame by frame; %d video%s "
            "at most. What compares two videos is against ",
            e->subjects, e->subjects == 1 ? "" : "s");
    text(e->variant[0]);
    fprintf(out, ".%s</figcaption>\n</figure>\n", drawn ? "" : " Nothing is defined.");
    section_end();
}

static void write_all_steps(const evaluation *e)
{
    fputs("<figure>\n<div class=\"plots\">\n", out);
    int drawn = plot_traces(out, e);
    fputs("</div>\n<figcaption>Relative error (L2) of the latents after each step, mean over the "
          "videos of each variant, against ",
          out);
    text(e->variant[0]);
    fprintf(out,
            ", on a logarithmic axis. Under the number of a step is its sigma, the share of noise "
            "that is left.%s</figcaption>\n</figure>\n",
            drawn ? "" : " No variant differs.");
}

/* How far the variants are apart after each step, if latents were traced. */
static void write_steps(const evaluation *e)
{
    if (e->table[TRACE].rows == 0 || e->base)
        return;
    section("steps", "Step by step");
    if (traced_variants(e) > 1)
        write_all_steps(e);
    write_one(traces_table(e));
    fputs("<figure>\n<div class=\"plots\">\n", out);
    for (int v = 1; v < e->variants; v++)
        plot_trace(out, e, v);
    fputs("</div>\n<figcaption>Relative error (L2) of the latents after each step, against ", out);
    text(e->variant[0]);
    fputs(
        ": a thin line for each video (of more than 200 what lies between the nearest and the "
        "farthest, the middle half darker), their mean in bold. Under the number of a step is its "
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
    if (e->variants > 1)
        write_short(e);
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
