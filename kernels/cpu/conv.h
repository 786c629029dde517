/*
** conv.h: a convolution as conv.c and conv_winograd.c have it.
*/
#ifndef CPU_CONV_H
#define CPU_CONV_H

#include "product.h"

typedef struct {
    tensor y, x;
    int before;
    const tensor *past;  /* frames, the oldest first */
    const float *packed; /* weights, in the way's own order */
    const float *b;      /* [C_out] */
    int kt, ky, kx;
    bool upsample, add;
    int step, top, left;          /* output pixel (y, x) begins at input pixel (step y - top, ..) */
    int64_t T, Y, X, C_in, C_out; /* of y */
    int64_t H, W;                 /* lines and columns that are read: of x, upsampled */
    int64_t inner, depth,
        across; /* ky*kx*C_in, of which so many at a time; C_out in whole panels */
} convolution;

/* Frame t of the input, those of the past being -before .. -1; NULL: zeros. */
static inline const float *conv_frame(const convolution *c, int64_t t)
{
    if (t >= 0)
        return (const float *)c->x.data + t * c->x.dim[1] * c->x.dim[2] * c->C_in;
    return t >= -c->before ? c->past[t + c->before].data : NULL;
}

/* 3 x 3 kernels by fewer products than they have (conv_winograd.c); w: [C_out, kt, 3, 3, C_in]. */
bool conv_winograd_pays(const convolution *c);
void conv_winograd(convolution *c, tensor w);

#endif
