/*
** probe.c: what ffprobe says of a video, checked: nobody vouches for what a file says of itself.
*/
#include "probe.h"

#include <math.h>
#include <stdio.h>

#include "../../common/die.h"
#include "../../common/frames.h"

static int64_t side(const json_t *stream, const char *key)
{
    return json_integer_value(json_object_get(stream, key)); /* 0 if it is no number */
}

video video_of(const char *text, const char *name)
{
    video v = {.all = json_loads(text, 0, NULL)};
    json_t *stream = json_array_get(json_object_get(v.all, "streams"), 0);
    json_t *tags = json_object_get(json_object_get(v.all, "format"), "tags");
    if (!stream)
        die("%s has no video", name);
    v.W = side(stream, "width");
    v.H = side(stream, "height");
    v.rate = json_string_value(json_object_get(stream, "avg_frame_rate"));
    v.comment = json_string_value(json_object_get(tags, "comment"));
    if (v.W < 1 || v.H < 1)
        die("the video of %s has no size", name);
    if (v.W > FRAMES_MOST_SIDE || v.H > FRAMES_MOST_SIDE)
        die("the video of %s is %lldx%lld: a side is at most %d", name, (long long)v.W,
            (long long)v.H, FRAMES_MOST_SIDE);
    return v;
}

void video_free(video *v)
{
    json_decref(v->all);
    *v = (video){0};
}

int64_t video_frames(const video *v, int64_t bytes, const char *name)
{
    int64_t frame = 3 * v->H * v->W;
    if (bytes == 0)
        die("the video of %s has no frames", name);
    if (bytes % frame)
        die("the video of %s is %lld bytes, not a number of frames of %lldx%lld", name,
            (long long)bytes, (long long)v->W, (long long)v->H);
    return bytes / frame;
}

static void add_comment(document *d, const char *comment)
{
    const char *key;
    json_t *value, *all = comment ? json_loads(comment, 0, NULL) : NULL;
    bool ours = json_is_object(all);
    json_object_foreach(all, key, value) ours = ours && json_is_string(value);
    if (comment && !ours)
        metadata_set(d, "comment", comment);
    if (ours)
        json_object_foreach(all, key, value) metadata_set(d, key, json_string_value(value));
    json_decref(all);
}

void video_metadata(document *d, const video *v)
{
    double seconds, frames;
    char text[32];
    add_comment(d, v->comment);
    if (!v->rate || sscanf(v->rate, "%lf/%lf", &frames, &seconds) != 2 || frames <= 0 ||
        seconds <= 0)
        return;
    if (!isfinite(frames / seconds))
        return;
    snprintf(text, sizeof text, "%.9g", frames / seconds);
    metadata_set(d, "fps", text);
}
