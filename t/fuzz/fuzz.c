/*
** fuzz.c: the world of a fuzz target: die() comes back, files are what an input says, and nothing
** outlives it (held.c).
**
** What died is given back here, as the end of a process would, and its descriptors are closed.
*/
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../common/die.h"
#include "held.h"

enum { MOST_FILES = 32, MOST_DESCRIPTORS = 128 };

/* What --wrap leaves us of the library's own. */
FILE *__real_fopen(const char *path, const char *mode);
int __real_fclose(FILE *f);
int __real_open(const char *path, int flags, ...);
int __real_access(const char *path, int mode);

/* Descriptors that were not there before the first input. */
static void close_descriptors(bool *known)
{
    for (int fd = 0; fd < MOST_DESCRIPTORS; fd++)
        if (!known[fd])
            close(fd);
}

/* ---- files ---- */

/* fd: what can be mapped; 0: only a stream reads it. */
static struct {
    const char *name;
    const void *bytes;
    size_t n;
    int fd;
} files[MOST_FILES];
static int file_count;

/* Those that are not closed when a parser dies. */
static bool known_descriptors[MOST_DESCRIPTORS];

static int new_memory(void)
{
    int fd = memfd_create("input", MFD_CLOEXEC);
    if (fd < 0 || fd >= MOST_DESCRIPTORS)
        fuzz_broken("there are files in memory");
    known_descriptors[fd] = true;
    return fd;
}

static void fill(int fd, const void *bytes, size_t n)
{
    if (ftruncate(fd, 0) != 0 || pwrite(fd, bytes, n, 0) != (ssize_t)n)
        fuzz_broken("a file in memory can be written");
}

static int file_of(const char *name)
{
    int i = 0;
    while (i < file_count && strcmp(files[i].name, name) != 0)
        i++;
    if (i == MOST_FILES)
        fuzz_broken("there are no more than 32 files");
    file_count += i == file_count;
    files[i].name = name;
    return i;
}

void fuzz_file(const char *name, const void *bytes, size_t n)
{
    int i = file_of(name);
    files[i].bytes = bytes;
    files[i].n = n;
}

void fuzz_mapped(const char *name, const void *bytes, size_t n)
{
    int i = file_of(name);
    fuzz_file(name, bytes, n);
    if (!files[i].fd)
        files[i].fd = new_memory();
    if (bytes)
        fill(files[i].fd, bytes, n);
}

/* Which of the files ends the path, -1: none. */
static int file_at(const char *path)
{
    size_t length = strlen(path);
    for (int i = 0; i < file_count; i++) {
        size_t n = strlen(files[i].name);
        if (length >= n && strcmp(path + length - n, files[i].name) == 0)
            return files[i].bytes ? i : -1;
    }
    return -1;
}

static void descriptor_path(char path[40], int fd) { snprintf(path, 40, "/proc/self/fd/%d", fd); }

FILE *__wrap_fopen(const char *path, const char *mode)
{
    char memory[40];
    int i = file_at(path);
    if (*mode == 'w') /* libFuzzer writes down what it crashed on */
        return __real_fopen(path, mode);
    if (i >= 0 && files[i].fd) {
        descriptor_path(memory, files[i].fd);
        path = memory;
    } else if (i < 0 && held_counts) {
        errno = ENOENT;
        return NULL;
    }
    FILE *f = i >= 0 && !files[i].fd ? fmemopen((void *)files[i].bytes, files[i].n, mode)
                                     : __real_fopen(path, mode);
    hold(f, 0, HELD_STREAM);
    return f;
}

int __wrap_open(const char *path, int flags, ...)
{
    char memory[40];
    va_list a;
    va_start(a, flags);
    int mode = flags & O_CREAT ? va_arg(a, int) : 0, i = held_counts ? file_at(path) : -1;
    va_end(a);
    if (i >= 0 && files[i].fd) {
        descriptor_path(memory, files[i].fd);
        path = memory;
    }
    return __real_open(path, flags, mode);
}

int __wrap_access(const char *path, int mode)
{
    return held_counts && file_at(path) >= 0 ? 0 : __real_access(path, mode);
}

static int memory_file;

