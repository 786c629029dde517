/*
** pth.c: a .pth is a zip of raw storages, NAME/data/KEY, and a pickle, NAME/data.pkl, whose tensors
** are (storage, offset, sizes, strides).
**
** The pickle is interpreted, never executed (pickle.c). Every tensor is checked against its storage
** when the file is opened, so later views need no checks. A stored, contiguous tensor is a view of
** the file; deflated storages are unpacked and strided tensors gathered when first asked for.
**
** It refuses big-endian files, tensors that repeat elements of their storage (stride 0 and the
** like), lazily conjugated or negated ones, and all globals but those below. A state dict may lie
** under the key state_dict or model of a greater dict; what is no tensor in it is passed over.
*/
#include "pth.h"

#include <stdio.h>
#include <stdlib.h>

#include "../die.h"
#include "pickle.h"
#include "zip.h"

enum { MOST_PICKLE_BYTES = 16 << 20, MOST_STRIDED = 4, MOST_INFLATED = 16 << 20, MOST_RATIO = 16 };

/* The functions first, then classes of storages, then dtypes; UNTYPED takes its type from a dtype.
 */
enum { TENSOR_V2, TENSOR_V3, PARAMETER, SIZE, FUNCTIONS, UNTYPED = TENSOR_TYPES };

static const char *const allowed[] = {
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor_v3",
    "torch._utils._rebuild_parameter",
    "torch.Size",
    "torch.DoubleStorage",
    "torch.FloatStorage",
    "torch.HalfStorage",
    "torch.BFloat16Storage",
    "torch.LongStorage",
    "torch.IntStorage",
    "torch.ShortStorage",
    "torch.CharStorage",
    "torch.ByteStorage",
    "torch.BoolStorage",
    "torch.storage.UntypedStorage",
    "torch.uint16",
    "torch.uint32",
    "torch.uint64",
    "torch.float8_e4m3fn",
    "torch.float8_e5m2",
    NULL,
};
enum { STORAGES = 11, DTYPES = 5 };
static const int storage_types[STORAGES] = {F64, F32, F16, BF16, I64,    I32,
                                            I16, I8,  U8,  BOOL, UNTYPED};
static const tensor_type dtypes[DTYPES] = {U16, U32, U64, F8_E4M3, F8_E5M2};

typedef struct {
    const zip_entry *entry;
    void *inflated; /* or NULL */
} storage;

typedef struct {
    char *name;
    tensor shape;
    int storage;
    uint64_t offset; /* bytes into the storage */
    int64_t stride[TENSOR_MAX_RANK];
    bool contiguous;
    void *copy; /* or NULL */
} item;

struct pth {
    const char *where;
    zip z;
    char *prefix; /* "NAME/" */
    int items, storages;
    item *item;
    storage *storage; /* in the order of z.entry: index is the entry's */
};

/* ---- one tensor of the pickle ---- */

static bool is_call(pickle_value v, int function)
{
    return v.kind == PICKLE_CALL && v.u.node->item[0].u.i == function;
}

static pickle_value argument(pickle_value call, int64_t i)
{
    pickle_value arguments = call.u.node->item[1];
    if (i >= pickle_length(arguments))
        return (pickle_value){.kind = PICKLE_UNSET};
    return arguments.u.node->item[i];
}

static bool is_tensor(pickle_value v)
{
    return is_call(v, TENSOR_V2) || is_call(v, TENSOR_V3) || is_call(v, PARAMETER);
}

static void bad(const pth *p, const item *t, const char *what) __attribute__((noreturn));
static void bad(const pth *p, const item *t, const char *what)
{
    die("%s: %s: %s", p->where, t->name, what);
}

