/*
** layout.c: names, types and shapes of tensors, as any library may have written them. The first
** line is a digit, for the part that is wanted (4: any); each line behind it a tensor, NAME TYPE
** DIM DIM ..., whose values are bytes of one pattern, or NAME = CONTENT of bytes, or metadata,
** @KEY VALUE.
**
** What the layout makes of them must be sound: each name once, each tensor within its file, each
** weight that is not refused expanded.
*/
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/checkpoint/carry.h"
#include "../../common/checkpoint/layout.h"
#include "../../common/checkpoint/stored.h"
#include "../../common/die.h"
#include "../../common/stream.h"
#include "../../common/values.h"
#include "fuzz.h"

enum { MOST_TENSORS = 10, MOST_ELEMENTS = 4096 };

static FILE *file;

void fuzz_begin(void) { file = fuzz_blank(); }

/* Sizes as text; false if they are none, or too many. */
static bool read_shape(tensor *t, char *dims)
{
    int64_t dim[TENSOR_MAX_RANK], count = 1;
    int rank = 0;
    for (char *end; dims && *dims; dims = end) {
        long n = strtol(dims, &end, 10);
        if (end == dims || n < 0 || n > MOST_ELEMENTS || rank == TENSOR_MAX_RANK)
            return false;
        dim[rank++] = n;
        count *= n ? n : 1;
        if (count > MOST_ELEMENTS)
            return false;
    }
    *t = tensor_make(NULL, t->type, rank, dim);
    return tensor_count(*t) % type_block(t->type) == 0;
}

/* "NAME TYPE DIM ..", "NAME = CONTENT" (of U8) and "@KEY VALUE", which is metadata. */
static void read_line(document *d, char *line)
{
    char *type = strchr(line, ' '), *more = type ? strchr(type + 1, ' ') : NULL;
    tensor t = {.type = U8};
    if (!type || *line == ' ')
        return;
    *type++ = 0;
    if (line[0] == '@') {
        metadata_set(d, line + 1, type);
        return;
    }
    if (more)
        *more++ = 0;
    bool fine;
    if (strcmp(type, "=") == 0)
        t = tensor_of(more, U8, more ? (int64_t)strlen(more) : 0), fine = true;
    else
        fine = type_from_name(&t.type, type) && type_in_streams(t.type) && read_shape(&t, more);
    if (fine && !document_find(d, line) && strcmp(line, "__metadata__") != 0)
        document_add(d, line, t);
}

static void write_values(writer *w, tensor t)
{
    uint8_t pattern[61];
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (uint8_t)i;
    for (size_t k, n = t.data ? 0 : tensor_bytes(t); n; n -= k) {
        k = n < sizeof pattern ? n : sizeof pattern;
        writer_bytes(w, pattern, k);
    }
    if (t.data)
        writer_bytes(w, t.data, tensor_bytes(t));
}

/* The lines as a file; returns its path. */
static const char *write_file(char *text)
{
    document d = {0};
    writer w;
    static char path[40];
    for (char *line = strchr(text, '\n'), *next; line && d.entries < MOST_TENSORS; line = next) {
        line++;
        next = strchr(line, '\n');
        if (next)
            *next = 0;
        read_line(&d, line);
    }
    if (ftruncate(fileno(file), 0) || lseek(fileno(file), 0, SEEK_SET))
        fuzz_broken("a file in memory can be written");
    writer_open(&w, file, "the input");
    writer_header(&w, &d);
    for (int i = 0; i < d.entries; i++)
        write_values(&w, d.entry[i].t);
    writer_end(&w);
    document_free(&d);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fileno(file));
    return path;
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
        if (i == 0)
            free(official_name(name, (model_part)(length % PARTS), length & 4));
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
    char *text = new_bytes(n + 1);
    memcpy(text, bytes, n);
    int part = text[0] - '0';
    const char *path = write_file(text);
    free(text);
    weights *w = part >= 0 && part < PARTS ? model_find(path, (model_part)part)
                                           : model_any(weights_open(path));
    check(w);
    weights_close(w);
}
