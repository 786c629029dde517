/*
** films.c: the page's videos: those of a prompt and seed side by side, the worst pairs first.
*/
#include <stdlib.h>
#include <string.h>

#include "../../common/program.h"
#include "media.h"
#include "page.h"
#include "plots.h"
#include "ranking.h"
#include "tables.h"

static FILE *out;

static void text(const char *s) { put_text(out, HTML, s); }

static void write_one(table t) { table_write(out, HTML, &t); }

/* Is it plotted by frame beside the videos? Not what shows much the same as another metric. */
static bool is_drawn(const metric *m)
{
    return strcmp(m->name, "temporal") != 0 && strcmp(m->name, "ssim") != 0 && is_shown(m);
}

static void write_film(const evaluation *e, int v, int i, bool linked)
{
    int pair = -1;
    for (int k = 0; k < e->variants && pair < 0; k++)
        pair = recorded_row(e, k, i);
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
    for (int k = 0; k < e->metrics; k++)
        if (is_drawn(&e->metric[k]))
            plot_frames(out, e, &e->metric[k], i);
    fputs("</div>\n</article>\n", out);
}

void write_videos(const evaluation *e, bool linked)
{
    int shown = e->films;
    out = stdout;
    fputs("<section id=\"videos\">\n<h2>Videos</h2>\n", out);
    fputs("<p class=\"keys\">The videos of a prompt play in step. Keys, where the focus is on one: "
          "<kbd>space</kbd> plays and stops, <kbd>,</kbd> and <kbd>.</kbd> go a frame back and "
          "on, <kbd>Home</kbd> and <kbd>End</kbd> to the first and the last. The difference is "
          "the absolute difference of each colour, amplified: black is equal. Frames count from "
          "0.</p>\n",
          out);
    if (e->by) {
        fputs("<p>The worst pairs come first, by ", out);
        text(e->by->label);
        fprintf(out, ".");
        if (shown < e->subjects)
            fprintf(out, " Shown are %d of %d; the tables have all.", shown, e->subjects);
        fputs("</p>\n", out);
    } else if (shown < e->subjects) {
        fprintf(out, "<p>Shown are %d of %d; the tables have all.</p>\n", shown, e->subjects);
    }
    for (int i = 0; i < shown; i++) {
        write_subject(e, e->order[i], linked);
        progress("videos", i + 1, shown);
    }
    fputs("</section>\n", out);
}
