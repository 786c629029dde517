/*
** content.h: the digest of what a checkpoint says: every byte of every tensor.
**
** It depends on names, types, shapes and values alone: not on files, their order or their age.
*/
#ifndef CONTENT_H
#define CONTENT_H

#include "weights.h"

/* The work goes on in threads of its own; w must outlive it. */
typedef struct content content;
content *content_begin(weights *w);
/* 32 hex digits; waits for the work. Dies if a file became shorter meanwhile. Valid until it is
** freed. */
const char *content_digest(content *c);
void content_free(content *c); /* waits as well */

#endif
