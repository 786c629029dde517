/*
** conversion.c: the filters of ffmpeg that give the frames of OpenCV's VideoCapture, bit for bit.
**
** VideoCapture has libswscale convert into BGR, with SWS_BICUBIC and no other flag. The filter
** `scale` with the same flag gives the same bytes if range, matrix and place of chroma are set as
** below. Read in modules/videoio/src/cap_ffmpeg_impl.hpp of 4.12 and 5.0 and in libswscale/graph.c
** of FFmpeg 8, and verified with opencv-python-headless 4.6 to 5.0:
**
**   - Into BGR first, then into RGB: on x86-64 libswscale has different code for the two.
**   - Up to 4.12: BT.601 whatever the file says, full range only of the formats yuvj*.
**   - From 4.13 on: the matrix, range and place of chroma that the file says. The last matters
**     where libswscale interpolates chroma, not for 8-bit 4:2:0 of an even height, where it repeats
**     chroma.
**   - From 4.13 on colours of other primaries, or a transfer of HDR, are mapped to BT.709, for
**     which older FFmpegs have no filter. libswscale refuses interlaced video and some matrices;
**     OpenCV ignores the error, and its frame is uninitialised memory. All these are refused here.
**   - Up to 4.12 the conversion reads coded pixels beyond the picture's edges. Where chroma is
**     interpolated, the last rows are then uninitialised memory: refused here, too.
**   - A rotation that the file asks for is applied (4.6 turns the other way).
*/
#include "conversion.h"

#include <stdio.h>
#include <string.h>

#include "../../common/die.h"

conversion conversion_named(const char *name)
{
    static const char *const names[] = {"exact", "opencv", "opencv-4.12"};
    for (int i = 0; i < 3; i++)
        if (strcmp(name, names[i]) == 0)
            return (conversion)i;
    usage_error("--conversion is exact, opencv or opencv-4.12, not '%s'", name);
}

