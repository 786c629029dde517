/*
** safetensors.c: the header of a document: parsed, looked up, built.
**
** Refuses, naming tensor and place, whatever does not describe its data completely: names that
** come twice, unknown types, sizes that are not shape times type, gaps, overlaps, products that
** overflow. It never touches data.
**
** The hard idea: nothing in a header is believed before it is checked against the rest of it. All
** sums are checked for overflow, and the entries, sorted by place, must tile the data exactly. So
** whoever reads a tensor later needs no check of his own.
*/
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

#include "die.h"
#include "digest.h"
#include "nameindex.h"
#include "stream.h"

/* Room for one more element behind n: the array doubles whenever n is a power of two. */
static void *one_more(void *array, int n, size_t size)
{
    if (n & (n - 1))
        return array;
    void *p = realloc(array, (size_t)(n ? 2 * n : 1) * size);
    if (!p)
        die("out of memory");
    return p;
}

static char *new_text(const char *s) { return new_format("%s", s); }

/* ---- parsing ---- */

typedef struct {
    const char *where, *name; /* for messages: the stream, the tensor */
} place;

#define REFUSE(p, format, ...) die("%s: '%s' " format, (p).where, (p).name, __VA_ARGS__)

static int64_t natural(const json_t *number, place p, const char *what)
{
    if (!json_is_integer(number) || json_integer_value(number) < 0)
        REFUSE(p, "has a %s that is not a whole number of 0 or more", what);
    return json_integer_value(number);
}

static tensor parse_shape(const json_t *object, place p)
{
    const json_t *dtype = json_object_get(object, "dtype");
    const json_t *shape = json_object_get(object, "shape");
    tensor_type type;
    if (!json_is_string(dtype))
        REFUSE(p, "has no %s", "dtype");
    if (!type_from_name(&type, json_string_value(dtype)) || !type_in_streams(type))
        REFUSE(p, "has the unknown type '%s'", json_string_value(dtype));
    if (!json_is_array(shape))
        REFUSE(p, "has no %s", "shape");
    if (json_array_size(shape) > TENSOR_MAX_RANK)
        REFUSE(p, "has %zu dimensions, more than %d", json_array_size(shape), TENSOR_MAX_RANK);

    int64_t dim[TENSOR_MAX_RANK] = {0};
    int rank = (int)json_array_size(shape);
    for (int i = 0; i < rank; i++)
        dim[i] = natural(json_array_get(shape, (size_t)i), p, "dimension");
    const char *wrong = shape_wrong(rank, dim);
    if (wrong)
        REFUSE(p, "is %s: %s", shape_text(rank, dim), wrong);
    tensor t = tensor_make(NULL, type, rank, dim);
    if (tensor_count(t) % type_block(type))
        REFUSE(p, "has %s, no whole blocks of %" PRId64 " elements", shape_text(rank, dim),
               type_block(type));
    return t;
}

static entry parse_entry(const char *name, const json_t *object, const char *where)
{
    place p = {where, name};
    if (!json_is_object(object))
        REFUSE(p, "is not described by a JSON %s", "object");
    entry e = {.t = parse_shape(object, p)};

    const json_t *offsets = json_object_get(object, "data_offsets");
    if (!json_is_array(offsets) || json_array_size(offsets) != 2)
        REFUSE(p, "has no %s of two numbers", "data_offsets");
    e.begin = (uint64_t)natural(json_array_get(offsets, 0), p, "data offset");
    e.end = (uint64_t)natural(json_array_get(offsets, 1), p, "data offset");
    if (e.end < e.begin)
        REFUSE(p, "ends at byte %" PRIu64 ", before it begins at %" PRIu64, e.end, e.begin);
    if (e.end - e.begin != tensor_bytes(e.t))
        REFUSE(p, "has %" PRIu64 " bytes, but %s takes %zu", e.end - e.begin, tensor_text(e.t),
               tensor_bytes(e.t));
    e.name = new_text(name);
    return e;
}

static void parse_metadata(document *d, json_t *object, const char *where)
{
    const char *key;
    json_t *value;
    if (!json_is_object(object))
        die("%s: __metadata__ is not a JSON object", where);
    json_object_foreach(object, key, value)
    {
        if (!json_is_string(value))
            die("%s: __metadata__ '%s' is not a string", where, key);
        metadata_set(d, key, json_string_value(value));
    }
}

/* By place; an empty tensor goes before the one that begins where it lies. */
static int by_place(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return strcmp(x->name, y->name);
}

static void check_places(const document *d, uint64_t data_bytes, const char *where)
{
    uint64_t end = 0;
    const char *before = "the header";
    for (int i = 0; i < d->entries; i++) {
        const entry *e = &d->entry[i];
        place p = {where, e->name};
        if (e->begin > end)
            REFUSE(p, "begins at byte %" PRIu64 ": a gap of %" PRIu64 " bytes behind %s", e->begin,
                   e->begin - end, before);
        if (e->begin < end)
            REFUSE(p, "begins at byte %" PRIu64 ", within '%s'", e->begin, before);
        if (e->end > data_bytes)
            REFUSE(p, "ends short: %" PRIu64 " of %" PRIu64 " bytes",
                   data_bytes > e->begin ? data_bytes - e->begin : 0, e->end - e->begin);
        end = e->end;
        before = e->name;
    }
    if (data_bytes != UINT64_MAX && data_bytes > end)
        die("%s: %" PRIu64 " bytes too many behind %s", where, data_bytes - end, before);
}

