/*
** box.h: the record at the end of an mp4: its metadata, and the digest of all that it holds.
**
** It is a box of the type `uuid` behind all others (ISO/IEC 14496-12, 4.2), which players pass
** over: length, `uuid`, our identifier, a JSON object {"digest": .., "metadata": {key: text}}, the
** identifier again and the length again, so that it is found from the end. The digest is XXH3-128
** of all bytes before the box and of the metadata as compact, sorted JSON. An mp4 that another
** program wrote anew, or cut, has none.
*/
#ifndef BOX_H
#define BOX_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "digest.h"

typedef struct {
    json_t *metadata;
    digest said;
    uint64_t before; /* bytes of the file in front of the box */
} box;

/* Appends it to the file; metadata, an object of texts, stays the caller's. */
void box_append(const char *path, json_t *metadata);
/* False: the file has none. */
bool box_read(box *b, int fd);
/* The digest that the file has now; dies, with path, if it cannot be read. */
digest box_digest(const box *b, int fd, const char *path);
void box_free(box *b);

#endif
