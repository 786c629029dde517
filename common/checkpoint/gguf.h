/*
** gguf.h: the tensors and metadata of a GGUF file in memory, as those of a document.
*/
#ifndef GGUF_H
#define GGUF_H

#include "../stream.h"

/* bytes must outlive d, whose entries' data lie in them. Metadata become text: numbers, and lists
** of a few; of longer lists only how long they are. Dies, naming `where`, for what is damaged. */
void gguf_read(document *d, const void *bytes, size_t n, const char *where);
/* ggml's number of a type; -1: it has none. */
int gguf_type(tensor_type type);

#endif
