/*
** seal.h: the digest of a file in its own metadata, the key `digest`.
**
** It is XXH3-128 of a canonical header (all other metadata, sorted; the tensors' names, types and
** shapes) and of the data, so it does not depend on blanks in the header's JSON. It belongs to one
** file: no program passes it on. tensor-split writes it.
*/
#ifndef SEAL_H
#define SEAL_H

#include "digest.h"
#include "stream.h"

#define SEAL_KEY "digest"

/* A digester that was fed the canonical header of d; the caller feeds it the data. */
digester *seal_begin(const document *d);
/* The digest in d's metadata; NULL if there is none. */
const char *seal_of(const document *d);

#endif
