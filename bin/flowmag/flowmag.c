/*
** flowmag.c: how much a video moves: the mean length of the optical flow between neighbouring
** frames, as a table, or the flow itself as a stream.
**
** A frame for each thread and two more are in memory, however long the video is. The motion of a
** video of one frame is not defined: its cell is empty.
*/
#include <inttypes.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "../../common/frames.h"
#include "../../common/recipe.h"
#include "dynamic.h"
#include "farneback.h"
#include "flowmag.h"
#include "warp.h"

static bool per_pair, as_flow, with_warp, with_dynamic, dry;
enum { NUMERICS = 2, MOST_THREADS = 16 };
static const option options[] = {
    {0, "per-pair", OPTION_FLAG, &per_pair, 0, 0, false},
    {0, "flow", OPTION_FLAG, &as_flow, 0, 0, false},
    {0, "warp", OPTION_FLAG, &with_warp, 0, 0, false},
    {0, "dynamic", OPTION_FLAG, &with_dynamic, 0, 0, false},
    {0, "recipe", OPTION_FLAG, &dry, 0, 0, true},
    OPTIONS_END,
};

/* ---- the table ---- */

static void print_header(void)
{
    printf("document\tseed\tvariant\tprompt\t%s\tmagnitude%s%s\n", per_pair ? "pair" : "pairs",
           with_warp ? "\twarp" : "", with_dynamic ? "\tdynamic" : "");
}

/* What is measured of a pair or a video; NAN is not defined. */
typedef struct {
    double magnitude, warp, dynamic;
} motion;

/* One line. number: the pair's, or how many pairs there are; negative: the cell stays empty. */
static void print_line(const reader *r, int64_t number, motion m)
{
    printf("%d\t", r->documents);
    print_cell(metadata_get(&r->d, "seed"));
    print_cell(document_variant(&r->d));
    print_cell(metadata_get(&r->d, "prompt"));
    if (number >= 0)
        printf("%" PRId64, number);
    putchar('\t');
    print_number(m.magnitude, with_warp || with_dynamic ? '\t' : '\n');
    if (with_warp)
        print_number(m.warp, with_dynamic ? '\t' : '\n');
    if (with_dynamic)
        print_number(m.dynamic, '\n');
}

/* The means over the pairs for which a value is defined; dynamic is the video's own. */
static motion means(const motion *pair, int64_t n, double dynamic)
{
    double magnitude = 0, warp = 0;
    int64_t warps = 0;
    for (int64_t i = 0; i < n; i++) {
        magnitude += pair[i].magnitude;
        if (!isnan(pair[i].warp)) {
            warp += pair[i].warp;
            warps++;
        }
    }
    return (motion){magnitude / (double)n, warp / (double)warps, dynamic};
}

static void print_lines(const reader *r, motion *pair, int64_t n, double dynamic)
{
    for (int64_t i = 0; i < n && per_pair; i++) {
        pair[i].dynamic = dynamic;
        print_line(r, i + 1, pair[i]);
    }
    if (!per_pair || n == 0)
        print_line(r, per_pair ? -1 : n, means(pair, n, dynamic));
}

/* ---- the flow as a stream ---- */

static void write_header(writer *w, const document *in, tensor frames)
{
    document d = {0};
    metadata_copy(&d, in);
    json_t *stamp = json_object();
    recipe_input(stamp, in);
    provenance_add(&d, options, NUMERICS, stamp);
    document_add(&d, "flow",
                 tensor_of(NULL, F32, frames.dim[0] - 1, frames.dim[1], frames.dim[2], 2));
    writer_header(w, &d);
    document_free(&d);
}

/* [H, 2, W] in memory, [H, W, 2] in the stream. */
static void write_flow(writer *w, const float *flow, int64_t H, int64_t W)
{
    float *row = new_bytes((size_t)W * 2 * sizeof *row);
    for (int64_t y = 0; y < H; y++, flow += 2 * W) {
        for (int64_t x = 0; x < W; x++) {
            row[2 * x] = flow[x];
            row[2 * x + 1] = flow[W + x];
        }
        writer_bytes(w, row, (size_t)W * 2 * sizeof *row);
    }
    free(row);
}

/* ---- measuring ---- */

typedef struct {
    uint8_t *rgb; /* [H, W, 3] */
    expanded *e;
} picture;

/* Two pictures whose flow is wanted: neighbours, or frames further apart for the dynamic degree. */
typedef struct {
    const picture *first, *second;
    motion *pair; /* of neighbours: where the result goes; else NULL */
    bool dynamic, moves;
    float *flow; /* [H, 2, W], if it is to be written */
} task;

/* A video is read in batches, a frame for each thread, and a batch's flows are made in parallel. */
typedef struct {
    int64_t N, H, W, read, batch;
    picture pool[MOST_THREADS + 2];
    const picture *last, *looked_at; /* the last frame read; the last of the dynamic degree */
    task tasks[2 * MOST_THREADS];
    int n;
    dynamic_rule rule;
    int64_t moving;
    motion *pair; /* [N - 1] */
} measurer;

