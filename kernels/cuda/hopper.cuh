/*
** hopper.cuh: what only Hopper has (sm_90a), by house words and PTX's: the copy engine for tiles
** (TMA: cp.async.bulk.tensor, described by a CUtensorMap), barriers that count its bytes (mbarrier
** with expect_tx), clusters of blocks that share what it brings (multicast::cluster), and products
** (wgmma.mma_async), by which a warpgroup, 128 threads, multiplies straight out of shared memory.
**
** Every tile here is rows of 128 bytes (or 64), written by the copy engine with the swizzle of
** that width: address bits 4-6 (4-5) are xored with bits 7-9 (7-8). So chunk c of a 128-byte row
** r stands at c ^ (r mod 8), and tiles begin at multiples of 1024 bytes. An operand is named by a
** descriptor: where it begins and how far its blocks of eight rows are apart. Since the swizzle
** is of the address, an operand may begin at any row of a tile, and its blocks may be any number
** of rows apart (measured on an H200); the convolution rests on that.
*/
#ifndef HOPPER_CUH
#define HOPPER_CUH

#include <cuda.h>

#include "common.cuh"
#include "mma.cuh"

/* A view of device memory for the copy engine; dim[0] is contiguous, stride[i] is the bytes from
** one to the next of dim[i + 1]. A box is 128 or 64 bytes wide; what it has outside of dim
** arrives as zeros and is not written. */
CUtensorMap tile_map(tensor_type type, const void *data, int rank, const int64_t dim[],
                     const int64_t stride[], const int box[]);

/* ---- barriers (mma.cuh) that also wait for bytes: for all that are expected ---- */

/* By one lane of a warp. */
__device__ __forceinline__ void barrier_arrive_once(uint32_t barrier)
{
    asm volatile("{\n"
                 ".reg .pred one;\n"
                 "elect.sync _|one, 0xffffffff;\n"
                 "@one mbarrier.arrive.shared.b64 _, [%0];\n"
                 "}" ::"r"(barrier)
                 : "memory");
}

__device__ __forceinline__ void barrier_expect(uint32_t barrier, int bytes)
{
    asm volatile("mbarrier.arrive.expect_tx.shared.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes)
                 : "memory");
}

/* Until the phase of this parity is over. */
__device__ __forceinline__ void barrier_wait(uint32_t barrier, int parity)
{
    asm volatile("{\n"
                 ".reg .pred done;\n"
                 "again:\n"
                 "mbarrier.try_wait.parity.shared.b64 done, [%0], %1;\n"
                 "@!done bra again;\n"
                 "}" ::"r"(barrier),
                 "r"(parity)
                 : "memory");
}

/* Named barriers: among `threads` threads of the block; arrive does not wait. */
__device__ __forceinline__ void group_sync(int id, int threads)
{
    asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

__device__ __forceinline__ void group_arrive(int id, int threads)
{
    asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

/* ---- the copy engine: cp.async.bulk.tensor ---- */

__device__ __forceinline__ void tile_fetch(uint32_t shared, const CUtensorMap *map,
                                           uint32_t barrier, int c0, int c1)
{
    asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes "
                 "[%0], [%1, {%3, %4}], [%2];" ::"r"(shared),
                 "l"(map), "r"(barrier), "r"(c0), "r"(c1)
                 : "memory");
}

__device__ __forceinline__ void tile_fetch(uint32_t shared, const CUtensorMap *map,
                                           uint32_t barrier, int c0, int c1, int c2)
{
    asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes "
                 "[%0], [%1, {%3, %4, %5}], [%2];" ::"r"(shared),
                 "l"(map), "r"(barrier), "r"(c0), "r"(c1), "r"(c2)
                 : "memory");
}

__device__ __forceinline__ void tile_fetch(uint32_t shared, const CUtensorMap *map,
                                           uint32_t barrier, int c0, int c1, int c2, int c3)
{
    asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes "
                 "[%0], [%1, {%3, %4, %5, %6}], [%2];" ::"r"(shared),
                 "l"(map), "r"(barrier), "r"(c0), "r"(c1), "r"(c2), "r"(c3)
                 : "memory");
}

