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

/* The one stream: everything is in order on it. */
extern cudaStream_t stream;
/* Multiprocessors; compute capability times ten (80, 90); most shared bytes a block may ask for. */
extern int device_sms, device_capability;
extern size_t device_shared_bytes;

/* Dies "cannot WHAT: reason" unless e is success. */
void cuda_check(cudaError_t e, const char *what);
/* After a launch: did it start? A fault inside shows at the next wait. */
#define LAUNCHED(kernel) cuda_check(cudaGetLastError(), "start " kernel)
/* Allows the kernel that many bytes of dynamic shared memory. */
#define ALLOW_SHARED(kernel, bytes)                                                                \
    cuda_check(                                                                                    \
        cudaFuncSetAttribute((kernel), cudaFuncAttributeMaxDynamicSharedMemorySize, (int)(bytes)), \
        "get shared memory for " #kernel)

/* Host to device memory of the same count, converting: y of a type that upload() takes. */
void device_upload(tensor y, tensor host);

/* Device memory that is held to the end (a workspace), counted in device_peak_bytes(). */
void *device_keep(size_t bytes, const char *what);
void device_count_bytes(size_t stack_held);

/* The macros of tensor.h and kernels.h take the address of a compound literal, which C++ has not. */
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

#define require(ok, op, a, b) check_pair(ok, op, a, b)

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

__device__ __forceinline__ void load8(float v[8], const float *p)
{
    float4 a = ((const float4 *)p)[0], b = ((const float4 *)p)[1];
    v[0] = a.x, v[1] = a.y, v[2] = a.z, v[3] = a.w;
    v[4] = b.x, v[5] = b.y, v[6] = b.z, v[7] = b.w;
}

__device__ __forceinline__ void load8(float v[8], const half_t *p)
{
    uint4 u = *(const uint4 *)p;
    const __half2 *h = (const __half2 *)&u;
#pragma unroll
    for (int i = 0; i < 4; i++) {
        float2 f = __half22float2(h[i]);
        v[2 * i] = f.x, v[2 * i + 1] = f.y;
    }
}

__device__ __forceinline__ void load8(float v[8], const bf16_t *p)
{
    uint4 u = *(const uint4 *)p;
    const __nv_bfloat162 *h = (const __nv_bfloat162 *)&u;
#pragma unroll
    for (int i = 0; i < 4; i++) {
        float2 f = __bfloat1622float2(h[i]);
        v[2 * i] = f.x, v[2 * i + 1] = f.y;
    }
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

/* 0.5 v (1 + tanh(u)) with u = sqrt(2/pi) (v + 0.044715 v^3), as v / (1 + exp(-2u)): one exponential
** and one division, and no overflow to NaN at either end. */
__device__ __forceinline__ float gelu_tanh(float v)
{
    float u = 0.7978845608028654f * (v + 0.044715f * v * v * v);
    return v / (1.0f + __expf(-2.0f * u));
}

__device__ __forceinline__ float silu_of(float v) { return v / (1.0f + __expf(-v)); }

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
