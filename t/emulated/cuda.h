/*
** cuda.h: what kernels/cuda/common.cuh and mma.cuh have, for a processor: a kernel of up to 1024 threads is
** run lane by lane, so that its arithmetic, its tiles and its barriers can be tested where there is no GPU.
**
** A file that includes this includes a kernel's .cu next and defines `shared`, if the kernel declares it.
** Each thread is a context of its own (makecontext); one runs until it waits for others: where all lanes
** of a warp exchange values (a shuffle, a vote, mma.sync, ldmatrix), at __syncthreads(), which is of those
** that have not returned, and at an mbarrier that is not over. Copies to shared memory are done as early as they can be, when they are asked
** for, or as late, when they are waited for: a kernel must be right either way. Not all orders are tried
** so, which is racecheck's. What exp2 and sums in F32 come to is the processor's.
**
** The layouts of mma's operands are those of the PTX manual, "Matrix Fragments for mma.m16n8k32".
*/
#ifndef EMULATED_CUDA_H
#define EMULATED_CUDA_H
#define COMMON_CUH /* the real ones are left out */
#define MMA_CUH

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <type_traits>
#include <ucontext.h>
#include <vector>

#include "../../kernels/kernels.h"

#define __device__
#define __global__
#define __grid_constant__
#ifndef __shared__ /* one whose kernels have only `extern __shared__` defines it to be nothing */
#define __shared__ static
#endif
#define __forceinline__ inline
#define __align__(n)
#define __launch_bounds__(...)
#define ALLOW_SHARED(kernel, bytes) (void)0

using std::isfinite;
using std::max;
using std::min;

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned X = 1, unsigned Y = 1, unsigned Z = 1) : x(X), y(Y), z(Z) {}
};
struct uint4 {
    uint32_t x, y, z, w;
};
struct uint2 {
    uint32_t x, y;
};
struct float2 {
    float x, y;
};
struct half_t {
    uint16_t bits;
};
struct bf16_t {
    uint16_t bits;
};

