/*
** zip.c: the directory of a zip, zip64 included, as torch.save and the usual archivers write it.
**
** It refuses archives in parts, encryption, methods other than stored and deflate, names that
** appear twice, and entries that overlap (otherwise a small file could unpack to a huge one by
** using the same bytes many times). Sizes are taken from the directory. A local header is read only
** to skip it, when its entry is asked for, so opening a zip reads nothing but its last pages.
**
** The format: PKWARE's APPNOTE, sections 4.3 and 4.5.3.
*/
#include "zip.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "../die.h"

enum {
    LOCAL = 0x04034b50,
    CENTRAL = 0x02014b50,
    END = 0x06054b50,
    END64 = 0x06064b50,
    LOCATOR64 = 0x07064b50,
    LOCAL_BYTES = 30,
    CENTRAL_BYTES = 46,
    END_BYTES = 22,
    END64_BYTES = 56,
    LOCATOR64_BYTES = 20,
    MOST_ENTRIES = 1 << 20,
    DEFLATE_RATIO = 1040 /* deflate cannot do better than 1032 : 1 */
};

static uint32_t u16(const unsigned char *p) { return p[0] | (uint32_t)p[1] << 8; }
static uint32_t u32(const unsigned char *p) { return u16(p) | u16(p + 2) << 16; }
static uint64_t u64(const unsigned char *p) { return u32(p) | (uint64_t)u32(p + 4) << 32; }

/* Does [begin, begin + n) lie in [0, end)? Written so that no sum can overflow. */
static bool inside(uint64_t begin, uint64_t n, uint64_t end)
{
    return begin <= end && n <= end - begin;
}

static uint64_t find_end(const zip *z)
{
    uint64_t farthest = END_BYTES + 0xffff;
    for (uint64_t back = END_BYTES; back <= z->bytes && back <= farthest; back++) {
        const unsigned char *p = z->at + z->bytes - back;
        if (u32(p) == END && u16(p + 20) == back - END_BYTES)
            return z->bytes - back;
    }
    die("%s: the directory of this zip is missing: the file is cut short", z->where);
}

typedef struct {
    uint64_t begin, bytes, entries, end; /* end: where the end records begin */
} directory;

static directory find_directory(const zip *z)
{
    uint64_t at = find_end(z);
    const unsigned char *p = z->at + at;
    directory d = {u32(p + 16), u32(p + 12), u16(p + 10), at};
    uint32_t disks = u16(p + 4) | u16(p + 6);
    if (at >= LOCATOR64_BYTES && u32(p - LOCATOR64_BYTES) == LOCATOR64) {
        uint64_t at64 = u64(p - LOCATOR64_BYTES + 8);
        if (!inside(at64, END64_BYTES, at - LOCATOR64_BYTES) || u32(z->at + at64) != END64)
            die("%s: the zip64 directory of this zip is not where it should be", z->where);
        p = z->at + at64;
        d = (directory){u64(p + 48), u64(p + 40), u64(p + 32), at64};
        disks = u32(p + 16) | u32(p + 20);
    }
    if (disks != 0 && disks != 0xffff)
        die("%s: this zip is one of several parts", z->where);
    if (!inside(d.begin, d.bytes, d.end) || d.entries > d.bytes / CENTRAL_BYTES)
        die("%s: the directory of this zip is not where it should be", z->where);
    if (d.entries > MOST_ENTRIES)
        die("%s: this zip has %llu entries; at most %d are read", z->where,
            (unsigned long long)d.entries, MOST_ENTRIES);
    return d;
}

/* Sizes that do not fit 32 bits are 0xffffffff in the entry itself. Their values are in the extra
 * field with id 1: only of these, in this order. */
static void read_extra(const zip *z, zip_entry *e, const unsigned char *p, size_t n)
{
    uint64_t *wide[] = {&e->size, &e->packed, &e->header};
    while (n >= 4) {
        uint32_t id = u16(p), bytes = u16(p + 2);
        if (bytes > n - 4)
            break;
        if (id == 1) {
            const unsigned char *q = p + 4;
            for (int i = 0; i < 3; i++)
                if (*wide[i] == 0xffffffff) {
                    if (bytes < 8)
                        die("%s: the zip64 sizes of %.*s are missing", z->where, (int)e->name_bytes,
                            e->name);
                    *wide[i] = u64(q);
                    q += 8;
                    bytes -= 8;
                }
            return;
        }
        p += 4 + bytes;
        n -= 4 + bytes;
    }
}

static int by_header(const void *a, const void *b)
{
    uint64_t x = ((const zip_entry *)a)->header, y = ((const zip_entry *)b)->header;
    return (x > y) - (x < y);
}

static int compare_names(const char *a, size_t n, const char *b, size_t m)
{
    int order = memcmp(a, b, n < m ? n : m);
    return order ? order : (n > m) - (n < m);
}

static int by_name(const void *a, const void *b)
{
    const zip_entry *x = a, *y = b;
    return compare_names(x->name, x->name_bytes, y->name, y->name_bytes);
}

