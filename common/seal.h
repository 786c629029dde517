/*
** seal.h: the digest that a file carries of itself, in its metadata `digest`.
**
** It is XXH3-128 of a canonical header (all other metadata, sorted; the tensors' names, types and
** shapes) and of the data. So every bit that says something counts; where a header's JSON has its
** blanks does not. It holds for one file: no program passes it on, and tensor-split writes it.
*/
#ifndef SEAL_H
#define SEAL_H

#include "digest.h"
#include "stream.h"

#define SEAL_KEY "digest"

/* Has taken the canonical header of d; the data follow. */
digester *seal_begin(const document *d);
/* The digest that d says it has; NULL if it says none. */
const char *seal_of(const document *d);

#endif
