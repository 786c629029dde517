/*
** pick.h: operands FILE[:NAME[RANGE][=NEW]] as tensors of a document to be written.
*/
#ifndef PICK_H
#define PICK_H

#include "../../common/source.h"

typedef struct {
    source *from;
    char *name;     /* in the document that is written */
    const entry *e; /* in the one that is read */
    bool cut, drop; /* [A:B] of the first dimension; [A]: that dimension goes */
    int64_t begin, count;
} pick;

typedef struct {
    int picks, sources;
    pick *pick;
    struct {
        char *path;
        source *s;
    } * source;
    struct json_t *pick_at; /* nameindex.h */
} pick_list;

/* Adds what the operand names; dies if it is not there. Each file is opened once, at this document
 * (from 1). */
void pick_operand(pick_list *list, const char *operand, int document);
/* Metadata of all files (the first with a key wins), and the tensors; in `type` unless that is
 * TENSOR_TYPES. */
void pick_declare(const pick_list *list, tensor_type type, document *d);
/* Is it all of one document, with the names and values that it has there? */
bool pick_is_whole(const pick_list *list, tensor_type type);
const pick *pick_named(const pick_list *list, const char *name);
/* Its values in the type of `shape`, block by block. */
void pick_write(writer *w, tensor shape, const pick *p);
void pick_free(pick_list *list);

#endif
