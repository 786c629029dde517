/*
** clip.h: CLIP's two encoders: pictures, and a text's ids, to vectors of one space.
*/
#ifndef CLIP_H
#define CLIP_H

#include "../pixels.h"
#include "../vit.h"

/* What the two have in common. */
typedef struct {
    vit body;
    linear_weight projection; /* [P, D] */
} clip_tower;

typedef struct {
    weights *w;
    int64_t side;       /* pixels of a picture */
    int64_t grid;       /* patches a side */
    int64_t positions;  /* of a text */
    int64_t vocabulary; /* ids are below it */
    int64_t end;        /* eos_token_id */
    int64_t projection; /* P */
    clip_tower vision, text;
    /* of pictures */
    vit_patches patches;
    tensor start; /* F32 [1 + grid^2, D]: positions, and the class token on the first */
    vit_norm first;
} clip;

extern const vit_names clip_names;
/* "vision_model", "text_model" */
const char *clip_part(const clip_tower *t);

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
