/*
** gguf.c: GGUF, versions 2 and 3: a header of metadata and tensors, then the tensors' data.
**
** It refuses big-endian files, version 1, models that are split over several files, and every
** number that leads out of the file. Types of ggml that nobody here computes with are told by name.
**
** The hard idea: there is none, but that nothing is believed. A length is compared with what is
** left of the file before anything is made of it, so a lie costs no more memory than the file has.
** Shapes stand the other way round than elsewhere: the fastest dimension first.
**
** The format: ggml's docs/gguf.md.
*/
#include "gguf.h"

#include <inttypes.h>
#include <stdlib.h>

#include "../die.h"

enum { MOST_KEYS = 1 << 16, MOST_TENSORS = 1 << 18, MOST_DEEP = 4, MOST_SHOWN = 16 };

typedef struct {
    const unsigned char *at, *begin, *end;
    const char *where;
} cursor;

/* ---- input ---- */

static const unsigned char *take(cursor *c, uint64_t n)
{
    if (n > (uint64_t)(c->end - c->at))
        die("%s is cut short: its header ends within it", c->where);
    const unsigned char *p = c->at;
    c->at += n;
    return p;
}

static uint64_t number(cursor *c, int bytes)
{
    const unsigned char *p = take(c, (uint64_t)bytes);
    uint64_t v = 0;
    for (int i = bytes; i-- > 0;)
        v = v << 8 | p[i];
    return v;
}

static char *text(cursor *c, const char *what)
{
    uint64_t n = number(c, 8);
    const char *p = (const char *)take(c, n);
    if (memchr(p, 0, n))
        die("%s: a %s of its header is no text", c->where, what);
    return new_format("%.*s", (int)n, p);
}

/* ---- values ---- */

enum { U8_, I8_, U16_, I16_, U32_, I32_, F32_, BOOL_, STRING_, ARRAY_, U64_, I64_, F64_, KINDS };
static const int sizes[KINDS] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

static char *scalar(cursor *c, uint64_t kind)
{
    int size = sizes[kind], shift = 64 - 8 * size;
    uint64_t v = number(c, size);
    double f;
    switch (kind) {
    case F32_: return new_format("%.9g", (double)f32_of_bits((uint32_t)v));
    case F64_: memcpy(&f, &v, 8); return new_format("%.17g", f);
    case BOOL_: return new_format("%s", v ? "true" : "false");
    case I8_:
    case I16_:
    case I32_:
    case I64_: return new_format("%" PRId64, (int64_t)(v << shift) >> shift);
    default: return new_format("%" PRIu64, v);
    }
}

static void skip(cursor *c, uint64_t kind, int deep);

/* n values of one kind, which are passed over. */
static void skip_list(cursor *c, uint64_t kind, uint64_t n, int deep)
{
    if (kind < KINDS && sizes[kind]) {
        if (n > (uint64_t)(c->end - c->at) / (uint64_t)sizes[kind])
            die("%s is cut short: its header ends within a list", c->where);
        take(c, n * (uint64_t)sizes[kind]);
        return;
    }
    while (n-- > 0)
        skip(c, kind, deep);
}

static void skip(cursor *c, uint64_t kind, int deep)
{
    if (kind >= KINDS || deep > MOST_DEEP)
        die("%s: its header has a value of unknown kind %" PRIu64, c->where, kind);
    if (kind == STRING_) {
        take(c, number(c, 8));
    } else if (kind == ARRAY_) {
        uint64_t of = number(c, 4), n = number(c, 8);
        skip_list(c, of, n, deep + 1);
    } else {
        take(c, (uint64_t)sizes[kind]);
    }
}

/* "[1, 2, 3]", or how many there are */
static char *list(cursor *c)
{
    uint64_t kind = number(c, 4), n = number(c, 8);
    if (kind >= KINDS || !sizes[kind] || n > MOST_SHOWN) {
        skip_list(c, kind, n, 1);
        return new_format("[%" PRIu64 " %s]", n, kind == STRING_ ? "texts" : "values");
    }
    char *all = new_format("[");
    for (uint64_t i = 0; i < n; i++) {
        char *one = scalar(c, kind), *longer = new_format("%s%s%s", all, i ? ", " : "", one);
        free(one);
        free(all);
        all = longer;
    }
    char *closed = new_format("%s]", all);
    free(all);
    return closed;
}

static char *value(cursor *c)
{
    uint64_t kind = number(c, 4);
    if (kind == STRING_)
        return text(c, "value");
    if (kind == ARRAY_)
        return list(c);
    if (kind >= KINDS)
        die("%s: its header has a value of unknown kind %" PRIu64, c->where, kind);
    return scalar(c, kind);
}

/* ---- tensors ---- */

static const struct {
    uint64_t id;
    tensor_type type;
} ggml[] = {
    {0, F32},      {1, F16},     {2, Q4_0},     {3, Q4_1},   {6, Q5_0},    {7, Q5_1},   {8, Q8_0},
    {9, Q8_1},     {10, Q2_K},   {11, Q3_K},    {12, Q4_K},  {13, Q5_K},   {14, Q6_K},  {15, Q8_K},
    {16, IQ2_XXS}, {17, IQ2_XS}, {18, IQ3_XXS}, {19, IQ1_S}, {20, IQ4_NL}, {21, IQ3_S}, {22, IQ2_S},
    {23, IQ4_XS},  {24, I8},     {25, I16},     {26, I32},   {27, I64},    {28, F64},   {29, IQ1_M},
    {30, BF16},    {34, TQ1_0},  {35, TQ2_0},   {39, MXFP4}, {40, NVFP4},  {41, Q1_0},
};

