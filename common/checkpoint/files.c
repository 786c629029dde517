/*
** files.c: the files of a checkpoint, mapped, and the table of all their tensors.
**
** A file is told by its first bytes: a zip is a .pth, so is the pickle that torch.save wrote before
** it made zips; GGUF says so; a JSON object is an index of shards, a length and a JSON object are
** safetensors. What is none of these is refused with what it looks like. Refused too: shards that
** are named but missing, and several files where one is wanted.
**
** The hard idea: nobody copies weights. The files are mapped, and a tensor is a pointer into the
** map whose pages come when they are touched and go with weights_done(). So a model takes the
** memory of what is in use of it, and opening it takes no time.
*/
#include <fcntl.h>
#include <glob.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../die.h"
#include "../openfile.h"
#include "gguf.h"
#include "table.h"

/* ---- what a file is ---- */

/* What people give for a checkpoint, told by its first bytes: what it is and what to do. */
static const struct {
    const char *begin;
    size_t n;
    const char *what;
} impostors[] = {
    {"version https://git-lfs", 23,
     "a Git LFS pointer, not the file itself: `git lfs pull` gets it"},
    {"<!DOCTYPE", 9, "a web page: the download went wrong"},
    {"<!doctype", 9, "a web page: the download went wrong"},
    {"<html", 5, "a web page: the download went wrong"},
    {"<?xml", 5, "XML: the download went wrong"},
    {"\x1f\x8b", 2, "packed by gzip: unpack it first"},
    {"\xfd"
     "7zXZ",
     5, "packed by xz: unpack it first"},
    {"\x28\xb5\x2f\xfd", 4, "packed by zstd: unpack it first"},
    {"7z\xbc\xaf", 4, "a 7z archive: unpack it first"},
    {"Rar!", 4, "a RAR archive: unpack it first"},
    {"tjgg", 4, "a GGML file of the time before GGUF: convert it"},
    {"lmgg", 4, "a GGML file of the time before GGUF: convert it"},
    {"\x89HDF", 4, "HDF5: convert it to safetensors"},
    {"\x93NUMPY", 6, "a NumPy array: convert it to safetensors"},
};

static void refuse_stranger(const file *f)
{
    for (size_t i = 0; i < sizeof impostors / sizeof *impostors; i++)
        if (f->m.bytes >= impostors[i].n &&
            memcmp(f->m.at, impostors[i].begin, impostors[i].n) == 0)
            die("%s is %s", f->path, impostors[i].what);
    if (f->m.bytes > 512 && memcmp(f->m.at + 257, "ustar", 5) == 0)
        die("%s is a tar archive (of files, or of PyTorch before 0.1.10): unpack it first",
            f->path);
}

static file_kind kind_of(const file *f)
{
    const unsigned char *p = f->m.at;
    if (f->m.bytes < 9)
        refuse_stranger(f);
    if (f->m.bytes < 9)
        die("%s is cut short: it has only %zu bytes", f->path, f->m.bytes);
    if (memcmp(p, "PK\3\4", 4) == 0 || pth_is_legacy(p, f->m.bytes))
        return PTH;
    if (memcmp(p, "GGUF", 4) == 0)
        return GGUF;
    if (p[0] == '{' && !memchr(p, 0, 8)) /* text; a header's length has zeros */
        return INDEX;
    if (p[8] == '{')
        return SAFETENSORS;
    refuse_stranger(f);
    if (p[0] == 0x80 && p[1] <= 5)
        die("%s is a bare pickle, not what torch.save writes: load it in Python and save its "
            "state dict by torch.save",
            f->path);
    die("%s is neither safetensors, nor an index of shards, nor a .pth, nor GGUF", f->path);
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

const char *file_name(const file *f, int i)
{
    return f->p ? pth_name(f->p, i) : f->d.entry[i].name;
}

void *weights_keep(weights *w, void *memory)
{
    if ((w->kept & (w->kept - 1)) == 0) {
        w->keep = realloc(w->keep, (size_t)(w->kept ? 2 * w->kept : 1) * sizeof *w->keep);
        if (!w->keep)
            die("out of memory");
    }
    return w->keep[w->kept++] = memory;
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
        t->name = t->raw = file_name(f, i);
        t->shape = f->p ? pth_shape(f->p, i) : f->d.entry[i].t;
        t->shape.data = NULL;
    }
}

/* torchao's metadata say of each tensor what it was made for. */
static bool for_narrow_activations(const document *d)
{
    for (int i = 0; i < d->keys; i++) {
        if (strncmp(d->key[i].value, "{\"_type\"", 8) != 0)
            continue;
        json_t *o = json_loads(d->key[i].value, 0, NULL);
        bool narrow =
            json_is_object(json_object_get(json_object_get(o, "_data"), "act_quant_kwargs"));
        json_decref(o);
        if (narrow)
            return true;
    }
    return false;
}

static void add_index(weights *w, int file_index);

