/*
** rank_memory.h: the host memory that the ranks of one program share (mmap, MAP_SHARED), and two
** functions that need nothing else: a barrier, and the greatest of a number of all ranks. The memory
** is made before the ranks are started, and is freed when the last of them ends. Included only by
** ranks.c and ranks.cu.
*/
#ifndef RANK_MEMORY_H
#define RANK_MEMORY_H

#include <assert.h>
#include <pthread.h>
#include <sys/mman.h>

#include "check.h"
#include "kernels.h"

typedef struct {
    pthread_barrier_t barrier;
    double figure[MOST_RANKS];
    uint64_t bytes[MOST_RANKS][MOST_RANKS]; /* cpu: what each has for each in an exchange */
    char id[256];                           /* cuda: names the communicator */
} shared_memory;

/* The rank of this process, and the number of ranks; shared is NULL if it is the only one. */
static struct {
    int rank, count;
    shared_memory *shared;
} ranks = {0, 1, NULL};

/* Makes it, with `more` bytes behind it. Pages are allocated when they are first written. */
static inline void *shared_make(int count, size_t more)
{
    pthread_barrierattr_t attribute;
    assert(count > 1 && count <= MOST_RANKS);
    void *p = mmap(NULL, sizeof(shared_memory) + more, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        die_errno("cannot get memory that %d ranks share", count);
    if (pthread_barrierattr_init(&attribute) ||
        pthread_barrierattr_setpshared(&attribute, PTHREAD_PROCESS_SHARED) ||
        pthread_barrier_init(&((shared_memory *)p)->barrier, &attribute, (unsigned)count))
        die("cannot make a barrier for %d ranks", count);
    return p;
}

static inline void shared_wait(void) { pthread_barrier_wait(&ranks.shared->barrier); }

static inline double shared_greatest(double x)
{
    if (!ranks.shared)
        return x;
    ranks.shared->figure[ranks.rank] = x;
    shared_wait();
    for (int r = 0; r < ranks.count; r++)
        x = ranks.shared->figure[r] > x ? ranks.shared->figure[r] : x;
    shared_wait(); /* it may be written again */
    return x;
}

#endif