/* From shared memory; the thread's earlier ones are read out before stores_read() returns, and done
** before stores_done() does. */
__device__ __forceinline__ void tile_store(const CUtensorMap *map, uint32_t shared, int c0, int c1)
{
    asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%0, {%2, %3}], [%1];\n"
                 "cp.async.bulk.commit_group;" ::"l"(map),
                 "r"(shared), "r"(c0), "r"(c1)
                 : "memory");
}

/* What is there, plus this: F32, summed where the memory is. */
__device__ __forceinline__ void tile_add(const CUtensorMap *map, uint32_t shared, int c0, int c1)
{
    asm volatile(
        "cp.reduce.async.bulk.tensor.2d.global.shared::cta.add.bulk_group [%0, {%2, %3}], [%1];\n"
        "cp.async.bulk.commit_group;" ::"l"(map),
        "r"(shared), "r"(c0), "r"(c1)
        : "memory");
}

__device__ __forceinline__ void stores_read()
{
    asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory");
}

__device__ __forceinline__ void stores_done()
{
    asm volatile("cp.async.bulk.wait_group 0;" ::: "memory");
}

/* Four 8 x 8 blocks of 16 bits; lane l gives the address of row l mod 8 of block l / 8. */
__device__ __forceinline__ void store_blocks(uint32_t address, uint32_t a, uint32_t b, uint32_t c,
                                             uint32_t d)
{
    asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1,%2,%3,%4};" ::"r"(address),
                 "r"(a), "r"(b), "r"(c), "r"(d)
                 : "memory");
}

/* fence.proxy.async: before the copy engine reads what this thread wrote to shared memory. It reads
** by another way (PTX: the async proxy) than threads write (the generic proxy). */
__device__ __forceinline__ void written_for_copies()
{
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

/* ---- clusters: blocks that run together and reach each other's shared memory ---- */

__device__ __forceinline__ uint32_t cluster_rank()
{
    uint32_t r;
    asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(r));
    return r;
}

__device__ __forceinline__ void cluster_sync()
{
    asm volatile("barrier.cluster.arrive.aligned;\nbarrier.cluster.wait.aligned;" ::: "memory");
}

/* What stands at this address in block `rank` of the cluster. */
__device__ __forceinline__ uint32_t address_in(uint32_t rank, uint32_t shared)
{
    uint32_t there;
    asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(there) : "r"(shared), "r"(rank));
    return there;
}

/* Arrives at a barrier of any block of the cluster. Nothing was written that the other side
** reads, so no release to the cluster is asked for: it would be a fence of all memory, which
** halves the speed (measured). */
__device__ __forceinline__ void barrier_arrive_there(uint32_t barrier)
{
    asm volatile("mbarrier.arrive.shared::cluster.b64 _, [%0];" ::"r"(barrier) : "memory");
}

/* As tile_fetch, into every one of `blocks` blocks of the cluster at the same address. */
__device__ __forceinline__ void tile_fetch_shared(uint32_t shared, const CUtensorMap *map,
                                                  uint32_t barrier, int blocks, int c0, int c1)
{
    asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes"
                 ".multicast::cluster [%0], [%1, {%3, %4}], [%2], %5;" ::"r"(shared),
                 "l"(map), "r"(barrier), "r"(c0), "r"(c1), "h"((uint16_t)((1 << blocks) - 1))
                 : "memory");
}

/* ---- wgmma ---- */

/* An operand that begins at `address`; its 8-row blocks are `step` bytes apart. Of an operand that
** is contiguous along the result (v in p v), blocks of 64 columns are `across` bytes apart. */
template <int ROW_BYTES = 128>
__device__ __forceinline__ uint64_t operand(uint32_t address, int step, int across = 16)
{
    return (uint64_t)(ROW_BYTES == 128 ? 1 : 2) << 62 | (uint64_t)(step >> 4) << 32 |
           (uint64_t)(across >> 4) << 16 | (address & 0x3ffff) >> 4;
}

