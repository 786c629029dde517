/*
** mp4.c: raw frames to H.264 in mp4, through the ffmpeg program.
**
** The settings are imageio's, with which the reference writes its videos: libx264, yuv420p, and a
** quality of 0 to 10 that becomes a constant rate factor of 51 to 1. Beyond that: the conversion to
** YUV is named (BT.601) and written into the stream, where players would guess from the size, and
** the number of threads and all flags are fixed, so that equal frames give equal bytes.
**
** The hard idea is the metadata: mp4 has no place for arbitrary keys that every tool keeps, but all
** keep the comment. So it holds all of them, as one JSON object. ffmpeg gets it as a file in its
** own metadata format: an argument could be too long. But a comment proves nothing, since it stays
** when a video is coded anew; what vouches for the file is a box at its end (box.h).
*/
#include "mp4.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/box.h"
#include "../../common/die.h"
#include "../../common/openfile.h"

static void remove_part(void *part) { unlink(part); }

/* All metadata of d as a JSON object. */
static json_t *metadata_json(const document *d)
{
    json_t *all = json_object();
    for (int i = 0; i < d->keys; i++)
        json_object_set_new(all, d->key[i].key, json_string(d->key[i].value));
    return all;
}

/* A file in memory with d's metadata for ffmpeg's ffmetadata reader, in which = ; # \ and the end
 * of a line are escaped; the child inherits the descriptor. */
static int metadata_file(const document *d)
{
    int fd = memfd_create("metadata", 0);
    FILE *f = fd < 0 ? NULL : fdopen(dup(fd), "w");
    if (!f)
        die_errno("cannot make a file in memory");
    json_t *all = metadata_json(d);
    char *json = json_dumps(all, JSON_COMPACT);
    if (!json)
        die("out of memory");
    json_decref(all);
    fputs(";FFMETADATA1\ncomment=", f);
    for (const char *p = json; *p; p++) {
        if (strchr("=;#\\\n", *p))
            putc('\\', f);
        putc(*p, f);
    }
    putc('\n', f);
    if (fclose(f) != 0)
        die_errno("cannot make a file in memory");
    free(json);
    return fd;
}

