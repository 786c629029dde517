/*
** pixels.h: frames on their way into a network that sees pictures.
*/
#ifndef PIXELS_H
#define PIXELS_H

#include "../common/stream.h"

/* Of a channel's levels over 255. */
typedef struct {
    double mean[3], deviation[3];
} pixel_scale;

/* ImageNet's, which torchvision's networks and DINO were trained with. */
extern const pixel_scale imagenet;

/* pixels F32 [3, n, Y, X] = (levels U8 [n, Y, X, 3] / 255 - mean) / deviation, on the host */
void pixels_of(tensor pixels, tensor levels, const pixel_scale *scale);

/* The frames [N, H, W, 3] of the document at hand, a few at a time: read, and each made a picture,
** some at the same time, by shrink(); `use` gets the pictures U8 [n, Y, X, 3] of which the first is
** `first`. */
typedef struct {
    int64_t height, width; /* Y, X */
    void (*shrink)(const void *how, unsigned char *picture, const unsigned char *frame);
    const void *how;
    void (*use)(void *data, tensor pictures, int64_t first);
    void *data;
} picture_batches;

void each_batch(reader *r, tensor frames, const picture_batches *b);

#endif
