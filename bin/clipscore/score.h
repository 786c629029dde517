/*
** score.h: the CLIP score and temporal consistency of a video, computed from its CLIP embeddings,
** and the lines of the table that has them.
*/
#ifndef SCORE_H
#define SCORE_H

#include <stdbool.h>

#include "../../common/stream.h"

/* The CLIP embeddings of one video. */
typedef struct {
    int document;
    const char *seed, *variant; /* NULL: unknown */
    tensor pictures;            /* host F32 [N, P], a row a frame */
    tensor text;                /* host F32 [1, P]; data NULL: there is no prompt */
} video;

/* Prints the column names. */
void score_header(bool per_frame);
/* Prints a line for the video, or one for each of its frames. */
void score_print(const video *v, bool per_frame);

#endif
