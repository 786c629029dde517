/*
** framestats.c: what can be said of a video's frames without a model and without flow: flicker and
** sharpness, as a table.
**
** Three frames are in memory at a time. What needs more frames than there are has an empty cell,
** which is neither 0 nor NaN.
*/
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "../../common/die.h"
#include "../../common/frames.h"
#include "../../common/recipe.h"
#include "framestats.h"
#include "levels.h"

static bool per_frame, dry;
enum { NUMERICS = 1 };
static const option options[] = {
    {0, "per-frame", OPTION_FLAG, &per_frame, 0, 0, false},
    {0, "recipe", OPTION_FLAG, &dry, 0, 0, true},
    OPTIONS_END,
};

/* Of one frame, or their sums over the frames that have them; NAN: not defined. */
typedef struct {
    double flicker, flicker2, sharpness;
} measures;

static void print_header(void)
{
    printf("document\tseed\tvariant\tprompt\t%s\tflicker\tflicker2\tsharpness\n",
           per_frame ? "frame" : "frames");
}

static void print_line(const reader *r, int64_t number, measures m)
{
    printf("%d\t", r->documents);
    print_cell(metadata_get(&r->d, "seed"));
    print_cell(document_variant(&r->d));
    print_cell(metadata_get(&r->d, "prompt"));
    printf("%" PRId64 "\t", number);
    print_number(m.flicker, '\t');
    print_number(m.flicker2, '\t');
    print_number(m.sharpness, '\n');
}

/* Frame i, the last of frame[3]; frame[1] is the one before it, if there is one. */
static measures measure_frame(uint8_t *const frame[3], uint8_t *grey, int64_t i, int64_t H,
                              int64_t W)
{
    int64_t n = 3 * H * W;
    measures m = {NAN, NAN, 0};
    grey_of(grey, frame[2], H * W);
    m.sharpness = laplacian_variance(grey, H, W);
    if (i > 0)
        m.flicker = mean_change(frame[1], frame[2], n);
    if (i > 1)
        m.flicker2 = mean_bend(frame[0], frame[1], frame[2], n);
    return m;
}

static void add(measures *sum, measures m, int64_t i)
{
    sum->sharpness += m.sharpness;
    sum->flicker += i > 0 ? m.flicker : 0;
    sum->flicker2 += i > 1 ? m.flicker2 : 0;
}

static measures means(measures sum, int64_t N)
{
    return (measures){N > 1 ? sum.flicker / (double)(N - 1) : NAN,
                      N > 2 ? sum.flicker2 / (double)(N - 2) : NAN, sum.sharpness / (double)N};
}

static void measure(reader *r)
{
    tensor shape = frames_shape(r);
    int64_t N = shape.dim[0], H = shape.dim[1], W = shape.dim[2];
    size_t bytes = (size_t)(3 * H * W);
    uint8_t *frame[3] = {new_bytes(bytes), new_bytes(bytes), new_bytes(bytes)};
    uint8_t *grey = new_bytes((size_t)(H * W));
    measures sum = {0};
    frames_begin(r);
    for (int64_t i = 0; i < N; i++) {
        uint8_t *oldest = frame[0];
        frame[0] = frame[1];
        frame[1] = frame[2];
        frame[2] = oldest;
        stats_phase("read");
        reader_bytes(r, frame[2], bytes);
        stats_phase("measure");
        measures m = measure_frame(frame, grey, i, H, W);
        add(&sum, m, i);
        if (per_frame)
            print_line(r, i + 1, m);
        progress("frames", i + 1, N);
    }
    if (!per_frame)
        print_line(r, N, means(sum, N));
    for (int i = 0; i < 3; i++)
        free(frame[i]);
    free(grey);
    stats_add("documents", 1);
    stats_add("frames", (double)N);
}

int main(int argc, char **argv)
{
    reader in;
    int first = program_begin(argc, argv, options, usage);
    if (first < argc)
        usage_error("unwanted operand '%s'", argv[first]);
    if (dry) {
        recipe_print(options, NUMERICS, NULL);
        return program_end();
    }
    reader_open(&in, stdin, "standard input");
    if (program_waits())
        reader_wait(&in);
    while (reader_next(&in)) {
        if (in.documents == 1)
            print_header();
        measure(&in);
        output_flush();
    }
    if (in.documents == 0)
        die("standard input has no document");
    return program_end();
}