namespace lanes
{

/* State is one for all files that are linked: templates of the kernels' headers are. */
enum { THREADS = 1024, WARP = 32, STACK = 1 << 17 };

struct meeting {
    int there;
    unsigned number;
};
struct barrier {
    int count, missing, phase;
};
struct words {
    uint32_t word[6];
};
struct copy {
    uint32_t to;
    const void *from; /* NULL: zeros */
    size_t bytes;
};
using copies = std::vector<copy>;

inline ucontext_t scheduler, context[THREADS];
inline dim3 thread[THREADS], block, grid;
inline bool over[THREADS];
inline int now;     /* the thread that runs */
inline int running; /* threads that have not returned */
inline meeting of_warp[THREADS / WARP], of_block;
inline words given[THREADS]; /* to the other lanes */
inline std::map<uint32_t, barrier> barriers;
inline bool late; /* copies are done when they are waited for */
inline std::vector<copies>
    asked[THREADS]; /* by a thread: groups, of which the last is not closed */
inline std::multimap<uint32_t, copies> arriving; /* at barriers */
inline std::function<void()> body;
inline uint8_t *memory;     /* the shared one */
inline bool filled;         /* with ones, which are no numbers: a block finds nothing there */
inline size_t shared_bytes; /* a block may have: kernels choose their tiles by it */

inline void let_others() { swapcontext(&context[now], &scheduler); }

inline void meet(meeting &m, const int &all)
{
    unsigned number = m.number;
    for (m.there++; m.number == number; let_others())
        if (m.there == all) {
            m.there = 0;
            m.number++;
            break;
        }
}

inline void meet_warp() { meet(of_warp[now / WARP], WARP); }

inline const words &of_lane(int lane) { return given[now / WARP * WARP + lane]; }

/* The word that a lane of this warp gives. */
inline uint32_t exchange(uint32_t mine, int lane)
{
    given[now].word[0] = mine;
    meet_warp();
    uint32_t its = of_lane(lane).word[0];
    meet_warp();
    return its;
}

inline void do_copy(const copy &c)
{
    if (c.from)
        memcpy(memory + c.to, c.from, c.bytes);
    else
        memset(memory + c.to, 0, c.bytes);
}

inline void ask(const copy &c)
{
    if (late)
        asked[now].back().push_back(c);
    else
        do_copy(c);
}

/* The oldest groups of this thread are done, but for so many, and it has a new one. */
inline void finish(size_t all_but)
{
    std::vector<copies> &groups = asked[now];
    while (groups.size() > all_but + 1) {
        std::for_each(groups[0].begin(), groups[0].end(), do_copy);
        groups.erase(groups.begin());
    }
}

inline void arrive(uint32_t at)
{
    barrier &b = barriers.at(at);
    if (--b.missing == 0) {
        b.missing = b.count;
        b.phase ^= 1;
    }
}

inline void run_thread()
{
    body();
    over[now] = true;
    running--;
    for (;;)
        let_others();
}

inline void run_block(int threads)
{
    static uint8_t *stacks = (uint8_t *)malloc((size_t)THREADS * STACK);
    barriers.clear();
    arriving.clear();
    memset(of_warp, 0, sizeof of_warp);
    of_block = {};
    filled = false;
    running = threads;
    for (int i = 0; i < threads; i++) {
        getcontext(&context[i]);
        context[i].uc_stack.ss_sp = stacks + (size_t)i * STACK;
        context[i].uc_stack.ss_size = STACK;
        context[i].uc_link = nullptr;
        makecontext(&context[i], run_thread, 0);
        thread[i] = {(unsigned)i, 0, 0};
        over[i] = false;
        asked[i].assign(1, {});
    }
    while (running)
        for (int i = 0; i < threads; i++)
            if (!over[i]) {
                now = i;
                swapcontext(&scheduler, &context[i]);
            }
}

/* c += a b, 16 x 8 x K: every lane has its words of a and b, and four sums. term: of two elements' bits. */
template <int K, class C, class F>
inline void product(C c[4], const uint32_t a[4], uint32_t b0, uint32_t b1, F term)
{
    constexpr int EACH = K / 8, BITS = 32 / EACH; /* elements of a word, and of an element */
    given[now] = {{a[0], a[1], a[2], a[3], b0, b1}};
    meet_warp();
    int lane = now % WARP;
    for (int i = 0; i < 4; i++) {
        int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
        double sum = (double)c[i];
        for (int k = 0; k < K; k++) {
            int half = k / (K / 2), from = k % (K / 2) / EACH, shift = k % EACH * BITS;
            uint32_t x = of_lane(row % 8 * 4 + from).word[row / 8 + half * 2];
            uint32_t y = of_lane(column * 4 + from).word[4 + half];
            sum += term(x >> shift, y >> shift);
        }
        c[i] = (C)sum;
        assert((std::is_same_v<C, float> || (double)c[i] == sum)); /* codes do not overflow */
    }
    meet_warp();
}

} // namespace lanes

#define threadIdx (lanes::thread[lanes::now])
#define blockIdx (lanes::block)
#define gridDim (lanes::grid)
#define device_shared_bytes (lanes::shared_bytes)

/* ---- CUDA's ---- */

inline void __syncthreads() { lanes::meet(lanes::of_block, lanes::running); }
inline void __syncwarp() { lanes::meet_warp(); }
inline uint32_t __float_as_uint(float x) { return bits_of_f32(x); }
inline float __uint_as_float(uint32_t x) { return f32_of_bits(x); }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline int __float_as_int(float x) { return (int)bits_of_f32(x); }
inline float __int_as_float(int x) { return f32_of_bits((uint32_t)x); }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline bf16_t __float2bfloat16_rn(float x) { return {bf16_of_f32(x)}; }
inline float __bfloat162float(bf16_t x) { return f32_of_bf16(x.bits); }
inline uint2 make_uint2(uint32_t x, uint32_t y) { return {x, y}; }
inline uint4 make_uint4(uint32_t x, uint32_t y, uint32_t z, uint32_t w) { return {x, y, z, w}; }

template <class T> inline void atomicMax(T *p, T x) { *p = max(*p, x); }

