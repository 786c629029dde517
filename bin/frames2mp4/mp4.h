/*
** mp4.h: one mp4 file, fed frame by frame to the ffmpeg program.
**
** The file appears under its name only when it is whole. The same frames give the same bytes: what
** depends on the machine or its processors is fixed.
*/
#ifndef MP4_H
#define MP4_H

#include <stdint.h>

#include "../../common/process.h"
#include "../../common/stream.h"

typedef struct {
    int64_t H, W;
    double fps, quality; /* 0 to 10, as imageio's */
    bool lossless;       /* instead of a quality: RGB, bit for bit */
    const document *about;
} mp4_settings;

typedef struct {
    const char *name;
    char *part; /* the name until it is whole */
    mp4_settings settings;
    process ffmpeg;
} mp4;

/* Starts it. All metadata of `about`, which stays the caller's, are kept as a JSON object in the
** file's comment, for other programs. */
void mp4_open(mp4 *m, const char *name, const mp4_settings *s);
/* n bytes: rows of RGB. */
void mp4_write(mp4 *m, const void *pixels, size_t n);
/* All frames were written: what a reader would see of them is coded in their place. */
void mp4_again(mp4 *m);
/* The metadata and the digest of the file are put at its end (box.h). */
void mp4_close(mp4 *m);

/* H.264's constant rate factor for a quality from 0 to 10: imageio's rule, but at least 1, as 0 is
 * lossless, of a profile that most players lack. */
int mp4_crf(double quality);

#endif
