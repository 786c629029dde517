/*
** mma.cuh: the tensor cores as they are from sm_80 on: mma.sync m16n8k16, ldmatrix, cp.async, mbarrier.
**
** A tile in shared memory is rows of 16-byte chunks. Chunk c of row r stands at c ^ (r mod 8) when
** a row has eight chunks or more: the eight rows that ldmatrix reads at once then lie in eight
** different groups of banks. Lane l of a warp holds, of a 16 x 8 result, row l/4 (c[0], c[1]) and
** row l/4 + 8 (c[2], c[3]) at columns 2 (l mod 4) and the next.
*/
#ifndef MMA_CUH
#define MMA_CUH

#include "common.cuh"

__device__ __forceinline__ uint32_t shared_address(const void *p)
{
    return (uint32_t)__cvta_generic_to_shared(p);
}

/* c += a b for one 16 x 8 x 16 block; operands T, sums F32. */
template <class T>
__device__ __forceinline__ void mma(float c[4], const uint32_t a[4], uint32_t b0, uint32_t b1)
{
    if constexpr (std::is_same_v<T, half_t>)
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
                     "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                     : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
    else
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                     "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                     : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/* The same over 32 values: codes, whose sums are exact. */
template <class T>
__device__ __forceinline__ void mma(int c[4], const uint32_t a[4], uint32_t b0, uint32_t b1)
{
    static_assert(std::is_same_v<T, int8_t>);
    asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 "
                 "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/* The same where a has bytes without a sign. */
__device__ __forceinline__ void mma_unsigned(int c[4], const uint32_t a[4], uint32_t b0,
                                             uint32_t b1)
{
    asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 "
                 "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/* Four 8 x 8 blocks; lane l gives the address of row l mod 8 of block l / 8. */
__device__ __forceinline__ void load_blocks(uint32_t r[4], uint32_t address)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address));
}

__device__ __forceinline__ void load_blocks_transposed(uint32_t r[4], uint32_t address)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address));
}

/* ---- shared memory by its address ---- */

__device__ __forceinline__ float load_float(uint32_t shared)
{
    float x;
    asm volatile("ld.shared.f32 %0, [%1];" : "=f"(x) : "r"(shared));
    return x;
}

__device__ __forceinline__ uint4 load_chunk(uint32_t shared)
{
    uint4 u;
    asm volatile("ld.shared.v4.u32 {%0,%1,%2,%3}, [%4];"
                 : "=r"(u.x), "=r"(u.y), "=r"(u.z), "=r"(u.w)
                 : "r"(shared)
                 : "memory");
    return u;
}

__device__ __forceinline__ void store_word(uint32_t shared, uint32_t word)
{
    asm volatile("st.shared.u32 [%0], %1;" ::"r"(shared), "r"(word) : "memory");
}

/* 16 bytes from device to shared memory behind the program's back; zeros instead if not `there`
** (nothing is read then). */
__device__ __forceinline__ void copy_chunk(uint32_t shared, const void *global, bool there)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared), "l"(global),
                 "r"(there ? 16 : 0)
                 : "memory");
}

/* So many of them, and zeros. */
__device__ __forceinline__ void copy_bytes(uint32_t shared, const void *global, int bytes)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared), "l"(global),
                 "r"(bytes)
                 : "memory");
}

/* All of them. */
__device__ __forceinline__ void copy_chunk(uint32_t shared, const void *global)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared), "l"(global) : "memory");
}

/* The same through the first-level cache: for what the same block reads again soon. */
__device__ __forceinline__ void copy_chunk_cached(uint32_t shared, const void *global, bool there)
{
    asm volatile("cp.async.ca.shared.global [%0], [%1], 16, %2;" ::"r"(shared), "l"(global),
                 "r"(there ? 16 : 0)
                 : "memory");
}

/* Four bytes, which only this way has. */
__device__ __forceinline__ void copy_word(uint32_t shared, const void *global)
{
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(shared), "l"(global) : "memory");
}

__device__ __forceinline__ void copies_commit() { asm volatile("cp.async.commit_group;"); }

/* Until at most N of the committed groups are under way. */
template <int N> __device__ __forceinline__ void copies_wait()
{
    asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}

/* ---- barriers in shared memory: a phase ends when `count` have arrived; of a new barrier the phase
** of parity 1 is over ---- */

__device__ __forceinline__ void barrier_init(uint32_t barrier, int count)
{
    asm volatile("mbarrier.init.shared.b64 [%0], %1;" ::"r"(barrier), "r"(count) : "memory");
}

__device__ __forceinline__ void barrier_arrive(uint32_t barrier)
{
    asm volatile("mbarrier.arrive.shared.b64 _, [%0];" ::"r"(barrier) : "memory");
}

/* Is the phase of this parity over? */
__device__ __forceinline__ bool barrier_over(uint32_t barrier, int parity)
{
    uint32_t over;
    asm volatile("{\n"
                 ".reg .pred done;\n"
                 "mbarrier.test_wait.parity.shared.b64 done, [%1], %2;\n"
                 "selp.u32 %0, 1, 0, done;\n"
                 "}"
                 : "=r"(over)
                 : "r"(barrier), "r"(parity)
                 : "memory");
    return over;
}

/* The calling thread arrives when what it copies has come. */
__device__ __forceinline__ void barrier_copies(uint32_t barrier)
{
    asm volatile("cp.async.mbarrier.arrive.noinc.shared.b64 [%0];" ::"r"(barrier) : "memory");
}

/* Two sums of F16. */
__device__ __forceinline__ uint32_t add_f16(uint32_t a, uint32_t b)
{
    asm("add.rn.f16x2 %0, %0, %1;" : "+r"(a) : "r"(b));
    return a;
}

__device__ __forceinline__ float exp2_fast(float x)
{
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

/* r [4] of lanes 4i .. 4i + 3 as a matrix, transposed: each has what all had for it. */
__device__ __forceinline__ void transpose(uint32_t (&r)[4], int lane)
{
#pragma unroll
    for (int step = 1; step < 4; step *= 2) {
        bool high = lane & step;
#pragma unroll
        for (int i = 0; i < 2; i++) {
            uint32_t &a = r[step == 1 ? 2 * i : i], &b = r[step == 1 ? 2 * i + 1 : i + 2];
            uint32_t other = __shfl_xor_sync(0xffffffffu, high ? a : b, step);
            (high ? a : b) = other;
        }
    }
}

#endif
