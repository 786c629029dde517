/*
** source.c: streams and checkpoints behind one face, for the tools that look at tensors.
**
** Which it is, is told by content. A safetensors file is read as a stream, so that it may hold
** several documents; of a file only headers are read, the rest is skipped by seeking, and data are
** taken from a map. From a pipe the whole document is loaded when its first tensor is asked for.
*/
#include "source.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/weights.h"
#include "die.h"
#include "openfile.h"
#include "program.h"

struct source {
    char *name, *where;
    FILE *file;
    reader r;
    weights *w;     /* a checkpoint; NULL: a stream */
    document d;     /* the checkpoint's tensors */
    bool seen;      /* the checkpoint has been returned */
    char *map;      /* of a regular file, once data are asked for */
    size_t mapped;  /* its size */
    uint64_t begin; /* where in the file the current document's data begin */
    void **copies;  /* of tensors that are not aligned in the map */
    int n_copies;
};

/* A zip or JSON file, but no safetensors: those have { as ninth byte, which here is a space or a
 * quotation mark, or the low byte of a compression method. */
static bool is_checkpoint(FILE *file)
{
    unsigned char b[9] = {0};
    size_t n = fread(b, 1, sizeof b, file);
    rewind(file);
    return n == sizeof b && (memcmp(b, "GGUF", 4) == 0 || b[8] != '{') &&
           (b[0] == '{' || b[0] == 'G' || memcmp(b, "PK\3\4", 4) == 0 ||
            (b[0] == 0x80 && b[1] <= 5));
}

source *source_open(const char *path)
{
    struct stat st;
    source *s = new_bytes(sizeof *s);
    bool standard = strcmp(path, "-") == 0;
    s->name = new_format("%s", standard ? "standard input" : path);
    s->file = standard ? stdin : input_file(path);
    bool keyed = !s->file && strchr(path, ':'); /* FILE:KEY, perhaps */
    if (!s->file && !keyed)
        die_errno("cannot open %s", path);
    if (keyed || (s->file != stdin && fstat(fileno(s->file), &st) == 0 && S_ISREG(st.st_mode) &&
                  is_checkpoint(s->file))) {
        s->w = weights_open(path);
        for (int i = 0; i < weights_count(s->w); i++)
            document_add(&s->d, weights_name(s->w, i), weights_shape(s->w, i));
        for (int i = 0; i < weights_keys(s->w); i++)
            metadata_set(&s->d, weights_key(s->w, i), weights_metadata(s->w, weights_key(s->w, i)));
    }
    if (!s->w)
        reader_open(&s->r, s->file, s->name);
    if (program_waits() && !s->w)
        reader_wait(&s->r);
    return s;
}

static void drop_copies(source *s)
{
    for (int i = 0; i < s->n_copies; i++)
        free(s->copies[i]);
    free(s->copies);
    s->copies = NULL;
    s->n_copies = 0;
}

bool source_next(source *s)
{
    if (s->w) {
        bool first = !s->seen;
        s->seen = true;
        return first;
    }
    drop_copies(s);
    if (!reader_next(&s->r))
        return false;
    off_t at = ftello(s->r.file);
    s->begin = at < 0 ? 0 : (uint64_t)at;
    return true;
}

const document *source_document(const source *s) { return s->w ? &s->d : &s->r.d; }

/* The whole file, once; false for a pipe. reader_next has seen that the data are there. */
static bool map_file(source *s)
{
    struct stat st;
    if (s->map)
        return true;
    if (fstat(fileno(s->r.file), &st) || !S_ISREG(st.st_mode) || st.st_size == 0)
        return false;
    s->map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fileno(s->r.file), 0);
    if (s->map == MAP_FAILED)
        die_errno("cannot map %s", s->name);
    s->mapped = (size_t)st.st_size;
    return true;
}

tensor source_tensor(source *s, const entry *e)
{
    tensor t = e->t;
    if (s->w)
        return weights_any(s->w, e->name);
    if (!map_file(s)) {
        if (!s->r.d.memory)
            reader_load(&s->r);
        return s->r.d.entry[e - s->r.d.entry].t;
    }
    t.data = s->map + s->begin + e->begin;
    if (type_block(t.type) == 1 && (s->begin + e->begin) % type_size(t.type)) {
        void *copy = new_bytes(tensor_bytes(t));
        s->copies = realloc(s->copies, (size_t)(s->n_copies + 1) * sizeof *s->copies);
        if (!s->copies)
            die("out of memory");
        s->copies[s->n_copies++] = copy;
        t.data = memcpy(copy, t.data, tensor_bytes(t));
    }
    return t;
}

tensor source_readable(source *s, const entry *e)
{
    if (!type_has_values(e->t.type))
        die("%s: %s is %s, a type whose values are not read", source_where(s), shown(e->name),
            type_name(e->t.type));
    return source_tensor(s, e);
}

const char *source_where(source *s)
{
    free(s->where);
    s->where =
        s->w ? new_format("%s", s->name) : new_format("%s, document %d", s->name, s->r.documents);
    return s->where;
}

const char *source_name(const source *s) { return s->name; }

void source_close(source *s)
{
    drop_copies(s);
    document_free(&s->d);
    document_free(&s->r.d);
    if (s->w)
        weights_close(s->w);
    if (s->map)
        munmap(s->map, s->mapped);
    if (s->file && s->file != stdin)
        fclose(s->file);
    free(s->where);
    free(s->name);
    free(s);
}

void operand_split(const char *operand, char **file, char **name)
{
    *file = new_format("%s", operand);
    *name = NULL;
    if (access(operand, F_OK) == 0)
        return;
    char *last = strrchr(*file, ':');
    for (char *colon = last; colon; colon = memrchr(*file, ':', (size_t)(colon - *file))) {
        *colon = 0;
        if (strcmp(*file, "-") == 0 || access(*file, F_OK) == 0) {
            *name = colon + 1;
            return;
        }
        *colon = ':';
    }
    char *first = strchr(*file, ':'); /* it does not exist: so that the message names the file */
    if (first && first > *file) {
        *first = 0;
        *name = first + 1;
    }
}

const char *shown(const char *name)
{
    static char text[4][1024];
    static int next;
    char *s = text[next++ & 3];
    snprintf(s, sizeof text[0], "%s", name);
    for (char *c = s; *c; c++)
        if ((unsigned char)*c < 32 || *c == 127)
            *c = '?';
    return s;
}