static measurer *measurer_new(const reader *r, tensor frames)
{
    measurer *m = new_bytes(sizeof *m);
    int64_t H = frames.dim[1], W = frames.dim[2], threads = omp_get_max_threads();
    *m = (measurer){
        .N = frames.dim[0],
        .H = H,
        .W = W,
        .batch = threads < MOST_THREADS ? threads : MOST_THREADS,
        .rule = dynamic_rule_of(H, W, with_dynamic ? document_fps(r, 8) : 8),
        .pair = new_bytes((size_t)frames.dim[0] * sizeof *m->pair),
    };
    for (int64_t i = 0; i < m->batch + 2; i++)
        m->pool[i] = (picture){new_bytes((size_t)(3 * H * W)), expanded_new(H, W)};
    return m;
}

static void measurer_free(measurer *m)
{
    for (int64_t i = 0; i < m->batch + 2; i++) {
        expanded_free(m->pool[i].e);
        free(m->pool[i].rgb);
    }
    free(m->pair);
    free(m);
}

static void add_task(measurer *m, const picture *first, const picture *second, motion *pair,
                     bool dynamic)
{
    m->tasks[m->n++] = (task){first, second, pair, dynamic, false, NULL};
}

/* Adds the tasks of the next frame, `now`: its flow from the frame before, and from the last frame
 * that the dynamic degree looked at. */
static void plan_frame(measurer *m, const picture *now)
{
    int64_t i = m->read++;
    bool looked_at = with_dynamic && i % m->rule.interval == 0;
    if (i > 0)
        add_task(m, m->last, now, &m->pair[i - 1], looked_at && m->rule.interval == 1);
    if (i > 0 && looked_at && m->rule.interval > 1)
        add_task(m, m->looked_at, now, NULL, true);
    m->last = now;
    if (looked_at)
        m->looked_at = now;
}

static void expand_rgb(const measurer *m, const picture *p)
{
    uint8_t *grey = new_bytes((size_t)(m->H * m->W));
    grey_of(grey, p->rgb, m->H * m->W);
    expand_picture(p->e, grey);
    free(grey);
}

static void do_task(const measurer *m, task *t)
{
    int64_t H = m->H, W = m->W;
    float *flow = new_bytes((size_t)(2 * H * W) * sizeof *flow);
    farneback_flow(flow, t->first->e, t->second->e);
    if (t->dynamic)
        t->moves = dynamic_moves(flow, H, W, m->rule);
    if (t->pair)
        *t->pair = (motion){mean_magnitude(flow, H, W), NAN, NAN};
    if (t->pair && with_warp) {
        float *back = new_bytes((size_t)(2 * H * W) * sizeof *back);
        farneback_flow(back, t->second->e, t->first->e);
        t->pair->warp = warping_error(t->first->rgb, t->second->rgb, flow, back, H, W);
        free(back);
    }
    if (as_flow)
        t->flow = flow;
    else
        free(flow);
}

static void next_batch(reader *r, writer *w, measurer *m)
{
    const picture *old = m->last, *old_looked_at = m->looked_at, *now[MOST_THREADS];
    int n = 0;
    m->n = 0;
    stats_phase("read");
    for (const picture *p = m->pool; n < m->batch && m->read < m->N; p++)
        if (p != old && p != old_looked_at) {
            reader_bytes(r, p->rgb, (size_t)(3 * m->H * m->W));
            plan_frame(m, p);
            now[n++] = p;
        }
    stats_phase("flow");
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < n; i++)
        expand_rgb(m, now[i]);
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < m->n; i++)
        do_task(m, &m->tasks[i]);
    for (task *t = m->tasks; t < m->tasks + m->n; t++) {
        m->moving += t->moves;
        if (as_flow)
            write_flow(w, t->flow, m->H, m->W);
        free(t->flow);
    }
}

static void measure(reader *r, writer *w)
{
    tensor frames = frames_shape(r);
    measurer *m = measurer_new(r, frames);
    if (as_flow)
        write_header(w, &r->d, frames);
    frames_begin(r);
    for (int64_t told = 0; told < m->N;) {
        next_batch(r, w, m);
        while (told < m->read) /* one by one: a log is the same with any number of threads */
            progress("frames", ++told, m->N);
    }
    if (as_flow)
        writer_end(w);
    else
        print_lines(r, m->pair, m->N - 1,
                    with_dynamic ? dynamic_degree(m->N, m->H, m->W, m->moving, m->rule) : NAN);
    stats_add("documents", 1);
    stats_add("pairs", (double)(m->N - 1));
    measurer_free(m);
}

int main(int argc, char **argv)
{
    reader in;
    writer out;
    int first = program_begin(argc, argv, options, usage);
    if (first < argc)
        usage_error("unwanted operand '%s'", argv[first]);
    if (per_pair && as_flow)
        usage_error("either --per-pair or --flow");
    if (as_flow && (with_warp || with_dynamic))
        usage_error("--flow is no table: neither --warp nor --dynamic");
    if (dry) {
        recipe_print(options, NUMERICS, NULL);
        return program_end();
    }
    reader_open(&in, stdin, "standard input");
    if (program_waits())
        reader_wait(&in);
    writer_open(&out, stdout, "standard output");
    while (reader_next(&in)) {
        if (in.documents == 1 && !as_flow)
            print_header();
        measure(&in, &out);
        output_flush();
    }
    if (in.documents == 0)
        die("standard input has no document");
    return program_end();
}
