/*
** frames.h: a document of frames as programs read it that measure videos, and a cell of the tables
** that they print.
*/
#ifndef FRAMES_H
#define FRAMES_H

#include "stream.h"

enum { FRAMES_MOST_SIDE = 16384 };

/* The shape of the current document's `frames` U8 [N, H, W, 3]; dies unless it has them, none of
 * the sizes is 0 and no side is over FRAMES_MOST_SIDE. */
tensor frames_shape(const reader *r);
/* Reads up to the first frame, over whatever tensors lie before it. */
void frames_begin(reader *r);

/* text and a tab on standard output; NULL: an empty cell. Control characters, which would end the
 * cell or the line, become blanks. */
void print_cell(const char *text);

#endif
