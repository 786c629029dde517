/*
** hadamard.cuh: 256 values that a warp holds, eight neighbours a lane, rotated by the regular
** Hadamard matrix (kernels/cpu/hadamard.c).
**
** The quads at distance 1 lie in a lane, those at 4 in two, at 16 and 64 in four. A quad's sum comes by
** shuffles, and so does the opposite value, whose index has both bits of its base-4 digit flipped.
** Sums are F32.
*/
#ifndef HADAMARD_CUH
#define HADAMARD_CUH

#include "common.cuh"

__device__ __forceinline__ float hadamard_other(float v, int lanes)
{
    return __shfl_xor_sync(0xffffffffu, v, lanes);
}

__device__ __forceinline__ void hadamard256(float v[8])
{
    float w[8];
#pragma unroll
    for (int q = 0; q < 8; q += 4) {
        float half = ((v[q] + v[q + 1]) + (v[q + 2] + v[q + 3])) * 0.5f;
#pragma unroll
        for (int i = 0; i < 4; i++)
            w[q + i] = half - v[q + 3 - i];
    }
#pragma unroll
    for (int i = 0; i < 8; i++) { /* distance 4: i + 4, and the next lane */
        float sum = w[i] + w[i ^ 4];
        v[i] = (sum + hadamard_other(sum, 1)) * 0.5f - hadamard_other(w[i ^ 4], 1);
    }
#pragma unroll
    for (int step = 2; step < 32; step *= 4)
#pragma unroll
        for (int i = 0; i < 8; i++) {
            float sum = v[i] + hadamard_other(v[i], step);
            sum += hadamard_other(sum, 2 * step);
            v[i] = sum * 0.5f - hadamard_other(v[i], 3 * step);
        }
}

#endif
