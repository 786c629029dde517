/*
** pth.c: what torch.save writes: raw storages, and a pickle whose tensors are (storage, offset,
** sizes, strides).
**
** Since PyTorch 1.6 it is a zip of NAME/data/KEY and NAME/data.pkl; a TorchScript archive is that
** with code beside, which nobody looks at. Before, pickles followed each other in one file: a magic
** number, a version, the machine, the tensors, the storages' keys; then the storages, each behind
** its number of elements.
**
** The pickle is interpreted, never executed (pickle.c). Every tensor is checked against its
** storage when the file is opened (state.c), so later views need no checks. A stored, contiguous
** tensor is a view of the file; deflated storages are unpacked and strided tensors gathered when
** first asked for. It refuses big-endian files.
*/
#include "pth.h"

#include <stdio.h>
#include <stdlib.h>

#include "../die.h"
#include "archive.h"

enum { MOST_PICKLE_BYTES = 16 << 20, MOST_STRIDED = 4, MOST_INFLATED = 16 << 20, MOST_RATIO = 16 };

/* ---- storages ---- */

/* By length, then by bytes. */
static int by_key(const void *a, const void *b)
{
    pickle_value x = ((const storage *)a)->key, y = ((const storage *)b)->key;
    return x.n != y.n ? (x.n > y.n) - (x.n < y.n) : memcmp(x.u.text, y.u.text, x.n);
}

int pth_storage(pth *p, const char *tensor_name, pickle_value key, uint64_t *bytes)
{
    if (p->legacy) {
        storage wanted = {.key = key};
        storage *s = bsearch(&wanted, p->storage, (size_t)p->storages, sizeof *s, by_key);
        if (!s)
            die("%s: %s: its storage %.*s is not in the file", p->where, tensor_name, (int)key.n,
                key.u.text);
        *bytes = s->size;
        return (int)(s - p->storage);
    }
    char *name = new_format("%sdata/%.*s", p->prefix, (int)key.n, key.u.text);
    const zip_entry *e = zip_find(&p->z, name);
    if (!e)
        die("%s: %s: its storage %s is not in the file", p->where, tensor_name, name);
    free(name);
    int i = (int)(e - p->z.entry);
    p->storage[i].entry = e;
    *bytes = p->storage[i].size = e->size;
    return i;
}

/* Copies are bounded by what is in the file: many strided views of one storage would not be. */
static void check_copies(const pth *p)
{
    uint64_t copied = 0, stored = 0;
    for (int i = 0; i < p->storages; i++)
        if (p->storage[i].entry || p->storage[i].at)
            stored += p->storage[i].size;
    for (int i = 0; i < p->items; i++)
        if (!p->item[i].contiguous)
            copied += tensor_bytes(p->item[i].shape);
    if (copied / MOST_STRIDED > stored)
        die("%s: its strided views would take %llu bytes, though its storages have %llu", p->where,
            (unsigned long long)copied, (unsigned long long)stored);
}

/* What deflate makes of numbers that were trained is not much smaller. A file whose storages unpack
 * to many times its size is made to exhaust us. */
static void check_inflated(const pth *p)
{
    uint64_t inflated = 0;
    for (int i = 0; i < p->storages; i++)
        if (p->storage[i].entry && p->storage[i].entry->method != 0 &&
            __builtin_add_overflow(inflated, p->storage[i].entry->size, &inflated))
            inflated = UINT64_MAX / 2;
    if (inflated > MOST_INFLATED && inflated / MOST_RATIO > p->z.bytes)
        die("%s: its deflated storages would take %llu bytes, from a file of %llu", p->where,
            (unsigned long long)inflated, (unsigned long long)p->z.bytes);
}

/* ---- the file ---- */

/* The one entry NAME/data.pkl. */
static const zip_entry *find_pickle(pth *p)
{
    const zip_entry *found = NULL;
    const char *last = "/data.pkl";
    size_t n = strlen(last);
    for (int i = 0; i < p->z.entries; i++) {
        const zip_entry *e = p->z.entry + i;
        if (e->name_bytes <= n || memcmp(e->name + e->name_bytes - n, last, n) != 0 ||
            memchr(e->name, '/', e->name_bytes - n))
            continue;
        if (found)
            die("%s: it has more than one data.pkl", p->where);
        found = e;
    }
    if (!found)
        die("%s: a zip, but no .pth: it has no data.pkl", p->where);
    p->prefix = new_format("%.*s", (int)(found->name_bytes - n + 1), found->name);
    return found;
}

