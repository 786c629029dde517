/*
** filedigest.h: digests of whole files, each computed once as long as the file stays what it was.
**
** What was computed is kept outside any experiment, in $WAN_CACHE, else $XDG_CACHE_HOME/wan, else
** ~/.cache/wan: a file `digests` that may be deleted at any moment, and without which all goes on,
** slower. Modification time, size, inode, device and change time only say that a digest still
** holds; a file that changed within the last seconds is not remembered, since it may change again
** within one tick of the clock.
*/
#ifndef FILEDIGEST_H
#define FILEDIGEST_H

#include <stdbool.h>

#include "digest.h"

/* Of an open file: what it is now, as a text that changes when it is written to or replaced. False:
 * it is no regular file, or changed too recently to be remembered (text is set all the same). */
typedef struct {
    char text[160];
} file_identity;
bool identify(file_identity *id, int fd);

/* What was kept under this key, a digest itself: true if there is something. */
bool digest_recall(const digest *key, digest *d);
void digest_remember(const digest *key, const digest *d);

/* Of all bytes of the file; dies "cannot read PATH". */
digest file_digest(const char *path);

#endif
