/*
** picks.c: an operand of tensor-pick, without its file, and behind a zero byte the file: what is
** named of it is written.
*/
#include <stdlib.h>
#include <string.h>

#include "../../bin/tensor-pick/pick.h"
#include "../../common/die.h"
#include "fuzz.h"

static FILE *nowhere;

void fuzz_begin(void)
{
    nowhere = fopen("/dev/null", "w");
    fuzz_mapped("a.st", "", 0);
}

void fuzz_target(const uint8_t *bytes, size_t n)
{
    pick_list list = {0};
    document d = {0};
    writer w;
    size_t size;
    char *operand = new_format("a.st:%s", fuzz_part(&bytes, &n, &size));
    tensor_type type = size % 3 ? TENSOR_TYPES : size % 2 ? F16 : F32;
    fuzz_mapped("a.st", bytes, n);
    pick_operand(&list, operand, 1 + (int)(size % 7 == 6));
    pick_declare(&list, type, &d);
    pick_is_whole(&list, type);
    writer_open(&w, nowhere, "nowhere");
    writer_header(&w, &d);
    for (int i = 0; i < d.entries; i++)
        pick_write(&w, d.entry[i].t, pick_named(&list, d.entry[i].name));
    writer_end(&w);
    document_free(&d);
    pick_free(&list);
    free(operand);
}
