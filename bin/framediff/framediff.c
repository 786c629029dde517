/*
** framediff.c: PSNR, SSIM and mean absolute difference of two videos, frame by frame. It is meant
** for pairs: videos of one prompt and seed by two models.
**
** Documents of the two streams are paired in order, the first with the first. The program refuses
** two videos that differ in size or length, and a document without a partner. Two frames are in
** memory at a time.
*/
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "../../common/die.h"
#include "../../common/frames.h"
#include "../../common/pairs.h"
#include "../../common/recipe.h"
#include "difference.h"
#include "framediff.h"

static bool per_frame, dry;
enum { NUMERICS = 1 };
static const option options[] = {
    {0, "per-frame", OPTION_FLAG, &per_frame, 0, 0, false},
    {0, "recipe", OPTION_FLAG, &dry, 0, 0, true},
    OPTIONS_END,
};

/* ---- the table ---- */

static void print_header(void)
{
    pair_columns(per_frame);
    puts("\tpsnr\tssim\tmad");
}

/* number: of the frame, or of frames in the video. similarity: SSIM; NaN leaves its cell empty. */
static void print_line(const reader *a, const reader *b, int64_t number, level_error e,
                       double similarity)
{
    pair_cells(a, b, number);
    print_number(psnr(e), '\t');
    print_number(similarity, '\t');
    print_number(mean_absolute(e), '\n');
}

static void compare(reader *a, reader *b)
{
    tensor shape = pair_shape(a, b);
    int64_t N = shape.dim[0], H = shape.dim[1], W = shape.dim[2];
    size_t bytes = (size_t)(3 * H * W);
    uint8_t *x = new_bytes(bytes), *y = new_bytes(bytes);
    bool structure = H >= SSIM_WINDOW && W >= SSIM_WINDOW;
    level_error all = {0};
    double similarities = 0;
    if (!structure)
        warn("%s is %" PRId64 "x%" PRId64 ": SSIM needs %d pixels a side", document_called(a), W, H,
             SSIM_WINDOW);
    frames_begin(a);
    frames_begin(b);
    for (int64_t i = 0; i < N; i++) {
        stats_phase("read");
        reader_bytes(a, x, bytes);
        reader_bytes(b, y, bytes);
        stats_phase("compare");
        level_error e = levels_between(x, y, H, W);
        double similarity = structure ? ssim(x, y, H, W) : NAN;
        all = error_sum(all, e);
        similarities += similarity;
        if (per_frame)
            print_line(a, b, i + 1, e, similarity);
        progress("frames", i + 1, N);
    }
    if (!per_frame)
        print_line(a, b, N, all, similarities / (double)N);
    free(x);
    free(y);
    stats_add("documents", 1);
    stats_add("frames", (double)N);
}

int main(int argc, char **argv)
{
    reader a, b;
    int first = program_begin(argc, argv, options, usage);
    if (dry) {
        recipe_print(options, NUMERICS, NULL);
        return program_end();
    }
    if (argc - first != 2)
        usage_error("two operands are needed, not %d", argc - first);
    pair_open(&a, &b, argv[first], argv[first + 1]);
    while (pair_next(&a, &b)) {
        if (a.documents == 1)
            print_header();
        compare(&a, &b);
        output_flush();
    }
    return program_end();
}