inline int __shfl_sync(unsigned, int x, int lane)
{
    return (int)lanes::exchange((uint32_t)x, lane);
}

inline float __shfl_xor_sync(unsigned, float x, int mask)
{
    return f32_of_bits(lanes::exchange(bits_of_f32(x), lanes::now % lanes::WARP ^ mask));
}

inline bool __any_sync(unsigned, bool x)
{
    lanes::given[lanes::now].word[0] = x;
    lanes::meet_warp();
    bool any = false;
    for (int i = 0; i < lanes::WARP; i++)
        any |= lanes::of_lane(i).word[0] != 0;
    lanes::meet_warp();
    return any;
}

inline uint32_t __byte_perm(uint32_t a, uint32_t b, uint32_t which)
{
    uint64_t both = (uint64_t)b << 32 | a;
    uint32_t y = 0;
    for (int i = 0; i < 4; i++)
        y |= (uint32_t)(both >> (which >> 4 * i & 7) * 8 & 255) << 8 * i;
    return y;
}

/* ---- common.cuh's ---- */

inline void kernel_begin() {}
inline unsigned ceil_div(int a, int b) { return (unsigned)((a + b - 1) / b); }

template <class T> uint32_t pack2(float low, float high);
template <> inline uint32_t pack2<half_t>(float low, float high)
{
    return f16_of_f32(low) | (uint32_t)f16_of_f32(high) << 16;
}
template <> inline uint32_t pack2<bf16_t>(float low, float high)
{
    return bf16_of_f32(low) | (uint32_t)bf16_of_f32(high) << 16;
}

template <class T> struct eight {
    uint4 bits;
};
template <class T> inline void load8(eight<T> &e, const T *p) { memcpy(&e, p, sizeof e); }
template <class T> inline void unpack8(float v[8], const eight<T> &e)
{
    for (int i = 0; i < 8; i++) {
        T x;
        memcpy(&x, (const T *)&e + i, sizeof x);
        v[i] = std::is_same_v<T, half_t> ? f32_of_f16(x.bits) : f32_of_bf16(x.bits);
    }
}
template <class T> inline void load8(float v[8], const T *p)
{
    eight<T> e;
    load8(e, p);
    unpack8(v, e);
}
inline void load8(float v[8], const float *p) { memcpy(v, p, 8 * sizeof *v); }

inline float lane_sum(float x, int n)
{
    for (int i = 1; i < n; i *= 2)
        x += __shfl_xor_sync(~0u, x, i);
    return x;
}

inline float lane_max(float x, int n)
{
    for (int i = 1; i < n; i *= 2)
        x = fmaxf(x, __shfl_xor_sync(~0u, x, i));
    return x;
}

template <class K, class... P>
inline void start(const char *, K kernel, dim3 grid, int threads, size_t, int, P... arguments)
{
    assert(threads <= lanes::THREADS);
    lanes::grid = grid;
    lanes::body = [&] { kernel(arguments...); };
    for (unsigned z = 0; z < grid.z; z++)
        for (unsigned y = 0; y < grid.y; y++)
            for (unsigned x = 0; x < grid.x; x++) {
                lanes::block = {x, y, z};
                lanes::run_block(threads);
            }
}

/* ---- mma.cuh's: an address in shared memory is an offset from its beginning ---- */

inline uint32_t shared_address(const void *p)
{
    lanes::memory = (uint8_t *)p;
    if (!lanes::filled)
        memset(lanes::memory, 0xff, lanes::shared_bytes);
    lanes::filled = true;
    return 0;
}

template <class T> inline void mma(int c[4], const uint32_t a[4], uint32_t b0, uint32_t b1)
{
    lanes::product<32>(c, a, b0, b1, [](uint32_t x, uint32_t y) { return (int8_t)x * (int8_t)y; });
}
template <class T> inline void mma(float c[4], const uint32_t a[4], uint32_t b0, uint32_t b1)
{
    auto value = [](uint32_t x) {
        return (double)(std::is_same_v<T, half_t> ? f32_of_f16((uint16_t)x)
                                                  : f32_of_bf16((uint16_t)x));
    };
    lanes::product<16>(c, a, b0, b1, [&](uint32_t x, uint32_t y) { return value(x) * value(y); });
}
inline void mma_unsigned(int c[4], const uint32_t a[4], uint32_t b0, uint32_t b1)
{
    lanes::product<32>(c, a, b0, b1, [](uint32_t x, uint32_t y) { return (uint8_t)x * (int8_t)y; });
}

