/*
** fuzz.c: the world of a fuzz target: die() comes back, and nothing outlives its input.
**
** The linker gives us every call of the allocator and of fopen() that our own code makes
** (--wrap), and jansson has hooks. So after an input, whether the parser returned or died, we know
** what it still holds: a parser that returned with something left over has a leak, one that holds
** more than MOST_BYTES at a time was talked into it by a small file, and both are crashes. What
** died is given back here, as the end of a process would, and its descriptors are closed.
**
** Libraries' own memory is not seen, but for jansson's; PCRE2's compiled patterns, which stay for
** good, are therefore no leaks.
*/
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../common/die.h"

enum { PLACES = 1 << 20, MOST_TAKEN = 1 << 22, MOST_BYTES = 100 << 20 };
enum { MOST_FILES = 32, MOST_DESCRIPTORS = 128 };

/* What --wrap leaves us of the library's own. */
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void __real_free(void *p);
FILE *__real_fopen(const char *path, const char *mode);
int __real_fclose(FILE *f);
int __real_open(const char *path, int flags, ...);
int __real_access(const char *path, int mode);
void *__real_mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset);
int __real_munmap(void *p, size_t n);
ssize_t __real_getdelim(char **line, size_t *room, int end, FILE *f);

/* ---- what is held: a table of pointers, open addressing ---- */

typedef enum { MEMORY, STREAM, MAP } held_kind;

typedef struct {
    void *at;
    size_t bytes;
    held_kind kind;
} held;

static held table[PLACES];
static size_t held_count, held_bytes;
static bool counting;           /* an input is being parsed */
static void *taken[MOST_TAKEN]; /* all that was ever in the table for this input, in turn */
static size_t taken_count;

/* Neighbours in memory are neighbours here, so that the part of the table in use fits a cache. */
static size_t place_of(const void *p) { return ((uintptr_t)p >> 4) % PLACES; }

static size_t next_place(size_t i) { return (i + 1) % PLACES; }

static size_t find(const void *p)
{
    size_t i = place_of(p);
    while (table[i].at && table[i].at != p)
        i = next_place(i);
    return i;
}

/* Digests are computed by several threads, which allocate. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void hold_locked(void *p, size_t bytes, held_kind kind)
{
    if (taken_count == MOST_TAKEN)
        fuzz_broken("an input calls the allocator less than four million times");
    taken[taken_count++] = p;
    table[find(p)] = (held){p, bytes, kind};
    if (++held_count > PLACES / 4 * 3)
        fuzz_broken("an input takes less than 750,000 pieces of memory");
    if (kind == MEMORY && (held_bytes += bytes) > MOST_BYTES)
        fuzz_broken("an input takes less than 100 MB");
}

static void hold(void *p, size_t bytes, held_kind kind)
{
    if (!p || !counting)
        return;
    pthread_mutex_lock(&lock);
    hold_locked(p, bytes, kind);
    pthread_mutex_unlock(&lock);
}

/* The entries behind p move up where they would not be found any more. */
static void let_go_locked(const void *p)
{
    size_t gap = find(p);
    if (!table[gap].at)
        return;
    held_count--;
    held_bytes -= table[gap].kind == MEMORY ? table[gap].bytes : 0;
    table[gap].at = NULL;
    for (size_t i = next_place(gap); table[i].at; i = next_place(i)) {
        size_t home = place_of(table[i].at);
        bool stays = gap <= i ? gap < home && home <= i : gap < home || home <= i;
        if (stays)
            continue;
        table[gap] = table[i];
        table[i].at = NULL;
        gap = i;
    }
}

static void let_go(const void *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&lock);
    let_go_locked(p);
    pthread_mutex_unlock(&lock);
}

static void give_back(held h)
{
    switch (h.kind) {
    case MEMORY: __real_free(h.at); break;
    case STREAM: __real_fclose(h.at); break;
    case MAP: __real_munmap(h.at, h.bytes); break;
    }
}

static void give_back_all(void)
{
    for (size_t i = 0; i < taken_count && held_count; i++) {
        held h = table[find(taken[i])];
        if (!h.at)
            continue;
        let_go(h.at);
        give_back(h);
    }
    taken_count = 0;
}

/* Descriptors that were not there before the first input. */
static void close_descriptors(bool *known)
{
    for (int fd = 0; fd < MOST_DESCRIPTORS; fd++)
        if (!known[fd])
            close(fd);
}

/* ---- the allocator, as our code sees it ---- */

void *__wrap_malloc(size_t n)
{
    void *p = __real_malloc(n);
    hold(p, n, MEMORY);
    return p;
}

void *__wrap_calloc(size_t n, size_t size)
{
    void *p = __real_calloc(n, size);
    hold(p, n * size, MEMORY);
    return p;
}

void *__wrap_realloc(void *p, size_t n)
{
    let_go(p);
    void *q = __real_realloc(p, n);
    hold(q, n, MEMORY);
    return q;
}

void __wrap_free(void *p)
{
    let_go(p);
    __real_free(p);
}

void *__wrap_mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset)
{
    void *p = __real_mmap(at, n, protection, flags, fd, offset);
    hold(p == MAP_FAILED ? NULL : p, n, MAP);
    return p;
}

int __wrap_munmap(void *p, size_t n)
{
    let_go(p);
    return __real_munmap(p, n);
}

ssize_t __wrap_getdelim(char **line, size_t *room, int end, FILE *f)
{
    let_go(*line);
    ssize_t n = __real_getdelim(line, room, end, f);
    hold(*line, *room, MEMORY);
    return n;
}

/* What <stdio.h> makes of getline() where it optimises. */
ssize_t __wrap___getdelim(char **line, size_t *room, int end, FILE *f)
{
    return __wrap_getdelim(line, room, end, f);
}

ssize_t __wrap_getline(char **line, size_t *room, FILE *f)
{
    return __wrap_getdelim(line, room, '\n', f);
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
    } else if (i < 0 && counting) {
        errno = ENOENT;
        return NULL;
    }
    FILE *f = i >= 0 && !files[i].fd ? fmemopen((void *)files[i].bytes, files[i].n, mode)
                                     : __real_fopen(path, mode);
    hold(f, 0, STREAM);
    return f;
}

int __wrap_open(const char *path, int flags, ...)
{
    char memory[40];
    va_list a;
    va_start(a, flags);
    int mode = flags & O_CREAT ? va_arg(a, int) : 0, i = counting ? file_at(path) : -1;
    va_end(a);
    if (i >= 0 && files[i].fd) {
        descriptor_path(memory, files[i].fd);
        path = memory;
    }
    return __real_open(path, flags, mode);
}

int __wrap_access(const char *path, int mode)
{
    return counting && file_at(path) >= 0 ? 0 : __real_access(path, mode);
}

int __wrap_fclose(FILE *f)
{
    let_go(f);
    return __real_fclose(f);
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
    hold(f, 0, STREAM);
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
        if (!counting)                                                                             \
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

/* AddressSanitizer, where it is linked, says who took it. */
void __asan_describe_address(void *at) __attribute__((weak));

static void tell_leak(void)
{
    for (size_t i = 0; i < taken_count; i++)
        if (table[find(taken[i])].at && __asan_describe_address) {
            __asan_describe_address(taken[i]);
            break;
        }
    fuzz_broken("what was taken for an input is given back");
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
    counting = true;
    bool died = setjmp(end_of_input) != 0;
    if (!died)
        fuzz_target(copy, n);
    counting = false;
    if (!died && held_count)
        tell_leak();
    give_back_all();
    if (died)
        close_descriptors(known_descriptors);
    __real_free(copy);
    return 0;
}
