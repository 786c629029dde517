/*
** pairs.h: two streams of videos, read side by side, for programs that compare them.
*/
#ifndef PAIRS_H
#define PAIRS_H

#include "stream.h"

/* Opens two operands, of which one may be "-", standard input; usage error if both are. */
void pair_open(reader *a, reader *b, const char *first, const char *second);
/* The next document of each; false if both have ended. Dies if only one has, or none had any. */
bool pair_next(reader *a, reader *b);
/* The shape of `frames` that both current documents share; dies if they differ. */
tensor pair_shape(const reader *a, const reader *b);

/* The columns that every table of pairs begins with, on standard output, without a line end. The
 * last is "frame" with per_frame, else "frames". */
void pair_columns(bool per_frame);
/* Their cells for the current documents, each with a tab behind it; number: of the frame, or of
 * frames in the video. */
void pair_cells(const reader *a, const reader *b, int64_t number);

#endif
