/*
** codes.cuh: a row's scale and its codes (kernels/cpu/activations.c says what they are), for kernels
** in which neighbouring threads hold a row in registers.
*/
#ifndef CODES_CUH
#define CODES_CUH

#include <cuda_fp8.h>

#include "common.cuh"

using e4m3_t = __nv_fp8_e4m3;

/* What a thread has seen of its row. */
struct row_size {
    float greatest = 0.0f, nothing = 0.0f; /* NaN once there was a NaN or an infinity */

    __device__ __forceinline__ void see(const float v[8])
    {
#pragma unroll
        for (int i = 0; i < 8; i++) {
            greatest = fmaxf(greatest, fabsf(v[i]));
            nothing += v[i] * 0.0f;
        }
    }

    /* That of the row, in every one of its threads; all threads of the block take part. partial: two
     * words for each warp. */
    __device__ __forceinline__ float scale(row_codes codes, int lanes, float (*partial)[8])
    {
        int within = lanes < 32 ? lanes : 32;
        greatest = lane_max(greatest, within);
        nothing = lane_sum(nothing, within);
        if (lanes > 32) {
            if (threadIdx.x % 32 == 0) {
                partial[0][threadIdx.x / 32] = greatest;
                partial[1][threadIdx.x / 32] = nothing;
            }
            __syncthreads();
            int first = threadIdx.x / lanes * (lanes / 32);
            for (int i = first; i < first + lanes / 32; i++) {
                greatest = fmaxf(greatest, partial[0][i]);
                nothing += partial[1][i];
            }
        }
        return greatest / (codes == ROWS_INT8   ? 127.0f
                           : codes == ROWS_INT4 ? 7.0f
                                                : 448.0f) +
               nothing;
    }
};

/* NaN stays NaN. */
__device__ __forceinline__ float clamped(float v, float most)
{
    v = v > most ? most : v;
    return v < -most ? -most : v;
}

/* The e4m3fn next to v, as F32: three bits behind the leading one; below 2^-6 multiples of 2^-9. */
__device__ __forceinline__ float e4m3_of(float v)
{
    uint32_t u = __float_as_uint(v), size = u & 0x7fffffffu;
    if (size > 0x7f800000u)
        return v;
    if (size < 0x3c800000u)
        return rintf(v * 512.0f) / 512.0f;
    return clamped(__uint_as_float((u + 0x7ffff + (u >> 20 & 1)) & 0xfff00000u), 448.0f);
}

/* v / s, whose row has the scale s. Within 2^64 of 1 the quotient is 1 / s times v, corrected twice by
** its exact remainder: the same bits as the division's (Markstein, IBM J. Res. Dev. 34, 1990), in a
** third of its steps. What is too small for that is rounded to 0. */
__device__ __forceinline__ void divide8(float v[8], float s)
{
    if (s >= 0x1p-64f && s <= 0x1p64f) {
        float r = 1.0f / s;
#pragma unroll
        for (int i = 0; i < 8; i++) {
            float q = v[i] * r;
            q = fmaf(fmaf(-s, q, v[i]), r, q);
            v[i] = fmaf(fmaf(-s, q, v[i]), r, q);
        }
    } else {
#pragma unroll
        for (int i = 0; i < 8; i++)
            v[i] = s == 0.0f ? 0.0f : v[i] / s;
    }
}

/* Eight quotients as the values that their codes stand for. */
template <class T>
__device__ __forceinline__ void store_coded(T *y, float v[8], float s, row_codes codes)
{
#pragma unroll
    for (int i = 0; i < 8; i++)
        v[i] = s * (codes == ROWS_FP8 ? e4m3_of(v[i])
                                      : clamped(rintf(v[i]), codes == ROWS_INT8 ? 127.0f : 7.0f));
    store8(y, v);
}

/* As codes. A sum with 1.5 * 2^23 is rounded to a whole number, whose last byte is the code; of |v|
** <= 127.001, as quotients are. */
__device__ __forceinline__ void store_coded(int8_t *y, float v[8], float, row_codes)
{
    uint32_t word[2];
#pragma unroll
    for (int k = 0; k < 2; k++) {
        uint32_t u[4];
#pragma unroll
        for (int i = 0; i < 4; i++)
            u[i] = __float_as_uint(v[4 * k + i] + 12582912.0f);
        word[k] =
            __byte_perm(__byte_perm(u[0], u[1], 0x0040), __byte_perm(u[2], u[3], 0x0040), 0x5410);
    }
    *(uint2 *)y = make_uint2(word[0], word[1]);
}

__device__ __forceinline__ void store_coded(e4m3_t *y, float v[8], float, row_codes)
{
    uint32_t word[2] = {};
#pragma unroll
    for (int i = 0; i < 8; i += 2) {
        __nv_fp8x2_storage_t two =
            __nv_cvt_float2_to_fp8x2(make_float2(v[i], v[i + 1]), __NV_SATFINITE, __NV_E4M3);
        word[i / 4] |= (uint32_t)two << 8 * (i % 4);
    }
    *(uint2 *)y = make_uint2(word[0], word[1]);
}

#endif