/* The part is made here and not by ffmpeg, so that a missing directory is our message. */
static void create_part(mp4 *m)
{
    output_replaces(m->name);
    m->part = new_format("%s.part", m->name);
    int fd = open(m->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        die_errno("cannot create %s", m->part);
    close(fd);
    at_death(remove_part, m->part);
}

int mp4_crf(double quality)
{
    int crf = (int)((1 - quality / 10) * 51);
    return crf > 1 ? crf : 1;
}

/* ffmpeg, which will write the part. */
static void start(mp4 *m)
{
    const mp4_settings *s = &m->settings;
    int tags = metadata_file(s->about);
    char size[64], rate[32], crf[16], about[32];
    char *output = new_format("file:%s", m->part); /* whatever the name looks like */
    snprintf(size, sizeof size, "%lldx%lld", (long long)s->W, (long long)s->H);
    snprintf(rate, sizeof rate, "%.9g", s->fps);
    snprintf(crf, sizeof crf, "%d", mp4_crf(s->quality));
    snprintf(about, sizeof about, "file:/dev/fd/%d", tags);
    const char *const exact[] = {
        "ffmpeg", "-y", "-nostdin", "-v", "error",
        /* as below, but RGB as it is, and no quantisation */
        "-f", "rawvideo", "-pixel_format", "rgb24", "-video_size", size, "-framerate", rate, "-i",
        "pipe:0", "-f", "ffmetadata", "-i", about, "-map", "0:v", "-map_metadata", "1", "-c:v",
        "libx264rgb", "-qp", "0", "-pix_fmt", "rgb24", "-preset", "veryfast", "-threads", "4",
        "-flags:v", "+bitexact", "-fflags", "+bitexact", "-f", "mp4", output, NULL};
    const char *const usual[] = {
        "ffmpeg", "-y", "-nostdin", "-v", "error",
        /* frames on stdin, metadata in memory */
        "-f", "rawvideo", "-pixel_format", "rgb24", "-video_size", size, "-framerate", rate, "-i",
        "pipe:0", "-f", "ffmetadata", "-i", about, "-map", "0:v", "-map_metadata", "1",
        /* sRGB to YUV. `format` ends the filters: from FFmpeg 8 on -colorspace is a wish to them,
         * and without it scale stays in RGB and a scaler that has not our flags converts */
        "-vf",
        "scale=out_color_matrix=bt601:out_range=tv:flags=bicubic+accurate_rnd+bitexact,"
        "format=yuv420p",
        "-pix_fmt", "yuv420p", "-colorspace", "smpte170m", "-color_range", "tv",
        /* H.264; x264's choices depend on the number of threads, so it is not the machine's */
        "-c:v", "libx264", "-crf", crf, "-threads", "4", "-flags:v", "+bitexact",
        /* mp4 */
        "-fflags", "+bitexact", "-f", "mp4", output, NULL};
    process_feed(&m->ffmpeg, s->lossless ? exact : usual, -1);
    close(tags);
    free(output);
}

void mp4_open(mp4 *m, const char *name, const mp4_settings *s)
{
    *m = (mp4){.name = name, .settings = *s};
    create_part(m);
    start(m);
}

void mp4_write(mp4 *m, const void *pixels, size_t n) { process_write(&m->ffmpeg, pixels, n); }

static void finish(mp4 *m)
{
    struct stat s;
    process_finish(&m->ffmpeg);
    if (stat(m->part, &s) != 0 || s.st_size == 0)
        die("ffmpeg wrote nothing to %s", m->part);
}

/* The decoder is asked for what mp42frames asks for, so this is what a reader of the file sees. All
 * frames are kept in a temporary file: the part is read and written anew. */
void mp4_again(mp4 *m)
{
    enum { BLOCK = 1 << 20 };
    finish(m);
    char *input = new_format("file:%s", m->part), *block = new_bytes(BLOCK);
    char *scale = new_format("scale=%lld:%lld:flags=bicubic+accurate_rnd+full_chroma_int+bitexact",
                             (long long)m->settings.W, (long long)m->settings.H);
    const char *const argv[] = {"ffmpeg",      "-nostdin", "-v",     "error",    "-xerror",
                                "-i",          input,      "-map",   "0:v:0",    "-fps_mode",
                                "passthrough", "-vf",      scale,    "-pix_fmt", "rgb24",
                                "-f",          "rawvideo", "pipe:1", NULL};
    FILE *frames = tmpfile();
    if (!frames)
        die_errno("cannot make a temporary file for the frames of %s", m->name);
    process decoder;
    process_collect(&decoder, argv);
    for (size_t n; (n = process_read(&decoder, block, BLOCK)) > 0;)
        if (fwrite(block, 1, n, frames) != n)
            die_errno("cannot write the temporary file for the frames of %s", m->name);
    process_finish(&decoder);
    if (fflush(frames) != 0 || fseeko(frames, 0, SEEK_SET) != 0)
        die_errno("cannot write the temporary file for the frames of %s", m->name);
    start(m);
    for (size_t n; (n = fread(block, 1, BLOCK, frames)) > 0;)
        process_write(&m->ffmpeg, block, n);
    if (ferror(frames))
        die_errno("cannot read the temporary file for the frames of %s", m->name);
    fclose(frames);
    free(input);
    free(scale);
    free(block);
}

void mp4_close(mp4 *m)
{
    finish(m);
    json_t *all = metadata_json(m->settings.about);
    box_append(m->part, all);
    json_decref(all);
    if (rename(m->part, m->name) != 0)
        die_errno("cannot rename %s to %s", m->part, m->name);
    at_death(NULL, m->part);
    free(m->part);
}
