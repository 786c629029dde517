/*
** weights.c: checkpoints as users have them: files, mapped, and one table of their tensors.
**
** A file is told by its first bytes: a zip is a .pth, a JSON object is an index of shards, a length
** and a JSON object are safetensors. It refuses bare pickles (torch.save before PyTorch 1.6), a
** name in two files, and shards that are named but missing.
**
** The hard idea: nobody copies weights. The files are mapped, and a tensor is a pointer into the
** map whose pages come when they are touched and go with weights_done(). So a model takes the
** memory of what is in use of it, and opening it takes no time.
*/
#include "weights.h"

#include <fcntl.h>
#include <glob.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../die.h"
#include "../filemap.h"
#include "../stream.h"
#include "content.h"
#include "pth.h"

typedef struct {
    char *path;
    int fd;
    filemap m;
    document d; /* of safetensors */
    pth *p;     /* of a .pth, else NULL */
} file;

typedef struct {
    const char *name;
    tensor shape;
    int file, index; /* index: in d.entry or in p */
    void *copy;      /* of a tensor whose place in its file is not aligned, or NULL */
} item;

struct weights {
    char *path;
    int files, items;
    file *file;
    item *item;       /* in the order of the files */
    int *order;       /* items by name */
    content *content; /* the digest and what computes it; NULL: not begun */
};

/* ---- what a file is ---- */

typedef enum { SAFETENSORS, PTH, INDEX } file_kind;

static file_kind kind_of(const file *f)
{
    const unsigned char *p = f->m.at;
    if (f->m.bytes < 9)
        die("%s is cut short: it has only %zu bytes", f->path, f->m.bytes);
    if (memcmp(p, "PK\3\4", 4) == 0)
        return PTH;
    if (p[0] == '{' && !memchr(p, 0, 8)) /* text; a header's length has zeros */
        return INDEX;
    if (p[8] == '{')
        return SAFETENSORS;
    if (p[0] == 0x80 && p[1] <= 5)
        die("%s is a bare pickle, as torch.save wrote before PyTorch 1.6: load it there and save "
            "it again",
            f->path);
    die("%s is neither safetensors, nor an index of shards, nor a .pth", f->path);
}

static void read_header(file *f)
{
    uint64_t n = 0;
    for (int i = 8; i-- > 0;)
        n = n << 8 | f->m.at[i];
    if (n > HEADER_LIMIT_FILE)
        die("%s: its header says it is %llu bytes long; at most %d are read", f->path,
            (unsigned long long)n, HEADER_LIMIT_FILE);
    if (n > f->m.bytes - 8)
        die("%s is cut short: its header says it is %llu bytes long, %zu are there", f->path,
            (unsigned long long)n, f->m.bytes - 8);
    document_parse(&f->d, (const char *)f->m.at + 8, n, f->m.bytes - 8 - n, f->path);
    for (int i = 0; i < f->d.entries; i++)
        f->d.entry[i].t.data = f->m.at + 8 + n + f->d.entry[i].begin;
}

/* ---- the table ---- */

static const char *bare_name(const char *name)
{
    static const char prefix[] = "model.diffusion_model.";
    size_t n = sizeof prefix - 1;
    return strncmp(name, prefix, n) == 0 && name[n] ? name + n : name;
}

static void add_items(weights *w, int file_index)
{
    file *f = w->file + file_index;
    int n = f->p ? pth_count(f->p) : f->d.entries;
    w->item = realloc(w->item, (size_t)(w->items + n + 1) * sizeof *w->item);
    if (!w->item)
        die("out of memory");
    for (int i = 0; i < n; i++) {
        item *t = w->item + w->items++;
        *t = (item){.file = file_index, .index = i};
        t->name = bare_name(f->p ? pth_name(f->p, i) : f->d.entry[i].name);
        t->shape = f->p ? pth_shape(f->p, i) : f->d.entry[i].t;
        t->shape.data = NULL;
    }
}

static void add_index(weights *w, int file_index);

/* Opens one file, already in w->file, and all that it names. */
static void add_file(weights *w, char *path, int fd, bool may_be_index)
{
    w->file = realloc(w->file, (size_t)(w->files + 1) * sizeof *w->file);
    if (!w->file)
        die("out of memory");
    int i = w->files++;
    file *f = w->file + i;
    *f = (file){.path = path, .fd = fcntl(fd, F_DUPFD_CLOEXEC, 3)};
    if (f->fd < 0)
        die_errno("cannot open %s", path);
    filemap_open(&f->m, fd, path);
    switch (kind_of(f)) {
    case SAFETENSORS: read_header(f); break;
    case PTH: f->p = pth_open(f->m.at, f->m.bytes, f->path); break;
    case INDEX:
        if (!may_be_index)
            die("%s is an index of shards, not a shard", f->path);
        add_index(w, i);
        return;
    }
    add_items(w, i);
}

