/*
** preload.c: makes calls of CUDA fail on purpose, in a program that knows nothing of it:
**
**     LD_PRELOAD=build/cuda/t/faults/preload.so FAULT=kernel=40 build/cuda/wan-denoise ...
**
**     driver      the driver is older than the program          (these two need no GPU)
**     old         the card's compute capability is 7.5
**     context     the card has no memory left for a context
**     memory=N    the card has N MB
**     pinned      the host has no memory to pin
**     cublas=N    the Nth product fails
**     kernel=N    from the Nth on, kernels that take a device pointer first are given one that points
**                 nowhere: a fault on the card, which is noticed later
**     count       nothing fails: says at the end how many kernels there were to count for that
**
** Only what kernels/cuda calls through the dynamic linker can be seen from here.
*/
#include <cublasLt.h>
#include <cuda.h>
#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Is this the fault that is wanted? *n: its number, or 0. */
static int wanted(const char *fault, long *n)
{
    const char *text = getenv("FAULT");
    size_t length = strlen(fault);
    if (!text || strncmp(text, fault, length) != 0)
        return 0;
    *n = text[length] == '=' ? atol(text + length + 1) : 0;
    return text[length] == '=' || text[length] == 0;
}

static int is_wanted(const char *fault)
{
    long n;
    return wanted(fault, &n);
}

/* The call itself. */
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* ---- before there is a device ---- */

cudaError_t cudaGetDeviceCount(int *count)
{
    if (is_wanted("driver"))
        return cudaErrorInsufficientDriver;
    if (!is_wanted("old"))
        return REAL(cudaGetDeviceCount)(count);
    *count = 1;
    return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int *version)
{
    if (!is_wanted("driver"))
        return REAL(cudaDriverGetVersion)(version);
    *version = 11080;
    return cudaSuccess;
}

/* Older toolkits' programs call it by another name. */
static cudaError_t properties(const char *name, struct cudaDeviceProp *p, int device)
{
    cudaError_t (*real)(struct cudaDeviceProp *, int);
    *(void **)&real = dlsym(RTLD_NEXT, name);
    if (!is_wanted("old"))
        return real(p, device);
    memset(p, 0, sizeof *p);
    strcpy(p->name, "NVIDIA Turing");
    p->major = 7;
    p->minor = 5;
    return cudaSuccess;
}

#undef cudaGetDeviceProperties
cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *p, int device)
{
    return properties("cudaGetDeviceProperties", p, device);
}

cudaError_t cudaGetDeviceProperties_v2(struct cudaDeviceProp *p, int device)
{
    return properties("cudaGetDeviceProperties_v2", p, device);
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags)
{
    if (is_wanted("context"))
        return cudaErrorMemoryAllocation;
    return REAL(cudaStreamCreateWithFlags)(stream, flags);
}

/* ---- memory ---- */

/* Counts so many bytes more; is that too many? */
static int too_many(size_t bytes)
{
    static size_t taken;
    long most;
    if (!wanted("memory", &most))
        return 0;
    if (taken + bytes > (size_t)most << 20)
        return 1;
    taken += bytes;
    return 0;
}

cudaError_t cudaMalloc(void **p, size_t bytes)
{
    return too_many(bytes) ? cudaErrorMemoryAllocation : REAL(cudaMalloc)(p, bytes);
}

static CUresult (*real_create)(CUmemGenericAllocationHandle *, size_t, const CUmemAllocationProp *,
                               unsigned long long);

static CUresult create(CUmemGenericAllocationHandle *h, size_t bytes,
                       const CUmemAllocationProp *kind, unsigned long long flags)
{
    return too_many(bytes) ? CUDA_ERROR_OUT_OF_MEMORY : real_create(h, bytes, kind, flags);
}

#if CUDART_VERSION >= 12050
cudaError_t cudaGetDriverEntryPointByVersion(const char *name, void **f, unsigned version,
                                             unsigned long long flags,
                                             enum cudaDriverEntryPointQueryResult *found)
{
    cudaError_t e = REAL(cudaGetDriverEntryPointByVersion)(name, f, version, flags, found);
#else
cudaError_t cudaGetDriverEntryPoint(const char *name, void **f, unsigned long long flags,
                                    enum cudaDriverEntryPointQueryResult *found)
{
    cudaError_t e = REAL(cudaGetDriverEntryPoint)(name, f, flags, found);
#endif
    if (e == cudaSuccess && strcmp(name, "cuMemCreate") == 0) {
        *(void **)&real_create = *f;
        *(void **)f = (void *)create;
    }
    return e;
}

cudaError_t cudaMallocHost(void **p, size_t bytes)
{
    return is_wanted("pinned") ? cudaErrorMemoryAllocation : REAL(cudaMallocHost)(p, bytes);
}

cudaError_t cudaHostAlloc(void **p, size_t bytes, unsigned flags)
{
    return is_wanted("pinned") ? cudaErrorMemoryAllocation : REAL(cudaHostAlloc)(p, bytes, flags);
}

/* ---- work ---- */

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t product,
                              const void *alpha, const void *A, cublasLtMatrixLayout_t a,
                              const void *B, cublasLtMatrixLayout_t b, const void *beta,
                              const void *C, cublasLtMatrixLayout_t c, void *D,
                              cublasLtMatrixLayout_t d, const cublasLtMatmulAlgo_t *algorithm,
                              void *room, size_t bytes, cudaStream_t stream)
{
    static long calls;
    long n;
    if (wanted("cublas", &n) && ++calls == n)
        return CUBLAS_STATUS_EXECUTION_FAILED;
    return REAL(cublasLtMatmul)(handle, product, alpha, A, a, B, b, beta, C, c, D, d, algorithm,
                                room, bytes, stream);
}

static long launches;

__attribute__((destructor)) static void say_count(void)
{
    if (is_wanted("count"))
        fprintf(stderr, "%ld\n", launches);
}

/* args[0] points to the copy of the first argument that will go to the card. */
static void spoil(void **args)
{
    struct cudaPointerAttributes what;
    void *first;
    long n;
    if (++launches, !wanted("kernel", &n) || launches < n)
        return;
    memcpy(&first, args[0], sizeof first);
    if ((uintptr_t)first >> 32 && cudaPointerGetAttributes(&what, first) == cudaSuccess &&
        what.type == cudaMemoryTypeDevice)
        memset(args[0], 0, sizeof first);
}

cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void **args,
                               size_t shared, cudaStream_t stream)
{
    static cudaError_t (*real)(cudaKernel_t, dim3, dim3, void **, size_t, cudaStream_t);
    *(void **)&real = dlsym(RTLD_NEXT, "__cudaLaunchKernel");
    spoil(args);
    return real(kernel, grid, block, args, shared, stream);
}

cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t *config, const void *kernel, void **args)
{
    spoil(args);
    return REAL(cudaLaunchKernelExC)(config, kernel, args);
}

cudaError_t cudaLaunchKernel(const void *kernel, dim3 grid, dim3 block, void **args, size_t shared,
                             cudaStream_t stream)
{
    spoil(args);
    return REAL(cudaLaunchKernel)(kernel, grid, block, args, shared, stream);
}
