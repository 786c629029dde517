/*
** zip.h: the directory of a zip in memory, and its entries: for .pth files, so for reading only.
**
** Entries are stored or deflated. Nothing outside the given bytes is ever read, whatever the
** directory says: every offset is checked before it is followed.
*/
#ifndef ZIP_H
#define ZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *name; /* not terminated: a view of the directory */
    size_t name_bytes;
    uint64_t header; /* where its local header begins */
    uint64_t limit;  /* where its data must have ended: the next header, or the directory */
    uint64_t packed, size;
    uint32_t crc;
    int method;
    bool encrypted;
} zip_entry;

typedef struct {
    const unsigned char *at;
    uint64_t bytes;
    const char *where; /* for messages */
    int entries;
    zip_entry *entry; /* sorted by name */
} zip;

/* Reads the directory. Dies, naming `where`, if it is not there or contradicts itself. */
void zip_open(zip *z, const void *bytes, size_t n, const char *where);
const zip_entry *zip_find(const zip *z, const char *name); /* NULL if absent */
/* A stored entry's bytes in place (NULL if it is deflated). */
const void *zip_view(const zip *z, const zip_entry *e);
/* A deflated entry's e->size bytes in memory that the caller frees; their checksum is compared. */
void *zip_inflate(const zip *z, const zip_entry *e);
void zip_close(zip *z);

#endif
