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
    tensor
        t; /* t.data is NULL until loaded (or always, for a mapped header that is only looked at) */
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
    struct digester *seal;            /* of what was read so far, if it says its digest (seal.h) */
    struct json_t *entry_at, *key_at; /* places in the arrays, by name */
} document;

/* ---- the document in memory ---- */

/* Parses n bytes of JSON header (jansson; duplicate names rejected). `where` names the file or
*stream in messages.
** data_bytes: the size of what follows if known (a mapped file), else UINT64_MAX. Dies, naming what
** and where, for: not JSON, duplicate names, unknown type, rank over TENSOR_MAX_RANK, a product
** that overflows, size != shape x type, gaps, overlaps, a first offset that is not 0, data shorter
** or longer than the entries. */
void document_parse(document *d, const char *json, size_t n, uint64_t data_bytes,
                    const char *where);

entry *document_find(const document *d, const char *name); /* NULL if absent */
/* Dies unless present with this type and shape; -1 in dim accepts any size there. */
tensor document_tensor(const document *d, const char *name, const char *where, tensor_type type,
                       int rank, const int64_t *dim);
const char *metadata_get(const document *d, const char *key);       /* NULL if absent */
void metadata_set(document *d, const char *key, const char *value); /* replaces or appends */
void metadata_remove(document *d, const char *key);
/* All keys that hold for what is made of a document; its `digest` (seal.h) is its own. */
void metadata_copy(document *d, const document *from);
/* Declares; places are given by write_header. Dies for a name that is taken, by another tensor or
** by the format ("__metadata__"). */
void document_add(document *d, const char *name, tensor shape);
/* To be called where entries came or moved otherwise; dies for a name that is there twice. */
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
/* Reads all that is to come into an unnamed temporary file first, so that no stage before is held
 * up (--wait). */
void reader_wait(reader *r);
/* Reads the next header (and first skips what is left of the current document). False at a clean
 * end. */
bool reader_next(reader *r);
/* The next n bytes of data, or dies "short stream". With the last ones a document that says its own
 * digest is compared with it: dies "is not as it was made". */
void reader_bytes(reader *r, void *to, size_t n);
/* The rest of the data into memory (grown as the bytes arrive: a lying header costs nothing);
*entries' t.data are set.
** Only valid before any reader_bytes of this document. */
void reader_load(reader *r);

/* ---- writing ---- */

typedef struct {
    FILE *file;
    const char *name;
    uint64_t left;    /* bytes of the current document not yet written */
    bool spare, lost; /* nobody needs it; and it could not be written */
    struct digester *seal;
    off_t seal_at; /* where in the file its digits go; 0: nowhere */
} writer;

/* Dies if file is a terminal. */
void writer_open(writer *w, FILE *file, const char *name);
/* What is written beside the work: if it cannot be written, a warning says so once, and the rest is
** dropped. */
void writer_spare(writer *w);
/* The document gets a digest of its own (seal.h), which is put into its header when it ends: for a
 * regular file. Before writer_header. */
void writer_seal(writer *w);
/* Sorts d's entries wide before narrow (else in the order added), gives them their places, writes
*the header, padded with
** spaces so that data start at a multiple of 64 counted from the start of the document, and
** flushes. */
void writer_header(writer *w, document *d);
void writer_bytes(writer *w, const void *from, size_t n);
void writer_tensor(writer *w, tensor t); /* contiguous host tensor */
/* Asserts that the document is whole. */
void writer_end(writer *w);
/* Flushes, and closes the file unless it is standard output, which program_end() closes. Dies if
** anything could not be written (full disk, closed pipe). */
void writer_close(writer *w);

#endif
