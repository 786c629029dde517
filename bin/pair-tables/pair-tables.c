/*
** pair-tables.c: from what was measured of each video and pair to the tables of an experiment.
**
** It measures nothing and leaves nothing out: a video without CLIP's numbers has a row with empty
** fields; what is no pair is in the table of those that were refused, with the reason.
*/
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/csv.h"
#include "../../common/die.h"
#include "../../common/namelist.h"
#include "../../common/program.h"
#include "found.h"
#include "judged.h"
#include "pair-tables.h"
#include "video.h"

static const char *output = ".", *measured = "mp4", *names, *prefix = "";
static option_list variants;
static bool list_metrics, list_sources;
static const option options[] = {
    {'o', "output", OPTION_TEXT, &output, 0, 0, true},
    {'m', "measured", OPTION_TEXT, &measured, 0, 0, false},
    {'v', "variant", OPTION_LIST, &variants, 0, 0, false},
    {0, "names", OPTION_TEXT, &names, 0, 0, true},
    {0, "prefix", OPTION_TEXT, &prefix, 0, 0, true},
    {0, "metrics", OPTION_FLAG, &list_metrics, 0, 0, true},
    {0, "sources", OPTION_FLAG, &list_sources, 0, 0, true},
    OPTIONS_END,
};

/* All that is read, and the tables that are written of it. */
typedef struct {
    const char *directory;
    int names, variants;
    char **name;
    video *video;           /* [variants][names] */
    measured_values **pair; /* [variants][names]; NULL where there is no pair */
    judged judge;           /* no column: no video was judged, and there is no table of it */
    metric_set of_videos, of_pairs; /* metrics that are not early, of which there are numbers */
    csv_writer judges;              /* as are these where there are none of them */
    csv_writer metrics, metric_frames;
    csv_writer clip, clip_frames, motion, motion_frames, pairs, pair_frames, refused, tidy;
} session;

/* ---- a video ---- */

static void put_video(csv_writer *w, const video *v)
{
    csv_put(w, v->variant);
    csv_put(w, v->name);
    csv_put(w, record_get(&v->about, "seed"));
    csv_put(w, record_get(&v->about, "prompt"));
    csv_put(w, measured);
    csv_put_whole(w, v->about.frames);
}

static void put_frame(csv_writer *w, const video *v, int64_t frame)
{
    csv_put(w, v->variant);
    csv_put(w, v->name);
    csv_put_whole(w, frame);
}

/* Of a metric by its name. */
static double of_video(const video *v, const char *name)
{
    return value_of(&v->measured, metric_named(name));
}

static double of_frame(const measured_values *m, const char *name, int64_t frame)
{
    return frame_of(m, metric_named(name), frame);
}

static void put_judged(session *s, const video *v)
{
    put_video(&s->judges, v);
    for (int k = 0; k < s->judge.metrics; k++)
        csv_put_figure(&s->judges, judged_number(v, s->judge.name[k]));
    for (int k = s->judge.metrics; k < s->judge.n; k++)
        csv_put(&s->judges, judged_text(v, s->judge.name[k]));
}

static bool has(const measured_values *m, const char *name)
{
    return m->of && m->of[metric_named(name) - METRIC_TABLE];
}

static void put_rows(session *s, const video *v)
{
    const measured_values *m = &v->measured;
    if (s->judge.n)
        put_judged(s, v);
    put_video(&s->clip, v);
    csv_put_figure(&s->clip, of_video(v, "clip"));
    csv_put_figure(&s->clip, 100 * of_video(v, "clip"));
    csv_put_figure(&s->clip, of_video(v, "temporal"));
    put_video(&s->motion, v);
    csv_put_figure(&s->motion, of_video(v, "motion"));
    for (int64_t i = 0; has(m, "clip") && i < m->n; i++) {
        put_frame(&s->clip_frames, v, i);
        csv_put_figure(&s->clip_frames, of_frame(m, "clip", i));
        csv_put_figure(&s->clip_frames, of_frame(m, "temporal", i));
    }
    for (int64_t i = 1; has(m, "motion") && i < m->n; i++) {
        put_frame(&s->motion_frames, v, i);
        csv_put_figure(&s->motion_frames, of_frame(m, "motion", i));
    }
    if (s->of_videos.n) {
        put_video(&s->metrics, v);
        found_put(&s->metrics, &s->of_videos, m);
        for (int64_t i = 0; i < m->n; i++) {
            put_frame(&s->metric_frames, v, i);
            found_put_frame(&s->metric_frames, &s->of_videos, m, i);
        }
    }
    tidy_put(&s->tidy, v, NULL, measured, m, OF_VIDEO);
    tidy_put_judged(&s->tidy, v, measured, &s->judge);
}

/* ---- a pair ---- */

static void put_pair(csv_writer *w, const video *a, const video *b)
{
    csv_put(w, a->name);
    csv_put(w, a->variant);
    csv_put(w, b->variant);
}

