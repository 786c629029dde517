/*
** content.h: the digest of a checkpoint's contents: every byte of every tensor.
**
** It depends only on names, types, shapes and values of the tensors: not on files, their order or
** their age.
*/
#ifndef CONTENT_H
#define CONTENT_H

#include "weights.h"

/* Starts computing it in threads of its own; w must outlive the result. */
typedef struct content content;
content *content_begin(weights *w);
/* 32 hex digits; waits for the threads. Dies if a file became shorter meanwhile. Valid until
** content_free(). */
const char *content_digest(content *c);
void content_free(content *c); /* waits as well */

#endif