const char *fuzz_path(const void *bytes, size_t n)
{
    static char path[40];
    descriptor_path(path, memory_file);
    fill(memory_file, bytes, n);
    return path;
}

FILE *fuzz_blank(void)
{
    FILE *f = fdopen(new_memory(), "w+b");
    if (!f)
        fuzz_broken("a file in memory can be opened");
    return f;
}

size_t fuzz_read(void *room, size_t most, const char *path)
{
    FILE *f = __real_fopen(path, "rb");
    size_t n = f ? fread(room, 1, most, f) : 0;
    if (n == 0 || n == most)
        fuzz_broken("a file of the tree is there, and fits");
    __real_fclose(f);
    return n;
}

FILE *fuzz_open(const void *bytes, size_t n)
{
    FILE *f = __real_fopen(fuzz_path(bytes, n), "rb");
    if (!f)
        fuzz_broken("a file in memory can be read");
    hold(f, 0, HELD_STREAM);
    return f;
}

const char *fuzz_part(const uint8_t **bytes, size_t *left, size_t *n)
{
    const uint8_t *from = *bytes, *zero = memchr(from, 0, *left);
    *n = zero ? (size_t)(zero - from) : *left;
    *bytes += zero ? *n + 1 : *n;
    *left -= zero ? *n + 1 : *n;
    return (const char *)from;
}

/* ---- common/die.c ---- */

static jmp_buf end_of_input;

void fuzz_broken(const char *promise)
{
    fprintf(stderr, "broken: %s\n", promise);
    abort();
}

static void format_only(const char *format, va_list a)
{
    char line[2048];
    if (vsnprintf(line, sizeof line, format, a) < 0)
        fuzz_broken("a message can be formatted");
}

#define SAYS(name)                                                                                 \
    void name(const char *format, ...)                                                             \
    {                                                                                              \
        va_list a;                                                                                 \
        va_start(a, format);                                                                       \
        format_only(format, a);                                                                    \
        va_end(a);                                                                                 \
    }
#define ENDS(name)                                                                                 \
    void name(const char *format, ...)                                                             \
    {                                                                                              \
        va_list a;                                                                                 \
        va_start(a, format);                                                                       \
        format_only(format, a);                                                                    \
        va_end(a);                                                                                 \
        if (!held_counts)                                                                          \
            fuzz_broken(format);                                                                   \
        longjmp(end_of_input, 1);                                                                  \
    }

ENDS(die)
ENDS(die_errno)
ENDS(usage_error)
SAYS(warn)
SAYS(note)

void program_name_set(const char *argv0) { (void)argv0; }
const char *program_name(void) { return "fuzz"; }
void quiet_set(bool quiet) { (void)quiet; }
void at_death(void (*undo)(void *), void *data) { (void)undo, (void)data; }

void *new_bytes(unsigned long n)
{
    void *p = __wrap_calloc(n ? n : 1, 1);
    if (!p)
        die("out of memory");
    return p;
}

char *new_format(const char *format, ...)
{
    va_list a, again;
    va_start(a, format);
    va_copy(again, a);
    size_t n = (size_t)vsnprintf(NULL, 0, format, a) + 1;
    char *s = new_bytes(n);
    vsnprintf(s, n, format, again);
    va_end(again);
    va_end(a);
    return s;
}

/* ---- an input ---- */

static void begin(void)
{
    static bool begun;
    if (begun)
        return;
    begun = true;
    json_set_alloc_funcs(__wrap_malloc, __wrap_free);
    memory_file = new_memory();
    if (fuzz_begin)
        fuzz_begin();
    for (int fd = 0; fd < MOST_DESCRIPTORS; fd++)
        known_descriptors[fd] = fcntl(fd, F_GETFD) >= 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    begin();
    uint8_t *copy = __real_malloc(n + 1);
    if (!copy)
        fuzz_broken("there is memory for the input");
    if (n)
        memcpy(copy, bytes, n);
    copy[n] = 0;
    held_counts = true;
    bool died = setjmp(end_of_input) != 0;
    if (!died)
        fuzz_target(copy, n);
    held_counts = false;
    if (!died)
        held_none();
    held_give_back();
    if (died)
        close_descriptors(known_descriptors);
    __real_free(copy);
    return 0;
}
