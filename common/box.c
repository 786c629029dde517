/*
** box.c: the last box of an mp4, written and found again.
*/
#include "box.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "die.h"

enum { HEAD = 8 + 16, TAIL = 16 + 4, MOST = 16 << 20 };

static const unsigned char IDENTIFIER[16] = {0x3e, 0x28, 0x74, 0xa4, 0x6c, 0x2c, 0x46, 0x2a,
                                             0xbf, 0x07, 0xbf, 0x93, 0x6e, 0x55, 0x36, 0xa3};

static void put_32(unsigned char *to, uint32_t n)
{
    for (int i = 0; i < 4; i++)
        to[i] = (unsigned char)(n >> (24 - 8 * i));
}

static uint32_t get_32(const unsigned char *from)
{
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

static bool read_at(int fd, void *to, size_t n, uint64_t at)
{
    for (size_t done = 0; done < n;) {
        ssize_t got = pread(fd, (char *)to + done, n - done, (off_t)(at + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

static char *canonical(const json_t *metadata)
{
    char *text = json_dumps(metadata, JSON_COMPACT | JSON_SORT_KEYS);
    if (!text)
        die("out of memory");
    return text;
}

digest box_digest(const box *b, int fd, const char *path)
{
    enum { PIECE = 1 << 18 };
    char *piece = new_bytes(PIECE), *text = canonical(b->metadata);
    digester *g = digester_new();
    for (uint64_t at = 0, n; at < b->before; at += n) {
        n = b->before - at < PIECE ? b->before - at : PIECE;
        if (!read_at(fd, piece, n, at))
            die_errno("cannot read %s", path);
        digester_add(g, piece, n);
    }
    digester_add(g, text, strlen(text));
    free(text);
    free(piece);
    return digester_end(g);
}

void box_append(const char *path, json_t *metadata)
{
    struct stat s;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &s) != 0)
        die_errno("cannot open %s", path);
    box b = {.metadata = metadata, .before = (uint64_t)s.st_size};
    json_t *all =
        json_pack("{s:s, s:O}", "digest", box_digest(&b, fd, path).hex, "metadata", metadata);
    char *text = canonical(all);
    size_t length = strlen(text), n = HEAD + length + TAIL;
    unsigned char *bytes = new_bytes(n);
    if (n > MOST)
        die("%s: its metadata are over the limit of %d bytes", path, MOST);
    put_32(bytes, (uint32_t)n);
    memcpy(bytes + 4, "uuid", 4);
    memcpy(bytes + 8, IDENTIFIER, 16);
    memcpy(bytes + HEAD, text, length);
    memcpy(bytes + HEAD + length, IDENTIFIER, 16);
    put_32(bytes + n - 4, (uint32_t)n);
    if (pwrite(fd, bytes, n, s.st_size) != (ssize_t)n || close(fd) != 0)
        die_errno("cannot write %s", path);
    free(bytes);
    free(text);
    json_decref(all);
}

/* Texts alone, as box_append wrote them. */
static bool are_texts(const json_t *metadata)
{
    const char *key;
    json_t *value;
    bool all = json_is_object(metadata);
    json_object_foreach((json_t *)metadata, key, value) all = all && json_is_string(value);
    return all;
}

bool box_read(box *b, int fd)
{
    struct stat s;
    unsigned char tail[TAIL];
    *b = (box){0};
    if (fstat(fd, &s) != 0 || !S_ISREG(s.st_mode) || s.st_size < HEAD + TAIL ||
        !read_at(fd, tail, TAIL, (uint64_t)s.st_size - TAIL) || memcmp(tail, IDENTIFIER, 16) != 0)
        return false;
    uint32_t n = get_32(tail + 16);
    if (n < HEAD + TAIL || n > MOST || n > s.st_size)
        return false;
    unsigned char *bytes = new_bytes(n);
    b->before = (uint64_t)s.st_size - n;
    json_t *all = NULL;
    if (read_at(fd, bytes, n, b->before) && get_32(bytes) == n &&
        memcmp(bytes + 4, "uuid", 4) == 0 && memcmp(bytes + 8, IDENTIFIER, 16) == 0)
        all = json_loadb((const char *)bytes + HEAD, n - HEAD - TAIL, JSON_REJECT_DUPLICATES, NULL);
    free(bytes);
    const char *said = json_string_value(json_object_get(all, "digest"));
    json_t *metadata = json_object_get(all, "metadata");
    bool good = is_digest(said) && are_texts(metadata);
    if (good) {
        memcpy(b->said.hex, said, sizeof b->said.hex);
        b->metadata = json_incref(metadata);
    }
    json_decref(all);
    return good;
}

void box_free(box *b)
{
    json_decref(b->metadata);
    *b = (box){0};
}
