/*
** filemap.c: files as memory, and giving their pages back.
**
** The one danger: the advice that drops a map's pages, which are read again from the file when
** touched, would wipe allocated memory. So all maps are listed, and nothing else is ever dropped.
*/
#include "filemap.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "die.h"

enum { MOST_MAPS = 1024 }; /* of more, the pages stay until the kernel wants them */
static struct {
    uintptr_t at;
    size_t bytes;
    char cut[320]; /* what to say if the file ends before the map does */
} maps[MOST_MAPS];
static int map_count;

/* A page of a map whose file was made shorter since is a SIGBUS. Nothing here but what a signal
** handler may call. */
static void on_bus_error(int signal_number, siginfo_t *info, void *context)
{
    (void)context;
    uintptr_t at = (uintptr_t)info->si_addr;
    for (int i = 0; i < map_count; i++) {
        if (at < maps[i].at || at - maps[i].at >= maps[i].bytes)
            continue;
        ssize_t said = write(STDERR_FILENO, maps[i].cut, strlen(maps[i].cut));
        _exit(said < 0 ? 2 : 1);
    }
    signal(signal_number, SIG_DFL); /* none of ours: it comes again */
}

static void watch(filemap *m, const char *name)
{
    if (map_count == MOST_MAPS)
        return;
    if (map_count == 0)
        sigaction(SIGBUS, &(struct sigaction){.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO},
                  NULL);
    maps[map_count].at = (uintptr_t)m->at;
    maps[map_count].bytes = m->bytes;
    snprintf(maps[map_count].cut, sizeof maps->cut, "%s: %.256s became shorter while it was read\n",
             program_name(), name);
    for (char *c = maps[map_count].cut; c[0] && c[1]; c++) /* as die() does; not the line's end */
        if ((unsigned char)*c < 32 || *c == 127)
            *c = '?';
    map_count++;
}

static void read_pipe(filemap *m, int fd, const char *name)
{
    size_t room = 1 << 20;
    m->at = new_bytes(room);
    for (ssize_t got;; m->bytes += (size_t)got) {
        if (m->bytes == room) {
            unsigned char *more = realloc(m->at, room *= 2);
            if (!more)
                die("out of memory: %s has more than %zu bytes", name, m->bytes);
            m->at = more;
        }
        while ((got = read(fd, m->at + m->bytes, room - m->bytes)) < 0 &&
               (errno == EINTR || errno == EAGAIN))
            poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, -1);
        if (got < 0)
            die_errno("cannot read %s", name);
        if (got == 0)
            return;
    }
}

void filemap_open(filemap *m, int fd, const char *name)
{
    struct stat s;
    *m = (filemap){0};
    if (fstat(fd, &s) != 0)
        die_errno("cannot read %s", name);
    if (S_ISDIR(s.st_mode))
        die("%s is a directory", name);
    if (!S_ISREG(s.st_mode) || lseek(fd, 0, SEEK_CUR) != 0)
        read_pipe(m, fd, name);
    else
        m->bytes = (size_t)s.st_size;
    if (m->bytes == 0)
        die("%s is empty", name);
    if (m->at)
        return;
    m->at = mmap(NULL, m->bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    if (m->at == MAP_FAILED)
        die_errno("cannot map %s", name);
    m->mapped = true;
    watch(m, name);
}

void filemap_check(const void *at, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += 512)
        (void)((const volatile unsigned char *)at)[i];
}

void filemap_drop(const void *at, size_t bytes)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t begin = (uintptr_t)at, end = begin + bytes;
    for (int i = 0; i < map_count; i++) {
        if (begin < maps[i].at || end > maps[i].at + maps[i].bytes)
            continue;
        begin = (begin + page - 1) / page * page;
        end = end / page * page;
        if (begin < end)
            madvise((void *)begin, end - begin, MADV_DONTNEED);
        return;
    }
}

void filemap_close(filemap *m)
{
    for (int i = 0; m->mapped && i < map_count; i++)
        if (maps[i].at == (uintptr_t)m->at) {
            maps[i] = maps[--map_count];
            break;
        }
    if (m->mapped)
        munmap(m->at, m->bytes);
    else
        free(m->at);
    *m = (filemap){0};
}
