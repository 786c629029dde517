/*
** stream.c: tensor streams, from a pipe and from a file; every document is looked at, loaded, and
** its header written again.
*/
#include <stdio.h>
#include <unistd.h>

#include "../../common/stream.h"
#include "../../common/values.h"
#include "fuzz.h"

static FILE *nowhere;

void fuzz_begin(void) { nowhere = fopen("/dev/null", "w"); }

static void write_again(const document *from)
{
    writer w;
    document d = {0};
    writer_open(&w, nowhere, "nowhere");
    metadata_copy(&d, from);
    for (int i = 0; i < from->entries; i++)
        document_add(&d, from->entry[i].name, from->entry[i].t);
    writer_header(&w, &d);
    document_free(&d);
}

/* Every second document is loaded, of the others half a tensor is read. */
static void read_all(FILE *f)
{
    reader r;
    char block[4096];
    reader_open(&r, f, "input");
    while (reader_next(&r)) {
        write_again(&r.d);
        if (r.documents % 2 == 0) {
            uint64_t n = r.length / 2 < sizeof block ? r.length / 2 : sizeof block;
            reader_bytes(&r, block, n);
            continue;
        }
        reader_load(&r);
        for (int i = 0; i < r.d.entries; i++)
            summarize(r.d.entry[i].t);
    }
    document_free(&r.d);
}

void fuzz_target(const uint8_t *bytes, size_t n)
{
    fuzz_file("pipe", bytes, n);
    FILE *f = n && bytes[n - 1] % 2 ? fopen("pipe", "r") : NULL;
    if (!f)
        f = fuzz_open(bytes, n);
    read_all(f);
    fclose(f);
}
