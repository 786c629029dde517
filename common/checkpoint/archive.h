/*
** archive.h: the struct behind `pth`, shared by pth.c, which finds the bytes of storages, and
** state.c, which finds the tensors in the pickle.
*/
#ifndef ARCHIVE_H
#define ARCHIVE_H

#include "pickle.h"
#include "pth.h"
#include "zip.h"

typedef struct {
    const zip_entry *entry; /* in a zip: set when the first tensor names this storage */
    const char *at;         /* in a legacy file: its bytes */
    uint64_t size;          /* bytes */
    void *inflated;         /* a deflated entry's bytes, or NULL */
    pickle_value key;       /* in a legacy file: its name, */
    int type;               /* and the type of its elements */
} storage;

typedef struct {
    char *name;
    tensor shape;
    int storage;
    uint64_t offset; /* bytes into the storage */
    int64_t stride[TENSOR_MAX_RANK];
    bool contiguous;
    void *copy; /* contiguous elements, if they had to be copied; or NULL */
} pth_item;

struct pth {
    const char *where;
    bool legacy;             /* torch.save's format before PyTorch 1.6, without a zip */
    bool narrow_activations; /* a torchao subclass says that activations had 8 bits */
    zip z;
    char *prefix; /* "NAME/" in a zip */
    int items, room, storages;
    pth_item *item;
    storage *storage; /* zip: parallel to z.entry; legacy: in the order of the file, found by key */
};

enum { UNTYPED = TENSOR_TYPES }; /* a storage that takes its type from a dtype */

/* The names that a pickle may use. */
extern const char *const state_names[];
/* The element type of a storage class (UNTYPED: bytes); -1 if the class is no storage. */
int state_storage_type(pickle_value class);
bool state_is_tensor(pickle_value v);
bool state_is_matrix(pickle_value v); /* of a tensor: has it more than one dimension? */
/* Fills p->item from the model's dict: the one that key names, or the one that nested_find()
 * finds. */
void state_read(pth *p, pickle_value root, const char *key);

/* nested.c: the dict of tensors that is the model: the one that key names; without a key, the only
 * one. Dies if there is none, or if several could be meant. */
pickle_value nested_find(const char *where, pickle_value root, const char *key);

/* pth.c: the index of the storage with this key, and its size in *bytes. Dies if there is none;
 * tensor_name: the tensor that uses it, for the message. */
int pth_storage(pth *p, const char *tensor_name, pickle_value key, uint64_t *bytes);

#endif