static void put_file(csv_writer *w, const video *v)
{
    const char *ending = strcmp(measured, "frames") == 0 ? "frames.safetensors" : "mp4";
    char *file = new_format("%s%s/%s.%s", prefix, v->variant, v->name, ending);
    csv_put(w, file);
    free(file);
}

/* pairing, differs: what pair-check says of it */
static void put_measurements(session *s, const video *a, const video *b, const measured_values *m,
                             const char *pairing, const char *differs)
{
    static const char *const of_both[] = {"clip", "temporal", "motion"};
    static const char *const of_it[] = {"psnr", "ssim", "mad"};
    csv_writer *w = &s->pairs;
    put_pair(w, a, b);
    csv_put(w, record_get(&a->about, "seed"));
    csv_put(w, record_get(&a->about, "prompt"));
    csv_put(w, pairing);
    csv_put(w, differs);
    csv_put(w, measured);
    csv_put_whole(w, a->about.width);
    csv_put_whole(w, a->about.height);
    csv_put_whole(w, m->n);
    for (int i = 0; i < 3; i++)
        csv_put_figure(w, value_of(m, metric_named(of_it[i])));
    for (int i = 0; i < 3; i++) {
        csv_put_figure(w, of_video(a, of_both[i]));
        csv_put_figure(w, of_video(b, of_both[i]));
    }
    put_file(w, a);
    put_file(w, b);
    found_put_both(w, &s->of_videos, &a->measured, &b->measured);
    found_put(w, &s->of_pairs, m);
    for (int k = 0; k < s->judge.metrics; k++) {
        csv_put_figure(w, judged_number(a, s->judge.name[k]));
        csv_put_figure(w, judged_number(b, s->judge.name[k]));
    }
    for (int64_t i = 0; has(m, "psnr") && i < m->n; i++) {
        put_pair(&s->pair_frames, a, b);
        csv_put_whole(&s->pair_frames, i);
        for (int k = 0; k < 3; k++)
            csv_put_figure(&s->pair_frames, of_frame(m, of_it[k], i));
        found_put_frame(&s->pair_frames, &s->of_pairs, m, i);
    }
    tidy_put(&s->tidy, b, a, measured, m, OF_PAIR);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static const video *video_named(const session *s, int variant, const char *name)
{
    char **found = bsearch(&name, s->name, (size_t)s->names, sizeof *s->name, by_name);
    return found ? &s->video[variant * s->names + (found - s->name)] : NULL;
}

/* Where the pairs of the first variant and another are, as pair-check's table has them. To be
 * freed. */
static char *pair_name(int other)
{
    return new_format("%s_vs_%s", variants.text[0], variants.text[other]);
}

static void open_pairs(csv *t, const session *s, int other)
{
    char *pair = pair_name(other);
    csv_open_tabs(t, new_format("%s/%s/pairs.tsv", s->directory, pair));
    free(pair);
}

static void close_pairs(csv *t)
{
    free((char *)t->name);
    csv_close(t);
}

/* What was measured of them, before a table is made: its columns depend on it. */
static void read_pairs(session *s, int other)
{
    csv t;
    char *pair = pair_name(other);
    open_pairs(&t, s, other);
    int name = csv_column(&t, "name"), reason = csv_column(&t, "reason");
    for (int row = 0; row < t.rows; row++) {
        const char *text = csv_text(&t, row, name);
        const video *a = video_named(s, 0, text), *b = video_named(s, other, text);
        if (!a || !b || *csv_text(&t, row, reason))
            continue;
        if (a->about.fault || b->about.fault)
            csv_die(&t, row, "%s is a pair here, but %s", text,
                    a->about.fault ? a->about.fault : b->about.fault);
        measured_values **at = &s->pair[b - s->video];
        if (*at)
            continue;
        *at = new_bytes(sizeof **at);
        **at = pair_read(s->directory, pair, a, b);
        found_add(&s->of_pairs, *at, OF_PAIR);
    }
    close_pairs(&t);
    free(pair);
}

static void put_pairs(session *s, int other)
{
    csv t;
    open_pairs(&t, s, other);
    int name = csv_column(&t, "name"), pairing = csv_column(&t, "pairing");
    int differs = csv_column(&t, "differs"), reason = csv_column(&t, "reason");
    for (int row = 0; row < t.rows; row++) {
        const char *text = csv_text(&t, row, name);
        const video *a = video_named(s, 0, text), *b = video_named(s, other, text);
        if (!a || !b)
            continue;
        if (*csv_text(&t, row, reason)) {
            put_pair(&s->refused, a, b);
            csv_put(&s->refused, csv_text(&t, row, reason));
            continue;
        }
        put_measurements(s, a, b, s->pair[b - s->video], csv_text(&t, row, pairing),
                         csv_text(&t, row, differs));
    }
    close_pairs(&t);
}

/* ---- all ---- */

static void create(csv_writer *w, const char *name, const char *header)
{
    csv_create(w, new_format("%s/%s.csv", output, name), header);
}

static void finish(csv_writer *w)
{
    csv_finish(w);
    free((char *)w->path);
}

/* The header, and the names with a comma before each; frees the header. ends: of each name twice */
static char *with_names(char *header, const judged *j, int n, const char *const ends[2])
{
    for (int i = 0; i < n; i++)
        for (int k = 0; k < 2 && ends[k]; k++) {
            char *more = new_format("%s,%s%s", header, j->name[i], ends[k]);
            free(header);
            header = more;
        }
    return header;
}

static void create_all(session *s)
{
#define VIDEO "variant,name,seed,prompt,measured,frames,"
#define PAIR "name,variant_a,variant_b,"
    create(&s->clip, "clip_temporal_per_video", VIDEO "clip,clip100,temporal");
    create(&s->clip_frames, "clip_per_frame", "variant,name,frame,clip,temporal");
    create(&s->motion, "motion_per_video", VIDEO "motion");
    create(&s->motion_frames, "motion_per_frame", "variant,name,frame,motion");
    char *header = new_format(
        "%s", PAIR "seed,prompt,pairing,differs,measured,width,height,frames,psnr,ssim,mad,clip_a,"
                   "clip_b,temporal_a,temporal_b,motion_a,motion_b,file_a,file_b");
    header = found_names(header, &s->of_videos, true);
    header = found_names(header, &s->of_pairs, false);
    header = with_names(header, &s->judge, s->judge.metrics, (const char *const[2]){"_a", "_b"});
    create(&s->pairs, "pairs", header);
    free(header);
    header = with_names(new_format("variant,name,seed,prompt,measured,frames"), &s->judge,
                        s->judge.n, (const char *const[2]){"", NULL});
    if (s->judge.n)
        create(&s->judges, "judge_per_video", header);
    free(header);
    header = found_names(new_format("variant,name,seed,prompt,measured,frames"), &s->of_videos, 0);
    if (s->of_videos.n)
        create(&s->metrics, "metrics_per_video", header);
    free(header);
    header = found_names(new_format("variant,name,frame"), &s->of_videos, false);
    if (s->of_videos.n)
        create(&s->metric_frames, "metrics_per_frame", header);
    free(header);
    header = found_names(new_format(PAIR "frame,psnr,ssim,mad"), &s->of_pairs, false);
    create(&s->pair_frames, "pairs_per_frame", header);
    free(header);
    create(&s->refused, "pairs_refused", PAIR "reason");
    create(&s->tidy, "tidy", TIDY_HEADER);
}

static void finish_all(session *s)
{
    finish(&s->clip);
    finish(&s->clip_frames);
    finish(&s->motion);
    finish(&s->motion_frames);
    finish(&s->pairs);
    if (s->judge.n)
        finish(&s->judges);
    if (s->of_videos.n)
        finish(&s->metrics);
    if (s->of_videos.n)
        finish(&s->metric_frames);
    finish(&s->pair_frames);
    finish(&s->refused);
    finish(&s->tidy);
}

static void read_videos(session *s)
{
    s->video = new_bytes((size_t)(s->variants * s->names) * sizeof *s->video);
    for (int v = 0; v < s->variants; v++)
        for (int i = 0; i < s->names; i++) {
            video *to = &s->video[v * s->names + i];
            *to = video_read(s->directory, variants.text[v], s->name[i]);
            if (to->about.fault)
                continue;
            stats_add("documents", 1);
            found_add(&s->of_videos, &to->measured, OF_VIDEO);
        }
}

int main(int argc, char **argv)
{
    int first = program_begin(argc, argv, options, usage);
    if (list_metrics || list_sources) {
        if (list_sources)
            sources_print();
        else
            metrics_print();
        return program_end();
    }
    if (argc == first || (argc - first == 1 && !names))
        usage_error("a directory and names are needed");
    if (variants.n == 0)
        usage_error("-v VARIANT is needed");
    if (strcmp(measured, "mp4") != 0 && strcmp(measured, "frames") != 0)
        usage_error("-m is mp4 or frames, not '%s'", measured);
    name_list list = {0};
    for (int i = first + 1; i < argc; i++)
        names_add(&list, argv[i]);
    if (names)
        names_read(&list, names);
    names_sort(&list);
    session s = {
        .directory = argv[first], .names = list.n, .variants = variants.n, .name = list.name};
    read_videos(&s);
    s.pair = new_bytes((size_t)(s.variants * s.names) * sizeof *s.pair);
    s.judge = judged_of(s.video, s.variants * s.names);
    for (int other = 1; other < s.variants; other++)
        read_pairs(&s, other);
    create_all(&s);
    for (int i = 0; i < s.variants * s.names; i++)
        if (!s.video[i].about.fault)
            put_rows(&s, &s.video[i]);
    for (int other = 1; other < s.variants; other++)
        put_pairs(&s, other);
    finish_all(&s);
    for (int i = 0; i < s.variants * s.names; i++) {
        video_free(&s.video[i]);
        if (s.pair[i])
            values_free(s.pair[i]);
        free(s.pair[i]);
    }
    free(s.video);
    free(s.pair);
    metric_set_free(&s.of_videos);
    metric_set_free(&s.of_pairs);
    judged_free(&s.judge);
    names_free(&list);
    return program_end();
}
