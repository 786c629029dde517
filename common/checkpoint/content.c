/*
** content.c: the digest of a checkpoint, by as many threads as there are processors.
**
** A tensor has its digest, XXH3 of its bytes; the checkpoint's is that of a list with a line for
** each tensor, sorted by name: name, type and shape, digest. So it does not matter how a model is
** cut into files, and a researcher can see by `xxh128sum` of a tensor's bytes what has changed.
**
** Bytes are read from the file and not through its map: a map's pages cost more to touch than to
** copy, and this runs beside the loading of the same weights.
*/
#include "content.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../die.h"
#include "../filedigest.h"

enum { MOST_THREADS = 16, PIECE = 1 << 20 };

/* A tensor: its bytes lie in a file, or (fd < 0) in memory. */
typedef struct {
    const char *name;
    tensor t;
    int fd;
    uint64_t at;
    digest value;
} item;

struct content {
    weights *w;
    item *item;
    int *order; /* the largest tensors first, so that no thread is left with one at the end */
    int n, threads;
    atomic_int next, failed;
    pthread_t thread[MOST_THREADS];
    digest key, value; /* what the cache knows it by; empty until it is known */
    bool settled;      /* the files have been what they are for a while */
};

/* ---- a tensor ---- */

/* False: the file ended. */
static bool digest_file_part(item *t, char *piece)
{
    digester *g = digester_new();
    uint64_t at = t->at, left = tensor_bytes(t->t);
    while (left) {
        ssize_t n = pread(t->fd, piece, left < PIECE ? (size_t)left : PIECE, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        digester_add(g, piece, (size_t)n);
        at += (uint64_t)n;
        left -= (uint64_t)n;
    }
    t->value = digester_end(g);
    return left == 0;
}

static void *work(void *data)
{
    content *c = data;
    char *piece = new_bytes(PIECE);
    for (int i; (i = atomic_fetch_add(&c->next, 1)) < c->n;) {
        item *t = &c->item[c->order[i]];
        if (t->fd < 0)
            t->value = digest_of(t->t.data, tensor_bytes(t->t));
        else if (!digest_file_part(t, piece))
            atomic_store(&c->failed, c->order[i] + 1);
    }
    free(piece);
    return NULL;
}

/* ---- all of them ---- */

static const item *sorting;

static int by_bytes(const void *a, const void *b)
{
    size_t x = tensor_bytes(sorting[*(const int *)a].t),
           y = tensor_bytes(sorting[*(const int *)b].t);
    return (x < y) - (x > y);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(sorting[*(const int *)a].name, sorting[*(const int *)b].name);
}

static void sort(content *c, int (*order)(const void *, const void *))
{
    sorting = c->item;
    if (c->n)
        qsort(c->order, (size_t)c->n, sizeof *c->order, order);
}

/* A line for each tensor; `with` digests, or (the cache's key) behind what the files are. */
static digest digest_list(content *c, digester *g, bool with)
{
    sort(c, by_name);
    for (int i = 0; i < c->n; i++) {
        const item *t = &c->item[c->order[i]];
        char *line = new_format("%s %s %s\n", t->name, tensor_text(t->t), with ? t->value.hex : "");
        digester_add(g, line, strlen(line));
        free(line);
    }
    return digester_end(g);
}

static digest key_of(content *c)
{
    file_identity id;
    digester *g = digester_new();
    c->settled = true;
    for (int i = 0; i < weights_files(c->w); i++) {
        c->settled = identify(&id, weights_fd(c->w, i)) && c->settled;
        digester_add(g, id.text, strlen(id.text) + 1);
    }
    /* two models of one file may have the same names and shapes */
    digester_add(g, weights_chosen(c->w), strlen(weights_chosen(c->w)) + 1);
    return digest_list(c, g, false);
}

static int processors(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return n < 1 ? 1 : n > MOST_THREADS ? MOST_THREADS : n;
}

content *content_begin(weights *w)
{
    content *c = new_bytes(sizeof *c);
    c->w = w;
    c->n = weights_count(w);
    c->item = new_bytes((size_t)c->n * sizeof *c->item);
    c->order = new_bytes((size_t)c->n * sizeof *c->order);
    for (int i = 0; i < c->n; i++) {
        c->item[i] = (item){.name = weights_name(w, i), .t = weights_shape(w, i)};
        c->order[i] = i;
    }
    c->key = key_of(c);
    if (c->settled && digest_recall(&c->key, &c->value))
        return c;
    for (int i = 0; i < c->n; i++)
        c->item[i].t = weights_place(w, i, &c->item[i].fd, &c->item[i].at);
    sort(c, by_bytes);
    int wanted = processors();
    while (c->threads < wanted && pthread_create(&c->thread[c->threads], NULL, work, c) == 0)
        c->threads++;
    return c;
}

static void wait_for(content *c)
{
    if (*c->value.hex)
        return;
    work(c); /* what is left, and all of it if no thread could be made */
    while (c->threads)
        pthread_join(c->thread[--c->threads], NULL);
}

const char *content_digest(content *c)
{
    if (*c->value.hex)
        return c->value.hex;
    wait_for(c);
    int failed = atomic_load(&c->failed);
    if (failed)
        die("cannot read %s of %s: the file became shorter", c->item[failed - 1].name,
            weights_path(c->w));
    c->value = digest_list(c, digester_new(), true);
    digest key = key_of(c);
    if (c->settled && strcmp(key.hex, c->key.hex) == 0)
        digest_remember(&key, &c->value);
    return c->value.hex;
}

void content_free(content *c)
{
    wait_for(c);
    free(c->item);
    free(c->order);
    free(c);
}