inline void load_blocks(uint32_t (&r)[4], uint32_t address)
{
    lanes::given[lanes::now].word[0] = address;
    lanes::meet_warp();
    int lane = lanes::now % lanes::WARP;
    for (int i = 0; i < 4; i++)
        memcpy(&r[i],
               lanes::memory + lanes::of_lane(i * 8 + lane / 4).word[0] + lane % 4 * sizeof r[i],
               sizeof r[i]);
    lanes::meet_warp();
}

inline void load_blocks_transposed(uint32_t (&r)[4], uint32_t address)
{
    lanes::given[lanes::now].word[0] = address;
    lanes::meet_warp();
    int lane = lanes::now % lanes::WARP;
    for (int i = 0; i < 4; i++) {
        uint16_t two[2];
        for (int e = 0; e < 2; e++)
            memcpy(&two[e],
                   lanes::memory + lanes::of_lane(i * 8 + lane % 4 * 2 + e).word[0] +
                       lane / 4 * sizeof two[e],
                   sizeof two[e]);
        r[i] = two[0] | (uint32_t)two[1] << 16;
    }
    lanes::meet_warp();
}

template <class T> inline T load(uint32_t shared)
{
    T x;
    memcpy(&x, lanes::memory + shared, sizeof x);
    return x;
}
inline float load_float(uint32_t shared) { return load<float>(shared); }
inline uint4 load_chunk(uint32_t shared) { return load<uint4>(shared); }
inline void store_word(uint32_t shared, uint32_t x)
{
    memcpy(lanes::memory + shared, &x, sizeof x);
}
inline void copy_word(uint32_t shared, const void *from) { lanes::ask({shared, from, 4}); }
inline void copy_chunk(uint32_t shared, const void *from, bool there = true)
{
    lanes::ask({shared, there ? from : nullptr, 16});
}
inline void copies_commit() { lanes::asked[lanes::now].emplace_back(); }
template <int N> inline void copies_wait() { lanes::finish(N); }

inline void barrier_init(uint32_t at, int count) { lanes::barriers[at] = {count, count, 0}; }
inline void barrier_arrive(uint32_t at) { lanes::arrive(at); }

/* The thread arrives when all that it has asked for is copied. */
inline void barrier_copies(uint32_t at)
{
    lanes::copies all;
    for (lanes::copies &group : lanes::asked[lanes::now]) {
        all.insert(all.end(), group.begin(), group.end());
        group.clear();
    }
    if (lanes::late)
        lanes::arriving.insert({at, all});
    else
        lanes::arrive(at);
}

inline bool barrier_over(uint32_t at, int parity)
{
    if (lanes::barriers.at(at).phase != parity)
        return true;
    /* Only who waits makes copies come: who asks the same again. */
    static std::pair<uint32_t, int> last[lanes::THREADS];
    std::pair<uint32_t, int> question = {at, parity + 1};
    if (last[lanes::now] != question) {
        last[lanes::now] = question;
        lanes::let_others();
        return false;
    }
    auto its = lanes::arriving.equal_range(at);
    for (auto i = its.first; i != its.second; i = lanes::arriving.erase(i)) {
        std::for_each(i->second.begin(), i->second.end(), lanes::do_copy);
        lanes::arrive(at);
    }
    lanes::let_others();
    return false;
}

inline float exp2_fast(float x) { return exp2f(x); }
inline uint32_t add_f16(uint32_t a, uint32_t b)
{
    return pack2<half_t>(f32_of_f16((uint16_t)a) + f32_of_f16((uint16_t)b),
                         f32_of_f16((uint16_t)(a >> 16)) + f32_of_f16((uint16_t)(b >> 16)));
}

#endif
