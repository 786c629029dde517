/*
** picture.h: a tensor as a picture: tiles in rows and columns, colours or a heat map.
*/
#ifndef PICTURE_H
#define PICTURE_H

#include "../../common/tensor.h"

typedef struct {
    int64_t width, height;
    uint8_t *rgb; /* [height, width, 3] */
} picture;

/* How a tensor lies as tiles: element (tile, y, x, c) is at the sum of index times step. */
typedef struct {
    int64_t tiles, height, width, channels; /* channels: 3, or 1: a heat map */
    int64_t tile_step, y_step, x_step, c_step;
    int64_t columns; /* that the shape suggests; 0: none */
} layout;

/* U8 [.., H, W, 3] and floats [3, N, H, W] are colours; of anything else the last two dimensions
 * are a tile (a vector is folded into one). */
layout picture_layout(tensor t);

typedef struct {
    double low, high; /* of what is shown as the darkest and brightest; signed: high = -low */
} value_range;

/* What the heat map of t would show: from 0 outwards, evenly, if there are values on both sides. */
value_range picture_range(tensor t, const layout *l);

/* Which tiles: n, evenly spaced from the first to the last. */
typedef struct {
    int64_t n, first, last;
} selection;

/* These tiles in so many columns (0: chosen), at most so many pixels wide and high: larger is
 * averaged, smaller enlarged. */
picture picture_make(tensor t, const layout *l, value_range range, selection which, int64_t columns,
                     int64_t pixels);

#endif