/* The operand `bytes` further on in shared memory. Only the low word says where, so this is one
** addition, where operand() of a new address is five operations on which the next product waits. */
__device__ __forceinline__ uint64_t further(uint64_t operand, int bytes)
{
    return operand & 0xffffffff00000000 | (uint32_t)operand + (uint32_t)(bytes / 16);
}

/* wgmma.fence: before the first product, and after registers of one were written by hand. */
__device__ __forceinline__ void products_begin()
{
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}

/* wgmma.commit_group: the products asked for since the last one are a group. */
__device__ __forceinline__ void products_commit()
{
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}

/* wgmma.wait_group: until no more than the last N groups are unfinished. */
template <int N> __device__ __forceinline__ void products_wait()
{
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(N) : "memory");
}

/* Keeps the compiler from moving uses of x across this point: products write registers late. */
template <int N> __device__ __forceinline__ void pin(float (&x)[N])
{
#pragma unroll
    for (int i = 0; i < N; i++)
        asm volatile("" : "+f"(x[i])::"memory");
}

#define WGMMA_R4 "{%0,%1,%2,%3}"
#define WGMMA_R48                                                                                  \
    "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,"                                      \
    "%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31,"                             \
    "%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47}"
#define WGMMA_R64                                                                                  \
    "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,"                                      \
    "%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31,"                             \
    "%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,"                             \
    "%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63}"
#define WGMMA_R88                                                                                  \
    "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,"                                      \
    "%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31,"                             \
    "%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,"                             \
    "%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63,"                             \
    "%64,%65,%66,%67,%68,%69,%70,%71,%72,%73,%74,%75,%76,%77,%78,%79,"                             \
    "%80,%81,%82,%83,%84,%85,%86,%87}"
#define WGMMA_R96                                                                                  \
    "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,"                                      \
    "%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31,"                             \
    "%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,"                             \
    "%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63,"                             \
    "%64,%65,%66,%67,%68,%69,%70,%71,%72,%73,%74,%75,%76,%77,%78,%79,"                             \
    "%80,%81,%82,%83,%84,%85,%86,%87,%88,%89,%90,%91,%92,%93,%94,%95}"
#define WGMMA_F8(d, i)                                                                             \
    "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]),    \
        "+f"(d[i + 6]), "+f"(d[i + 7])
#define WGMMA_F48(d)                                                                               \
    WGMMA_F8(d, 0), WGMMA_F8(d, 8), WGMMA_F8(d, 16), WGMMA_F8(d, 24), WGMMA_F8(d, 32),             \
        WGMMA_F8(d, 40)
#define WGMMA_F64(d) WGMMA_F48(d), WGMMA_F8(d, 48), WGMMA_F8(d, 56)
#define WGMMA_F88(d) WGMMA_F64(d), WGMMA_F8(d, 64), WGMMA_F8(d, 72), WGMMA_F8(d, 80)
#define WGMMA_F96(d)                                                                               \
    WGMMA_F64(d), WGMMA_F8(d, 64), WGMMA_F8(d, 72), WGMMA_F8(d, 80), WGMMA_F8(d, 88)
#define WGMMA_F4(d) "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])

/* d [64, N] (+)= a b^T: a [64, 16] and b [N, 16] in shared memory; d has N / 2 registers; not added
** if fresh. */
#define WGMMA_SHARED_FRESH(n, registers, list, a_at, b_at, fresh_at, types)                        \
    asm volatile("{\n.reg .pred add;\nsetp.eq.b32 add, %" fresh_at ", 0;\n"                        \
                 "wgmma.mma_async.sync.aligned.m64n" n "k16.f32." types " " registers ", %" a_at   \
                 ", %" b_at ", add, 1, 1, 0, 0;\n}"                                                \
                 : list(d)                                                                         \
                 : "l"(a), "l"(b), "r"((int)fresh))
