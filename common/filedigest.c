/*
** filedigest.c: digests of whole files, and the cache that saves computing them again.
**
** The cache is a list of lines, "KEY DIGEST", of fixed length: the last line of a key counts, a
** line of another shape is passed over. Lines are added by one write() behind a lock; when there
** are very many, the later half is kept. Nothing is ever wrong because it is missing.
*/
#include "filedigest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "die.h"
#include "openfile.h"

enum {
    LINE = 2 * DIGEST_DIGITS + 2, /* with the blank and the end of the line */
    MOST_LINES = 400000,
    SETTLED = 3, /* seconds */
    PIECE = 1 << 20
};

/* ---- what a file is ---- */

bool identify(file_identity *id, int fd)
{
    struct stat s;
    *id = (file_identity){0};
    if (fstat(fd, &s) != 0 || !S_ISREG(s.st_mode))
        return false;
    snprintf(id->text, sizeof id->text, "%llx:%llx:%lld:%lld.%09ld:%lld.%09ld",
             (unsigned long long)s.st_dev, (unsigned long long)s.st_ino, (long long)s.st_size,
             (long long)s.st_mtim.tv_sec, s.st_mtim.tv_nsec, (long long)s.st_ctim.tv_sec,
             s.st_ctim.tv_nsec);
    time_t now = time(NULL);
    return s.st_ctim.tv_sec <= now - SETTLED && s.st_mtim.tv_sec <= now - SETTLED;
}

/* ---- the cache ---- */

static char *cache_path(void)
{
    const char *own = getenv("WAN_CACHE"), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (own && *own)
        return new_format("%s/digests", own);
    if (xdg && *xdg == '/')
        return new_format("%s/wan/digests", xdg);
    return home && *home == '/' ? new_format("%s/.cache/wan/digests", home) : NULL;
}

/* All directories above the file, as far as they can be made. */
static void make_directories(char *path)
{
    for (char *slash = path; (slash = strchr(slash + 1, '/'));) {
        *slash = 0;
        mkdir(path, 0777);
        *slash = '/';
    }
}

/* A line of the cache; a later one of the same key counts more. */
typedef struct {
    digest key, value;
    size_t place;
} known;

static struct {
    bool read;
    known *line; /* sorted by key, the one that counts first */
    size_t lines;
} cache;

static int by_key(const void *a, const void *b)
{
    const known *x = a, *y = b;
    int order = strcmp(x->key.hex, y->key.hex);
    return order ? order : (x->place < y->place) - (x->place > y->place);
}

/* False if it has not the shape of a line. */
static bool parse_line(known *k, const char *line)
{
    memcpy(k->key.hex, line, DIGEST_DIGITS);
    memcpy(k->value.hex, line + DIGEST_DIGITS + 1, DIGEST_DIGITS);
    k->key.hex[DIGEST_DIGITS] = k->value.hex[DIGEST_DIGITS] = 0;
    return line[DIGEST_DIGITS] == ' ' && line[LINE - 1] == '\n' && is_digest(k->key.hex) &&
           is_digest(k->value.hex);
}

static void read_cache(void)
{
    char *path = cache_path(), line[LINE];
    FILE *f = path ? fopen(path, "re") : NULL;
    free(path);
    cache.read = true;
    for (size_t n = 0; f && n < 2 * MOST_LINES && fread(line, LINE, 1, f) == 1; n++) {
        if (cache.lines % 4096 == 0)
            cache.line = realloc(cache.line, (cache.lines + 4096) * sizeof *cache.line);
        if (!cache.line)
            die("out of memory");
        cache.line[cache.lines].place = n;
        cache.lines += parse_line(&cache.line[cache.lines], line);
    }
    if (f)
        fclose(f);
    if (cache.lines)
        qsort(cache.line, cache.lines, sizeof *cache.line, by_key);
}

bool digest_recall(const digest *key, digest *d)
{
    if (!cache.read)
        read_cache();
    size_t low = 0, high = cache.lines; /* the first line whose key is not less */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(cache.line[middle].key.hex, key->hex) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == cache.lines || strcmp(cache.line[low].key.hex, key->hex) != 0)
        return false;
    *d = cache.line[low].value;
    return true;
}

/* The later half of a list that has become long, in place of all of it; behind the lock. */
static void shorten(int fd, off_t bytes)
{
    size_t keep = (size_t)(bytes / LINE / 2) * LINE;
    char *lines = new_bytes(keep + 1);
    if (pread(fd, lines, keep, bytes / LINE * LINE - (off_t)keep) == (ssize_t)keep &&
        ftruncate(fd, 0) == 0 && pwrite(fd, lines, keep, 0) != (ssize_t)keep &&
        ftruncate(fd, 0) != 0)
        note("the cache of digests cannot be shortened");
    free(lines);
}

void digest_remember(const digest *key, const digest *d)
{
    char *path = cache_path(), line[LINE + 1];
    struct stat s;
    if (!path)
        return;
    snprintf(line, sizeof line, "%s %s\n", key->hex, d->hex);
    make_directories(path);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    free(path);
    if (fd < 0)
        return;
    if (flock(fd, LOCK_EX) == 0 && fstat(fd, &s) == 0) {
        if (s.st_size / LINE > MOST_LINES)
            shorten(fd, s.st_size);
        off_t end = lseek(fd, 0, SEEK_END);
        end = end / LINE * LINE; /* over a line that was cut short */
        if (pwrite(fd, line, LINE, end) != LINE && ftruncate(fd, end) != 0)
            note("the cache of digests cannot be written");
    }
    close(fd);
}

/* ---- a file ---- */

digest file_digest(const char *path)
{
    file_identity before, after;
    digest d;
    int fd = input_open(path);
    if (fd < 0)
        die_errno("cannot read %s", path);
    bool settled = identify(&before, fd);
    char *text = new_format("file %s", before.text);
    digest key = digest_of_text(text);
    free(text);
    if (settled && digest_recall(&key, &d)) {
        close(fd);
        return d;
    }
    char *piece = new_bytes(PIECE);
    digester *g = digester_new();
    for (ssize_t n; (n = read(fd, piece, PIECE)) != 0;) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            die_errno("cannot read %s", path);
        digester_add(g, piece, (size_t)n);
    }
    free(piece);
    d = digester_end(g);
    if (settled && identify(&after, fd) && strcmp(before.text, after.text) == 0)
        digest_remember(&key, &d);
    close(fd);
    return d;
}
