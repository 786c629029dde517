/*
** ffmpeg.h: the version of the ffmpeg program in PATH, which encodes and decodes videos.
*/
#ifndef FFMPEG_H
#define FFMPEG_H

#include <stdbool.h>

/* "5.1.9-0+deb12u1"; "unknown" if ffmpeg prints no version. ffmpeg is run once; dies if there is
 * none. */
const char *ffmpeg_version(void);
/* What an ffmpeg printed: if it begins with its version, ffmpeg_version() is this from now on, and
 * runs no other. With the options "-v info -v error" it prints that on stderr, then only errors. */
bool ffmpeg_heard(const char *text);
/* Its H.264 encoder's version, as the encoder writes it into videos: "x264 - core 164 r3095
 * baee400". */
const char *ffmpeg_encoder(void);

#endif