static void check_places(zip *z, uint64_t end)
{
    qsort(z->entry, (size_t)z->entries, sizeof *z->entry, by_header);
    for (int i = 0; i < z->entries; i++) {
        zip_entry *e = z->entry + i;
        e->limit = i + 1 < z->entries ? e[1].header : end;
        uint64_t header = LOCAL_BYTES + e->name_bytes;
        if (!inside(e->header, header, e->limit) ||
            !inside(e->header + header, e->packed, e->limit))
            die("%s: entry %.*s of this zip overlaps what follows it", z->where, (int)e->name_bytes,
                e->name);
    }
    qsort(z->entry, (size_t)z->entries, sizeof *z->entry, by_name);
    for (int i = 1; i < z->entries; i++)
        if (by_name(z->entry + i - 1, z->entry + i) == 0)
            die("%s: entry %.*s is twice in this zip", z->where, (int)z->entry[i].name_bytes,
                z->entry[i].name);
}

void zip_open(zip *z, const void *bytes, size_t n, const char *where)
{
    *z = (zip){.at = bytes, .bytes = n, .where = where};
    directory d = find_directory(z);
    z->entries = (int)d.entries;
    z->entry = new_bytes(d.entries * sizeof *z->entry);
    const unsigned char *p = z->at + d.begin;
    uint64_t left = d.bytes;
    for (int i = 0; i < z->entries; i++) {
        if (left < CENTRAL_BYTES || u32(p) != CENTRAL)
            die("%s: the directory of this zip is damaged at entry %d", where, i);
        uint64_t name = u16(p + 28), extra = u16(p + 30), comment = u16(p + 32);
        uint64_t all = CENTRAL_BYTES + name + extra + comment;
        if (left < all)
            die("%s: the directory of this zip is damaged at entry %d", where, i);
        zip_entry *e = z->entry + i;
        *e = (zip_entry){.name = (const char *)p + CENTRAL_BYTES,
                         .name_bytes = name,
                         .header = u32(p + 42),
                         .packed = u32(p + 20),
                         .size = u32(p + 24),
                         .crc = u32(p + 16),
                         .method = (int)u16(p + 10),
                         .encrypted = u16(p + 8) & 1};
        read_extra(z, e, p + CENTRAL_BYTES + name, extra);
        p += all;
        left -= all;
    }
    check_places(z, d.begin);
}

const zip_entry *zip_find(const zip *z, const char *name)
{
    size_t n = strlen(name);
    int low = 0, high = z->entries;
    while (low < high) {
        int middle = low + (high - low) / 2;
        const zip_entry *e = z->entry + middle;
        int order = compare_names(name, n, e->name, e->name_bytes);
        if (order == 0)
            return e;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static const unsigned char *packed_bytes(const zip *z, const zip_entry *e)
{
    const unsigned char *p = z->at + e->header;
    if (e->encrypted)
        die("%s: entry %.*s is encrypted", z->where, (int)e->name_bytes, e->name);
    if (e->method != 0 && e->method != 8)
        die("%s: entry %.*s is packed by method %d; only stored and deflated ones are read",
            z->where, (int)e->name_bytes, e->name, e->method);
    uint64_t begin = e->header + LOCAL_BYTES + u16(p + 26) + u16(p + 28);
    if (u32(p) != LOCAL || u16(p + 26) != e->name_bytes ||
        !inside(e->header + LOCAL_BYTES, e->name_bytes, e->limit) ||
        memcmp(p + LOCAL_BYTES, e->name, e->name_bytes) != 0 || !inside(begin, e->packed, e->limit))
        die("%s: entry %.*s is not where the directory of this zip says", z->where,
            (int)e->name_bytes, e->name);
    return z->at + begin;
}

const void *zip_view(const zip *z, const zip_entry *e)
{
    const void *p = packed_bytes(z, e);
    if (e->method != 0)
        return NULL;
    if (e->packed != e->size)
        die("%s: stored entry %.*s is said to have both %llu and %llu bytes", z->where,
            (int)e->name_bytes, e->name, (unsigned long long)e->packed,
            (unsigned long long)e->size);
    return p;
}

/* zlib counts in 32 bits: both sides are given in pieces. */
void *zip_inflate(const zip *z, const zip_entry *e)
{
    const unsigned char *from = packed_bytes(z, e);
    if (e->size / DEFLATE_RATIO > e->packed + 1)
        die("%s: entry %.*s cannot hold the %llu bytes that it says", z->where, (int)e->name_bytes,
            e->name, (unsigned long long)e->size);
    unsigned char *to = new_bytes(e->size);
    z_stream s = {0};
    if (inflateInit2(&s, -MAX_WBITS) != Z_OK)
        die("out of memory");
    uint64_t in = e->packed, out = e->size, crc = crc32(0, NULL, 0);
    enum { PIECE = 1 << 30 };
    unsigned char beyond; /* a byte behind the end: inflate writes there only if data go on */
    int rc = Z_OK;
    bool fits = true;
    s.next_in = (unsigned char *)from;
    for (uint64_t done = 0; rc == Z_OK && fits;) {
        uInt take = in < PIECE ? (uInt)in : PIECE, room = out < PIECE ? (uInt)out : PIECE;
        s.avail_in = take;
        s.next_out = room ? to + done : &beyond;
        s.avail_out = room ? room : 1;
        uInt before = s.avail_out;
        rc = inflate(&s, Z_NO_FLUSH);
        in -= take - s.avail_in;
        uInt made = before - s.avail_out;
        fits = made <= room;
        if (fits && made) {
            crc = crc32(crc, to + done, made);
            done += made;
            out -= made;
        }
    }
    inflateEnd(&s);
    if (rc != Z_STREAM_END || out || !fits || crc != e->crc)
        die("%s: deflated entry %.*s is damaged", z->where, (int)e->name_bytes, e->name);
    return to;
}

void zip_close(zip *z)
{
    free(z->entry);
    *z = (zip){0};
}
