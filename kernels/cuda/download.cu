/*
** download.cu: from device to host while the device goes on. The bytes cross into pinned memory, to
** which the bus writes by itself, and are copied from there once an event says that they are there.
** Floor: bytes over the bus, and over the host's memory.
*/
#include "common.cuh"

enum { MOST = 4 };

static struct {
    void *pinned;
    size_t capacity;
    tensor host; /* where the bytes go */
} pending[MOST];
static int started;
static cudaEvent_t crossed;

void download_start(tensor host, tensor x)
{
    check_pair(host.type == x.type && tensor_count(host) == tensor_count(x), "download", host, x);
    assert(started < MOST && tensor_contiguous(host) && tensor_contiguous(x));
    auto *p = &pending[started++];
    size_t n = tensor_bytes(x);
    if (!crossed)
        cuda_check(cudaEventCreateWithFlags(&crossed, cudaEventDisableTiming), "make an event");
    if (n > p->capacity) {
        if (p->pinned)
            cuda_check(cudaFreeHost(p->pinned), "give back pinned memory");
        p->pinned = device_pin(n);
        p->capacity = n;
    }
    p->host = host;
    cuda_check(cudaMemcpyAsync(p->pinned, x.data, n, cudaMemcpyDeviceToHost, stream),
               "fetch a result");
    cuda_check(cudaEventRecord(crossed, stream), "fetch a result");
}

void download_finish(void)
{
    if (started)
        cuda_check(cudaEventSynchronize(crossed), "fetch a result");
    for (int i = 0; i < started; i++)
        memcpy(pending[i].host.data, pending[i].pinned, tensor_bytes(pending[i].host));
    started = 0;
}
