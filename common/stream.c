/*
** stream.c: documents read from and written to a file or pipe, one after another.
**
** Refuses a header over the limit, and a stream that ends inside a document; the message names the
** tensor in which it ends. What a header says (safetensors.c) is only ever a promise here: memory
** grows as bytes arrive, so a lying header of a few bytes costs a few bytes.
**
** Writing goes around stdio, straight to the descriptor: what writer_bytes was given has left the
** process when it returns, so the next stage can begin with the first frame.
*/
#include "stream.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "die.h"
#include "filemap.h"
#include "program.h"
#include "seal.h"

/* A pipe of 64 KB has two programs wait for each other twenty times a frame. */
enum { ALIGNMENT = 64, LEAST_CHUNK = 1 << 20, PIPE_BYTES = 1 << 20 };

/* ---- reading ---- */

void reader_open(reader *r, FILE *file, const char *name)
{
    *r = (reader){.file = file, .name = name};
    fcntl(fileno(file), F_SETPIPE_SZ, PIPE_BYTES); /* no pipe, or not allowed: as it is */
}

/* "standard input, document 2" in a static buffer. */
static const char *where(const reader *r, int number)
{
    static char text[600];
    snprintf(text, sizeof text, "%s, document %d", r->name, number);
    return text;
}

static bool is_file(FILE *file, struct stat *s)
{
    return fstat(fileno(file), s) == 0 && S_ISREG(s->st_mode);
}

/* A descriptor that somebody made non-blocking is waited for; an interrupted call is made again. */
static bool try_again(int fd, short event)
{
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
        struct pollfd p = {.fd = fd, .events = event};
        poll(&p, 1, -1);
        return true;
    }
    return errno == EINTR;
}

/* Fewer than n bytes only at the end of the file. */
static size_t read_some(FILE *file, const char *name, void *to, size_t n)
{
    size_t got = 0;
    while (got < n) {
        errno = 0;
        got += fread((char *)to + got, 1, n - got, file);
        if (got == n || feof(file))
            break;
        if (!try_again(fileno(file), POLLIN))
            die_errno("cannot read %s", name);
        clearerr(file);
    }
    return got;
}

/* The stream ended at r->position: dies, naming the tensor there. */
static void __attribute__((noreturn)) ends_short(reader *r)
{
    for (int i = 0; i < r->d.entries; i++) {
        const entry *e = &r->d.entry[i];
        if (e->end > r->position)
            die("%s: '%s' ends short: %" PRIu64 " of %" PRIu64 " bytes", where(r, r->documents),
                e->name, r->position - e->begin, e->end - e->begin);
    }
    assert(!"a whole document cannot end short");
    abort();
}

/* All of the document has come: is it what it says? */
static void check_seal(reader *r)
{
    if (!r->d.seal)
        return;
    digest d = digester_end(r->d.seal);
    r->d.seal = NULL;
    if (strcmp(d.hex, seal_of(&r->d)) != 0)
        die("%s is not as it was made: its digest is %s, not %s (if it was changed on purpose, "
            "take the metadata digest and recipe out of it)",
            where(r, r->documents), d.hex, seal_of(&r->d));
}

void reader_bytes(reader *r, void *to, size_t n)
{
    assert(n <= r->length - r->position);
    size_t got = read_some(r->file, r->name, to, n);
    r->position += got;
    if (got < n)
        ends_short(r);
    if (r->d.seal)
        digester_add(r->d.seal, to, n);
    if (r->position == r->length)
        check_seal(r);
}

/* A file shows at once that it is too short; a pipe, when it ends. */
static void check_length(reader *r)
{
    struct stat s;
    off_t at;
    if (!is_file(r->file, &s) || (at = ftello(r->file)) < 0)
        return;
    uint64_t left = s.st_size > at ? (uint64_t)(s.st_size - at) : 0;
    if (left < r->length) {
        r->position = left;
        ends_short(r);
    }
}

/* Over what is left of the document's data: by a seek where that works. */
static void skip_rest(reader *r)
{
    struct stat s;
    char block[1 << 16];
    if (r->position < r->length && is_file(r->file, &s) &&
        fseeko(r->file, (off_t)(r->length - r->position), SEEK_CUR) == 0) {
        r->position = r->length;
        if (r->d.seal) /* not all of it was seen */
            digester_end(r->d.seal);
        r->d.seal = NULL;
    }
    while (r->position < r->length) {
        uint64_t n = r->length - r->position;
        reader_bytes(r, block, n < sizeof block ? (size_t)n : sizeof block);
    }
}

static uint64_t little_endian(const unsigned char b[8])
{
    uint64_t n = 0;
    for (int i = 7; i >= 0; i--)
        n = n << 8 | b[i];
    return n;
}

