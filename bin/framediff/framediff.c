/*
** framediff.c: how far two videos are apart, frame by frame: PSNR, SSIM and mean absolute
** difference. For pairs: the same prompt and seed, another model.
**
** Documents are paired in order, the first with the first. It refuses videos of another size or
** length, and a document without a partner: those are no pairs. Two frames are in memory at a time.
*/
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "../../common/frames.h"
#include "../../common/openfile.h"
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

/* ---- reading ---- */

static void open_side(reader *r, const char *operand)
{
    bool pipe = strcmp(operand, "-") == 0;
    FILE *file = pipe ? stdin : input_file(operand);
    if (!file)
        die_errno("cannot read %s", operand);
    reader_open(r, file, pipe ? "standard input" : operand);
    if (program_waits())
        reader_wait(r);
}

/* Both have a next document, or neither. */
static bool next_pair(reader *a, reader *b)
{
    bool first = reader_next(a), second = reader_next(b);
    if (first != second)
        die("%s of %s has no partner: %s has %d", document_called(first ? a : b),
            first ? a->name : b->name, first ? b->name : a->name,
            first ? b->documents : a->documents);
    if (!first && a->documents == 0)
        die("%s and %s have no document", a->name, b->name);
    return first;
}

/* The shape that both share. */
static tensor shared_shape(const reader *a, const reader *b)
{
    tensor x = frames_shape(a), y = frames_shape(b);
    if (x.dim[1] != y.dim[1] || x.dim[2] != y.dim[2])
        die("%s is %" PRId64 "x%" PRId64 " in %s and %" PRId64 "x%" PRId64 " in %s",
            document_called(a), x.dim[2], x.dim[1], a->name, y.dim[2], y.dim[1], b->name);
    if (x.dim[0] != y.dim[0])
        die("%s has %" PRId64 " frames in %s and %" PRId64 " in %s", document_called(a), x.dim[0],
            a->name, y.dim[0], b->name);
    return x;
}

/* ---- the table ---- */

static void print_header(void)
{
    printf("document\tseed\tvariant_a\tvariant_b\tprompt\t%s\tpsnr\tssim\tmad\n",
           per_frame ? "frame" : "frames");
}

/* similarity NaN: there is none, and its cell is empty. number: the frame's, or how many. */
static void print_line(const reader *a, const reader *b, int64_t number, level_error e,
                       double similarity)
{
    printf("%d\t", a->documents);
    print_cell(metadata_get(&a->d, "seed"));
    print_cell(document_variant(&a->d));
    print_cell(document_variant(&b->d));
    print_cell(metadata_get(&a->d, "prompt"));
    printf("%" PRId64 "\t", number);
    print_number(psnr(e), '\t');
    print_number(similarity, '\t');
    print_number(mean_absolute(e), '\n');
}

static void compare(reader *a, reader *b)
{
    tensor shape = shared_shape(a, b);
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
    if (strcmp(argv[first], "-") == 0 && strcmp(argv[first + 1], "-") == 0)
        usage_error("standard input can be only one of the two");
    open_side(&a, argv[first]);
    open_side(&b, argv[first + 1]);
    while (next_pair(&a, &b)) {
        if (a.documents == 1)
            print_header();
        compare(&a, &b);
        fflush(stdout);
    }
    return program_end();
}