/* ("storage", class, key, location, elements): sets t->storage; returns its type and bytes. */
static int read_storage(pth *p, item *t, pickle_value v, uint64_t *bytes)
{
    if (v.kind != PICKLE_PERSISTENT || pickle_length(v.u.node->item[0]) != 5 ||
        v.u.node->item[0].kind != PICKLE_TUPLE)
        bad(p, t, "its storage is not named as torch.save does");
    const pickle_value *id = v.u.node->item[0].u.node->item;
    int type = id[1].kind == PICKLE_GLOBAL ? (int)id[1].u.i - FUNCTIONS : -1;
    if (!pickle_is_text(id[0], "storage") || type < 0 || type >= STORAGES ||
        id[2].kind != PICKLE_TEXT || id[2].n > 1000 || id[4].kind != PICKLE_INT || id[4].u.i < 0)
        bad(p, t, "its storage is not named as torch.save does");
    type = storage_types[type];
    char *name = new_format("%sdata/%.*s", p->prefix, (int)id[2].n, id[2].u.text);
    const zip_entry *e = zip_find(&p->z, name);
    if (!e)
        die("%s: %s: its storage %s is not in the file", p->where, t->name, name);
    uint64_t size = type == UNTYPED ? 1 : type_size((tensor_type)type);
    if (e->size / size != (uint64_t)id[4].u.i || e->size % size)
        die("%s: %s: its storage %s has %llu bytes, not %lld elements of %llu", p->where, t->name,
            name, (unsigned long long)e->size, (long long)id[4].u.i, (unsigned long long)size);
    free(name);
    *bytes = e->size;
    t->storage = (int)(e - p->z.entry);
    p->storage[t->storage].entry = e;
    return type;
}

static void read_numbers(const pth *p, const item *t, pickle_value v, int rank, int64_t *to)
{
    if (is_call(v, SIZE))
        v = argument(v, 0);
    if (v.kind != PICKLE_TUPLE || pickle_length(v) != rank)
        bad(p, t, "its sizes and strides are not two tuples of one length");
    for (int i = 0; i < rank; i++) {
        pickle_value n = v.u.node->item[i];
        if (n.kind != PICKLE_INT || n.u.i < 0)
            bad(p, t, "a size or stride is not a natural number");
        to[i] = n.u.i;
    }
}

/* No elements at all; its other sizes must still make sense. */
static bool is_empty(const pth *p, const item *t)
{
    int64_t others = 1;
    bool empty = false;
    for (int i = 0; i < t->shape.rank; i++)
        if (t->shape.dim[i] == 0)
            empty = true;
        else if (__builtin_mul_overflow(others, t->shape.dim[i], &others))
            others = INT64_MAX / 2;
    if (empty && others > INT32_MAX)
        bad(p, t, "it is empty, but its other sizes are beyond all measure");
    return empty;
}

/* Every element lies in the storage, and there are no more of them than the storage has. */
static void check_extent(const pth *p, item *t, int64_t offset, uint64_t stored)
{
    uint64_t count = 1, last = 0, expected = 1;
    t->contiguous = true;
    if (is_empty(p, t))
        return;
    for (int i = t->shape.rank; i-- > 0;) {
        uint64_t n = (uint64_t)t->shape.dim[i], step;
        if (__builtin_mul_overflow(count, n, &count) || count > stored)
            die("%s: %s is %s, more than the %llu elements of its storage", p->where, t->name,
                shape_text(t->shape.rank, t->shape.dim), (unsigned long long)stored);
        if (__builtin_mul_overflow(n - 1, (uint64_t)t->stride[i], &step) ||
            __builtin_add_overflow(last, step, &last))
            bad(p, t, "its strides lead outside its storage");
        t->contiguous &= n == 1 || (uint64_t)t->stride[i] == expected;
        expected *= n;
    }
    if (last >= stored || (uint64_t)offset >= stored - last)
        die("%s: %s: elements %lld to %llu are outside its storage of %llu", p->where, t->name,
            (long long)offset, (unsigned long long)last + (unsigned long long)offset,
            (unsigned long long)stored);
}

static void read_tensor(pth *p, item *t, pickle_value v)
{
    if (is_call(v, PARAMETER))
        v = argument(v, 0);
    bool v3 = is_call(v, TENSOR_V3);
    if (!v3 && !is_call(v, TENSOR_V2))
        bad(p, t, "a parameter that holds no tensor");
    pickle_value offset = argument(v, 1), sizes = argument(v, 2);
    pickle_value dtype = v3 ? argument(v, 6) : (pickle_value){.kind = PICKLE_UNSET};
    if (pickle_length(argument(v, v3 ? 7 : 6)))
        bad(p, t, "it is lazily conjugated or negated: save it resolved");
    uint64_t bytes;
    int type = read_storage(p, t, argument(v, 0), &bytes);
    if (v3) {
        int64_t i = dtype.kind == PICKLE_GLOBAL ? dtype.u.i - FUNCTIONS - STORAGES : -1;
        if (i < 0 || i >= DTYPES || type != UNTYPED)
            bad(p, t, "its dtype is not named as torch.save does");
        type = (int)dtypes[i];
    }
    if (type == UNTYPED)
        bad(p, t, "its storage has no type");
    if (is_call(sizes, SIZE))
        sizes = argument(sizes, 0);
    if (pickle_length(sizes) > TENSOR_MAX_RANK)
        die("%s: %s has %lld dimensions; at most %d are read", p->where, t->name,
            (long long)pickle_length(sizes), TENSOR_MAX_RANK);
    int64_t dim[TENSOR_MAX_RANK];
    int rank = (int)pickle_length(sizes);
    read_numbers(p, t, sizes, rank, dim);
    read_numbers(p, t, argument(v, 3), rank, t->stride);
    t->shape = tensor_make(NULL, (tensor_type)type, rank, dim);
    if (offset.kind != PICKLE_INT || offset.u.i < 0)
        bad(p, t, "its offset is not a natural number");
    uint64_t size = type_size((tensor_type)type);
    check_extent(p, t, offset.u.i, bytes / size);
    t->offset = tensor_count(t->shape) ? (uint64_t)offset.u.i * size : 0;
}