/* The header's n bytes, in memory that grows as they arrive. */
static char *read_header(reader *r, uint64_t n)
{
    char *json = NULL;
    for (uint64_t got = 0; got < n;) {
        size_t chunk = n - got < LEAST_CHUNK ? (size_t)(n - got) : LEAST_CHUNK;
        json = realloc(json, (size_t)got + chunk);
        if (!json)
            die("%s: out of memory for the header", where(r, r->documents + 1));
        size_t now = read_some(r->file, r->name, json + got, chunk);
        got += now;
        if (now < chunk)
            die("%s: the header ends short: %" PRIu64 " of %" PRIu64 " bytes",
                where(r, r->documents + 1), got, n);
    }
    return json;
}

bool reader_next(reader *r)
{
    struct stat s;
    unsigned char length[8];
    skip_rest(r);
    document_free(&r->d);
    r->position = r->length = 0;

    size_t got = read_some(r->file, r->name, length, sizeof length);
    if (got == 0)
        return false;
    if (got < sizeof length)
        die("%s: the header's length ends short: %zu of 8 bytes", where(r, r->documents + 1), got);
    uint64_t n = little_endian(length);
    uint64_t limit = is_file(r->file, &s) ? HEADER_LIMIT_FILE : HEADER_LIMIT_PIPE;
    if (n > limit)
        die("%s: no safetensors: a header of %" PRIu64 " bytes is over the limit of %" PRIu64,
            where(r, r->documents + 1), n, limit);
    char *json = read_header(r, n);
    document_parse(&r->d, json, (size_t)n, UINT64_MAX, where(r, r->documents + 1));
    free(json);
    progress_document(++r->documents);
    r->length = r->d.entries ? r->d.entry[r->d.entries - 1].end : 0;
    check_length(r);
    if (seal_of(&r->d))
        r->d.seal = seal_begin(&r->d);
    if (r->length == 0)
        check_seal(r);
    return true;
}

