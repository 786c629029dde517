/*
** source.h: what the operand of a tensor tool names: a stream of documents (standard input, a
** .safetensors file) or a checkpoint (.pth, a sharded index), looked at in the same way.
**
** Headers come first and cost little; data are touched tensor by tensor, in a map of the file where
** there is a file.
*/
#ifndef SOURCE_H
#define SOURCE_H

#include "stream.h"

typedef struct source source;

/* path "-" is standard input. Dies if it cannot be read. */
source *source_open(const char *path);
/* The next document's header; false at the end. A checkpoint is one document. */
bool source_next(source *s);
/* The current document; its entries have no data. */
const document *source_document(const source *s);
/* The entry's values in host memory, contiguous; valid until the next document. */
tensor source_tensor(source *s, const entry *e);
/* The same, refusing types that are told by name only. */
tensor source_readable(source *s, const entry *e);
/* "x.safetensors, document 2", or "x.pth": for messages. */
const char *source_where(source *s);
const char *source_name(const source *s); /* without the document */
void source_close(source *s);

/* Splits FILE[:NAME], where the file's name may have colons too: the longest that exists counts.
 * *name is NULL if there is none. */
void operand_split(const char *operand, char **file, char **name);
/* The entry's name with control characters as ?, in one of four static buffers. */
const char *shown(const char *name);

#endif