/* Opens one file, already in w->file, and all that it names. key: of a model within a .pth, or NULL
 * where none is asked for. */
static void add_file(weights *w, char *path, int fd, bool may_be_index, const char *key)
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
    f->kind = kind_of(f);
    if (key && f->kind != PTH)
        die("%s has no models by name as a .pth may have: %s:%s", path, path, key);
    switch (f->kind) {
    case SAFETENSORS: read_header(f); break;
    case GGUF: gguf_read(&f->d, f->m.at, f->m.bytes, f->path); break;
    case PTH: f->p = pth_open(f->m.at, f->m.bytes, f->path, key); break;
    case INDEX:
        if (!may_be_index)
            die("%s is an index of shards, not a shard", f->path);
        add_index(w, i);
        return;
    }
    if (f->p ? pth_narrow_activations(f->p) : for_narrow_activations(&f->d))
        warn("%s was made for activations of 8 bits too: here they stay in 16 or 32", path);
    add_items(w, i);
}

static int open_path(const char *path, const char *because)
{
    int fd = input_open(path);
    if (fd < 0)
        die_errno("cannot open %s%s", path, because);
    return fd;
}

static void add_path(weights *w, char *path, bool may_be_index, const char *because,
                     const char *key)
{
    int fd = open_path(path, because);
    add_file(w, path, fd, may_be_index, key);
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
            add_path(w, full, false, because, NULL);
        else
            free(full);
    }
    json_decref(root);
    free(because);
    free(path);
}

/* An index may name tensors that its shards do not have. */
static void check_index(const weights *w)
{
    const file *f = w->file;
    if (f->kind != INDEX)
        return;
    json_t *root = json_loadb((const char *)f->m.at, f->m.bytes, 0, NULL), *value;
    const char *name;
    json_object_foreach(json_object_get(root, "weight_map"), name, value)
    {
        if (!weights_has(w, name))
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
    weights_sort(w);
    check_index(w);
    weights_read_formats(w);
    return w;
}

/* FILE:KEY of which FILE alone is there: NULL, or the file's name, and the key that follows. */
static char *split_key(const char *path, const char **key)
{
    if (access(path, F_OK) == 0)
        return NULL;
    for (const char *colon = path + strlen(path); colon-- > path + 1;) {
        struct stat s;
        if (*colon != ':')
            continue;
        char *name = new_format("%.*s", (int)(colon - path), path);
        if (stat(name, &s) == 0 && !S_ISDIR(s.st_mode)) {
            *key = colon + 1;
            return name;
        }
        free(name);
    }
    return NULL;
}

weights *weights_open(const char *path)
{
    weights *w = new_weights(path);
    const char *key = NULL;
    char *name = split_key(path, &key);
    add_path(w, name ? name : new_format("%s", path), true, "", key);
    w->key = key ? w->path + (key - path) : NULL;
    return finished(w);
}

weights *weights_open_fd(int fd, const char *name)
{
    weights *w = new_weights(name);
    add_file(w, new_format("%s", name), fd, false, NULL);
    return finished(w);
}

static weights *open_matches(const char *pattern, const glob_t *g)
{
    if (g->gl_pathc == 1 && !strstr(g->gl_pathv[0], "-of-"))
        return weights_open(g->gl_pathv[0]);
    weights *w = new_weights(pattern);
    for (size_t i = 0; i < g->gl_pathc; i++) {
        if (!strstr(g->gl_pathv[i], "-of-"))
            die("%s are several checkpoints, %s and %s among them: give -m one of them", pattern,
                g->gl_pathv[0], g->gl_pathv[i > 0 ? i : 1]);
        add_path(w, new_format("%s", g->gl_pathv[i]), false, "", NULL);
    }
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

weights *weights_find(const char *path, const char *const patterns[], const char *what)
{
    struct stat s;
    int rc = stat(path, &s);
    if (rc != 0 || !S_ISDIR(s.st_mode))
        return weights_open(path);
    char *directory = quoted(path);
    for (int i = 0; patterns[i]; i++) {
        char *pattern = new_format("%s/%s", directory, patterns[i]);
        glob_t g;
        rc = glob(pattern, 0, NULL, &g);
        free(pattern);
        if (rc == GLOB_NOSPACE)
            die("out of memory");
        if (rc == 0) {
            char *shown = new_format("%s/%s", path, patterns[i]);
            weights *w = open_matches(shown, &g);
            globfree(&g);
            free(shown);
            free(directory);
            return w;
        }
    }
    die("cannot find %s or another file of %s in %s", patterns[0], what, path);
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
    for (int i = 0; i < w->items; i++) {
        free(w->item[i].copy);
        free(w->item[i].scales);
    }
    for (int i = 0; i < w->files; i++)
        close_file(w->file + i);
    for (int i = 0; i < w->kept; i++)
        free(w->keep[i]);
    free(w->keep);
    json_decref(w->quantization);
    free(w->file);
    free(w->item);
    free(w->order);
    free(w->path);
    free(w);
}
