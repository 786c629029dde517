/*
** common.cuh: what every CUDA op uses: checked calls, the one stream, 16-byte loads, types.
**
** Kernels are templates over the element type (half, bf16, float); dispatch() picks the instance.
** Values travel in chunks of eight, as F32 in registers: every width here is a multiple of 8 and
** every row begins at a multiple of 16 bytes, which chunks() asserts in one place.
*/
#ifndef COMMON_CUH
#define COMMON_CUH

#include <cassert>
#include <cstdint>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#include <type_traits>

#include "../check.h"
#include "../kernels.h"

using half_t = __half;
using bf16_t = __nv_bfloat16;

/* ---- the device (device.cu) ---- */

/* Where what is asked for goes: in order on one stream, but for layers on their way (layers.cu). */
extern cudaStream_t stream;
/* Which card; its multiprocessors; its compute capability times ten (80, 90); the most shared bytes
 * a block may ask for. */
extern int device_number, device_sms, device_capability;
extern size_t device_shared_bytes;

/* Dies "cannot WHAT on the gpu: reason" unless e is success; if a kernel before it failed, says
** that instead. */
void cuda_check(cudaError_t e, const char *what);
/* Dies: WHAT needs so many bytes (0: unknown), what is held here, what is free, the advice. */
[[noreturn]] void out_of_memory(const char *what, size_t bytes);
/* After a launch: did it start? A fault inside shows at the next wait. */
#define LAUNCHED(kernel) cuda_check(cudaGetLastError(), "start " kernel)
/* Allows the kernel that many bytes of dynamic shared memory. */
#define ALLOW_SHARED(kernel, bytes)                                                                \
    cuda_check(                                                                                    \
        cudaFuncSetAttribute((kernel), cudaFuncAttributeMaxDynamicSharedMemorySize, (int)(bytes)), \
        "get shared memory for " #kernel)

/* n bytes of host memory, which may be changed or unmapped when this returns (send.cu). */
void device_send(void *to, const void *from, size_t n);
/* Host to device memory of the same count, converting: y of a type that upload() takes. */
void device_upload(tensor y, tensor host);

/* The card of this rank, of so many; joins it to the others (ranks.cu). */
int ranks_card(int cards);
void ranks_connect(void);

/* Device memory that is held to the end (a workspace), counted in device_peak_bytes(). */
void *device_keep(size_t bytes, const char *what);
void device_count_bytes(size_t stack_held);
/* Pinned host memory, which the bus reads and writes by itself. */
void *device_pin(size_t bytes);

/* Which of the stacks (scratch.cu) is used from here on; those of layers are emptied. */
enum { MAIN_STACK, LAYER_STACKS, STACKS = LAYER_STACKS + 2 };
void scratch_use(int which);
/* Where what was taken after the mark begins. */
void *scratch_at(size_t mark);

/* The macros of tensor.h and kernels.h take the address of a compound literal, which C++ has
** not. */
#undef scratch
#undef reshape
template <class... N> static inline tensor scratch(tensor_type type, N... n)
{
    const int64_t dim[] = {(int64_t)n...};
    return scratch_tensor(type, sizeof...(n), dim);
}
template <class... N> static inline tensor reshape(tensor t, N... n)
{
    const int64_t dim[] = {(int64_t)n...};
    return tensor_reshape(t, sizeof...(n), dim);
}

/* ---- checks ---- */

static inline bool is_float(tensor_type t) { return t == F32 || t == F16 || t == BF16; }

/* Rows begin at multiples of eight elements and of 16 bytes, and are whole chunks of eight. */
static inline bool chunks(tensor t)
{
    return tensor_width(t) % 8 == 0 && (t.stride % 8 == 0 || tensor_rows(t) == 1) &&
           (uintptr_t)t.data % 16 == 0;
}

static inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/* Calls f with a null pointer to the element type: dispatch(x.type, [&](auto *t) { using T = ... */
#define ELEMENT(pointer) std::remove_pointer_t<decltype(pointer)>
template <class F> static inline void dispatch(tensor_type type, F f)
{
    switch (type) {
    case F32: return f((float *)nullptr);
    case F16: return f((half_t *)nullptr);
    case BF16: return f((bf16_t *)nullptr);
    default: die("no arithmetic for values of type %s on the gpu", type_name(type));
    }
}

/* ---- launches: on Hopper a kernel comes up while the one before it ends ---- */

/* First of all in every kernel that start() starts: what was asked for before is done and its
** results are there, and the kernel after this one may come up. */
__device__ __forceinline__ void kernel_begin()
{
#if __CUDA_ARCH__ >= 900
    cudaGridDependencySynchronize();
    cudaTriggerProgrammaticLaunchCompletion();
#endif
}

/* Starts a kernel whose parameters are P on the stream; cluster: blocks in one, side by side. */
template <class... P, class... A>
static inline void start(const char *what, void (*kernel)(P...), dim3 blocks, unsigned threads,
                         size_t shared, unsigned cluster, A... arguments)
{
    cudaLaunchAttribute attribute[2] = {};
    attribute[0].id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attribute[0].val.programmaticStreamSerializationAllowed = 1;
    attribute[1].id = cudaLaunchAttributeClusterDimension;
    attribute[1].val.clusterDim.x = cluster;
    attribute[1].val.clusterDim.y = attribute[1].val.clusterDim.z = 1;
    cudaLaunchConfig_t launch = {};
    launch.gridDim = blocks;
    launch.blockDim = dim3(threads);
    launch.dynamicSmemBytes = shared;
    launch.stream = stream;
    launch.attrs = attribute;
    launch.numAttrs = device_capability != 90 ? 0 : cluster > 1 ? 2 : 1;
    cuda_check(cudaLaunchKernelEx(&launch, kernel, P(arguments)...), what);
}

/* ---- elements ---- */

__device__ __forceinline__ float to_f32(float v) { return v; }
__device__ __forceinline__ float to_f32(half_t v) { return __half2float(v); }
__device__ __forceinline__ float to_f32(bf16_t v) { return __bfloat162float(v); }

template <class T> __device__ __forceinline__ T from_f32(float v);
template <> __device__ __forceinline__ float from_f32<float>(float v) { return v; }
template <> __device__ __forceinline__ half_t from_f32<half_t>(float v)
{
    return __float2half_rn(v);
}
template <> __device__ __forceinline__ bf16_t from_f32<bf16_t>(float v)
{
    return __float2bfloat16_rn(v);
}

/* Two neighbours in one register: for mma operands. */
__device__ __forceinline__ float2 to_f32x2(__half2 v) { return __half22float2(v); }
__device__ __forceinline__ float2 to_f32x2(__nv_bfloat162 v) { return __bfloat1622float2(v); }
template <class T> __device__ __forceinline__ uint32_t pack2(float low, float high);
template <> __device__ __forceinline__ uint32_t pack2<half_t>(float low, float high)
{
    __half2 v = __floats2half2_rn(low, high);
    return *(uint32_t *)&v;
}
template <> __device__ __forceinline__ uint32_t pack2<bf16_t>(float low, float high)
{
    __nv_bfloat162 v = __floats2bfloat162_rn(low, high);
    return *(uint32_t *)&v;
}

/* ---- eight elements: one 16-byte access for 16-bit types, two for F32 ---- */

/* As they are stored: half the registers of their F32 values. */
template <class T> struct eight {
    uint4 bits;
};
template <> struct eight<float> {
    float4 low, high;
};

__device__ __forceinline__ void load8(eight<float> &e, const float *p)
{
    e.low = ((const float4 *)p)[0], e.high = ((const float4 *)p)[1];
}

template <class T> __device__ __forceinline__ void load8(eight<T> &e, const T *p)
{
    e.bits = *(const uint4 *)p;
}

__device__ __forceinline__ void unpack8(float v[8], const eight<float> &e)
{
    v[0] = e.low.x, v[1] = e.low.y, v[2] = e.low.z, v[3] = e.low.w;
    v[4] = e.high.x, v[5] = e.high.y, v[6] = e.high.z, v[7] = e.high.w;
}

template <class T> __device__ __forceinline__ void unpack8(float v[8], const eight<T> &e)
{
    using pair = std::conditional_t<std::is_same_v<T, half_t>, __half2, __nv_bfloat162>;
    const uint32_t word[] = {e.bits.x, e.bits.y, e.bits.z, e.bits.w};
#pragma unroll
    for (int i = 0; i < 4; i++) {
        float2 f = to_f32x2(*(const pair *)&word[i]);
        v[2 * i] = f.x, v[2 * i + 1] = f.y;
    }
}

/* The compiler may not keep what was unpacked before: it is cheaper to unpack again than to
** hold. */
template <class T> __device__ __forceinline__ void keep_packed(eight<T> &e)
{
    if constexpr (!std::is_same_v<T, float>)
        asm volatile("" : "+r"(e.bits.x), "+r"(e.bits.y), "+r"(e.bits.z), "+r"(e.bits.w));
}

template <class T> __device__ __forceinline__ void load8(float v[8], const T *p)
{
    eight<T> e;
    load8(e, p);
    unpack8(v, e);
}

__device__ __forceinline__ void store8(float *p, const float v[8])
{
    ((float4 *)p)[0] = make_float4(v[0], v[1], v[2], v[3]);
    ((float4 *)p)[1] = make_float4(v[4], v[5], v[6], v[7]);
}

template <class T> __device__ __forceinline__ void store8(T *p, const float v[8])
{
    *(uint4 *)p = make_uint4(pack2<T>(v[0], v[1]), pack2<T>(v[2], v[3]), pack2<T>(v[4], v[5]),
                             pack2<T>(v[6], v[7]));
}

/* ---- formulas ---- */

/* The special function unit's own 2^v and 1/v, within 2 ulp; 0 for what is smaller than normal. */
__device__ __forceinline__ float exp2_quick(float v)
{
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(v));
    return y;
}

__device__ __forceinline__ float inverse_quick(float v)
{
    float y;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(v));
    return y;
}

/* gelu(v) = v / 2 (1 + tanh u) = v / (1 + e^-2u) with u = sqrt(2/pi) (v + 0.044715 v^3). Where e^-2u is
** infinite, so is what v is divided by: 0. */
__device__ __forceinline__ float gelu_tanh(float v)
{
    constexpr float c = -2.0f * 0.7978845608028654f * 1.4426950408889634f; /* 1 / ln 2 */
    return v * inverse_quick(1.0f + exp2_quick(v * (v * v * (0.044715f * c) + c)));
}

__device__ __forceinline__ float silu_of(float v)
{
    return v * inverse_quick(1.0f + exp2_quick(-1.4426950408889634f * v));
}

/* The sum over `lanes` neighbours in a warp (a power of two), in every one of them. */
__device__ __forceinline__ float lane_sum(float v, int lanes = 32)
{
    for (int o = lanes / 2; o; o >>= 1)
        v += __shfl_xor_sync(0xffffffffu, v, o);
    return v;
}

__device__ __forceinline__ float lane_max(float v, int lanes = 32)
{
    for (int o = lanes / 2; o; o >>= 1)
        v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, o));
    return v;
}

#endif
