/*
** resize.h: frames as VBench gives them to DINO: the short side 224, both sides kept in proportion.
*/
#ifndef RESIZE_H
#define RESIZE_H

#include <stdint.h>

enum { RESIZE_SHORT = 224 };

typedef struct resizer resizer;

/* For frames [H, W, 3]; *height and *width: of what they become, each cut to a multiple of
 * `patch`. */
resizer *resizer_open(int64_t H, int64_t W, int64_t patch, int64_t *height, int64_t *width);
/* picture U8 [height, width, 3] of frame U8 [H, W, 3] */
void resize(const void *resizer, unsigned char *picture, const unsigned char *frame);
void resizer_close(resizer *r);

#endif