void document_parse(document *d, const char *json, size_t n, uint64_t data_bytes, const char *where)
{
    json_error_t error;
    *d = (document){0};
    if (n == 0 || json[0] != '{')
        die("%s: no safetensors: the header does not begin with {", where);
    json_t *root = json_loadb(json, n, JSON_REJECT_DUPLICATES, &error);
    if (!root) {
        for (char *c = error.text; *c; c++)
            if (*c == '\n')
                *c = ' ';
        die("%s: the header %s: %s", where,
            json_error_code(&error) == json_error_duplicate_key ? "has a name twice"
                                                                : "is not JSON",
            error.text);
    }
    const char *name;
    json_t *value;
    json_object_foreach(root, name, value)
    {
        if (strcmp(name, "__metadata__") == 0) {
            parse_metadata(d, value, where);
            continue;
        }
        d->entry = one_more(d->entry, d->entries, sizeof *d->entry);
        d->entry[d->entries++] = parse_entry(name, value, where);
    }
    json_decref(root);
    if (d->entries)
        qsort(d->entry, (size_t)d->entries, sizeof *d->entry, by_place);
    document_index(d, where);
    check_places(d, data_bytes, where);
}

/* ---- looking up ---- */

void document_index(document *d, const char *where)
{
    index_free(&d->entry_at);
    for (int i = 0; i < d->entries; i++) {
        if (document_find(d, d->entry[i].name))
            die("%s is twice in %s", d->entry[i].name, where);
        index_note(&d->entry_at, d->entry[i].name, i);
    }
}

entry *document_find(const document *d, const char *name)
{
    int at = index_find(d->entry_at, name);
    return at < 0 ? NULL : &d->entry[at];
}

/* "F32 [16, *, 60, 104]" */
static char *wanted_text(tensor_type type, int rank, const int64_t *dim)
{
    char *s = new_format("%s [", type_name(type));
    for (int i = 0; i < rank; i++) {
        char *longer = dim[i] < 0 ? new_format("%s%s*", s, i ? ", " : "")
                                  : new_format("%s%s%" PRId64, s, i ? ", " : "", dim[i]);
        free(s);
        s = longer;
    }
    char *whole = new_format("%s]", s);
    free(s);
    return whole;
}

tensor document_tensor(const document *d, const char *name, const char *where, tensor_type type,
                       int rank, const int64_t *dim)
{
    const entry *e = document_find(d, name);
    if (!e)
        die("%s has no tensor '%s'", where, name);
    bool fits = e->t.type == type && e->t.rank == rank;
    for (int i = 0; fits && i < rank; i++)
        fits = dim[i] < 0 || dim[i] == e->t.dim[i];
    if (!fits)
        die("%s: '%s' is %s, but %s is needed", where, name, tensor_text(e->t),
            wanted_text(type, rank, dim));
    return e->t;
}

const char *metadata_get(const document *d, const char *key)
{
    int at = index_find(d->key_at, key);
    return at < 0 ? NULL : d->key[at].value;
}

/* ---- building ---- */

void metadata_set(document *d, const char *key, const char *value)
{
    char *text = new_text(value); /* first: value may be the one that is replaced */
    int at = index_find(d->key_at, key);
    if (at >= 0) {
        free(d->key[at].value);
        d->key[at].value = text;
        return;
    }
    index_note(&d->key_at, key, d->keys);
    d->key = one_more(d->key, d->keys, sizeof *d->key);
    d->key[d->keys++] = (metadata){new_text(key), text};
}

void metadata_remove(document *d, const char *key)
{
    int i = index_find(d->key_at, key);
    if (i < 0)
        return;
    free(d->key[i].key);
    free(d->key[i].value);
    memmove(d->key + i, d->key + i + 1, (size_t)(--d->keys - i) * sizeof *d->key);
    index_free(&d->key_at);
    for (i = 0; i < d->keys; i++)
        index_note(&d->key_at, d->key[i].key, i);
}

void metadata_copy(document *d, const document *from)
{
    for (int i = 0; i < from->keys; i++)
        if (strcmp(from->key[i].key, "digest") != 0)
            metadata_set(d, from->key[i].key, from->key[i].value);
}

void document_add(document *d, const char *name, tensor shape)
{
    if (strcmp(name, "__metadata__") == 0)
        die("a tensor cannot be called '%s', which safetensors keeps for itself", name);
    if (document_find(d, name))
        die("two tensors would be called '%s'", name);
    index_note(&d->entry_at, name, d->entries);
    d->entry = one_more(d->entry, d->entries, sizeof *d->entry);
    d->entry[d->entries++] = (entry){.name = new_text(name), .t = shape};
}

void document_free(document *d)
{
    for (int i = 0; i < d->entries; i++)
        free(d->entry[i].name);
    for (int i = 0; i < d->keys; i++) {
        free(d->key[i].key);
        free(d->key[i].value);
    }
    free(d->entry);
    free(d->key);
    index_free(&d->entry_at);
    index_free(&d->key_at);
    free(d->memory);
    if (d->seal)
        digester_end(d->seal);
    *d = (document){0};
}
