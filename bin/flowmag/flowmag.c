/*
** flowmag.c: how much the pictures of a video move: the mean length of the optical flow between
** neighbours, as a table, or the flow itself as a stream.
**
** Frames are read one by one and two are kept, so a video of any length takes the same memory. A
** video of one frame has no motion that could be measured: its cell is empty, which is neither 0
** nor NaN.
*/
#include <inttypes.h>
#include <math.h>
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
enum { NUMERICS = 1 };
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

/* One line; number: the pair's, or how many pairs there are; negative: it has none. */
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

/* The means over pairs, of those that have it; dynamic is the video's. */
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

/* What a video is measured with. */
typedef struct {
    int64_t N, H, W;
    uint8_t *rgb, *before, *grey;
    float *forward; /* [H, 2, W] */
    farneback *f;
    dynamics *d; /* NULL: not asked for */
} measurer;

static measurer measurer_new(const reader *r, tensor frames)
{
    int64_t H = frames.dim[1], W = frames.dim[2];
    const char *fps = metadata_get(&r->d, "fps");
    return (measurer){
        .N = frames.dim[0],
        .H = H,
        .W = W,
        .rgb = new_bytes((size_t)(3 * H * W)),
        .before = new_bytes((size_t)(3 * H * W)),
        .grey = new_bytes((size_t)(H * W)),
        .forward = new_bytes((size_t)(2 * H * W) * sizeof(float)),
        .f = farneback_new(H, W),
        .d = with_dynamic ? dynamic_new(H, W, fps ? strtod(fps, NULL) : 0) : NULL,
    };
}

static void measurer_free(measurer *m)
{
    farneback_free(m->f);
    free(m->rgb);
    free(m->before);
    free(m->grey);
    free(m->forward);
}

/* The flow from the picture before to this one: its magnitude, its error, and it as a stream. */
static motion measure_pair(measurer *m, writer *w)
{
    const float *flow = farneback_flow(m->f);
    motion now = {mean_magnitude(flow, m->H, m->W), NAN, NAN};
    if (as_flow)
        write_flow(w, flow, m->H, m->W);
    if (with_warp) {
        memcpy(m->forward, flow, (size_t)(2 * m->H * m->W) * sizeof *flow);
        now.warp =
            warping_error(m->before, m->rgb, m->forward, farneback_backward(m->f), m->H, m->W);
    }
    return now;
}

/* pair[i - 1] gets what is between frame i, which is read, and the one before. */
static void next_frame(reader *r, writer *w, measurer *m, int64_t i, motion *pair)
{
    uint8_t *old = m->before;
    m->before = m->rgb;
    m->rgb = old;
    stats_phase("read");
    reader_bytes(r, m->rgb, (size_t)(3 * m->H * m->W));
    stats_phase("flow");
    grey_of(m->grey, m->rgb, m->H * m->W);
    farneback_frame(m->f, m->grey);
    if (m->d)
        dynamic_frame(m->d, m->grey);
    if (i > 0)
        pair[i - 1] = measure_pair(m, w);
}

static void measure(reader *r, writer *w)
{
    tensor frames = frames_shape(r);
    measurer m = measurer_new(r, frames);
    motion *pair = new_bytes((size_t)m.N * sizeof *pair);
    if (as_flow)
        write_header(w, &r->d, frames);
    frames_begin(r);
    for (int64_t i = 0; i < m.N; i++) {
        next_frame(r, w, &m, i, pair);
        progress("frames", i + 1, m.N);
    }
    double degree = m.d ? dynamic_degree(m.d) : NAN;
    if (as_flow)
        writer_end(w);
    else
        print_lines(r, pair, m.N - 1, degree);
    measurer_free(&m);
    free(pair);
    stats_add("documents", 1);
    stats_add("pairs", (double)(m.N - 1));
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
        fflush(stdout);
    }
    if (in.documents == 0)
        die("standard input has no document");
    return program_end();
}