static void check_byte_order(const pth *p)
{
    char *name = new_format("%sbyteorder", p->prefix);
    const zip_entry *e = zip_find(&p->z, name);
    free(name);
    if (!e || e->size > 100)
        return;
    void *inflated = e->method ? zip_inflate(&p->z, e) : NULL;
    const char *order = inflated ? inflated : zip_view(&p->z, e);
    if (e->size != 6 || memcmp(order, "little", 6) != 0)
        die("%s: its byte order is '%.*s'; only little is read", p->where, (int)e->size, order);
    free(inflated);
}

static void open_zip(pth *p, const void *bytes, size_t n, const char *key)
{
    zip_open(&p->z, bytes, n, p->where);
    p->storages = p->z.entries;
    p->storage = new_bytes((size_t)p->storages * sizeof *p->storage);
    const zip_entry *e = find_pickle(p);
    check_byte_order(p);
    if (e->size > MOST_PICKLE_BYTES)
        die("%s: its data.pkl has %llu bytes; at most %d are read", p->where,
            (unsigned long long)e->size, MOST_PICKLE_BYTES);
    void *inflated = e->method ? zip_inflate(&p->z, e) : NULL;
    pickle k;
    pickle_read(&k, inflated ? inflated : zip_view(&p->z, e), e->size, state_names, p->where);
    state_read(p, k.root, key);
    check_inflated(p);
    pickle_free(&k);
    free(inflated);
}

/* ---- before the zips ---- */

/* The pickle of 0x1950a86a20f9469cfc6c, which is longer than 64 bits, behind its protocol (and, in
 * protocols 4 and 5, a frame of so many bytes). */
static const unsigned char magic[] = {0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9,
                                      0x20, 0x6a, 0xa8, 0x50, 0x19, '.'};
static const unsigned char frame[] = {0x95, sizeof magic, 0, 0, 0, 0, 0, 0, 0};

/* The bytes that it takes; 0 if it is not there. */
static size_t magic_bytes(const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    size_t at = 2;
    if (n < at + sizeof magic || p[0] != 0x80 || p[1] < 2 || p[1] > 5)
        return 0;
    if (memcmp(p + at, frame, sizeof frame) == 0)
        at += sizeof frame;
    return n >= at + sizeof magic && memcmp(p + at, magic, sizeof magic) == 0 ? at + sizeof magic
                                                                              : 0;
}

bool pth_is_legacy(const void *bytes, size_t n) { return magic_bytes(bytes, n) > 0; }

typedef struct {
    const unsigned char *at, *end;
} view;

static void next_pickle(const pth *p, pickle *k, view *v)
{
    size_t left = (size_t)(v->end - v->at);
    pickle_read(k, v->at, left < MOST_PICKLE_BYTES ? left : MOST_PICKLE_BYTES, state_names,
                p->where);
    v->at += k->bytes;
}

/* The storages that tensors of the pickle name, by key: their types. */
static void list_storages(pth *p, const pickle *k)
{
    int n = 0;
    for (const pickle_node *node = k->nodes; node; node = node->next)
        n++;
    p->storage = new_bytes((size_t)n * sizeof *p->storage);
    for (const pickle_node *node = k->nodes; node; node = node->next) {
        const pickle_value *v = node->item;
        int type = node->n >= 5 && pickle_is_text(v[0], "storage") ? state_storage_type(v[1]) : -1;
        if (type >= 0 && v[2].kind == PICKLE_TEXT)
            p->storage[p->storages++] = (storage){.key = v[2], .type = type};
    }
    qsort(p->storage, (size_t)p->storages, sizeof *p->storage, by_key);
    int kept = 0;
    for (int i = 0; i < p->storages; i++)
        if (kept == 0 || by_key(p->storage + kept - 1, p->storage + i) != 0)
            p->storage[kept++] = p->storage[i];
        else if (p->storage[kept - 1].type != p->storage[i].type)
            die("%s: storage %.*s has two types", p->where, (int)p->storage[i].key.n,
                p->storage[i].key.u.text);
    p->storages = kept;
}

/* Storage by storage, in the order of the keys: how many elements, then these. */
static void place_storages(pth *p, pickle_value keys, view v)
{
    if (keys.kind != PICKLE_LIST)
        die("%s: it has no list of storages", p->where);
    for (int64_t i = 0; i < pickle_length(keys); i++) {
        storage wanted = {.key = keys.u.node->item[i]};
        if (wanted.key.kind != PICKLE_TEXT)
            die("%s: a name of its storages is no text", p->where);
        storage *s = bsearch(&wanted, p->storage, (size_t)p->storages, sizeof *s, by_key);
        if (!s || s->at)
            die("%s: storage %.*s is %s", p->where, wanted.key.n < 100 ? (int)wanted.key.n : 100,
                wanted.key.u.text, s ? "there twice" : "of no tensor, so its size is not known");
        uint64_t left = (uint64_t)(v.end - v.at), n = 0;
        uint64_t size = s->type == UNTYPED ? 1 : type_size((tensor_type)s->type);
        if (left >= 8)
            memcpy(&n, v.at, 8);
        if (left < 8 || n > (left - 8) / size)
            die("%s is cut short: its storage %lld of %lld ends behind it", p->where,
                (long long)i + 1, (long long)pickle_length(keys));
        s->at = (const char *)v.at + 8;
        s->size = n * size;
        v.at += 8 + s->size;
    }
    for (int i = 0; i < p->storages; i++)
        if (!p->storage[i].at)
            die("%s: its storage %.*s is not in the file", p->where, (int)p->storage[i].key.n,
                p->storage[i].key.u.text);
}

