/*
** ranks.cu: messages between ranks over NCCL, each rank on the card of its number.
**
** An exchange is one group of sends and receives on a stream of its own, which waits for what the
** main stream has been asked so far; the main stream waits for it at exchange_wait(). In between
** both run: products while the wires are busy. The stream has priority, as its few blocks would
** otherwise start only when a whole product has ended.
**
** There are no reductions here, so the multicast of NVLink (NVLS), which serves those, is not asked
** for. NCCL's own buffers are not in device_peak_bytes(). Built where nccl.h is found (Makefile);
** ranks_alone.cu stands in otherwise. The library is opened when it is needed, so that a program
** with one rank runs without it.
*/
#include <cstdlib>
#include <dlfcn.h>
#include <nccl.h>

#include "../rank_memory.h"
#include "common.cuh"

static ncclComm_t wires;
static cudaStream_t outside;
static cudaEvent_t asked, arrived;

static struct {
    decltype(&ncclGetErrorString) error_string;
    decltype(&ncclGetUniqueId) unique_id;
    decltype(&ncclCommInitRank) init;
    decltype(&ncclGroupStart) group_start;
    decltype(&ncclGroupEnd) group_end;
    decltype(&ncclSend) send;
    decltype(&ncclRecv) receive;
} nccl;

template <class F> static void find(F *f, void *library, const char *name)
{
    *f = (F)dlsym(library, name);
    if (!*f)
        die("several gpus need NCCL: %s", dlerror());
}

static void nccl_open(void)
{
    void *library = dlopen("libnccl.so.2", RTLD_NOW);
    if (!library)
        die("several gpus need NCCL: %s", dlerror());
    find(&nccl.error_string, library, "ncclGetErrorString");
    find(&nccl.unique_id, library, "ncclGetUniqueId");
    find(&nccl.init, library, "ncclCommInitRank");
    find(&nccl.group_start, library, "ncclGroupStart");
    find(&nccl.group_end, library, "ncclGroupEnd");
    find(&nccl.send, library, "ncclSend");
    find(&nccl.receive, library, "ncclRecv");
}

/* NCCL says of a full card no more than that CUDA failed. */
static void nccl_check(ncclResult_t r, const char *what)
{
    enum : size_t { LEAST = 256 << 20 };
    size_t free_bytes, total;
    if (r == ncclUnhandledCudaError && cudaMemGetInfo(&free_bytes, &total) == cudaSuccess &&
        free_bytes < LEAST)
        out_of_memory("what gpus say to each other (NCCL)", 0);
    if (r != ncclSuccess)
        die("cannot %s between gpus: %s", what, nccl.error_string(r));
}

void *ranks_share(int count) { return shared_make(count, 0); }

void ranks_join(int rank, int count, void *shared)
{
    ranks.rank = rank;
    ranks.count = count;
    ranks.shared = (shared_memory *)shared;
}

double ranks_greatest(double x) { return shared_greatest(x); }

int ranks_card(int cards)
{
    if (cards < ranks.count)
        die("%d gpus are needed, a rank on each, but there %s %d", ranks.count,
            cards == 1 ? "is" : "are", cards);
    return ranks.rank;
}

/* A word to everyone and from everyone: NCCL connects two cards when they first talk, and that takes
 * too long to be a part of the first step. */
static void greet(void)
{
    int n = 0, peer[MOST_RANKS];
    tensor to[MOST_RANKS], from[MOST_RANKS];
    size_t mark = scratch_mark();
    for (int r = 0; r < ranks.count; r++)
        if (r != ranks.rank) {
            peer[n] = r;
            to[n] = scratch(U8, 16);
            from[n] = scratch(U8, 16);
            zero(from[n++]);
        }
    exchange(n, peer, to, from);
    exchange_wait();
    device_wait();
    scratch_reset(mark);
}

void ranks_connect(void)
{
    static_assert(sizeof(ncclUniqueId) <= sizeof(shared_memory::id), "the id fits");
    if (!ranks.shared)
        return;
    nccl_open();
    setenv("NCCL_NVLS_ENABLE", "0", 0);
    setenv("NCCL_DEBUG_FILE", "/dev/stderr", 0); /* standard output is for the results */
    ncclUniqueId id;
    if (ranks.rank == 0) {
        nccl_check(nccl.unique_id(&id), "begin to talk");
        memcpy(ranks.shared->id, &id, sizeof id);
    }
    shared_wait();
    memcpy(&id, ranks.shared->id, sizeof id);
    nccl_check(nccl.init(&wires, ranks.count, id, ranks.rank), "talk");
    int least, greatest;
    cuda_check(cudaDeviceGetStreamPriorityRange(&least, &greatest), "ask for priorities");
    cuda_check(cudaStreamCreateWithPriority(&outside, cudaStreamNonBlocking, greatest),
               "make a stream");
    cuda_check(cudaEventCreateWithFlags(&asked, cudaEventDisableTiming), "make an event");
    cuda_check(cudaEventCreateWithFlags(&arrived, cudaEventDisableTiming), "make an event");
    greet();
}

void exchange(int n, const int peer[], const tensor y[], const tensor x[])
{
    assert(wires);
    cuda_check(cudaEventRecord(asked, stream), "exchange");
    cuda_check(cudaStreamWaitEvent(outside, asked, 0), "exchange");
    nccl_check(nccl.group_start(), "exchange");
    for (int i = 0; i < n; i++) {
        assert(peer[i] >= 0 && peer[i] < ranks.count && peer[i] != ranks.rank);
        assert(!x[i].data || tensor_contiguous(x[i]));
        assert(!y[i].data || tensor_contiguous(y[i]));
        if (x[i].data)
            nccl_check(nccl.send(x[i].data, tensor_bytes(x[i]), ncclInt8, peer[i], wires, outside),
                       "send");
        if (y[i].data)
            nccl_check(
                nccl.receive(y[i].data, tensor_bytes(y[i]), ncclInt8, peer[i], wires, outside),
                "receive");
    }
    nccl_check(nccl.group_end(), "exchange");
}

void exchange_wait(void)
{
    cuda_check(cudaEventRecord(arrived, outside), "exchange");
    cuda_check(cudaStreamWaitEvent(stream, arrived, 0), "exchange");
}
