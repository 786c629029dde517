/*
** score.h: a video's vectors, what they say, and the lines that say it.
*/
#ifndef SCORE_H
#define SCORE_H

#include <stdbool.h>

#include "../../common/stream.h"

/* The vectors of one video. */
typedef struct {
    int document;
    const char *seed, *variant; /* NULL: unknown */
    tensor pictures;            /* host F32 [N, P] */
    tensor text;                /* host F32 [1, P]; absent: no prompt */
} video;

/* The line of column names. */
void score_header(bool per_frame);
/* A video's line, or a line for each of its frames. */
void score_print(const video *v, bool per_frame);

#endif