/* Is it one of the words? */
static bool among(const char *text, const char *const words[])
{
    for (; *words; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

static bool begins_with_one(const char *text, const char *const words[])
{
    for (; *words; words++)
        if (strncmp(text, *words, strlen(*words)) == 0)
            return true;
    return false;
}

/* ---- what cannot be made ---- */

static void refuse(const char *name, const char *what, const char *value)
{
    die("OpenCV's frames of %s cannot be made here: its %s is %s; --conversion exact can be", name,
        what, value);
}

/* Dies for tags whose frames cannot be made (above). libswscale has the listed matrices, or takes
** them and the listed primaries for BT.709's. */
static void check_tags(const video *v, const char *name)
{
    static const char *const matrices[] = {"unknown",  "gbr",       "bt709",     "fcc",
                                           "bt470bg",  "smpte170m", "smpte240m", "bt2020nc",
                                           "reserved", NULL};
    static const char *const primaries[] = {"unknown",   "bt709",     "bt470m",   "bt470bg",
                                            "smpte170m", "smpte240m", "reserved", NULL};
    static const char *const transfers[] = {"log100", "log316", "smpte2084", "arib-std-b67", NULL};
    static const char *const fields[] = {"progressive", "unknown", NULL};
    const char *space = video_says(v, "color_space"), *primary = video_says(v, "color_primaries"),
               *transfer = video_says(v, "color_transfer"), *order = video_says(v, "field_order");
    if (!among(space, matrices))
        refuse(name, "matrix (color_space)", space);
    if (!among(primary, primaries))
        refuse(name, "gamut (color_primaries)", primary);
    if (among(transfer, transfers))
        refuse(name, "transfer (color_transfer)", transfer);
    if (!among(order, fields))
        refuse(name, "order of fields (field_order)", order);
}

/* These codecs code whole blocks, of 16 pixels in H.264 and of at least 8 in HEVC: more than the
** picture. In the formats `alone` chroma is not interpolated, so pixels beyond it do not count. */
static void check_edges(const video *v, const char *format, const char *name)
{
    static const char *const codecs[] = {"h264", "hevc", NULL};
    static const char *const alone[] = {"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", NULL};
    if (!among(video_says(v, "codec_name"), codecs) || (v->W % 16 == 0 && v->H % 16 == 0) ||
        strcmp(format, "gbrp") == 0 || (among(format, alone) && v->H % 2 == 0))
        return;
    die("OpenCV's frames of %s, %s of %lldx%lld, depend on what is coded beyond its edges up to "
        "4.12; --conversion opencv or exact can be made",
        name, format, (long long)v->W, (long long)v->H);
}

/* ---- what the filter must be told ---- */

/* Where the first chroma sample lies, in 1/256 of a luma pixel. The table is for chroma of half the
** resolution; at a quarter the numbers are three times as large. */
static void chroma_place(char *text, size_t room, const video *v, const char *format)
{
    static const struct {
        const char *name;
        int h, v;
    } place[] = {{"left", 0, 128}, {"center", 128, 128},   {"topleft", 0, 0},
                 {"top", 128, 0},  {"bottomleft", 0, 256}, {"bottom", 128, 256}};
    const char *said = video_says(v, "chroma_location");
    int h = 128, down = 128; /* in the middle: libswscale's choice where the file says nothing */
    for (size_t i = 0; i < sizeof place / sizeof *place; i++)
        if (strcmp(said, place[i].name) == 0) {
            h = place[i].h;
            down = place[i].v;
        }
    enum { NONE = -513 }; /* libswscale's default: not set */
    bool quarter = strstr(format, "410") || strstr(format, "411");
    bool across = quarter || strstr(format, "420") || strstr(format, "422");
    bool vertical = strstr(format, "410") || strstr(format, "420") || strstr(format, "440");
    snprintf(text, room, ":in_h_chr_pos=%d:in_v_chr_pos=%d", across ? (quarter ? 3 : 1) * h : NONE,
             vertical ? (strstr(format, "410") ? 3 : 1) * down : NONE);
}

/* Limited for all YUV formats but yuvj*, which are full; no other format has a range. */
static const char *range_by_format(const char *format)
{
    static const char *const yuv[] = {"yuv", "yuyv", "uyvy", "nv", "p0", "p2", "p4", "y2", NULL};
    return begins_with_one(format, yuv) && strncmp(format, "yuvj", 4) != 0 ? ":in_range=tv" : "";
}

/* The filters that turn the picture; a turn by 90 or 270 degrees exchanges v's sides. */
static const char *turn(video *v)
{
    int angle = (360 - video_rotation(v)) % 360;
    int64_t W = v->W;
    if (angle == 90 || angle == 270) {
        v->W = v->H;
        v->H = W;
    }
    return angle == 90    ? ",transpose=clock"
           : angle == 180 ? ",hflip,vflip"
           : angle == 270 ? ",transpose=cclock"
                          : "";
}

char *conversion_filters(conversion c, video *v, const char *name)
{
    const char *format = video_says(v, "pix_fmt");
    long long W = v->W, H = v->H;
    char chroma[80] = "";
    /* Without full_chroma_int libswscale's RGB is 1 to 2 levels too dark (measured, FFmpeg 5.1). */
    if (c == EXACT)
        return new_format("scale=%lld:%lld:flags=bicubic+accurate_rnd+full_chroma_int+bitexact", W,
                          H);
    if (c == OPENCV) {
        check_tags(v, name);
        chroma_place(chroma, sizeof chroma, v, format);
        return new_format("scale=%lld:%lld:flags=bicubic:interl=0%s,format=bgr24%s,format=rgb24", W,
                          H, chroma, turn(v));
    }
    check_edges(v, format, name);
    return new_format("scale=%lld:%lld:flags=bicubic:interl=0:in_color_matrix=bt601%s,format=bgr24"
                      "%s,format=rgb24",
                      W, H, range_by_format(format), turn(v));
}
