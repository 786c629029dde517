/*
** pairs.c: reads two streams of videos side by side: the first document with the first. It refuses
** two videos that differ in size or length, and a document without a partner.
*/
#include "pairs.h"

#include <inttypes.h>
#include <string.h>

#include "die.h"
#include "frames.h"
#include "openfile.h"
#include "program.h"

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

void pair_open(reader *a, reader *b, const char *first, const char *second)
{
    if (strcmp(first, "-") == 0 && strcmp(second, "-") == 0)
        usage_error("standard input can be only one of the two");
    open_side(a, first);
    open_side(b, second);
}

bool pair_next(reader *a, reader *b)
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

tensor pair_shape(const reader *a, const reader *b)
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

void pair_columns(bool per_frame)
{
    printf("document\tseed\tvariant_a\tvariant_b\tprompt\t%s", per_frame ? "frame" : "frames");
}

void pair_cells(const reader *a, const reader *b, int64_t number)
{
    printf("%d\t", a->documents);
    print_cell(metadata_get(&a->d, "seed"));
    print_cell(document_variant(&a->d));
    print_cell(document_variant(&b->d));
    print_cell(metadata_get(&a->d, "prompt"));
    printf("%" PRId64 "\t", number);
}
