/*
** scratch.c: the stack that all device tensors live on.
**
** A list of mapped chunks, at least CHUNK bytes each, taken from the system as the stack grows, so
** that nothing is reserved ahead and a limit on address space is respected. A mark is the number of
** bytes in use; reset goes back to it. Emptied chunks stay mapped for the next push, and are given
** back when it does not fit in them: so memory held is at most the peak plus the unused ends of
** chunks, which no one has touched.
*/
#include <assert.h>
#include <sys/mman.h>

#include "cpu.h"

enum { ALIGN = 64 };
static const size_t CHUNK = (size_t)64 << 20, HUGE_PAGE = (size_t)2 << 20;

/* At the head of each chunk. */
typedef struct chunk {
    struct chunk *below, *above;
    size_t size; /* bytes mapped, this header included */
    size_t base; /* bytes in use in all chunks below */
    size_t used; /* bytes in use here */
} chunk;

static chunk *top;         /* the chunk that the next push goes to if it fits */
static size_t taken, peak; /* bytes in use now; most ever */
static const char *advice;

void device_advice(const char *text) { advice = text; }

static size_t capacity(const chunk *c) { return c->size - ALIGN; }

static void unmap_above(chunk *c)
{
    chunk *next = c ? c->above : NULL;
    while (next) {
        chunk *gone = next;
        next = next->above;
        munmap(gone, gone->size);
    }
    if (c)
        c->above = NULL;
}

static chunk *map_chunk(size_t bytes)
{
    size_t size = bytes + ALIGN < CHUNK ? CHUNK : bytes + ALIGN;
    size = (size + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    chunk *c = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (c == MAP_FAILED)
        die("out of memory: %zu MB in use, %zu MB more refused%s%s", taken >> 20, size >> 20,
            advice ? "; " : "", advice ? advice : "");
    madvise(c, size, MADV_HUGEPAGE); /* fewer misses of the TLB; no harm where it is refused */
    *c = (chunk){.size = size};
    return c;
}

static void *push(size_t bytes)
{
    bytes = (bytes + ALIGN - 1) / ALIGN * ALIGN;
    if (!top || top->used + bytes > capacity(top)) {
        chunk *next = top ? top->above : NULL;
        if (!next || capacity(next) < bytes) {
            unmap_above(top);
            next = map_chunk(bytes);
        }
        next->below = top;
        next->base = taken;
        next->used = 0;
        if (top)
            top->above = next;
        top = next;
    }
    char *p = (char *)top + ALIGN + top->used;
    top->used += bytes;
    taken += bytes;
    peak = taken > peak ? taken : peak;
    return p;
}

size_t scratch_mark(void) { return taken; }

void scratch_reset(size_t mark)
{
    assert(mark <= taken);
    while (top && top->base >= mark && top->below)
        top = top->below;
    if (top)
        top->used = mark - top->base;
    taken = mark;
}

tensor scratch_tensor(tensor_type type, int rank, const int64_t *dim)
{
    tensor t = tensor_make(NULL, type, rank, dim);
    for (int i = 0; i < rank; i++)
        if (dim[i] < 0)
            die("scratch: no tensor has the shape %s", shape_text(rank, dim));
    t.data = push(tensor_bytes(t));
    return t;
}

size_t device_peak_bytes(void) { return peak; }
