/*
** stream.h: the tensor stream, tensor-stream(5): safetensors documents one after another.
**
** A document is a header (metadata and entries: name, type, shape, place) and data. The header is
** complete before the first byte of data, so a filter writes its header, then data as they are
** made. Metadata pass through: a program copies what came in and adds one key, its own name.
**
** Entries lie in data order, without gaps; for what we write that is wide types before narrow.
** Errors are the user's: each dies with the stream's name, the document's number and the tensor's
** name.
*/
#ifndef STREAM_H
#define STREAM_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "tensor.h"

typedef struct {
    char *name;
    tensor t;       /* t.data is NULL until loaded; always for a header that is only looked at */
    uint64_t begin; /* byte offsets from the start of the data; end - begin == tensor_bytes(t) */
    uint64_t end;
} entry;

typedef struct {
    char *key, *value;
} metadata;

typedef struct {
    int entries, keys;
    entry *entry;  /* sorted by begin */
    metadata *key; /* in the order of the file */
    void *memory;  /* what document_load read; document_free frees it */
    size_t memory_bytes;
    struct digester *seal; /* of the data read so far, if the document has a `digest` (seal.h) */
    struct json_t *entry_at, *key_at; /* indices of the arrays, by name */
} document;

/* ---- the document in memory ---- */

/* Parses n bytes of JSON header (jansson; duplicate names rejected). `where` names the file or
** stream in messages. data_bytes: the size of the data behind it if known (a mapped file), else
** UINT64_MAX. Dies, naming what and where, for: not JSON, duplicate names, unknown type, rank over
** TENSOR_MAX_RANK, a product that overflows, size != shape x type, gaps, overlaps, a first offset
** that is not 0, data shorter or longer than the entries. */
void document_parse(document *d, const char *json, size_t n, uint64_t data_bytes,
                    const char *where);

entry *document_find(const document *d, const char *name); /* NULL if absent */
/* Dies unless present with this type and shape; -1 in dim accepts any size there. */
tensor document_tensor(const document *d, const char *name, const char *where, tensor_type type,
                       int rank, const int64_t *dim);
const char *metadata_get(const document *d, const char *key);       /* NULL if absent */
void metadata_set(document *d, const char *key, const char *value); /* replaces or appends */
void metadata_remove(document *d, const char *key);
/* Copies all keys but `digest` (seal.h), which is that of `from` alone. */
void metadata_copy(document *d, const document *from);
/* Declares a tensor; writer_header() gives it its offsets. Dies if another tensor or the format
** ("__metadata__") has this name. */
void document_add(document *d, const char *name, tensor shape);
/* Must be called after entries were added or moved in another way; dies for a name that is there
** twice. */
void document_index(document *d, const char *where);
void document_free(document *d);

/* ---- reading ---- */

typedef struct {
    FILE *file;
    const char *name;  /* for messages: "standard input" */
    int documents;     /* headers read so far */
    document d;        /* the current one */
    uint64_t position; /* bytes of its data consumed */
    uint64_t length;   /* bytes of its data in all */
} reader;

enum { HEADER_LIMIT_PIPE = 1 << 20, HEADER_LIMIT_FILE = 100 << 20 };

void reader_open(reader *r, FILE *file, const char *name);
/* Reads the whole rest of the stream into an unnamed temporary file, so that the stage before does
 * not have to wait (--wait). */
void reader_wait(reader *r);
/* Reads the next header (and first skips what is left of the current document). False at a clean
 * end. */
bool reader_next(reader *r);
/* Reads the next n bytes of data, or dies "short stream". After the last ones the document's
 * digest, if it has one, is compared: dies "is not as it was made". */
void reader_bytes(reader *r, void *to, size_t n);
/* Reads all data of the document into memory, and sets the entries' t.data. Memory grows as bytes
** arrive, so a header that announces too much costs nothing. Only valid before any reader_bytes()
** of this document. */
void reader_load(reader *r);

/* ---- writing ---- */

typedef struct {
    FILE *file;
    const char *name;
    uint64_t left;    /* bytes of the current document not yet written */
    bool spare, lost; /* it may fail (writer_spare); it has failed */
    struct digester *seal;
    off_t seal_at; /* offset of the digest's digits in the file; 0: none */
} writer;

/* Dies if file is a terminal. */
void writer_open(writer *w, FILE *file, const char *name);
/* Marks an output beside the main one: if it cannot be written, there is one warning, and the rest
** is dropped. */
void writer_spare(writer *w);
/* The document gets a digest of its own (seal.h), which is put into its header when it ends: for a
 * regular file. Before writer_header. */
void writer_seal(writer *w);
/* Sorts d's entries, wide types before narrow (else in the order added), gives them their offsets,
** writes the header, padded with spaces so that data start at a multiple of 64 bytes of the
** document, and flushes. */
void writer_header(writer *w, document *d);
void writer_bytes(writer *w, const void *from, size_t n);
void writer_tensor(writer *w, tensor t); /* contiguous host tensor */
/* Asserts that the document is whole. */
void writer_end(writer *w);
/* Flushes, and closes the file unless it is standard output, which program_end() closes. Dies if
** anything could not be written (full disk, closed pipe). */
void writer_close(writer *w);

#endif
