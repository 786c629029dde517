/*
** process.h: another program as a part of ours: ffmpeg, fed or read through a pipe.
**
** It gets an argument vector, never a shell. Its stderr is kept; if it fails, we die with its own
** first line: "frames2mp4: ffmpeg: Unknown encoder 'libx264'". It is killed when we die.
*/
#ifndef PROCESS_H
#define PROCESS_H

#include <stddef.h>
#include <sys/types.h>

typedef struct {
    const char *name; /* argv[0]: for messages */
    pid_t pid;
    int pipe;           /* our end of its stdin or stdout; -1: closed */
    int errors;         /* its stderr, a file in memory */
    const char *output; /* process_run()'s `what`, or NULL */
} process;

/* Starts argv[0] (looked for in PATH), whose stdin we write; its stdout is the descriptor `out`, or
 * /dev/null if that is -1. Dies "ffmpeg not found" if there is none. argv ends with NULL. */
void process_feed(process *p, const char *const argv[], int out);
/* Starts argv[0], whose stdout we read; its stdin is /dev/null. */
void process_collect(process *p, const char *const argv[]);
/* Starts argv[0], whose stdin is /dev/null and whose stdout the descriptor `out`. `what` names that
 * where it has no room: "cannot write WHAT: No space left on device". */
void process_run(process *p, const char *const argv[], int out, const char *what);

/* All n bytes; if it does not take them, dies as process_finish does. */
void process_write(process *p, const void *from, size_t n);
/* Fewer than n bytes only when it has closed its stdout. */
size_t process_read(process *p, void *to, size_t n);

/* Closes the pipe and waits until it ends; dies with its first line on stderr unless it succeeded.
 * One that is read must have been read to its end. What it said on stderr, the first 16 KB, until
 * the next call. */
const char *process_finish(process *p);

#endif
