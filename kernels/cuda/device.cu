/*
** device.cu: claims the GPU, and says clearly why when it cannot.
**
** All work goes to one stream in order, so memory given back to the stack may be used again at once
** and nothing waits but what must: a download, count_nonfinite(), a clock. A kernel that faults is
** therefore noticed at the next such wait, by cuda_check().
*/
#include <cstdio>
#include <cstdlib>

#include "common.cuh"

cudaStream_t stream;
int device_number, device_sms, device_capability;
size_t device_shared_bytes;

static size_t kept, peak;
static char device_title[288] = "cuda";

void cuda_check(cudaError_t e, const char *what)
{
    if (e == cudaSuccess)
        return;
    if (e == cudaErrorNoKernelImageForDevice || e == cudaErrorInvalidDeviceFunction ||
        e == cudaErrorUnsupportedPtxVersion)
        die("cannot %s: this program was not built for %s (compute capability %d.%d); "
            "build again with SMS naming it",
            what, device_title + 6, device_capability / 10, device_capability % 10);
    die("cannot %s on the gpu: %s", what, cudaGetErrorString(e));
}

/* WAN_CAPABILITY=80 takes the paths of a card that old: how a newer one tests them. */
static void older_paths(void)
{
    const char *text = getenv("WAN_CAPABILITY");
    int asked = text ? atoi(text) : 0;
    if (asked > 0 && asked < device_capability)
        device_capability = asked;
}

void device_open(void)
{
    enum { OLDEST = 80 }; /* Ampere: BF16 tensor cores, asynchronous copies */
    if (stream)
        return;
    int count = 0;
    cudaError_t e = cudaGetDeviceCount(&count);
    if (e != cudaSuccess || count == 0)
        die("there is no gpu that can be used (%s); the programs in build/cpu need none",
            e == cudaSuccess ? "none found" : cudaGetErrorString(e));

    device_number = ranks_card(count);
    cudaDeviceProp card;
    cuda_check(cudaGetDeviceProperties(&card, device_number), "ask for its properties");
    snprintf(device_title, sizeof device_title, "cuda: %s", card.name);
    device_capability = card.major * 10 + card.minor;
    older_paths();
    device_sms = card.multiProcessorCount;
    device_shared_bytes = card.sharedMemPerBlockOptin;
    if (device_capability < OLDEST)
        die("%s has compute capability %d.%d, but %d.%d is needed; the programs in build/cpu need "
            "no gpu",
            card.name, device_capability / 10, device_capability % 10, OLDEST / 10, OLDEST % 10);

    cuda_check(cudaSetDevice(device_number), "use the card");
    cuda_check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "make a stream");
    ranks_connect();
}

const char *device_name(void)
{
    device_open();
    return device_title;
}

tensor_type operand_type(tensor_type stored)
{
    return stored == F16 || stored == BF16 ? stored : F32;
}

void device_wait(void) { cuda_check(cudaStreamSynchronize(stream), "finish the work"); }

size_t device_peak_bytes(void) { return peak; }

void device_count_bytes(size_t stack_held)
{
    if (kept + stack_held > peak)
        peak = kept + stack_held;
}

void *device_keep(size_t bytes, const char *what)
{
    void *p;
    device_open();
    cudaError_t e = cudaMalloc(&p, bytes);
    if (e == cudaErrorMemoryAllocation) {
        size_t free_bytes = 0, total = 0;
        cudaMemGetInfo(&free_bytes, &total);
        die("out of gpu memory: %zu MB are needed for %s, %zu of %zu MB are free", bytes >> 20,
            what, free_bytes >> 20, total >> 20);
    }
    cuda_check(e, "get memory");
    kept += bytes;
    if (kept > peak)
        peak = kept;
    return p;
}
