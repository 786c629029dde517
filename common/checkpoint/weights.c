/*
** weights.c: looking into the table of a checkpoint's tensors: by name, shape checked, counted.
*/
#include "weights.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>

#include "../die.h"
#include "table.h"

/* ---- order ---- */

static const weights *sorting;
static int by_name(const void *a, const void *b)
{
    return strcmp(sorting->item[*(const int *)a].name, sorting->item[*(const int *)b].name);
}

void weights_sort(weights *w)
{
    free(w->order);
    w->order = new_bytes((size_t)w->items * sizeof *w->order);
    for (int i = 0; i < w->items; i++)
        w->order[i] = i;
    sorting = w;
    if (w->items)
        qsort(w->order, (size_t)w->items, sizeof *w->order, by_name);
    for (int i = 1; i < w->items; i++) {
        item *a = w->item + w->order[i - 1], *b = w->item + w->order[i];
        if (strcmp(a->name, b->name) == 0 && a->file == b->file)
            die("%s is twice in %s", a->name, w->file[a->file].path);
        if (strcmp(a->name, b->name) == 0)
            die("%s is both in %s and in %s", a->name, w->file[a->file].path,
                w->file[b->file].path);
    }
}

/* ---- looking up ---- */

int weights_count(const weights *w) { return w->items; }
const char *weights_name(const weights *w, int i) { return w->item[i].name; }
tensor weights_shape(const weights *w, int i) { return w->item[i].shape; }
const char *weights_path(const weights *w) { return w->path; }
const char *weights_what(const weights *w) { return w->what; }

const char *weights_file(const weights *w)
{
    for (int i = 0; i < w->files; i++)
        if (w->file[i].kind != INDEX)
            return w->file[i].path;
    return w->path;
}

