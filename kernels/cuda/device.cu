/*
** device.cu: claims the GPU, and says clearly why when it cannot.
**
** All work goes to one stream in order (but for layers.cu), so memory given back to the stack may
** be used again at once and nothing waits but what must: a download, count_nonfinite(), a clock. A
** kernel that faults is therefore noticed later, at such a wait or another launch, and cuda_check()
** says that the gpu failed, not what was asked for then. Nothing leaves the program but through a
** download, so nothing that a fault has spoilt is written.
** Finding the card starts the driver, 0.1 s, and takes almost none of its memory; claiming it makes
** a context, another 0.1 s and half a gigabyte on an H200.
*/
#include <cstdio>
#include <cstdlib>

#include "common.cuh"

cudaStream_t stream;
int device_number, device_sms, device_capability;
size_t device_shared_bytes;

static size_t kept, stacked, peak; /* bytes: by device_keep(), by the stack, the most of both */
static char device_title[288] = "cuda";
static const char *advice = "end what else uses the gpu, or use the program in build/cpu";

void device_advice(const char *text) { advice = text; }

void out_of_memory(const char *what, size_t bytes)
{
    enum : size_t { MB = 1 << 20 };
    size_t free_bytes = 0, total = 0;
    char needs[48] = "more memory", has[96] = "";
    if (bytes)
        snprintf(needs, sizeof needs, "%zu MB more", (bytes + MB - 1) / MB);
    if (cudaMemGetInfo(&free_bytes, &total) == cudaSuccess)
        snprintf(has, sizeof has, " and %zu of %zu MB are free", free_bytes / MB, total / MB);
    die("out of gpu memory: %s needs %s, %zu MB are in use here%s; %s", what, needs,
        (kept + stacked) / MB, has, advice);
}

/* Errors of a kernel that was running, which every call after it returns. */
static bool is_fault(cudaError_t e)
{
    switch (e) {
    case cudaErrorIllegalAddress:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorIllegalInstruction:
    case cudaErrorHardwareStackError:
    case cudaErrorAssert:
    case cudaErrorLaunchFailure:
    case cudaErrorLaunchTimeout:
    case cudaErrorECCUncorrectable: return true;
    default: return false;
    }
}

void cuda_check(cudaError_t e, const char *what)
{
    if (e == cudaSuccess)
        return;
    if (e == cudaErrorNoKernelImageForDevice || e == cudaErrorInvalidDeviceFunction ||
        e == cudaErrorUnsupportedPtxVersion)
        die("cannot %s: this program was not built for %s (compute capability %d.%d); "
            "build again with SMS naming it",
            what, device_title + 6, device_capability / 10, device_capability % 10);
    if (is_fault(e))
        die("the gpu failed: %s; it was found out when it was to %s", cudaGetErrorString(e), what);
    if (e == cudaErrorMemoryAllocation) {
        char to[160];
        snprintf(to, sizeof to, "to %s", what);
        out_of_memory(to, 0);
    }
    die("cannot %s on the gpu: %s", what, cudaGetErrorString(e));
}

enum { MARK = 2048 };

/* Never run: it has MARK ints of shared memory where it was compiled for Hopper's own instructions. */
static __global__ void hopper_mark(int *y)
{
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
    volatile __shared__ int mark[MARK];
    mark[threadIdx.x] = *y;
    __syncthreads();
    *y = mark[MARK - 1 - threadIdx.x];
#endif
}

/* Built without sm_90a, what runs here on Hopper was compiled for an older card, and the kernels of
 * *_hopper.cu are empty: then that card's ways are taken. */
static void built_paths(void)
{
    cudaFuncAttributes code;
    if (device_capability != 90)
        return;
    cuda_check(cudaFuncGetAttributes(&code, hopper_mark), "look at its code");
    if (code.sharedSizeBytes < MARK * sizeof(int))
        device_capability = 89;
}

/* WAN_CAPABILITY=80 takes the paths of a card that old, and no more shared memory than that has: how
** a newer one tests them. */
static void older_paths(void)
{
    const char *text = getenv("WAN_CAPABILITY");
    int asked = text ? atoi(text) : 0;
    size_t shared = asked == 86 || asked == 89 ? 99 << 10 : 163 << 10;
    if (asked <= 0 || asked >= device_capability)
        return;
    device_capability = asked;
    device_shared_bytes = shared < device_shared_bytes ? shared : device_shared_bytes;
}

/* How many there are. Dies with what is missing: the driver, a driver that is new enough, a card. */
static int count_cards(void)
{
    int count = 0, driver = 0;
    cudaError_t e = cudaGetDeviceCount(&count);
    if (e == cudaSuccess && count > 0)
        return count;
    if (e == cudaErrorInsufficientDriver && cudaDriverGetVersion(&driver) == cudaSuccess && driver)
        die("the gpu's driver is for CUDA %d.%d, but this program needs one for %d.%d; the "
            "programs in build/cpu need none",
            driver / 1000, driver % 1000 / 10, CUDART_VERSION / 1000, CUDART_VERSION % 1000 / 10);
    die("there is no gpu that can be used (%s); the programs in build/cpu need none",
        e == cudaErrorInsufficientDriver ? "no driver is installed"
        : e == cudaSuccess               ? "none found"
                                         : cudaGetErrorString(e));
}

void device_find(void)
{
    enum { OLDEST = 80 }; /* Ampere: BF16 tensor cores, asynchronous copies */
    if (device_sms)
        return;
    device_number = ranks_card(count_cards());
    cudaDeviceProp card;
    cuda_check(cudaGetDeviceProperties(&card, device_number), "ask for its properties");
    snprintf(device_title, sizeof device_title, "cuda: %s", card.name);
    device_capability = card.major * 10 + card.minor;
    device_sms = card.multiProcessorCount;
    device_shared_bytes = card.sharedMemPerBlockOptin;
    older_paths();
    if (device_capability < OLDEST)
        die("%s has compute capability %d.%d, but %d.%d is needed; the programs in build/cpu need "
            "no gpu",
            card.name, device_capability / 10, device_capability % 10, OLDEST / 10, OLDEST % 10);
}

void device_open(void)
{
    if (stream)
        return;
    device_find();
    cuda_check(cudaSetDevice(device_number), "use the card");
    built_paths();
    cuda_check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "make a stream");
    ranks_connect();
}

const char *device_kind(void) { return "cuda"; }

const char *device_name(void)
{
    device_open();
    return device_title;
}

const char *device_details(void) { return device_name(); }

tensor_type operand_type(tensor_type type) { return type == F16 || type == BF16 ? type : F32; }

void device_wait(void) { cuda_check(cudaStreamSynchronize(stream), "finish the work"); }

size_t device_peak_bytes(void) { return peak; }

void device_count_bytes(size_t stack_held)
{
    stacked = stack_held;
    if (kept + stacked > peak)
        peak = kept + stacked;
}

void *device_keep(size_t bytes, const char *what)
{
    void *p;
    device_open();
    cudaError_t e = cudaMalloc(&p, bytes);
    if (e == cudaErrorMemoryAllocation)
        out_of_memory(what, bytes);
    cuda_check(e, "get memory");
    kept += bytes;
    device_count_bytes(stacked);
    return p;
}

void *device_pin(size_t bytes)
{
    void *p;
    cudaError_t e = cudaMallocHost(&p, bytes);
    if (e == cudaErrorMemoryAllocation)
        die("out of memory: cannot pin %zu MB of the host's for the way to the gpu and back",
            (bytes + (1 << 20) - 1) >> 20);
    cuda_check(e, "pin memory");
    return p;
}
