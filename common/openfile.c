/*
** openfile.c: files by name, with patience for pipes. The descriptor that found the other end there
** is the one that is used: who writes little is done, and gone, before a second could be opened.
*/
#include "openfile.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "die.h"

enum { PATIENCE = 3000, TURN = 20 }; /* ms */

/* Has a pipe that is read without waiting a writer, or had it one? tee() takes nothing out of it,
 * and says 0 where there is nobody, EAGAIN where somebody is silent. */
static bool has_writer(int fd, int aside)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    poll(&p, 1, TURN);
    return p.revents & (POLLIN | POLLHUP) || tee(fd, aside, 1, SPLICE_F_NONBLOCK) != 0;
}

static bool is_pipe(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 && S_ISFIFO(s.st_mode);
}

/* A descriptor of the pipe at path, to which somebody writes or has written; -1: it is no pipe. */
static int await_writer(const char *path)
{
    int fd, aside[2];
    if (!is_pipe(path) || (fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)) < 0)
        return -1;
    if (pipe2(aside, O_CLOEXEC) != 0)
        die_errno("cannot make a pipe");
    for (int waited = 0; !has_writer(fd, aside[1]); waited += TURN) {
        if (waited >= PATIENCE)
            die("%s is a pipe to which nobody writes", path);
        poll(NULL, 0, TURN);
    }
    close(aside[0]);
    close(aside[1]);
    return fd;
}

/* The same, which somebody reads. */
static int await_reader(const char *path)
{
    int fd = -1;
    for (int waited = 0; is_pipe(path); waited += TURN) {
        if ((fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC)) >= 0 || errno != ENXIO)
            return fd;
        if (waited >= PATIENCE)
            die("%s is a pipe that nobody reads", path);
        poll(NULL, 0, TURN);
    }
    return -1;
}

/* From here on it waits, as a file does. */
static int waiting(int fd)
{
    if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) < 0)
        die_errno("cannot wait for a pipe");
    return fd;
}

int input_open(const char *path)
{
    int fd = await_writer(path);
    return fd >= 0 ? waiting(fd) : open(path, O_RDONLY | O_CLOEXEC);
}

FILE *input_file(const char *path)
{
    int fd = await_writer(path);
    return fd >= 0 ? fdopen(waiting(fd), "rb") : fopen(path, "rb");
}

json_t *input_json(const char *path, size_t flags, json_error_t *error)
{
    FILE *f = input_file(path);
    if (!f)
        return json_load_file(path, flags, error); /* which says why not */
    json_t *all = json_loadf(f, flags, error);
    fclose(f);
    return all;
}

int output_open(const char *path)
{
    int fd = await_reader(path);
    return fd >= 0 ? waiting(fd) : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
}

FILE *output_file(const char *path)
{
    int fd = await_reader(path);
    return fd >= 0 ? fdopen(waiting(fd), "wb") : fopen(path, "wb");
}

void output_replaces(const char *path)
{
    struct stat s;
    if (stat(path, &s) == 0 && !S_ISREG(s.st_mode))
        die("%s is there and is not a regular file", path);
}
