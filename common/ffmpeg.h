/*
** ffmpeg.h: the version of the ffmpeg program in PATH, which encodes and decodes videos.
*/
#ifndef FFMPEG_H
#define FFMPEG_H

/* "5.1.9-0+deb12u1"; "unknown" if ffmpeg prints no version. ffmpeg is run once; dies if there is
 * none. */
const char *ffmpeg_version(void);
/* Its H.264 encoder's version, as the encoder writes it into videos: "x264 - core 164 r3095
 * baee400". */
const char *ffmpeg_encoder(void);

#endif
