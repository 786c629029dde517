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

#endif
