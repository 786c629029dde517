/*
** ffmpeg.h: which ffmpeg program it is that codes and decodes.
*/
#ifndef FFMPEG_H
#define FFMPEG_H

/* "5.1.9-0+deb12u1"; "unknown" if it does not say. Asked once; dies if there is no ffmpeg. */
const char *ffmpeg_version(void);
/* Its H.264 encoder, as it names itself in what it writes: "x264 - core 164 r3095 baee400". */
const char *ffmpeg_encoder(void);

#endif
