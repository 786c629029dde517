/*
** ranks.c: messages between ranks through memory they share: the specification, slow and plain.
**
** For every ordered pair of ranks there is a box. All messages from one to the other are one run of
** bytes, which passes through their box in rounds: everybody fills the boxes, everybody waits,
** everybody empties them, everybody waits. So an exchange ends when all are done, and no order of
** the calls can make two wait for each other.
*/
#include <omp.h>

#include "../rank_memory.h"
#include "cpu.h"

enum { BOX = 1 << 16 };

void *ranks_share(int count) { return shared_make(count, (size_t)count * (size_t)count * BOX); }

void ranks_join(int rank, int count, void *shared)
{
    int threads = omp_get_max_threads() / count;
    ranks.rank = rank;
    ranks.count = count;
    ranks.shared = shared;
    omp_set_num_threads(threads > 1 ? threads : 1); /* they are all on the same cores */
}

double ranks_greatest(double x) { return shared_greatest(x); }

static char *box(int from, int to)
{
    return (char *)(ranks.shared + 1) + (size_t)(from * ranks.count + to) * BOX;
}

/* Bytes of the messages t[i] whose peer is p. */
static size_t bytes_for(int p, int n, const int peer[], const tensor t[])
{
    size_t sum = 0;
    for (int i = 0; i < n; i++)
        if (peer[i] == p && t[i].data)
            sum += tensor_bytes(t[i]);
    return sum;
}

/* The bytes [at, at + BOX), or as many as there are, of the messages t[i] of peer p, as one run:
 * into the box, or out of it. */
static void pass(char *b, bool into, size_t at, int p, int n, const int peer[], const tensor t[])
{
    size_t begin = 0; /* of message i in the run */
    for (int i = 0; i < n; i++) {
        if (peer[i] != p || !t[i].data)
            continue;
        size_t end = begin + tensor_bytes(t[i]);
        size_t first = begin > at ? begin : at, last = end < at + BOX ? end : at + BOX;
        if (first < last) {
            char *here = (char *)t[i].data + (first - begin), *there = b + (first - at);
            memcpy(into ? there : here, into ? here : there, last - first);
        }
        begin = end;
    }
}

void exchange(int n, const int peer[], const tensor y[], const tensor x[])
{
    shared_memory *s = ranks.shared;
    int me = ranks.rank;
    uint64_t most = 0;
    assert(s);
    for (int i = 0; i < n; i++) {
        assert(peer[i] >= 0 && peer[i] < ranks.count && peer[i] != me);
        assert((!x[i].data || tensor_contiguous(x[i])) && (!y[i].data || tensor_contiguous(y[i])));
    }
    for (int p = 0; p < ranks.count; p++)
        s->bytes[me][p] = bytes_for(p, n, peer, x);
    shared_wait();
    for (int p = 0; p < ranks.count; p++) {
        assert(s->bytes[p][me] == bytes_for(p, n, peer, y));
        for (int q = 0; q < ranks.count; q++)
            most = s->bytes[p][q] > most ? s->bytes[p][q] : most;
    }
    shared_wait();
    for (size_t at = 0; at < most; at += BOX) {
        for (int p = 0; p < ranks.count; p++)
            pass(box(me, p), true, at, p, n, peer, x);
        shared_wait();
        for (int p = 0; p < ranks.count; p++)
            pass(box(p, me), false, at, p, n, peer, y);
        shared_wait();
    }
}

void exchange_wait(void) {}
