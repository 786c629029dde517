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
#include "judged.h"
#include "pair-tables.h"
#include "video.h"

static const char *output = ".", *measured = "mp4", *names, *prefix = "";
static option_list variants;
static const option options[] = {
    {'o', "output", OPTION_TEXT, &output, 0, 0, true},
    {'m', "measured", OPTION_TEXT, &measured, 0, 0, false},
    {'v', "variant", OPTION_LIST, &variants, 0, 0, false},
    {0, "names", OPTION_TEXT, &names, 0, 0, true},
    {0, "prefix", OPTION_TEXT, &prefix, 0, 0, true},
    OPTIONS_END,
};

/* All that is read, and the tables that are written of it. */
typedef struct {
    const char *directory;
    int names, variants;
    char **name;
    video *video; /* [variants][names] */
    judged judge; /* no column: no video was judged, and there is no table of it */
    csv_writer judges;
    csv_writer clip, clip_frames, motion, motion_frames, pairs, pair_frames, refused;
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

static double clip_of(const video *v) { return mean_of(v->clip, 0, v->about.frames); }
static double temporal_of(const video *v) { return mean_of(v->temporal, 1, v->about.frames); }
static double motion_of(const video *v) { return mean_of(v->motion, 1, v->about.frames); }

static void put_judged(session *s, const video *v)
{
    put_video(&s->judges, v);
    for (int k = 0; k < s->judge.metrics; k++)
        csv_put_figure(&s->judges, judged_number(v, s->judge.name[k]));
    for (int k = s->judge.metrics; k < s->judge.n; k++)
        csv_put(&s->judges, judged_text(v, s->judge.name[k]));
}

static void put_rows(session *s, const video *v)
{
    if (s->judge.n)
        put_judged(s, v);
    put_video(&s->clip, v);
    csv_put_figure(&s->clip, clip_of(v));
    csv_put_figure(&s->clip, 100 * clip_of(v));
    csv_put_figure(&s->clip, temporal_of(v));
    put_video(&s->motion, v);
    csv_put_figure(&s->motion, motion_of(v));
    for (int64_t i = 0; v->clip && i < v->about.frames; i++) {
        put_frame(&s->clip_frames, v, i);
        csv_put_figure(&s->clip_frames, v->clip[i]);
        csv_put_figure(&s->clip_frames, v->temporal[i]);
    }
    for (int64_t i = 1; v->motion && i < v->about.frames; i++) {
        put_frame(&s->motion_frames, v, i);
        csv_put_figure(&s->motion_frames, v->motion[i]);
    }
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
static void put_measurements(session *s, const video *a, const video *b, const difference *d,
                             const char *pairing, const char *differs)
{
    csv_writer *w = &s->pairs;
    int64_t n = a->about.frames;
    put_pair(w, a, b);
    csv_put(w, record_get(&a->about, "seed"));
    csv_put(w, record_get(&a->about, "prompt"));
    csv_put(w, pairing);
    csv_put(w, differs);
    csv_put(w, measured);
    csv_put_whole(w, a->about.width);
    csv_put_whole(w, a->about.height);
    csv_put_whole(w, n);
    csv_put_figure(w, psnr_of(d->psnr, n));
    csv_put_figure(w, mean_of(d->ssim, 0, n));
    csv_put_figure(w, mean_of(d->mad, 0, n));
    csv_put_figure(w, clip_of(a));
    csv_put_figure(w, clip_of(b));
    csv_put_figure(w, temporal_of(a));
    csv_put_figure(w, temporal_of(b));
    csv_put_figure(w, motion_of(a));
    csv_put_figure(w, motion_of(b));
    put_file(w, a);
    put_file(w, b);
    for (int k = 0; k < s->judge.metrics; k++) {
        csv_put_figure(w, judged_number(a, s->judge.name[k]));
        csv_put_figure(w, judged_number(b, s->judge.name[k]));
    }
    for (int64_t i = 0; d->psnr && i < n; i++) {
        put_pair(&s->pair_frames, a, b);
        csv_put_whole(&s->pair_frames, i);
        csv_put_figure(&s->pair_frames, d->psnr[i]);
        csv_put_figure(&s->pair_frames, d->ssim[i]);
        csv_put_figure(&s->pair_frames, d->mad[i]);
    }
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

/* The pairs of the first variant and another, as pair-check's table has them. */
static void put_pairs(session *s, int other)
{
    csv t;
    char *pair = new_format("%s_vs_%s", variants.text[0], variants.text[other]);
    char *path = new_format("%s/%s/pairs.tsv", s->directory, pair);
    csv_open_tabs(&t, path);
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
        if (a->about.fault || b->about.fault)
            csv_die(&t, row, "%s is a pair here, but %s", text,
                    a->about.fault ? a->about.fault : b->about.fault);
        difference d = difference_read(s->directory, pair, a, b);
        put_measurements(s, a, b, &d, csv_text(&t, row, pairing), csv_text(&t, row, differs));
        difference_free(&d);
    }
    csv_close(&t);
    free(pair);
    free(path);
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
    char *header = with_names(
        new_format("%s", PAIR "seed,prompt,pairing,differs,measured,width,height,frames,psnr,ssim,"
                              "mad,clip_a,clip_b,temporal_a,temporal_b,motion_a,motion_b,file_a,"
                              "file_b"),
        &s->judge, s->judge.metrics, (const char *const[2]){"_a", "_b"});
    create(&s->pairs, "pairs", header);
    free(header);
    header = with_names(new_format("variant,name,seed,prompt,measured,frames"), &s->judge,
                        s->judge.n, (const char *const[2]){"", NULL});
    if (s->judge.n)
        create(&s->judges, "judge_per_video", header);
    free(header);
    create(&s->pair_frames, "pairs_per_frame", PAIR "frame,psnr,ssim,mad");
    create(&s->refused, "pairs_refused", PAIR "reason");
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
    finish(&s->pair_frames);
    finish(&s->refused);
}

static void read_videos(session *s)
{
    s->video = new_bytes((size_t)(s->variants * s->names) * sizeof *s->video);
    for (int v = 0; v < s->variants; v++)
        for (int i = 0; i < s->names; i++) {
            video *to = &s->video[v * s->names + i];
            *to = video_read(s->directory, variants.text[v], s->name[i]);
            if (!to->about.fault)
                stats_add("documents", 1);
        }
}

int main(int argc, char **argv)
{
    int first = program_begin(argc, argv, options, usage);
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
    s.judge = judged_of(s.video, s.variants * s.names);
    create_all(&s);
    for (int i = 0; i < s.variants * s.names; i++)
        if (!s.video[i].about.fault)
            put_rows(&s, &s.video[i]);
    for (int other = 1; other < s.variants; other++)
        put_pairs(&s, other);
    finish_all(&s);
    for (int i = 0; i < s.variants * s.names; i++)
        video_free(&s.video[i]);
    free(s.video);
    judged_free(&s.judge);
    names_free(&list);
    return program_end();
}
