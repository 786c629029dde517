/*
** dino.h: DINO's vision transformer: pictures of any size to vectors.
*/
#ifndef DINO_H
#define DINO_H

#include "../pixels.h"
#include "../vit.h"

typedef struct {
    weights *w;
    int64_t trained; /* patches a side that positions were trained for */
    vit body;
    vit_patches patches;
    float *positions; /* host [1 + trained^2, D]: the class token's first */
    float *class;     /* host [D] */
    tensor start;     /* F32 [1 + rows * columns, D]: positions and the class token */
    int64_t rows, columns;
} dino;

/* path: a directory, or the file of the weights. Nothing is loaded. */
void dino_open(dino *m, const char *path);
/* Onto the device, stored as `type`. */
void dino_load(dino *m, tensor_type type);
/* For pictures of so many patches, from here on. To be called before dino_pictures(). */
void dino_size(dino *m, int64_t rows, int64_t columns);
/* y, host F32 [n, D]: the vectors of pixels, host F32 [3, n, rows * side, columns * side]. */
void dino_pictures(const dino *m, tensor y, tensor pixels);
void dino_close(dino *m);

#endif
