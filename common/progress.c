/*
** progress.c: shows the progress of a program: on a terminal one line that is overwritten,
** elsewhere a line at each tenth.
**
** An experiment passes two environment variables: WAN_JOB, the name of the job, and WAN_VIDEOS, a
** file with a line for each document, whose first field is the name of its video. With these the
** line has the number of the video, and tenths and the time left are those of the whole job. The
** time left is estimated from the time so far. With WAN_DRAW another program (pipelines/draw) shows
** the lines of many programs, and gets each as "\rJOB\tTEXT\n".
*/
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "die.h"
#include "program.h"

static struct {
    const char *name; /* of the job, for the line */
    char **video;
    int videos;    /* of the job; 0: not known */
    int document;  /* the current one, from 1 */
    double since;  /* the job's begin, in seconds of the monotonic clock */
    double said;   /* the time of the last line */
    int tenth;     /* of the last line */
    int64_t done;  /* of the call before */
    char what[32]; /* of the call before */
    bool shown, drawn, bare;
} job;

void progress_document(int number) { job.document = number; }

void progress_show(bool on) { job.shown = on; }

static void read_names(const char *path)
{
    FILE *f = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;
    while (f && getline(&line, &room, f) >= 0) {
        job.video = realloc(job.video, (size_t)(job.videos + 1) * sizeof *job.video);
        if (!job.video)
            die("out of memory");
        job.video[job.videos++] = new_format("%.*s", (int)strcspn(line, "\t\n"), line);
    }
    free(line);
    if (f)
        fclose(f);
}

static void begin(void)
{
    const char *name = getenv("WAN_JOB"), *list = getenv("WAN_VIDEOS");
    job.name = name && *name ? name : program_name();
    job.drawn = getenv("WAN_DRAW") != NULL;
    job.bare = job.drawn || !isatty(STDERR_FILENO);
    job.tenth = -1;
    if (list && *list)
        read_names(list);
}

static void end_names(void)
{
    for (int i = 0; i < job.videos; i++)
        free(job.video[i]);
    free(job.video);
}

/* "3 min" */
static void duration(char *text, size_t size, double s)
{
    if (s < 99.5)
        snprintf(text, size, "%.0f s", s);
    else if (s < 99.5 * 60)
        snprintf(text, size, "%.0f min", s / 60);
    else
        snprintf(text, size, "%.1f h", s / 3600);
}

/* The part of the job that is done, from 0 to 1. */
static double part_done(int64_t done, int64_t total, bool counted)
{
    double part = (double)done / (double)total;
    return counted ? (job.document - 1 + part) / job.videos : part;
}

static void write_line(const char *line)
{
    fflush(stderr);
    if (write(STDERR_FILENO, line, strlen(line)) < 0)
        return;
}

/* On a terminal: overwrites the line before. */
static void redraw(const char *text, double part, bool last)
{
    enum { WIDTH = 20 };
    char line[400], bar[WIDTH + 1];
    for (int i = 0; i < WIDTH; i++)
        bar[i] = i < (int)(part * WIDTH + 1e-9) ? '#' : '.';
    bar[WIDTH] = 0;
    snprintf(line, sizeof line, "\r%s: [%s] %s\x1b[K%s", job.name, bar, text, last ? "\n" : "");
    write_line(line);
}

void progress(const char *what, int64_t done, int64_t total)
{
    char text[300], left[32] = "", line[400];
    if (!job.shown || total < 1)
        return;
    if (!job.name) {
        begin();
        atexit(end_names);
    }
    bool loading = strcmp(what, "load") == 0 || job.document < 1;
    bool counted = !loading && job.document <= job.videos;
    double part = part_done(done, total, counted), now = stats_now();
    bool first = strcmp(what, job.what) != 0 || (done <= job.done && !counted);
    if (first) {
        job.since = stats_phase_began();
        job.tenth = counted ? (int)(part * 10 + 1e-9) : 0;
        job.said = now;
        snprintf(job.what, sizeof job.what, "%s", what);
    }
    job.done = done;
    double rest = part > 0 ? (now - job.since) * (1 - part) / part : 0;
    if (part < 1 && rest >= 1) {
        char time[24];
        duration(time, sizeof time, rest);
        snprintf(left, sizeof left, ", %s left", time);
    }
    char which[200] = "";
    if (counted)
        snprintf(which, sizeof which, "%.120s (%d of %d): ", job.video[job.document - 1],
                 job.document, job.videos);
    else if (job.document > 1 && !loading)
        snprintf(which, sizeof which, "document %d: ", job.document);
    snprintf(text, sizeof text, "%s%.30s %lld/%lld%s", which, what, (long long)done,
             (long long)total, left);
    if (!job.bare) {
        redraw(text, part, done == total && (!counted || job.document == job.videos));
        return;
    }
    if (job.drawn) { /* not more often than can be read */
        if (now - job.said < 0.1 && !first && done != total)
            return;
        job.said = now;
        snprintf(line, sizeof line, "\r%s\t%s\n", job.name, text);
        write_line(line);
        return;
    }
    /* A log gets a line at each tenth, at the first step of a long job, and every ten minutes. */
    enum { SOON = 10, LONG = 60, OFTEN = 600 };
    int tenth = (int)(part * 10 + 1e-9);
    if (loading && now - job.since < SOON)
        return;
    if (tenth == job.tenth && !(first && rest > LONG) && now - job.said < OFTEN)
        return;
    job.tenth = tenth;
    job.said = now;
    snprintf(line, sizeof line, "%s: %s\n", job.name, text);
    write_line(line);
}
