/*
** lpips.c: how far two videos are apart to the eye, by LPIPS, frame by frame. For pairs: the same
** prompt and seed, another model.
**
** Documents are paired in order, as framediff does. Two frames are in memory at a time, and what
** the network makes of them.
*/
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "../../common/frames.h"
#include "../../common/pairs.h"
#include "../../common/recipe.h"
#include "../pixels.h"
#include "lpips.h"
#include "perceptual.h"

static const char *model, *heads, *net = "alex", *dtype = "fp32";
static bool per_frame, dry;
enum { NUMERICS = 1 };
static const option options[] = {
    {'m', "model", OPTION_TEXT, &model, 0, 0, true},
    {0, "heads", OPTION_TEXT, &heads, 0, 0, true},
    {0, "net", OPTION_TEXT, &net, 0, 0, false},
    {0, "dtype", OPTION_TEXT, &dtype, 0, 0, false},
    {0, "per-frame", OPTION_FLAG, &per_frame, 0, 0, true},
    {0, "recipe", OPTION_FLAG, &dry, 0, 0, true},
    OPTIONS_END,
};

/* ---- the table ---- */

static void print_header(void)
{
    pair_columns(per_frame);
    puts("\tlpips");
}

/* number: of the frame, or of frames in the video. */
static void print_line(const reader *a, const reader *b, int64_t number, double distance)
{
    pair_cells(a, b, number);
    print_number(distance, '\n');
}

static void check_size(const lpips *m, const reader *a, tensor shape)
{
    int64_t least = lpips_least(m);
    if (shape.dim[1] < least || shape.dim[2] < least)
        die("%s of %s is %" PRId64 "x%" PRId64 ": --net %s needs %" PRId64 " pixels a side",
            document_called(a), a->name, shape.dim[2], shape.dim[1], net, least);
}

static void compare(const lpips *m, reader *a, reader *b)
{
    tensor shape = pair_shape(a, b);
    int64_t N = shape.dim[0], H = shape.dim[1], W = shape.dim[2];
    size_t bytes = (size_t)(3 * H * W);
    check_size(m, a, shape);
    uint8_t *levels = new_bytes(2 * bytes);
    tensor two = tensor_of(levels, U8, 2, H, W, 3);
    tensor pixels = tensor_of(new_bytes(2 * bytes * sizeof(float)), F32, 3, 2, H, W);
    double sum = 0;
    frames_begin(a);
    frames_begin(b);
    for (int64_t i = 0; i < N; i++) {
        stats_phase("read");
        reader_bytes(a, levels, bytes);
        reader_bytes(b, levels + bytes, bytes);
        stats_phase("compare");
        pixels_of(pixels, two, &imagenet);
        double distance = lpips_distance(m, pixels);
        sum += distance;
        if (per_frame)
            print_line(a, b, i + 1, distance);
        progress("frames", i + 1, N);
    }
    if (!per_frame)
        print_line(a, b, N, sum / (double)N);
    free(levels);
    free(pixels.data);
    stats_add("documents", 1);
    stats_add("frames", (double)N);
}

/* ---- the program ---- */

static json_t *stamp_of(const lpips *m)
{
    json_t *stamp = load_provenance(m->network, dry);
    json_object_set_new(stamp, "heads", json_string(weights_digest(m->heads)));
    return stamp;
}

static void compare_all(lpips *m, const char *first, const char *second)
{
    reader a, b;
    tensor_type type = dtype_named(dtype);
    device_find();
    pair_open(&a, &b, first, second);
    stats_phase("read");
    while (pair_next(&a, &b)) {
        if (a.documents == 1) {
            stats_phase("load");
            if (type == F32)
                device_advice("--dtype fp16 needs less");
            device_open();
            stats_set_device(device_details());
            lpips_load(m, type);
            print_header();
        }
        compare(m, &a, &b);
        output_flush();
        stats_phase("read");
    }
    stats_set("peak_device_bytes", (double)device_peak_bytes());
}

static void check_usage(int operands)
{
    if (!model)
        usage_error("-m DIR or -m FILE is needed");
    if (!lpips_known(net))
        usage_error("--net is alex or vgg, not '%s'", net);
    dtype_named(dtype);
    if (!dry && operands != 2)
        usage_error("two operands are needed, not %d", operands);
}

int main(int argc, char **argv)
{
    lpips m;
    int first = program_begin(argc, argv, options, usage);
    check_usage(argc - first);
    lpips_open(&m, net, model, heads);
    if (dry) {
        weights_digest_begin(m.network);
        recipe_print(options, NUMERICS, stamp_of(&m));
    } else {
        compare_all(&m, argv[first], argv[first + 1]);
    }
    lpips_close(&m);
    return program_end();
}