int weights_first(const weights *w, const char *name)
{
    int low = 0, high = w->items;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (strcmp(w->item[w->order[middle]].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

item *weights_item(const weights *w, const char *name)
{
    int i = weights_first(w, name);
    item *t = i < w->items ? w->item + w->order[i] : NULL;
    return t && strcmp(t->name, name) == 0 ? t : NULL;
}

bool weights_has(const weights *w, const char *name) { return weights_item(w, name) != NULL; }

static item *wanted(const weights *w, const char *name)
{
    item *t = weights_item(w, name);
    bool other_names = w->what && strstr(w->what, "names");
    bool shard = w->files == 1 && strstr(w->path, "-of-");
    if (!t)
        die("%s has no tensor %s%s%s%s%s", w->path, name, other_names ? " (it was read as " : "",
            other_names ? w->what : "", other_names ? ")" : "",
            shard ? ": it is one of several shards; give -m their directory" : "");
    t->used = true;
    return t;
}

const char *weights_called(const weights *w, const char *name)
{
    const item *t = weights_item(w, name);
    return t ? t->raw : name;
}

/* ---- data ---- */

static tensor file_data(weights *w, const item *t)
{
    file *f = w->file + t->file;
    return f->p ? pth_tensor(f->p, t->index) : f->d.entry[t->index].t;
}

/* y [m, n] of x [n, m] */
static void transpose(char *y, const char *x, int64_t n, int64_t m, size_t size)
{
    for (int64_t i = 0; i < m; i++)
        for (int64_t k = 0; k < n; k++, y += size)
            memcpy(y, x + (size_t)(k * m + i) * size, size);
}

static tensor data_of(weights *w, item *t)
{
    tensor x = file_data(w, t), y = t->shape;
    size_t bytes = tensor_bytes(y), size = type_size(y.type);
    const char *from = (const char *)x.data + (t->parts ? (size_t)t->part * bytes : 0);
    bool aligned = type_block(y.type) > 1 || (uintptr_t)from % size == 0;
    if (!t->copy && (t->transposed || !aligned)) {
        t->copy = new_bytes(bytes);
        if (t->transposed)
            transpose(t->copy, from, y.dim[1], y.dim[0], size);
        else
            memcpy(t->copy, from, bytes);
    }
    y.data = t->copy ? t->copy : (void *)from;
    return y;
}

tensor weights_any(weights *w, const char *name) { return data_of(w, wanted(w, name)); }

tensor weights_get(weights *w, const char *name, int rank, const int64_t *dim)
{
    item *t = wanted(w, name);
    bool fits = t->shape.rank == rank;
    for (int i = 0; fits && i < rank; i++)
        fits = dim[i] < 0 || t->shape.dim[i] == dim[i];
    if (!fits)
        die("%s is %s in %s, but %s is needed", t->raw, tensor_text(t->shape),
            w->file[t->file].path, shape_text(rank, dim));
    return data_of(w, t);
}

void weights_take_extras(weights *w) { w->extras = true; }

void weights_done(tensor t) { filemap_drop(t.data, tensor_bytes(t)); }

/* ---- what nobody asked for ---- */

void weights_pass_over(weights *w, const char *pattern)
{
    for (int i = 0; i < w->items; i++)
        w->item[i].used |= fnmatch(pattern, w->item[i].name, 0) == 0;
}

/* The tensor that t stands beside: its name is that of a tensor in use, or of its module, and
 * something behind. */
static const item *neighbour(const weights *w, const item *t)
{
    for (int i = 0; i < w->items; i++) {
        const item *u = w->item + i;
        size_t n = strlen(u->raw);
        if (!u->used || !u->renamed)
            continue;
        if (n > 7 && strcmp(u->raw + n - 7, ".weight") == 0)
            n -= 7;
        if (strncmp(t->raw, u->raw, n) == 0 && (t->raw[n] == '.' || t->raw[n] == '_'))
            return u;
    }
    return NULL;
}

/* A tensor that is read as it is may not have what would change it. */
static void check_neighbours(const weights *w)
{
    for (int i = 0; i < w->items; i++) {
        const item *t = w->item + i, *u = t->used ? NULL : neighbour(w, t);
        if (u)
            die("%s in %s belongs to %s, and what it does to it is not known", t->raw, w->path,
                u->raw);
    }
}

void weights_report_unused(weights *w)
{
    enum { SHOWN = 4 };
    int n = 0, shown = 0;
    char names[512] = "";
    if (w->reported)
        return;
    w->reported = true;
    check_neighbours(w);
    for (int i = 0; i < w->items; i++)
        n += !w->item[i].used;
    for (int i = 0; i < w->items && shown < SHOWN; i++) {
        size_t length = strlen(names);
        if (!w->item[i].used)
            snprintf(names + length, sizeof names - length, "%s%.100s", shown++ ? ", " : "",
                     w->item[i].raw);
    }
    if (n)
        warn("%d tensor%s of %s %s not used: %s%s", n, n == 1 ? "" : "s", w->path,
             n == 1 ? "is" : "are", names, n > SHOWN ? ", ..." : "");
}

/* ---- metadata ---- */

static const document *first_document(const weights *w)
{
    for (int i = 0; i < w->files; i++)
        if (!w->file[i].p && w->file[i].d.entries)
            return &w->file[i].d;
    return NULL;
}

const char *weights_metadata(const weights *w, const char *key)
{
    const document *d = first_document(w);
    return d ? metadata_get(d, key) : NULL;
}

int weights_keys(const weights *w)
{
    const document *d = first_document(w);
    return d ? d->keys : 0;
}

const char *weights_key(const weights *w, int i) { return first_document(w)->key[i].key; }

/* ---- the digest: content.c ---- */

int weights_files(const weights *w) { return w->files; }
int weights_fd(const weights *w, int i) { return w->file[i].fd; }
const char *weights_chosen(const weights *w) { return w->key ? w->key : ""; }

tensor weights_place(weights *w, int i, int *fd, uint64_t *at)
{
    item *t = w->item + i;
    const file *f = w->file + t->file;
    tensor y = t->shape;
    if (t->transposed) {
        y = data_of(w, t);
    } else {
        char *from = file_data(w, t).data;
        y.data = from + (t->parts ? (size_t)t->part * tensor_bytes(y) : 0);
    }
    const unsigned char *bytes = y.data;
    bool in_file = f->m.mapped && bytes >= f->m.at && bytes < f->m.at + f->m.bytes;
    *fd = in_file ? f->fd : -1;
    *at = in_file ? (uint64_t)(bytes - f->m.at) : 0;
    return y;
}

void weights_digest_begin(weights *w)
{
    if (!w->content)
        w->content = content_begin(w);
}

const char *weights_digest(weights *w)
{
    weights_digest_begin(w);
    return content_digest(w->content);
}