static int open_path(const char *path, const char *because)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        die_errno("cannot open %s%s", path, because);
    return fd;
}

static void add_path(weights *w, char *path, bool may_be_index, const char *because)
{
    int fd = open_path(path, because);
    add_file(w, path, fd, may_be_index);
    close(fd);
}

static int find_file(const weights *w, const char *path)
{
    for (int i = 0; i < w->files; i++)
        if (strcmp(w->file[i].path, path) == 0)
            return i;
    return -1;
}

/* {"weight_map": {name: shard}}: opens every shard, beside the index. */
static void add_index(weights *w, int file_index)
{
    char *path = new_format("%s", w->file[file_index].path);
    json_error_t error;
    json_t *root = json_loadb((const char *)w->file[file_index].m.at, w->file[file_index].m.bytes,
                              JSON_REJECT_DUPLICATES, &error);
    json_t *map = json_object_get(root, "weight_map");
    if (!json_is_object(map) || json_object_size(map) == 0)
        die("%s: no index of shards: it has no weight_map", path);
    char *slash = strrchr(path, '/'), *because = new_format(", which %s names", path);
    const char *name;
    json_t *value;
    json_object_foreach(map, name, value)
    {
        const char *shard = json_string_value(value);
        if (!shard || !*shard || strchr(shard, '/'))
            die("%s: the shard of %s is not a file name", path, name);
        char *full = new_format("%.*s%s", slash ? (int)(slash + 1 - path) : 0, path, shard);
        if (find_file(w, full) < 0)
            add_path(w, full, false, because);
        else
            free(full);
    }
    json_decref(root);
    free(because);
    free(path);
}

static const weights *sorting;
static int by_name(const void *a, const void *b)
{
    return strcmp(sorting->item[*(const int *)a].name, sorting->item[*(const int *)b].name);
}

