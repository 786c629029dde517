/*
** pickle.c: the data.pkl of a .pth, in a zip that is put together around it, so that checksums and
** offsets do not stand before the pickle's own faults. It finds two storages, of 96 and of 64 bytes.
*/
#include <stdlib.h>
#include <string.h>

#include "../../common/checkpoint/pth.h"
#include "../../common/values.h"
#include "fuzz.h"

typedef struct {
    uint8_t *at;
    size_t n;
} buffer;

static void put(buffer *b, const void *bytes, size_t n)
{
    memcpy(b->at + b->n, bytes, n);
    b->n += n;
}

static void put_number(buffer *b, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++, v >>= 8)
        put(b, &(uint8_t){(uint8_t)v}, 1);
}

/* What a local header and an entry of the directory have in common, from "version needed" on. */
static void put_entry(buffer *b, const char *name, size_t size)
{
    put_number(b, 20, 2);
    put_number(b, 0, 12); /* flags, method, time, date, checksum: stored, and not looked at */
    put_number(b, size, 4);
    put_number(b, size, 4);
    put_number(b, strlen(name), 2);
    put_number(b, 0, 2);
}

static buffer zipped(const uint8_t *pickle, size_t n)
{
    static const uint8_t storage[96] = {1, 2, 3};
    const struct {
        const char *name;
        const void *bytes;
        size_t n;
    } entry[] = {{"m/data.pkl", pickle, n}, {"m/data/0", storage, 96}, {"m/data/1", storage, 64}};
    buffer b = {malloc(n + 1000), 0};
    size_t begin[3], directory;
    for (int i = 0; i < 3; i++) {
        begin[i] = b.n;
        put(&b, "PK\3\4", 4);
        put_entry(&b, entry[i].name, entry[i].n);
        put(&b, entry[i].name, strlen(entry[i].name));
        put(&b, entry[i].bytes, entry[i].n);
    }
    directory = b.n;
    for (int i = 0; i < 3; i++) {
        put(&b, "PK\1\2\24\0", 6);
        put_entry(&b, entry[i].name, entry[i].n);
        put_number(&b, 0, 10); /* no comment, attributes */
        put_number(&b, begin[i], 4);
        put(&b, entry[i].name, strlen(entry[i].name));
    }
    size_t end = b.n;
    put(&b, "PK\5\6\0\0\0\0\3\0\3\0", 12);
    put_number(&b, end - directory, 4);
    put_number(&b, directory, 4);
    put_number(&b, 0, 2);
    return b;
}

void fuzz_target(const uint8_t *bytes, size_t n)
{
    buffer b = zipped(bytes, n);
    pth *p = pth_open(b.at, b.n, "input", NULL);
    for (int i = 0; i < pth_count(p); i++)
        summarize(pth_tensor(p, i));
    pth_close(p);
    free(b.at);
}
