/*
** held.c: what an input holds: memory, streams, maps and states of digests.
**
** The linker gives us every call of the allocator and of fopen() that our own code makes
** (--wrap), and jansson has hooks. So after an input, whether the parser returned or died, we know
** what it still holds: a parser that returned with something left over has a leak, one that holds
** more than MOST_BYTES at a time was talked into it by a small file, and both are crashes.
**
** Libraries' own memory is not seen, but for jansson's, the states of digests and the texts of
** open_memstream(); PCRE2's compiled patterns, which stay for good, are therefore no leaks.
*/
#include "held.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/types.h>

#include "fuzz.h"

enum { PLACES = 1 << 20, MOST_TAKEN = 1 << 22, MOST_BYTES = 100 << 20, MOST_TEXTS = 64 };

/* What --wrap leaves us of the library's own. */
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void __real_free(void *p);
int __real_fclose(FILE *f);
FILE *__real_open_memstream(char **text, size_t *n);
void *__real_mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset);
int __real_munmap(void *p, size_t n);
void *__real_XXH3_createState(void);
int __real_XXH3_freeState(void *p);
ssize_t __real_getdelim(char **line, size_t *room, int end, FILE *f);

/* ---- what is held: a table of pointers, open addressing ---- */

typedef struct {
    void *at;
    size_t bytes;
    held_kind kind;
} held;

static held table[PLACES];
bool held_counts;
static size_t held_count, held_bytes;
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
    if (kind == HELD_MEMORY && (held_bytes += bytes) > MOST_BYTES)
        fuzz_broken("an input takes less than 100 MB");
}

void hold(void *p, size_t bytes, held_kind kind)
{
    if (!p || !held_counts)
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
    held_bytes -= table[gap].kind == HELD_MEMORY ? table[gap].bytes : 0;
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

/* Streams of open_memstream(), whose texts are ours until they are closed: whoever died has no
 * variable any more that could point to one. */
static struct {
    FILE *file;
    char *text, **its;
    size_t n, *its_n;
} texts[MOST_TEXTS];

static int close_stream(FILE *f, bool alive)
{
    int i = 0, rc;
    while (i < MOST_TEXTS && texts[i].file != f)
        i++;
    rc = __real_fclose(f);
    if (i == MOST_TEXTS)
        return rc;
    texts[i].file = NULL;
    if (alive) {
        *texts[i].its = texts[i].text;
        *texts[i].its_n = texts[i].n;
        hold(texts[i].text, texts[i].n, HELD_MEMORY);
    } else {
        __real_free(texts[i].text);
    }
    return rc;
}

static void give_back(held h)
{
    switch (h.kind) {
    case HELD_MEMORY: __real_free(h.at); break;
    case HELD_STREAM: close_stream(h.at, false); break;
    case HELD_MAP: __real_munmap(h.at, h.bytes); break;
    case HELD_DIGEST: __real_XXH3_freeState(h.at); break;
    }
}

void held_give_back(void)
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

/* ---- the allocator, as our code sees it ---- */

void *__wrap_malloc(size_t n)
{
    void *p = __real_malloc(n);
    hold(p, n, HELD_MEMORY);
    return p;
}

void *__wrap_calloc(size_t n, size_t size)
{
    void *p = __real_calloc(n, size);
    hold(p, n * size, HELD_MEMORY);
    return p;
}

void *__wrap_realloc(void *p, size_t n)
{
    let_go(p);
    void *q = __real_realloc(p, n);
    hold(q, n, HELD_MEMORY);
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
    hold(p == MAP_FAILED ? NULL : p, n, HELD_MAP);
    return p;
}

int __wrap_munmap(void *p, size_t n)
{
    let_go(p);
    return __real_munmap(p, n);
}

/* What digest.c asks of its library. */
void *__wrap_XXH3_createState(void)
{
    void *p = __real_XXH3_createState();
    hold(p, 0, HELD_DIGEST);
    return p;
}

int __wrap_XXH3_freeState(void *p)
{
    let_go(p);
    return __real_XXH3_freeState(p);
}

ssize_t __wrap_getdelim(char **line, size_t *room, int end, FILE *f)
{
    let_go(*line);
    ssize_t n = __real_getdelim(line, room, end, f);
    hold(*line, *room, HELD_MEMORY);
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

int __wrap_fclose(FILE *f)
{
    let_go(f);
    return close_stream(f, true);
}

FILE *__wrap_open_memstream(char **text, size_t *n)
{
    int i = 0;
    while (i < MOST_TEXTS && texts[i].file)
        i++;
    if (i == MOST_TEXTS || !held_counts)
        return __real_open_memstream(text, n);
    texts[i].its = text;
    texts[i].its_n = n;
    texts[i].file = __real_open_memstream(&texts[i].text, &texts[i].n);
    hold(texts[i].file, 0, HELD_STREAM);
    return texts[i].file;
}

/* AddressSanitizer, where it is linked, says who took it. */
void __asan_describe_address(void *at) __attribute__((weak));

void held_none(void)
{
    if (held_count == 0)
        return;
    for (size_t i = 0; i < taken_count; i++)
        if (table[find(taken[i])].at && __asan_describe_address) {
            __asan_describe_address(taken[i]);
            break;
        }
    fuzz_broken("what was taken for an input is given back");
}
