/*
** conversion.h: how a video's colours become RGB: as exactly as ffmpeg can, or as OpenCV's
** VideoCapture does it.
*/
#ifndef CONVERSION_H
#define CONVERSION_H

#include "probe.h"

typedef enum { EXACT, OPENCV, OPENCV_4_12 } conversion;

/* By name; a usage error for others. */
conversion conversion_named(const char *name);
/* The filters (-vf) that make rgb24 of the video; to be freed. Where OpenCV turns the picture, v's
** sides are exchanged. Dies, with the file's name, where OpenCV's frames cannot be made. */
char *conversion_filters(conversion c, video *v, const char *name);

#endif
