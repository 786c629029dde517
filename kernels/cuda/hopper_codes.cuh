/*
** hopper_codes.cuh: wgmma of 8-bit codes: m64nNk32. Both operands are in shared memory, K-major
** (contiguous along the inner dimension): wgmma has no other layout for these types. Sums of I8 are
** I32 and exact; those of e4m3 are F32 registers, but the hardware keeps about 14 bits as it adds.
*/
#ifndef HOPPER_CODES_CUH
#define HOPPER_CODES_CUH

#include "codes.cuh"
#include "hopper.cuh"

/* The accumulators' type for products of T. */
template <class T> using sum_of = std::conditional_t<std::is_same_v<T, int8_t>, int, float>;

/* As pin() of floats in hopper.cuh, for integers. */
template <int N> __device__ __forceinline__ void pin(int (&x)[N])
{
#pragma unroll
    for (int i = 0; i < N; i++)
        asm volatile("" : "+r"(x[i])::"memory");
}

#define WGMMA_I8(d, i)                                                                             \
    "+r"(d[i]), "+r"(d[i + 1]), "+r"(d[i + 2]), "+r"(d[i + 3]), "+r"(d[i + 4]), "+r"(d[i + 5]),    \
        "+r"(d[i + 6]), "+r"(d[i + 7])
#define WGMMA_I32(d, i) WGMMA_I8(d, i), WGMMA_I8(d, i + 8), WGMMA_I8(d, i + 16), WGMMA_I8(d, i + 24)
#define WGMMA_I64(d) WGMMA_I32(d, 0), WGMMA_I32(d, 32)
#define WGMMA_I96(d) WGMMA_I64(d), WGMMA_I32(d, 64)

/* d [64, N] (+)= a b^T: a [64, 32] and b [N, 32]; d has N / 2 registers; not added if fresh. */
#define WGMMA_CODES(n, types, registers, list, a_at, b_at, fresh_at, signs)                        \
    asm volatile("{\n.reg .pred add;\nsetp.eq.b32 add, %" fresh_at ", 0;\n"                        \
                 "wgmma.mma_async.sync.aligned.m64n" n "k32." types " " registers ", %" a_at       \
                 ", %" b_at ", add" signs ";\n}"                                                   \
                 : list(d)                                                                         \
                 : "l"(a), "l"(b), "r"((int)fresh))
__device__ __forceinline__ void product_codes(int (&d)[64], uint64_t a, uint64_t b, bool fresh)
{
    WGMMA_CODES("128", "s32.s8.s8", WGMMA_R64, WGMMA_I64, "64", "65", "66", "");
}
__device__ __forceinline__ void product_codes(int (&d)[96], uint64_t a, uint64_t b, bool fresh)
{
    WGMMA_CODES("192", "s32.s8.s8", WGMMA_R96, WGMMA_I96, "96", "97", "98", "");
}
__device__ __forceinline__ void product_codes(float (&d)[48], uint64_t a, uint64_t b, bool fresh)
{
    WGMMA_CODES("96", "f32.e4m3.e4m3", WGMMA_R48, WGMMA_F48, "48", "49", "50", ", 1, 1");
}
__device__ __forceinline__ void product_codes(float (&d)[64], uint64_t a, uint64_t b, bool fresh)
{
    WGMMA_CODES("128", "f32.e4m3.e4m3", WGMMA_R64, WGMMA_F64, "64", "65", "66", ", 1, 1");
}
__device__ __forceinline__ void product_codes(float (&d)[96], uint64_t a, uint64_t b, bool fresh)
{
    WGMMA_CODES("192", "f32.e4m3.e4m3", WGMMA_R96, WGMMA_F96, "96", "97", "98", ", 1, 1");
}

#endif