static tensor_type type_of(const cursor *c, const char *name, uint64_t id)
{
    for (size_t i = 0; i < sizeof ggml / sizeof *ggml; i++)
        if (ggml[i].id == id)
            return ggml[i].type;
    die("%s: '%s' has ggml's type %" PRIu64 ", which is not known here", c->where, name, id);
}

int gguf_type(tensor_type type)
{
    for (size_t i = 0; i < sizeof ggml / sizeof *ggml; i++)
        if (ggml[i].type == type)
            return (int)ggml[i].id;
    return -1;
}

static entry read_tensor(cursor *c)
{
    entry e = {.name = text(c, "name")};
    uint64_t rank = number(c, 4);
    int64_t dim[TENSOR_MAX_RANK] = {0};
    if (rank > TENSOR_MAX_RANK)
        die("%s: '%s' has %" PRIu64 " dimensions, more than %d", c->where, e.name, rank,
            TENSOR_MAX_RANK);
    for (int i = (int)rank; i-- > 0;) {
        uint64_t n = number(c, 8);
        dim[i] = n < INT64_MAX ? (int64_t)n : INT64_MAX;
    }
    const char *wrong = shape_wrong((int)rank, dim);
    if (wrong)
        die("%s: '%s' is %s: %s", c->where, e.name, shape_text((int)rank, dim), wrong);
    tensor_type type = type_of(c, e.name, number(c, 4));
    if ((rank ? dim[rank - 1] : 1) % type_block(type))
        die("%s: '%s' is %s %s: its rows are no whole blocks of %" PRId64, c->where, e.name,
            type_name(type), shape_text((int)rank, dim), type_block(type));
    e.t = tensor_make(NULL, type, (int)rank, dim);
    e.begin = number(c, 8);
    if (__builtin_add_overflow(e.begin, tensor_bytes(e.t), &e.end))
        die("%s: '%s' lies outside of the file", c->where, e.name);
    return e;
}

static int by_place(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

/* Every tensor lies in the file, and none within another. */
static void place(document *d, cursor *c, uint64_t alignment)
{
    uint64_t header = (uint64_t)(c->at - c->begin),
             pad = (alignment - header % alignment) % alignment;
    uint64_t room = (uint64_t)(c->end - c->at) < pad ? 0 : (uint64_t)(c->end - c->at) - pad;
    qsort(d->entry, (size_t)d->entries, sizeof *d->entry, by_place);
    document_index(d, c->where);
    for (int i = 0; i < d->entries; i++) {
        entry *e = &d->entry[i];
        if (e->end > room)
            die("%s is cut short: '%s' ends at byte %" PRIu64 " of its data, which have %" PRIu64,
                c->where, e->name, e->end, room);
        if (i && e->begin < e[-1].end && e[-1].end > e[-1].begin)
            die("%s: '%s' begins within '%s'", c->where, e->name, e[-1].name);
        e->t.data = (void *)(c->at + (room ? pad : 0) + e->begin);
    }
}

/* ---- the file ---- */

static void check_whole(const document *d, const cursor *c)
{
    const char *parts = metadata_get(d, "split.count");
    if (parts && strtol(parts, NULL, 10) > 1)
        die("%s is one of %s parts of a model: join them first (llama-gguf-split --merge)",
            c->where, parts);
}

static uint64_t alignment_of(const document *d, const cursor *c)
{
    const char *said = metadata_get(d, "general.alignment");
    uint64_t n = said ? strtoull(said, NULL, 10) : 32;
    if (n == 0 || n > 1 << 20 || n & (n - 1))
        die("%s: its alignment is %s, no power of two", c->where, said);
    return n;
}

void gguf_read(document *d, const void *bytes, size_t n, const char *where)
{
    cursor c = {bytes, bytes, (const unsigned char *)bytes + n, where};
    *d = (document){0};
    take(&c, 4);
    uint64_t version = number(&c, 4);
    if (version && version % 65536 == 0)
        die("%s is a big-endian GGUF: only little-endian ones are read", where);
    if (version != 2 && version != 3)
        die("%s is GGUF of version %" PRIu64 ": only versions 2 and 3 are read", where, version);
    uint64_t tensors = number(&c, 8), keys = number(&c, 8);
    if (tensors > MOST_TENSORS || keys > MOST_KEYS)
        die("%s says that it has %" PRIu64 " tensors and %" PRIu64
            " keys; at most %d and %d are read",
            where, tensors, keys, MOST_TENSORS, MOST_KEYS);
    enum { LEAST_KEY = 13, LEAST_TENSOR = 24 }; /* bytes that one takes */
    if (keys > (uint64_t)(c.end - c.at) / LEAST_KEY ||
        tensors > (uint64_t)(c.end - c.at) / LEAST_TENSOR)
        die("%s is cut short: its header ends within it", where);
    for (uint64_t i = 0; i < keys; i++) {
        char *key = text(&c, "key"), *said = value(&c);
        if (metadata_get(d, key))
            die("%s: two keys are called '%s'", where, key);
        metadata_set(d, key, said);
        free(key);
        free(said);
    }
    check_whole(d, &c);
    d->entry = new_bytes((tensors ? tensors : 1) * sizeof *d->entry);
    while (d->entries < (int)tensors) {
        entry e = read_tensor(&c);
        d->entry[d->entries++] = e;
    }
    place(d, &c, alignment_of(d, &c));
}
