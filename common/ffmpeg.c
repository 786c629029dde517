/*
** ffmpeg.c: the versions of the ffmpeg program and of its H.264 encoder, by running it.
**
** ffmpeg does not print x264's version; x264 writes it into the first picture that it encodes.
*/
#include "ffmpeg.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "process.h"

/* The first `room` bytes that argv prints; the rest is read and dropped, so that it can end. */
static size_t output_of(const char *const argv[], char *to, size_t room)
{
    process p;
    char rest[4096];
    process_collect(&p, argv);
    size_t n = process_read(&p, to, room);
    while (process_read(&p, rest, sizeof rest) == sizeof rest)
        ;
    process_finish(&p);
    return n;
}

static char version[80];

bool ffmpeg_heard(const char *text)
{
    static const char before[] = "ffmpeg version ";
    bool said = strncmp(text, before, sizeof before - 1) == 0;
    const char *from = text + sizeof before - 1;
    if (said)
        snprintf(version, sizeof version, "%.*s", (int)strcspn(from, " \r\n"), from);
    return said;
}

const char *ffmpeg_version(void)
{
    static const char *const argv[] = {"ffmpeg", "-version", NULL};
    char text[4096];
    if (*version)
        return version;
    size_t n = output_of(argv, text, sizeof text - 1);
    text[n] = 0;
    return ffmpeg_heard(text) ? version : strcpy(version, "unknown");
}

const char *ffmpeg_encoder(void)
{
    static const char *const argv[] = {
        "ffmpeg", "-nostdin",         "-v",        "error", "-f",       "lavfi",
        "-i",     "color=size=16x16", "-frames:v", "1",     "-pix_fmt", "yuv420p",
        "-c:v",   "libx264",          "-f",        "h264",  "pipe:1",   NULL};
    static char name[80];
    char stream[4096];
    if (*name)
        return name;
    size_t n = output_of(argv, stream, sizeof stream - 1);
    stream[n] = 0;
    const char *at = memmem(stream, n, "x264 - core ", 12);
    const char *end = at ? memmem(at + 12, n - (size_t)(at + 12 - stream), " - ", 3) : NULL;
    snprintf(name, sizeof name, "%.*s", end ? (int)(end - at) : 7, end ? at : "unknown");
    return name;
}
