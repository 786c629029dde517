/*
** planted.cu: mistakes that compute-sanitizer must find; a tool that finds none here proves nothing
** elsewhere.
**
**     planted outside | uninitialised | race
**
** outside and uninitialised go through the library: one op on an operand that is a row longer than
** its memory, and on one that nobody has written.
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

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*call)(void);
    } mistakes[] = {{"outside", outside}, {"uninitialised", uninitialised}, {"race", race}};
    program_name_set(argv[0]);
    device_open();
    for (auto &m : mistakes)
        if (argc == 2 && strcmp(argv[1], m.name) == 0) {
            m.call();
            device_wait();
            return 0;
        }
    die("usage: planted outside|uninitialised|race");
}
