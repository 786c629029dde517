/*
** inspect.h: copies of intermediates, by name, for a document that is written when all are there.
**
** What is looked at is small or looked at rarely, so it waits in host memory; nothing of this runs
** when a video is made.
*/
#ifndef INSPECT_H
#define INSPECT_H

#include "../../common/stream.h"

/* names: patterns (as of the shell) separated by commas, or NULL. Returns what the model is to call
 * with each intermediate; NULL without names. Forgets what was kept before. */
void (*inspect_open(const char *names))(const char *name, tensor x);
/* Keeps x, a device tensor, as F32. */
void inspect_keep(const char *name, tensor x);
/* Writes d with all that was kept; dies if one of names matched nothing. */
void inspect_write(writer *w, document *d, const char *names);

#endif
