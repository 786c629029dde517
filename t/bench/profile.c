/*
** profile.c: what every kernel of a program takes, by CUPTI, in a program that knows nothing of it:
**
**     LD_PRELOAD=build/cuda/t/bench/profile.so PROFILE=FILE build/cuda/wan-denoise ...
**
** writes a line for each kernel, in the order of their starts: when it began, how long it took (both in
** us) and its name. On Hopper a kernel comes up while the one before it ends, so such times overlap and do
** not add up: PROFILE_ALONE=1 takes that from the launches, and each waits for the one before it.
** profile.sh makes a table of them.
*/
#include <cuda_runtime_api.h>
#include <cupti.h>
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUFFER = 8 << 20 };

static struct kernel {
    uint64_t start, end;
    char *name;
} * kernels;
static size_t count, room;

static void need(CUptiResult r, const char *what)
{
    const char *why = "";
    if (r == CUPTI_SUCCESS)
        return;
    cuptiGetResultString(r, &why);
    fprintf(stderr, "profile: cannot %s: %s\n", what, why);
    _exit(1);
}

static void CUPTIAPI give(uint8_t **buffer, size_t *size, size_t *most)
{
    *buffer = aligned_alloc(64, BUFFER);
    *size = BUFFER;
    *most = 0;
}

static void CUPTIAPI take(CUcontext context, uint32_t stream, uint8_t *buffer, size_t size,
                          size_t valid)
{
    CUpti_Activity *a = NULL;
    (void)context, (void)stream, (void)size;
    while (cuptiActivityGetNextRecord(buffer, valid, &a) == CUPTI_SUCCESS) {
        const CUpti_ActivityKernel10 *k = (void *)a;
        if (a->kind != CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL)
            continue;
        if (count == room)
            kernels = realloc(kernels, (room = room * 2 + 4096) * sizeof *kernels);
        kernels[count++] = (struct kernel){k->start, k->end, strdup(k->name)};
    }
    free(buffer);
}

static int by_start(const void *a, const void *b)
{
    const struct kernel *x = a, *y = b;
    return x->start < y->start ? -1 : x->start > y->start;
}

static void finish(void)
{
    FILE *f = fopen(getenv("PROFILE"), "w");
    need(cuptiActivityFlushAll(1), "end");
    qsort(kernels, count, sizeof *kernels, by_start);
    for (size_t i = 0; f && i < count; i++)
        fprintf(f, "%.3f\t%.3f\t%s\n", (double)(kernels[i].start - kernels[0].start) / 1e3,
                (double)(kernels[i].end - kernels[i].start) / 1e3, kernels[i].name);
    if (!f || fclose(f) != 0)
        perror("profile: cannot write $PROFILE");
}

__attribute__((constructor)) static void begin(void)
{
    if (!getenv("PROFILE"))
        return;
    need(cuptiActivityRegisterCallbacks(give, take), "begin");
    need(cuptiActivityEnable(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL), "begin");
    atexit(finish);
}

/* A launch; with PROFILE_ALONE one that waits for the end of the kernel before it. */
cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t *c, const void *kernel, void **arguments)
{
    static cudaError_t (*real)(const cudaLaunchConfig_t *, const void *, void **);
    cudaLaunchConfig_t alone = *c;
    cudaLaunchAttribute kept[8];
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "cudaLaunchKernelExC");
    if (getenv("PROFILE_ALONE") && c->numAttrs <= 8) {
        alone.attrs = kept;
        alone.numAttrs = 0;
        for (unsigned i = 0; i < c->numAttrs; i++)
            if (c->attrs[i].id != cudaLaunchAttributeProgrammaticStreamSerialization)
                kept[alone.numAttrs++] = c->attrs[i];
    }
    return real(&alone, kernel, arguments);
}
