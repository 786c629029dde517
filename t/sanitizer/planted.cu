/*
** planted.cu: mistakes that compute-sanitizer must find; a tool that finds none here proves nothing
** elsewhere. And what is no mistake, but taken for one.
**
**     planted outside | uninitialised | race | engine
**
** outside and uninitialised go through the library: one op on an operand that is a row longer than
** its memory, and on one that nobody has written: that shows in the sum if memory begins as NaN.
** engine is right: a block writes by the copy engine, which initcheck (13.0) does not see.
*/
#include <cstdio>

#include "../../kernels/cuda/common.cuh"

static void outside(void)
{
    tensor x = scratch(F32, 9, 64), y = scratch(F32, 8, 64);
    zero(x);
    zero(y);
    y.dim[0] = 9;
    add(x, y);
}

static void uninitialised(void)
{
    tensor x = scratch(F32, 9, 64), y = scratch(F32, 9, 64);
    zero(x);
    add(x, y);
    if (count_nonfinite(x))
        die("a sum is not finite");
}

/* Each thread reads what its neighbour writes. */
__global__ void unordered(float *y)
{
    __shared__ float s[64];
    s[threadIdx.x] = (float)threadIdx.x;
    y[threadIdx.x] = s[(threadIdx.x + 33) % 64];
}

static void race(void)
{
    tensor y = scratch(F32, 64);
    unordered<<<1, 64, 0, stream>>>((float *)y.data);
    LAUNCHED("a race");
}

/* 256 bytes of shared memory to y, as the epilogues of products on Hopper do it. */
__global__ void by_engine(float *y)
{
#if __CUDA_ARCH__ >= 900
    __shared__ alignas(128) float s[64];
    s[threadIdx.x] = (float)threadIdx.x;
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    __syncthreads();
    if (threadIdx.x == 0)
        asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], 256;\n"
                     "cp.async.bulk.commit_group;\n"
                     "cp.async.bulk.wait_group 0;" ::"l"(y),
                     "r"((unsigned)__cvta_generic_to_shared(s))
                     : "memory");
#endif
}

static void engine(void)
{
    tensor x = scratch(F32, 64), y = scratch(F32, 64);
    zero(x);
    by_engine<<<1, 64, 0, stream>>>((float *)y.data);
    LAUNCHED("a copy");
    add(x, y);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*call)(void);
    } mistakes[] = {
        {"outside", outside}, {"uninitialised", uninitialised}, {"race", race}, {"engine", engine}};
    program_name_set(argv[0]);
    device_open();
    for (auto &m : mistakes)
        if (argc == 2 && strcmp(argv[1], m.name) == 0) {
            m.call();
            device_wait();
            return 0;
        }
    die("usage: planted outside|uninitialised|race|engine");
}
