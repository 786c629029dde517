/*
** filedigest.h: digests of whole files, cached as long as the file does not change.
**
** The cache is the file `digests` in $WAN_CACHE, else $XDG_CACHE_HOME/wan, else ~/.cache/wan,
** outside any experiment. It may be deleted at any moment: programs are then only slower. A digest
** is taken from the cache if modification time, size, inode, device and change time are the same. A
** file that changed within the last seconds is not cached, since it may change again within one
** tick of the clock.
*/
#ifndef FILEDIGEST_H
#define FILEDIGEST_H

#include <stdbool.h>

#include "digest.h"

/* The identity of an open file, a text that changes when the file is written to or replaced. False:
 * it is no regular file, or changed too recently to be cached (text is set all the same). */
typedef struct {
    char text[160];
} file_identity;
bool identify(file_identity *id, int fd);

/* The digest cached under this key, which is a digest itself; false if there is none. */
bool digest_recall(const digest *key, digest *d);
void digest_remember(const digest *key, const digest *d);

/* Of all bytes of the file; dies "cannot read PATH". */
digest file_digest(const char *path);

#endif
