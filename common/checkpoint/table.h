/*
** table.h: the inside of `weights`, for the files of this directory: the files of a checkpoint and
** one table of their tensors. files.c fills it, layout.c renames, weights.c looks up.
*/
#ifndef TABLE_H
#define TABLE_H

#include <jansson.h>

#include "../filemap.h"
#include "../formats.h"
#include "../stream.h"
#include "content.h"
#include "pth.h"
#include "weights.h"

typedef enum { SAFETENSORS, PTH, GGUF, INDEX } file_kind;

typedef struct {
    char *path;
    int fd;
    file_kind kind;
    filemap m;
    document d; /* of safetensors and GGUF: entries with data in the map */
    pth *p;     /* of a .pth, else NULL */
} file;

typedef struct {
    const char *name; /* what it is asked for by */
    const char *raw;  /* what its file calls it */
    tensor shape;
    int file, index; /* index: in d.entry or in p */
    int part, parts; /* its rows are one of so many parts of what is in the file; parts 0: all */
    bool transposed; /* [m, n] of an [n, m] */
    bool used;       /* somebody asked for it, or it is known to be of no use */
    bool renamed;    /* a layout knows it */
    void *copy;      /* of what is no view of the file, or NULL */
    float *scales;   /* of scales: F32, one a row of their weight, or NULL */
    const weight_format *format; /* of a weight of our own files, or NULL: what its type says */
    int group;                   /* the elements that share a step of that */
    bool looked_at;              /* its steps */
} item;

struct weights {
    char *path;
    const char *key; /* of a model within a .pth; a part of path, or NULL */
    int files, items;
    file *file;
    item *item;       /* in the order of the files */
    int *order;       /* items by name */
    const char *what; /* the layout, in words; NULL: names are the files' own */
    int kept;         /* memory that goes with this */
    void **keep;
    bool extras;          /* who reads this applies rotations and branches */
    bool reported;        /* what is not used was told */
    content *content;     /* the digest and what computes it; NULL: not begun */
    json_t *quantization; /* what ours.c read, or NULL */
};

/* files.c */
const char *file_name(const file *f, int i); /* of its i-th tensor */
/* ours.c: types as our own files' metadata say */
void weights_read_formats(weights *w);
/* s gets the steps and zeros that stand beside NAME.weight, if it is listed there. */
void stored_groups(stored *s, weights *w, const char *name);
/* weights.c */
item *weights_item(const weights *w, const char *name); /* NULL if there is none */
int weights_first(const weights *w, const char *name);  /* in order[]: the first not before name */
void weights_sort(weights *w); /* after names have changed; dies for a name that is there twice */

#endif
