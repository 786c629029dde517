/*
** preprocess.h: frames as CLIP wants them: small, square, 8 bits a channel.
*/
#ifndef PREPROCESS_H
#define PREPROCESS_H

#include "../pixels.h"

typedef enum {
    FIT_CROP,  /* the short side to the picture's, the middle of the long one */
    FIT_PAD,   /* the long side to the picture's, borders of CLIP's mean colour */
    FIT_SQUASH /* both sides */
} fit;

typedef struct resizer resizer;

/* For frames [H, W, 3] to pictures [side, side, 3]. */
resizer *resizer_open(int64_t H, int64_t W, int64_t side, fit how);
/* picture U8 [side, side, 3] of frame U8 [H, W, 3] */
void resize(const resizer *r, unsigned char *picture, const unsigned char *frame);
void resizer_close(resizer *r);

/* How CLIP's pixels are scaled. */
extern const pixel_scale clip_scale;

#endif
