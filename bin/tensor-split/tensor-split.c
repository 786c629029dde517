/*
** tensor-split.c: each document of a stream becomes a file.
**
** A file appears under its name only when its document is whole: it is written beside it and
** renamed. So a batch that is interrupted leaves what was finished, and nothing else. It refuses a
** stream with more or fewer documents than names. With --by-recipe it is not their order that
** counts, but what they are.
*/
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../common/die.h"
#include "../../common/openfile.h"
#include "../../common/program.h"
#include "../../common/routes.h"
#include "../../common/seal.h"
#include "tensor-split.h"

static bool pass;
static const char *by_recipe;

static const option options[] = {
    {'p', "pass", OPTION_FLAG, &pass, 0, 0, true},
    {0, "by-recipe", OPTION_TEXT, &by_recipe, 0, 0, true},
    OPTIONS_END,
};

static void forget(void *part) { unlink(part); }

/* The current document of r, as it came, to the file (and to out if that is not NULL). */
static void split_document(reader *r, const char *name, writer *out)
{
    enum { BLOCK = 1 << 20 };
    static char block[BLOCK];
    output_replaces(name);
    char *part = new_format("%s.part", name);
    FILE *file = fopen(part, "wb");
    if (!file)
        die_errno("cannot create %s", part);
    at_death(forget, part);

    writer w;
    writer_open(&w, file, part);
    writer_seal(&w);
    document d = {0};
    metadata_copy(&d, &r->d);
    for (int i = 0; i < r->d.entries; i++)
        document_add(&d, r->d.entry[i].name, r->d.entry[i].t);
    writer_header(&w, &d);
    metadata_remove(&d, SEAL_KEY); /* what goes on has none */
    if (out)
        writer_header(out, &d);
    for (uint64_t left = r->length, n; left; left -= n) {
        n = left < BLOCK ? left : BLOCK;
        reader_bytes(r, block, n);
        writer_bytes(&w, block, n);
        if (out)
            writer_bytes(out, block, n);
    }
    writer_end(&w);
    writer_close(&w);
    if (out)
        writer_end(out);
    if (rename(part, name) != 0)
        die_errno("cannot rename %s to %s", part, name);
    at_death(NULL, part);
    document_free(&d);
    free(part);
}

static void split_by_recipe(reader *in, writer *out)
{
    routes *files = routes_open(by_recipe);
    while (reader_next(in)) {
        split_document(in, routes_take(files, &in->d, in->documents), out);
        stats_add("documents", 1);
    }
    routes_close(files);
}

int main(int argc, char **argv)
{
    int first = program_begin(argc, argv, options, usage);
    if (first == argc && !by_recipe)
        usage_error("no file is named");
    if (first < argc && by_recipe)
        usage_error("--by-recipe LIST and FILE... exclude each other");
    reader in;
    writer out;
    reader_open(&in, stdin, "standard input");
    if (program_waits())
        reader_wait(&in);
    writer_open(&out, stdout, "standard output");
    if (by_recipe)
        split_by_recipe(&in, pass ? &out : NULL);
    for (int i = first; i < argc; i++) {
        if (!reader_next(&in))
            die("%d documents for %d files", in.documents, argc - first);
        split_document(&in, argv[i], pass ? &out : NULL);
        stats_add("documents", 1);
    }
    if (!by_recipe && reader_next(&in))
        die("more documents than the %d files", argc - first);
    return program_end();
}
