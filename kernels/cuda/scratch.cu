/*
** scratch.cu: device memory as a stack, and two more for layers that pass through (layers.cu).
**
** A stack's address range is reserved once, as large as the card, and backed by memory from the
** bottom up as the stack first grows there. So the stack never moves, never fragments and never
** holds more than its high-water mark, which is what device_peak_bytes() reports. All its work is
** on one stream, so what is reset may be handed out again at once.
**
** The driver's virtual memory calls are found through the runtime: nothing links to libcuda, and
** the program starts, and says so, where there is no driver.
*/
#include <cuda.h>

#include "common.cuh"

enum { ALIGN = 256 };
enum : size_t { STEP = 32 << 20 }; /* grown by at least this much: few calls, little waste */

struct stack {
    CUdeviceptr base;
    size_t top, backed;
};
static stack stacks[STACKS], *now = stacks;
static size_t reserved, granularity; /* reserved for each */
static CUmemAllocationProp kind;

static struct {
    decltype(&cuMemGetAllocationGranularity) granularity;
    decltype(&cuMemAddressReserve) reserve;
    decltype(&cuMemCreate) create;
    decltype(&cuMemMap) map;
    decltype(&cuMemSetAccess) allow;
    decltype(&cuMemRelease) release;
} driver;

template <class F> static void find(F *f, const char *name)
{
    cudaDriverEntryPointQueryResult found;
#if CUDART_VERSION >= 12050
    cudaError_t e =
        cudaGetDriverEntryPointByVersion(name, (void **)f, 12000, cudaEnableDefault, &found);
#else
    cudaError_t e = cudaGetDriverEntryPoint(name, (void **)f, cudaEnableDefault, &found);
#endif
    cuda_check(e, name);
    if (found != cudaDriverEntryPointSuccess)
        die("the gpu's driver has no %s: it is too old", name);
}

static size_t round_up(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }

/* The driver's errors have the numbers of the runtime's. */
static void need(CUresult r, const char *what) { cuda_check((cudaError_t)r, what); }

static void find_driver(void)
{
    device_open();
    cuda_check(cudaFree(0), "start"); /* makes the context that the driver calls work in */
    find(&driver.granularity, "cuMemGetAllocationGranularity");
    find(&driver.reserve, "cuMemAddressReserve");
    find(&driver.create, "cuMemCreate");
    find(&driver.map, "cuMemMap");
    find(&driver.allow, "cuMemSetAccess");
    find(&driver.release, "cuMemRelease");

    kind.type = CU_MEM_ALLOCATION_TYPE_PINNED;
    kind.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
    kind.location.id = device_number;
    need(driver.granularity(&granularity, &kind, CU_MEM_ALLOC_GRANULARITY_MINIMUM),
         "ask for the page size");
    size_t free_bytes, total;
    cuda_check(cudaMemGetInfo(&free_bytes, &total), "ask for its memory");
    reserved = round_up(total, granularity);
}

static size_t all_backed(void)
{
    size_t sum = 0;
    for (const stack &s : stacks)
        sum += s.backed;
    return sum;
}

static bool back(size_t bytes)
{
    CUmemGenericAllocationHandle memory;
    CUresult r = now->backed + bytes > reserved ? CUDA_ERROR_OUT_OF_MEMORY
                                                : driver.create(&memory, bytes, &kind, 0);
    if (r == CUDA_ERROR_OUT_OF_MEMORY)
        return false;
    need(r, "get memory");
    CUdeviceptr end = now->base + now->backed;
    need(driver.map(end, bytes, 0, memory, 0), "map memory");
    CUmemAccessDesc access = {};
    access.location = kind.location;
    access.flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
    need(driver.allow(end, bytes, &access, 1), "use memory");
    need(driver.release(memory), "keep memory by its map"); /* the map holds it from here on */
    now->backed += bytes;
    device_count_bytes(all_backed());
    return true;
}

static void grow(size_t to, const char *what)
{
    size_t least = round_up(to - now->backed, granularity);
    if (back(least > STEP ? least : round_up(STEP, granularity)) || back(least))
        return;
    out_of_memory(what, least);
}

void scratch_use(int which)
{
    now = &stacks[which];
    if (which != MAIN_STACK)
        now->top = 0;
}

size_t scratch_mark(void) { return now->top; }

void *scratch_at(size_t mark) { return (char *)now->base + mark; }

void scratch_reset(size_t mark)
{
    assert(mark <= now->top);
    now->top = mark;
}

tensor scratch_tensor(tensor_type type, int rank, const int64_t *dim)
{
    if (!reserved)
        find_driver();
    if (!now->base)
        need(driver.reserve(&now->base, reserved, 0, 0, 0), "reserve addresses");
    tensor t = tensor_make(NULL, type, rank, dim);
    size_t end = now->top + round_up(tensor_bytes(t), ALIGN);
    if (end > now->backed)
        grow(end, tensor_text(t));
    t.data = (char *)now->base + now->top;
    now->top = end;
    return t;
}