static void sort_items(weights *w)
{
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

/* An index may name tensors that its shards do not have. */
static void check_index(const weights *w)
{
    const file *f = w->file;
    if (f->p || f->d.entries || f->m.bytes < 9 || kind_of(f) != INDEX)
        return;
    json_t *root = json_loadb((const char *)f->m.at, f->m.bytes, 0, NULL), *value;
    const char *name;
    json_object_foreach(json_object_get(root, "weight_map"), name, value)
    {
        if (!weights_has(w, bare_name(name)))
            die("%s says that %s is in %s, but it is not", f->path, name, json_string_value(value));
    }
    json_decref(root);
}

/* model-00001-of-00003.safetensors wants two others. */
static void check_shards(const weights *w)
{
    for (int i = 0; i < w->files; i++) {
        const char *path = w->file[i].path, *of = strstr(path, "-of-");
        int number, total;
        if (!of || of - path < 6 || sscanf(of - 6, "-%5d-of-%5d", &number, &total) != 2)
            continue;
        for (int n = 1; n <= total; n++) {
            char *other = new_format("%.*s-%05d%s", (int)(of - path - 6), path, n, of);
            if (find_file(w, other) < 0)
                die("cannot find %s, which belongs to %s", other, path);
            free(other);
        }
        return;
    }
}

/* ---- opening ---- */

static weights *new_weights(const char *path)
{
    weights *w = new_bytes(sizeof *w);
    w->path = new_format("%s", path);
    return w;
}

static weights *finished(weights *w)
{
    sort_items(w);
    check_index(w);
    return w;
}

weights *weights_open(const char *path)
{
    weights *w = new_weights(path);
    add_path(w, new_format("%s", path), true, "");
    return finished(w);
}

weights *weights_open_fd(int fd, const char *name)
{
    weights *w = new_weights(name);
    add_file(w, new_format("%s", name), fd, false);
    return finished(w);
}

static weights *open_matches(const char *pattern, const glob_t *g)
{
    if (g->gl_pathc == 1 && !strstr(g->gl_pathv[0], "-of-"))
        return weights_open(g->gl_pathv[0]);
    weights *w = new_weights(pattern);
    for (size_t i = 0; i < g->gl_pathc; i++)
        add_path(w, new_format("%s", g->gl_pathv[i]), false, "");
    check_shards(w);
    return finished(w);
}

/* The directory's own name may hold characters that a pattern reads otherwise. */
static char *quoted(const char *path)
{
    char *s = new_bytes(2 * strlen(path) + 1), *to = s;
    for (; *path; path++) {
        if (strchr("*?[]\\", *path))
            *to++ = '\\';
        *to++ = *path;
    }
    return s;
}

weights *weights_find(const char *path, const char *const patterns[])
{
    struct stat s;
    if (stat(path, &s) != 0)
        die_errno("cannot open %s", path);
    if (!S_ISDIR(s.st_mode))
        return weights_open(path);
    char *directory = quoted(path), *tried = new_format("%s", patterns[0]);
    for (int i = 0; patterns[i]; i++) {
        char *pattern = new_format("%s/%s", directory, patterns[i]);
        glob_t g;
        int rc = glob(pattern, 0, NULL, &g);
        free(pattern);
        if (rc == GLOB_NOSPACE)
            die("out of memory");
        if (rc == 0) {
            char *shown = new_format("%s/%s", path, patterns[i]);
            weights *w = open_matches(shown, &g);
            globfree(&g);
            free(shown);
            free(directory);
            free(tried);
            return w;
        }
        if (i) {
            char *longer = new_format("%s or %s", tried, patterns[i]);
            free(tried);
            tried = longer;
        }
    }
    die("cannot find %s in %s", tried, path);
}

static void close_file(file *f)
{
    if (f->p)
        pth_close(f->p);
    document_free(&f->d);
    filemap_close(&f->m);
    close(f->fd);
    free(f->path);
}

void weights_close(weights *w)
{
    if (w->content)
        content_free(w->content); /* its threads read what goes now */
    for (int i = 0; i < w->items; i++)
        free(w->item[i].copy);
    for (int i = 0; i < w->files; i++)
        close_file(w->file + i);
    free(w->file);
    free(w->item);
    free(w->order);
    free(w->path);
    free(w);
}

/* ---- looking up ---- */

int weights_count(const weights *w) { return w->items; }
const char *weights_name(const weights *w, int i) { return w->item[i].name; }
tensor weights_shape(const weights *w, int i) { return w->item[i].shape; }
const char *weights_path(const weights *w) { return w->path; }

static item *find(const weights *w, const char *name)
{
    int low = 0, high = w->items;
    while (low < high) {
        int middle = low + (high - low) / 2;
        item *t = w->item + w->order[middle];
        int order = strcmp(name, t->name);
        if (order == 0)
            return t;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

bool weights_has(const weights *w, const char *name) { return find(w, name) != NULL; }

static tensor data_of(weights *w, item *t)
{
    file *f = w->file + t->file;
    if (f->p)
        return pth_tensor(f->p, t->index);
    tensor y = f->d.entry[t->index].t;
    if ((uintptr_t)y.data % type_size(y.type) == 0)
        return y;
    if (!t->copy) {
        t->copy = new_bytes(tensor_bytes(y));
        memcpy(t->copy, y.data, tensor_bytes(y));
    }
    y.data = t->copy;
    return y;
}

tensor weights_any(weights *w, const char *name)
{
    item *t = find(w, name);
    if (!t)
        die("%s has no tensor %s", w->path, name);
    return data_of(w, t);
}

tensor weights_get(weights *w, const char *name, int rank, const int64_t *dim)
{
    item *t = find(w, name);
    if (!t)
        die("%s has no tensor %s", w->path, name);
    bool fits = t->shape.rank == rank;
    for (int i = 0; fits && i < rank; i++)
        fits = dim[i] < 0 || t->shape.dim[i] == dim[i];
    if (!fits)
        die("%s is %s in %s, but %s is needed", name, tensor_text(t->shape), w->file[t->file].path,
            shape_text(rank, dim));
    return data_of(w, t);
}

void weights_done(tensor t) { filemap_drop(t.data, tensor_bytes(t)); }

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

tensor weights_place(weights *w, int i, int *fd, uint64_t *at)
{
    const item *t = w->item + i;
    const file *f = w->file + t->file;
    tensor data = f->p ? pth_tensor(f->p, t->index) : f->d.entry[t->index].t;
    const unsigned char *bytes = data.data;
    bool in_file = f->m.mapped && bytes >= f->m.at && bytes < f->m.at + f->m.bytes;
    *fd = in_file ? f->fd : -1;
    *at = in_file ? (uint64_t)(bytes - f->m.at) : 0;
    return data;
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
