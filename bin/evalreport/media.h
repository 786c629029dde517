/*
** media.h: videos in a page, in it or beside it.
*/
#ifndef MEDIA_H
#define MEDIA_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Writes what a src attribute holds for DIRECTORY/VIDEOS/VARIANT/NAME.mp4: the file itself as a
 * data: URI, or (linked) its path from the directory. Dies if the file cannot be read. Returns its
 * bytes. */
int64_t put_video(FILE *f, const char *directory, const char *videos, const char *variant,
                  const char *name, bool linked);

#endif
