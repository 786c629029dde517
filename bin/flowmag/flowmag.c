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

#include "../../common/die.h"
#include "../../common/frames.h"
#include "../../common/recipe.h"
#include "farneback.h"
#include "flowmag.h"

static bool per_pair, as_flow, dry;
enum { NUMERICS = 1 };
static const option options[] = {
    {0, "per-pair", OPTION_FLAG, &per_pair, 0, 0, false},
    {0, "flow", OPTION_FLAG, &as_flow, 0, 0, false},
    {0, "recipe", OPTION_FLAG, &dry, 0, 0, true},
    OPTIONS_END,
};

/* ---- the table ---- */

/* One line; number: the pair's, or how many pairs there are. No pair: no magnitude. */
static void print_line(const reader *r, int64_t number, bool defined, double magnitude)
{
    printf("%d\t", r->documents);
    print_cell(metadata_get(&r->d, "seed"));
    print_cell(document_variant(&r->d));
    print_cell(metadata_get(&r->d, "prompt"));
    if (defined || !per_pair)
        printf("%" PRId64, number);
    putchar('\t');
    print_number(defined ? magnitude : NAN, '\n');
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

/* The flow from the picture before to this one: its magnitude, and as a table or a stream. */
static double measure_pair(const reader *r, writer *w, farneback *f, int64_t pair, int64_t H,
                           int64_t W)
{
    const float *flow = farneback_flow(f);
    double magnitude = mean_magnitude(flow, H, W);
    if (as_flow)
        write_flow(w, flow, H, W);
    else if (per_pair)
        print_line(r, pair, true, magnitude);
    return magnitude;
}

static void measure(reader *r, writer *w)
{
    tensor frames = frames_shape(r);
    int64_t N = frames.dim[0], H = frames.dim[1], W = frames.dim[2], pixels = H * W;
    uint8_t *rgb = new_bytes((size_t)(3 * pixels)), *grey = new_bytes((size_t)pixels);
    farneback *f = farneback_new(H, W);
    double sum = 0;
    if (as_flow)
        write_header(w, &r->d, frames);
    frames_begin(r);
    for (int64_t i = 0; i < N; i++) {
        stats_phase("read");
        reader_bytes(r, rgb, (size_t)(3 * pixels));
        stats_phase("flow");
        grey_of(grey, rgb, pixels);
        farneback_frame(f, grey);
        if (i > 0)
            sum += measure_pair(r, w, f, i, H, W);
        progress("frames", i + 1, N);
    }
    if (as_flow)
        writer_end(w);
    else if (!per_pair || N == 1)
        print_line(r, N - 1, N > 1, sum / (double)(N - 1));
    farneback_free(f);
    free(rgb);
    free(grey);
    stats_add("documents", 1);
    stats_add("pairs", (double)(N - 1));
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
            printf("document\tseed\tvariant\tprompt\t%s\tmagnitude\n", per_pair ? "pair" : "pairs");
        measure(&in, &out);
        fflush(stdout);
    }
    if (in.documents == 0)
        die("standard input has no document");
    return program_end();
}