static void open_legacy(pth *p, const void *bytes, size_t n, const char *key)
{
    view v = {(const unsigned char *)bytes + magic_bytes(bytes, n),
              (const unsigned char *)bytes + n};
    pickle version, machine, state, keys;
    p->legacy = true;
    next_pickle(p, &version, &v);
    next_pickle(p, &machine, &v);
    pickle_value little = pickle_lookup(machine.root, "little_endian");
    if (version.root.kind != PICKLE_INT || version.root.u.i != 1001)
        die("%s: torch.save's format of before 1.6, but not its version 1001", p->where);
    if (little.kind == PICKLE_BOOL && !little.u.i)
        die("%s: its byte order is 'big'; only little is read", p->where);
    next_pickle(p, &state, &v);
    next_pickle(p, &keys, &v);
    list_storages(p, &state);
    place_storages(p, keys.root, v);
    state_read(p, state.root, key);
    pickle_free(&version);
    pickle_free(&machine);
    pickle_free(&state);
    pickle_free(&keys);
}

pth *pth_open(const void *bytes, size_t n, const char *where, const char *key)
{
    pth *p = new_bytes(sizeof *p);
    p->where = where;
    if (pth_is_legacy(bytes, n))
        open_legacy(p, bytes, n, key);
    else
        open_zip(p, bytes, n, key);
    check_copies(p);
    return p;
}

int pth_count(const pth *p) { return p->items; }
const char *pth_name(const pth *p, int i) { return p->item[i].name; }
tensor pth_shape(const pth *p, int i) { return p->item[i].shape; }
bool pth_narrow_activations(const pth *p) { return p->narrow_activations; }

/* ---- data ---- */

static const char *storage_bytes(pth *p, int i)
{
    storage *s = p->storage + i;
    if (s->at)
        return s->at;
    const void *in_place = s->inflated ? s->inflated : zip_view(&p->z, s->entry);
    if (!in_place)
        in_place = s->inflated = zip_inflate(&p->z, s->entry);
    return in_place;
}

/* y[i0, i1, ...] = x[i0 stride0 + i1 stride1 + ...], an odometer over all but the last dimension.
 */
static void gather(char *y, const char *x, const pth_item *t)
{
    int rank = t->shape.rank;
    size_t size = type_size(t->shape.type);
    int64_t at[TENSOR_MAX_RANK] = {0}, width = tensor_width(t->shape);
    int64_t inner = rank ? t->stride[rank - 1] : 1;
    for (int64_t row = 0; row < tensor_rows(t->shape); row++) {
        const char *from = x;
        for (int i = 0; i + 1 < rank; i++)
            from += (size_t)at[i] * (size_t)t->stride[i] * size;
        for (int64_t i = 0; i < width; i++, y += size)
            memcpy(y, from + (size_t)i * (size_t)inner * size, size);
        for (int i = rank - 1; i-- > 0 && ++at[i] == t->shape.dim[i];)
            at[i] = 0;
    }
}

tensor pth_tensor(pth *p, int i)
{
    pth_item *t = p->item + i;
    tensor y = t->shape;
    if (!t->copy) {
        const char *x = storage_bytes(p, t->storage) + t->offset;
        if (t->contiguous && (uintptr_t)x % type_size(y.type) == 0) {
            y.data = (void *)x;
            return y;
        }
        t->copy = new_bytes(tensor_bytes(y));
        if (t->contiguous)
            memcpy(t->copy, x, tensor_bytes(y));
        else
            gather(t->copy, x, t);
    }
    y.data = t->copy;
    return y;
}

void pth_close(pth *p)
{
    for (int i = 0; i < p->items; i++) {
        free(p->item[i].name);
        free(p->item[i].copy);
    }
    for (int i = 0; i < p->storages; i++)
        free(p->storage[i].inflated);
    zip_close(&p->z);
    free(p->item);
    free(p->storage);
    free(p->prefix);
    free(p);
}
