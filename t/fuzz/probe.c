/*
** probe.c: what mp42frames makes of ffprobe's words about a video.
*/
#include <string.h>

#include "../../bin/mp42frames/probe.h"
#include "fuzz.h"

void fuzz_target(const uint8_t *bytes, size_t n)
{
    document d = {0};
    size_t json_bytes;
    const char *json = fuzz_part(&bytes, &n, &json_bytes);
    video v = video_of(json, "input");
    video_metadata(&d, &v, NULL);
    if (video_frames(&v, (int64_t)n, "input") * v.H * v.W * 3 != (int64_t)n)
        fuzz_broken("frames are whole");
    document_free(&d);
    video_free(&v);
}