/* ---- the state dict ---- */

static int64_t tensors_in(pickle_value dict)
{
    int64_t n = 0;
    if (dict.kind == PICKLE_DICT)
        for (int64_t i = 0; i < pickle_length(dict); i++)
            n += is_tensor(dict.u.node->item[2 * i + 1]);
    return n;
}

static pickle_value find_state(const pth *p, pickle_value root)
{
    const char *const keys[] = {"state_dict", "model"};
    for (int i = 0; i < 2 && tensors_in(root) == 0; i++) {
        pickle_value inner = pickle_lookup(root, keys[i]);
        if (tensors_in(inner))
            return inner;
    }
    if (tensors_in(root) == 0)
        die("%s: its pickle holds no dict of named tensors", p->where);
    return root;
}

static void read_state(pth *p, pickle_value state)
{
    p->item = new_bytes((size_t)tensors_in(state) * sizeof *p->item);
    for (int64_t i = 0; i < pickle_length(state); i++) {
        pickle_value key = state.u.node->item[2 * i], value = state.u.node->item[2 * i + 1];
        if (!is_tensor(value))
            continue;
        if (key.kind != PICKLE_TEXT || key.n == 0 || memchr(key.u.text, 0, key.n))
            die("%s: a name in its state dict is no text", p->where);
        item *t = p->item + p->items++;
        t->name = new_bytes((unsigned long)key.n + 1);
        memcpy(t->name, key.u.text, key.n);
        read_tensor(p, t, value);
    }
}

/* Copies are bounded by what is in the file: many strided views of one storage would not be. */
static void check_copies(const pth *p)
{
    uint64_t copied = 0, stored = 0;
    for (int i = 0; i < p->storages; i++)
        if (p->storage[i].entry)
            stored += p->storage[i].entry->size;
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

pth *pth_open(const void *bytes, size_t n, const char *where)
{
    pth *p = new_bytes(sizeof *p);
    p->where = where;
    zip_open(&p->z, bytes, n, where);
    p->storages = p->z.entries;
    p->storage = new_bytes((size_t)p->storages * sizeof *p->storage);
    const zip_entry *e = find_pickle(p);
    check_byte_order(p);
    if (e->size > MOST_PICKLE_BYTES)
        die("%s: its data.pkl has %llu bytes; at most %d are read", where,
            (unsigned long long)e->size, MOST_PICKLE_BYTES);
    void *inflated = e->method ? zip_inflate(&p->z, e) : NULL;
    pickle k;
    pickle_read(&k, inflated ? inflated : zip_view(&p->z, e), e->size, allowed, where);
    read_state(p, find_state(p, k.root));
    check_inflated(p);
    check_copies(p);
    pickle_free(&k);
    free(inflated);
    return p;
}

int pth_count(const pth *p) { return p->items; }
const char *pth_name(const pth *p, int i) { return p->item[i].name; }
tensor pth_shape(const pth *p, int i) { return p->item[i].shape; }

/* ---- data ---- */

static const char *storage_bytes(pth *p, int i)
{
    storage *s = p->storage + i;
    const void *view = s->inflated ? s->inflated : zip_view(&p->z, s->entry);
    if (!view)
        view = s->inflated = zip_inflate(&p->z, s->entry);
    return view;
}

/* y[i0, i1, ...] = x[i0 stride0 + i1 stride1 + ...], an odometer over all but the last dimension.
 */
static void gather(char *y, const char *x, const item *t)
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
    item *t = p->item + i;
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
