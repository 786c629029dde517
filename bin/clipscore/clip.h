/*
** clip.h: CLIP's two encoders: pictures, and a text's ids, to vectors of one space.
*/
#ifndef CLIP_H
#define CLIP_H

#include "../load.h"

typedef struct {
    tensor gamma, beta; /* [D] */
} clip_norm;

typedef struct {
    clip_norm norm1, norm2;
    linear_weight qkv, out, fc1, fc2;
} clip_layer;

/* What the two have in common: layers, a last norm, a projection. */
typedef struct {
    int layers;
    int64_t heads, width, ffn_width; /* H, D */
    float epsilon;
    bool causal;
    tensor_type A;
    clip_layer *layer;
    clip_norm last;
    linear_weight projection; /* [P, D] */
} clip_tower;

typedef struct {
    weights *w;
    int64_t side, patch; /* pixels of a picture, of a patch */
    int64_t grid;        /* patches a side */
    int64_t positions;   /* of a text */
    int64_t vocabulary;  /* ids are below it */
    int64_t end;         /* eos_token_id */
    int64_t projection;  /* P */
    clip_tower vision, text;
    /* of pictures */
    linear_weight patches; /* [D, 3 patch^2 and zeros to a multiple of 8] */
    tensor start;          /* F32 [1 + grid^2, D]: positions, and the class token on the first */
    clip_norm first;
    void *padded; /* host memory under `patches`, or NULL */
} clip;

/* path: a directory, or the file of the weights. Sizes from config.json and the weights; nothing is
 * loaded. */
void clip_open(clip *m, const char *path);
/* Onto the device, stored as `type`. */
void clip_load(clip *m, tensor_type type);

/* y, host F32 [n, P]: the vectors of pixels, host F32 [3, n, side, side]. */
void clip_pictures(const clip *m, tensor y, tensor pixels);
/* y, host F32 [1, P]: the vector of a text; `most` ids are positions. */
void clip_text(const clip *m, tensor y, const int32_t *ids, int n);
void clip_close(clip *m);

#endif