/* Every tensor begins at a multiple of ALIGNMENT in memory, wherever it lay in the stream. */
void reader_load(reader *r)
{
    document *d = &r->d;
    assert(r->position == 0 && !d->memory);
    size_t *begin = new_bytes((unsigned long)(d->entries + 1) * sizeof *begin);
    for (int i = 0; i < d->entries; i++) {
        size_t left = (size_t)(d->entry[i].end - d->entry[i].begin), at = begin[i];
        while (left) {
            size_t chunk = at < LEAST_CHUNK ? LEAST_CHUNK : at; /* doubles what has arrived */
            if (chunk > left)
                chunk = left;
            if (at + chunk > d->memory_bytes) {
                void *p = realloc(d->memory, at + chunk);
                if (!p)
                    die("out of memory: '%s' of %s does not fit", d->entry[i].name, r->name);
                d->memory = p;
                d->memory_bytes = at + chunk;
            }
            reader_bytes(r, (char *)d->memory + at, chunk);
            at += chunk;
            left -= chunk;
        }
        begin[i + 1] = (at + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
    if (!d->memory) /* all tensors are empty: their pointers are not NULL all the same */
        d->memory = new_bytes(1);
    for (int i = 0; i < d->entries; i++)
        d->entry[i].t.data =
            (char *)d->memory + (d->entry[i].end > d->entry[i].begin ? begin[i] : 0);
    free(begin);
}

void reader_wait(reader *r)
{
    struct stat s;
    char block[1 << 16];
    if (is_file(r->file, &s))
        return; /* nobody waits for us to read it */
    FILE *copy = tmpfile();
    if (!copy)
        die_errno("cannot make a temporary file for %s", r->name);
    for (size_t n; (n = read_some(r->file, r->name, block, sizeof block)) > 0;)
        if (fwrite(block, 1, n, copy) != n)
            die_errno("cannot write the temporary file for %s", r->name);
    if (fflush(copy) || fseeko(copy, 0, SEEK_SET))
        die_errno("cannot write the temporary file for %s", r->name);
    r->file = copy;
}

/* ---- writing ---- */

void writer_open(writer *w, FILE *file, const char *name)
{
    if (isatty(fileno(file)))
        die("%s is a terminal: > FILE keeps what is written, | tensor-info shows it", name);
    *w = (writer){.file = file, .name = name};
}

void writer_spare(writer *w) { w->spare = true; }

static void write_all(writer *w, const void *from, size_t n)
{
    int fd = fileno(w->file);
    for (size_t done = 0; done < n && !w->lost;) {
        ssize_t now = write(fd, (const char *)from + done, n - done);
        if (now >= 0)
            done += (size_t)now;
        else if (!try_again(fd, POLLOUT)) {
            int error = errno;
            if (error == EFAULT)
                filemap_check((const char *)from + done, n - done);
            errno = error;
            if (!w->spare)
                die_errno("cannot write %s", w->name);
            warn("cannot write %s: %s: no more of it", w->name, strerror(error));
            w->lost = true;
        }
    }
}

/* Wide before narrow; those alike stay as they were added, which their `begin` says meanwhile. */
static int by_width(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    size_t wide = type_size(x->t.type), narrow = type_size(y->t.type);
    if (wide != narrow)
        return wide > narrow ? -1 : 1;
    return (x->begin > y->begin) - (x->begin < y->begin);
}

static void place_entries(document *d, const char *name)
{
    for (int i = 0; i < d->entries; i++)
        d->entry[i].begin = (uint64_t)i;
    if (d->entries)
        qsort(d->entry, (size_t)d->entries, sizeof *d->entry, by_width);
    document_index(d, name);
    uint64_t at = 0;
    for (int i = 0; i < d->entries; i++) {
        d->entry[i].begin = at;
        d->entry[i].end = at += tensor_bytes(d->entry[i].t);
    }
}

static json_t *entry_json(const entry *e)
{
    json_t *shape = json_array();
    for (int i = 0; i < e->t.rank; i++)
        json_array_append_new(shape, json_integer(e->t.dim[i]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", type_name(e->t.type), "shape", shape,
                     "data_offsets", (json_int_t)e->begin, (json_int_t)e->end);
}

/* The header's text; free it. */
static char *header_json(const document *d, const char *name)
{
    json_t *root = json_object();
    for (int i = 0; i < d->entries; i++)
        if (!type_in_streams(d->entry[i].t.type))
            die("cannot write %s: '%s' is %s, which no stream holds (-t F32 expands it)", name,
                d->entry[i].name, type_name(d->entry[i].t.type));
    if (d->keys) {
        json_t *keys = json_object();
        for (int i = 0; i < d->keys; i++)
            if (json_object_set_new(keys, d->key[i].key, json_string(d->key[i].value)))
                die("cannot write %s: metadata '%s' is not UTF-8", name, d->key[i].key);
        json_object_set_new(root, "__metadata__", keys);
    }
    for (int i = 0; i < d->entries; i++)
        if (json_object_set_new(root, d->entry[i].name, entry_json(&d->entry[i])))
            die("cannot write %s: the tensor name '%s' is not UTF-8", name, d->entry[i].name);
    char *json = json_dumps(root, JSON_COMPACT);
    if (!json)
        die("out of memory: cannot write the header of %s", name);
    json_decref(root);
    return json;
}

void writer_seal(writer *w)
{
    struct stat s;
    assert(w->left == 0 && is_file(w->file, &s));
    w->seal = digester_new(); /* stands for the one of the header to come */
}

/* The header gets room for the digest, which is begun. */
static void open_seal(writer *w, document *d)
{
    digester_end(w->seal);
    char zeros[DIGEST_DIGITS + 1];
    memset(zeros, '0', DIGEST_DIGITS);
    zeros[DIGEST_DIGITS] = 0;
    metadata_set(d, SEAL_KEY, zeros);
    w->seal = seal_begin(d);
}

/* Where in the header's text the digits of the digest are. */
static size_t place_of_seal(const char *json)
{
    const char *at = strstr(json, "\"" SEAL_KEY "\":\"0000");
    assert(at);
    return (size_t)(at - json) + sizeof SEAL_KEY + 3;
}

void writer_header(writer *w, document *d)
{
    struct stat s;
    assert(w->left == 0);
    place_entries(d, w->name);
    if (w->seal)
        open_seal(w, d);
    char *json = header_json(d, w->name);
    size_t n = strlen(json), limit = is_file(w->file, &s) ? HEADER_LIMIT_FILE : HEADER_LIMIT_PIPE;
    size_t all = (8 + n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (all - 8 > limit)
        die("cannot write %s: a header of %zu bytes is over the limit of %zu", w->name, all - 8,
            limit);
    unsigned char *bytes = new_bytes(all);
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)((uint64_t)(all - 8) >> 8 * i);
    memcpy(bytes + 8, json, n);
    memset(bytes + 8 + n, ' ', all - 8 - n);
    if (fflush(w->file))
        die_errno("cannot write %s", w->name);
    if (w->seal)
        w->seal_at = lseek(fileno(w->file), 0, SEEK_CUR) + 8 + (off_t)place_of_seal(json);
    write_all(w, bytes, all);
    w->left = d->entries ? d->entry[d->entries - 1].end : 0;
    free(bytes);
    free(json);
}

void writer_bytes(writer *w, const void *from, size_t n)
{
    assert(n <= w->left);
    write_all(w, from, n);
    if (w->seal)
        digester_add(w->seal, from, n);
    w->left -= n;
}

void writer_tensor(writer *w, tensor t)
{
    assert(tensor_contiguous(t));
    writer_bytes(w, t.data, tensor_bytes(t));
}

void writer_end(writer *w)
{
    assert(w->left == 0);
    if (!w->seal)
        return;
    digest d = digester_end(w->seal);
    w->seal = NULL;
    if (pwrite(fileno(w->file), d.hex, DIGEST_DIGITS, w->seal_at) != DIGEST_DIGITS)
        die_errno("cannot write %s", w->name);
}

void writer_close(writer *w)
{
    assert(w->left == 0);
    if (w->file == stdout) /* program_end() closes that one, and says so if it fails */
        return;
    if (fclose(w->file) && !w->spare)
        die_errno("cannot write %s", w->name);
    w->file = NULL;
}
