/*
** archive.h: the inside of `pth`, for pth.c, which knows where storages lie, and state.c, which
** knows what a pickle calls a tensor.
*/
#ifndef ARCHIVE_H
#define ARCHIVE_H

#include "pickle.h"
#include "pth.h"
#include "zip.h"

typedef struct {
    const zip_entry *entry; /* in a zip, once a tensor has named it */
    const char *at;         /* in a file of before the zips */
    uint64_t size;          /* bytes */
    void *inflated;         /* or NULL */
    pickle_value key;       /* before the zips: its name, */
    int type;               /* and the type of its elements */
} storage;

typedef struct {
    char *name;
    tensor shape;
    int storage;
    uint64_t offset; /* bytes into the storage */
    int64_t stride[TENSOR_MAX_RANK];
    bool contiguous;
    void *copy; /* or NULL */
} pth_item;

struct pth {
    const char *where;
    bool legacy;             /* of before the zips */
    bool narrow_activations; /* torchao says that they were of 8 bits */
    zip z;
    char *prefix; /* "NAME/" in a zip */
    int items, room, storages;
    pth_item *item;
    storage *storage; /* in a zip in the order of z.entry: index is the entry's; else by key */
};

enum { UNTYPED = TENSOR_TYPES }; /* a storage that takes its type from a dtype */

/* The names that a pickle may use. */
extern const char *const state_names[];
/* The type of a storage's class (UNTYPED: bytes); -1 if it is none. */
int state_storage_type(pickle_value class);
bool state_is_tensor(pickle_value v);
bool state_is_matrix(pickle_value v); /* of a tensor: has it more than one dimension? */
/* Fills p->item from the dict that is the model, or that key leads to. */
void state_read(pth *p, pickle_value root, const char *key);

/* nested.c: the dict of tensors that is the model, or that key leads to. Dies if there is none, or
 * nobody can know which. */
pickle_value nested_find(const char *where, pickle_value root, const char *key);

/* pth.c: the index of the storage that a tensor names; its bytes. Dies if there is none. */
int pth_storage(pth *p, const char *tensor_name, pickle_value key, uint64_t *bytes);

#endif
