/*
** frames.h: a document of frames as programs read it that measure videos, and the
** cells of the tables that they print.
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

/* BT.601 luma of n pixels of sRGB, to the nearest, as OpenCV's RGB2GRAY: weights times 2^15. */
void grey_of(uint8_t *grey, const uint8_t *rgb, int64_t n);

/* The variant of the model that made the document: its metadata `variant`, else what kind of
 * weights wan-denoise had ("w8a16"); NULL if there is neither. Valid until the next call. */
/* "document 3", or "document 3 (cat.mp4)" where mp42frames says of which file it is; for messages.
 * In a static buffer. */
const char *document_called(const reader *r);
const char *document_variant(const document *d);

/* On standard output, text and a tab; NULL: an empty cell. Control characters, which would end the
 * cell or the line, become blanks. */
void print_cell(const char *text);
/* x with all its digits, and `end`, a tab or the end of the line. NAN is what is not defined: an
 * empty cell. */
void print_number(double x, char end);

#endif
