/*
** probe.c: what ffprobe says of a video, checked: nobody vouches for what a file says of itself.
*/
#include "probe.h"

#include <math.h>
#include <stdio.h>

#include "../../common/die.h"
#include "../../common/frames.h"
#include "../../common/recipe.h"

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

const char *video_says(const video *v, const char *key)
{
    const json_t *stream = json_array_get(json_object_get(v->all, "streams"), 0);
    const char *text = json_string_value(json_object_get(stream, key));
    return text ? text : "unknown";
}

int video_rotation(const video *v)
{
    size_t i;
    const json_t *stream = json_array_get(json_object_get(v->all, "streams"), 0), *side;
    json_array_foreach(json_object_get(stream, "side_data_list"), i, side)
    {
        const json_t *angle = json_object_get(side, "rotation");
        if (angle)
            return ((int)json_number_value(angle) % 360 + 360) % 360;
    }
    return 0;
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

/* The comment that frames2mp4 writes: an object of texts, its own record among them. */
static json_t *our_comment(const char *comment)
{
    const char *key;
    json_t *value, *all = comment ? json_loads(comment, JSON_REJECT_DUPLICATES, NULL) : NULL;
    bool ours = json_is_object(all);
    json_object_foreach(all, key, value) ours = ours && json_is_string(value);
    const char *record = ours ? json_string_value(json_object_get(all, "frames2mp4")) : NULL;
    json_t *made = record ? record_of("frames2mp4", record) : NULL;
    if (!made) {
        json_decref(all);
        return NULL;
    }
    json_decref(made);
    return all;
}

static void add_texts(document *d, const json_t *texts)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)texts, key, value) metadata_set(d, key, json_string_value(value));
}

static void add_comment(document *d, const char *comment)
{
    json_t *all = our_comment(comment);
    if (comment && !all)
        metadata_set(d, "comment", comment);
    add_texts(d, all);
    json_decref(all);
}

void video_metadata(document *d, const video *v, const json_t *sealed)
{
    double seconds, frames;
    char text[32];
    if (sealed)
        add_texts(d, sealed);
    else
        add_comment(d, v->comment);
    if (!v->rate || sscanf(v->rate, "%lf/%lf", &frames, &seconds) != 2 || frames <= 0 ||
        seconds <= 0)
        return;
    if (!isfinite(frames / seconds))
        return;
    snprintf(text, sizeof text, "%.9g", frames / seconds);
    metadata_set(d, "fps", text);
}
