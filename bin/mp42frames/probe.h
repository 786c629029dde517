/*
** probe.h: what ffprobe says of a video, checked.
*/
#ifndef PROBE_H
#define PROBE_H

#include <jansson.h>

#include "../../common/stream.h"

typedef struct {
    int64_t H, W;        /* 1 to FRAMES_MOST_SIDE */
    const char *rate;    /* "16/1", or NULL */
    const char *comment; /* NULL: none */
    json_t *all;         /* in which the two lie */
} video;

/* What ffprobe is asked for: -show_entries. */
#define VIDEO_ENTRIES                                                                              \
    "stream=codec_name,width,height,avg_frame_rate,pix_fmt,color_space,color_range,"               \
    "color_primaries,color_transfer,chroma_location,field_order,nb_frames,nb_read_packets:"        \
    "stream_side_data=rotation:format_tags=comment"

/* text: the JSON of ffprobe -show_entries VIDEO_ENTRIES. Dies, with the file's name, if there is no
 * video in it, or none of a size that we read. */
video video_of(const char *text, const char *name);
/* What ffprobe says of the video in a word; "unknown" if it does not. */
const char *video_says(const video *v, const char *key);
/* By how many degrees it is to be turned to the left, 0 to 359. */
int video_rotation(const video *v);
void video_free(video *v);
/* How many frames are in so many bytes of RGB; dies unless they are whole and at least one. */
int64_t video_frames(const video *v, int64_t bytes, const char *name);
/* Into d: `sealed`, what the file's box says (box.h), or if that is NULL the comment's metadata if
 * frames2mp4 wrote it; any other comment is kept as `comment`. And fps as the file plays; one that
 * does not know keeps what it says. */
void video_metadata(document *d, const video *v, const json_t *sealed);

#endif
