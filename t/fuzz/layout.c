/*
** layout.c: names, types and shapes of tensors, as any library may have written them. The first
** line is a digit, for the part that is wanted (4: any), and the file's configuration; each line
** behind it a tensor: NAME TYPE DIM DIM ... Values are bytes of one pattern.
**
** What the layout makes of them must be sound: each name once, each tensor within its file, each
** weight that is not refused expanded.
*/
#include <stdlib.h>
#include <string.h>

#include "../../common/checkpoint/carry.h"
#include "../../common/checkpoint/layout.h"
#include "../../common/checkpoint/stored.h"
#include "../../common/stream.h"
#include "../../common/values.h"
#include "fuzz.h"

enum { MOST_TENSORS = 100, MOST_ELEMENTS = 4096, MOST_BYTES = 1 << 20 };

static char file[MOST_BYTES];

/* A line's tensor; false if it is none. */
static bool read_tensor(char *line, char **name, tensor *t)
{
    char *type = strchr(line, ' ');
    *name = line;
    *t = (tensor){0};
    if (!type)
        return false;
    *type++ = 0;
    char *dims = strchr(type, ' ');
    if (dims)
        *dims++ = 0;
    if (!type_from_name(&t->type, type) || !type_in_streams(t->type))
        return false;
    for (; dims && *dims && t->rank < TENSOR_MAX_RANK; t->rank++) {
        char *end;
        long n = strtol(dims, &end, 10);
        if (end == dims || n < 0 || n > MOST_ELEMENTS)
            return false;
        t->dim[t->rank] = n;
        dims = end;
    }
    *t = tensor_make(NULL, t->type, t->rank, t->dim);
    return tensor_count(*t) <= MOST_ELEMENTS && tensor_count(*t) % type_block(t->type) == 0;
}

/* The lines as a file; returns its length. */
static size_t write_file(char *text)
{
    document d = {0};
    writer w;
    FILE *f = fmemopen(file, sizeof file, "wb");
    char *line = strchr(text, '\n');
    if (line)
        *line++ = 0;
    if (text[0])
        metadata_set(&d, "config", text + 1);
    for (char *next; line && *line && d.entries < MOST_TENSORS; line = next) {
        char *name;
        tensor t;
        next = strchr(line, '\n');
        if (next)
            *next++ = 0;
        if (read_tensor(line, &name, &t))
            document_add(&d, name, t);
    }
    writer_open(&w, f, "memory");
    writer_header(&w, &d);
    for (int i = 0; i < d.entries; i++)
        for (size_t k = 0; k < tensor_bytes(d.entry[i].t); k++)
            writer_bytes(&w, &(uint8_t){(uint8_t)(k % 61)}, 1);
    writer_end(&w);
    document_free(&d);
    fflush(f);
    size_t n = (size_t)ftell(f);
    fclose(f);
    return n;
}

static void check(weights *w)
{
    document d = {0};
    for (int i = 0; i < weights_count(w); i++) {
        const char *name = weights_name(w, i);
        size_t length = strlen(name);
        tensor t = weights_any(w, name);
        if (i && strcmp(weights_name(w, i - 1), name) == 0)
            fuzz_broken("a name is there once");
        if (type_has_values(t.type))
            summarize(t);
        stored_owner(w, name);
        free(official_name(name, (model_part)(i % PARTS), i & 4));
        if (length > 7 && length < 200 && strcmp(name + length - 7, ".weight") == 0) {
            char base[256];
            snprintf(base, sizeof base, "%.*s", (int)(length - 7), name);
            stored s = weights_stored(w, base);
            free(stored_expanded(&s).data);
        }
    }
    carry_metadata(&d, w);
    carry_config(&d, w);
    document_free(&d);
}

void fuzz_target(const uint8_t *bytes, size_t n)
{
    char *text = strndup((const char *)bytes, n);
    int part = text[0] - '0';
    const char *path = fuzz_path(file, write_file(text));
    free(text);
    weights *w = part >= 0 && part < PARTS ? model_find(path, (model_part)part)
                                           : model_any(weights_open(path));
    check(w);
    weights_close(w);
}