template <class T>
__device__ __forceinline__ void product(float (&d)[64], uint64_t a, uint64_t b, bool fresh)
{
    if constexpr (std::is_same_v<T, half_t>)
        WGMMA_SHARED_FRESH("128", WGMMA_R64, WGMMA_F64, "64", "65", "66", "f16.f16");
    else
        WGMMA_SHARED_FRESH("128", WGMMA_R64, WGMMA_F64, "64", "65", "66", "bf16.bf16");
}
template <class T>
__device__ __forceinline__ void product(float (&d)[88], uint64_t a, uint64_t b, bool fresh)
{
    if constexpr (std::is_same_v<T, half_t>)
        WGMMA_SHARED_FRESH("176", WGMMA_R88, WGMMA_F88, "88", "89", "90", "f16.f16");
    else
        WGMMA_SHARED_FRESH("176", WGMMA_R88, WGMMA_F88, "88", "89", "90", "bf16.bf16");
}
template <class T>
__device__ __forceinline__ void product(float (&d)[96], uint64_t a, uint64_t b, bool fresh)
{
    if constexpr (std::is_same_v<T, half_t>)
        WGMMA_SHARED_FRESH("192", WGMMA_R96, WGMMA_F96, "96", "97", "98", "f16.f16");
    else
        WGMMA_SHARED_FRESH("192", WGMMA_R96, WGMMA_F96, "96", "97", "98", "bf16.bf16");
}

/* d [64, 128] += a b: a [64, 16] in registers, b [16, 128] in shared memory, row after row. */
#define WGMMA_REGISTERS_128(types)                                                                 \
    asm volatile("wgmma.mma_async.sync.aligned.m64n128k16.f32." types " " WGMMA_R64                \
                 ", {%64,%65,%66,%67}, %68, 1, 1, 1, 1;"                                           \
                 : WGMMA_F64(d)                                                                    \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b))
template <class T>
__device__ __forceinline__ void product_128(float (&d)[64], const uint32_t *a, uint64_t b)
{
    if constexpr (std::is_same_v<T, half_t>)
        WGMMA_REGISTERS_128("f16.f16");
    else
        WGMMA_REGISTERS_128("bf16.bf16");
}

/* d [64, N] += a b^T, likewise. */
#define WGMMA_SHARED(n, registers, list, a_at, b_at, types)                                        \
    asm volatile("wgmma.mma_async.sync.aligned.m64n" n "k16.f32." types " " registers ", %" a_at   \
                 ", %" b_at ", 1, 1, 1, 0, 0;"                                                     \
                 : list(d)                                                                         \
                 : "l"(a), "l"(b))
template <class T>
__device__ __forceinline__ void product_add(float (&d)[4], uint64_t a, uint64_t b)
{
    if constexpr (std::is_same_v<T, half_t>)
        WGMMA_SHARED("8", WGMMA_R4, WGMMA_F4, "4", "5", "f16.f16");
    else
        WGMMA_SHARED("8", WGMMA_R4, WGMMA_F4, "4", "5", "bf16.bf16");
}
template <class T>
__device__ __forceinline__ void product_add(float (&d)[48], uint64_t a, uint64_t b)
{
    if constexpr (std::is_same_v<T, half_t>)
        WGMMA_SHARED("96", WGMMA_R48, WGMMA_F48, "48", "49", "f16.f16");
    else
        WGMMA_SHARED("96", WGMMA_R48, WGMMA_F48, "48", "49", "bf16.bf16");
}
template <class T>
__device__ __forceinline__ void product_add(float (&d)[64], uint64_t a, uint64_t b)
{
    if constexpr (std::is_same_v<T, half_t>)
        WGMMA_SHARED("128", WGMMA_R64, WGMMA_F64, "64", "65", "f16.f16");
    else
        WGMMA_SHARED("128", WGMMA_R64, WGMMA_F64, "64", "65", "bf16.bf16");
}
template <class T>
__device__ __forceinline__ void product_add(float (&d)[96], uint64_t a, uint64_t b)
{
    if constexpr (std::is_same_v<T, half_t>)
        WGMMA_SHARED("192", WGMMA_R96, WGMMA_F96, "96", "97", "f16.f16");
    else
        WGMMA_SHARED("192", WGMMA_R96, WGMMA_F96, "96", "97", "bf16.bf16");
}

#endif
