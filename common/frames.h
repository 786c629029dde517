/*
** frames.h: reads documents of frames, and prints cells of tables, for the programs that measure
** videos.
*/
#ifndef FRAMES_H
#define FRAMES_H

#include "stream.h"

enum { FRAMES_MOST_SIDE = 16384 };

/* The shape of the current document's `frames` U8 [N, H, W, 3]; dies unless it has them, none of
 * the sizes is 0 and no side is over FRAMES_MOST_SIDE. */
tensor frames_shape(const reader *r);
/* Skips the tensors that lie before `frames`, so that the first frame is read next. */
void frames_begin(reader *r);

/* BT.601 luma of n pixels of sRGB, rounded to nearest, with the bits of OpenCV's RGB2GRAY: its
 * weights are integers, times 2^15. */
void grey_of(uint8_t *grey, const uint8_t *rgb, int64_t n);

/* "document 3", or "document 3 (cat.mp4)" if mp42frames noted the file's name; for messages. In a
 * static buffer. */
const char *document_called(const reader *r);
/* Its frames a second, a number from 0.01 to 1000, or it dies; `absent` if it does not say. */
double document_fps(const reader *r, double absent);
/* The variant that made the document: its metadata `variant`, else the format of wan-denoise's
 * weights ("w8a16"); NULL if it has neither. Valid until the next call. */
const char *document_variant(const document *d);

/* Prints text and a tab; NULL: an empty cell. Control characters become blanks: a tab or a line end
 * would end the cell. */
void print_cell(const char *text);
/* Prints the shortest decimal that reads back as x, and `end`, a tab or a line end. NAN means that
 * the value is not defined: an empty cell. */
void print_number(double x, char end);

#endif
