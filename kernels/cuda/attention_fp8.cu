/*
** attention_fp8.cu: attention for heads 128 wide on Hopper, logits of int8 codes, weights and
** values in e4m3 (attention_8bit.cuh has the loop).
**
** wgmma keeps about 14 bits of a sum of e4m3 products. So the product of 128 keys goes into
** registers of its own, which are then added to the output in F32, times the values' power of two;
** and values come centred by a mean, which is added back at the end, so that what is lost has no
** sign. A row's divisor is the sum of its rounded weights: V's tile has eight more rows, of ones.
** Weights are up to 2^8, where e4m3 has 448. A weight's code is its logarithm, rounded
** (../attention.h): three F32 fma make it, with no exponential and no conversion, of which a
** multiprocessor makes few beside wgmma. V's tokens are in an order (attention_codes.cu) in which the logits' registers are the operand's.
** Shared memory: Q 16 KB, four stages of K 16 KB, V 17 KB: 151 KB with the scales. Registers:
** output 64, the product 68, logits 64, weights 16. Bound: 4 Lq Lk d operations at twice a dense
** product's rate.
*/
#include "attention_8bit.cuh"

namespace
{

#ifdef __CUDA_ARCH_FEAT_SM90_ALL

#define WGMMA_R68                                                                                  \
    "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,"                                      \
    "%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31,"                             \
    "%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,"                             \
    "%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63,%64,%65,%66,%67}"

/* d [64, 136] (+)= a b^T: a [64, 32] in registers, b [136, 32] in shared memory, both e4m3. */
__device__ __forceinline__ void product_e4m3(float (&d)[68], const uint32_t *a, uint64_t b,
                                             bool fresh)
{
    asm volatile("{\n.reg .pred add;\nsetp.eq.b32 add, %73, 0;\n"
                 "wgmma.mma_async.sync.aligned.m64n136k32.f32.e4m3.e4m3 " WGMMA_R68
                 ", {%68,%69,%70,%71}, %72, add, 1, 1;\n}"
                 : WGMMA_F64(d), "+f"(d[64]), "+f"(d[65]), "+f"(d[66]), "+f"(d[67])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"((int)fresh));
}

#endif

template <class T> struct values_e4m3 : output8 {
    static constexpr int KEYS = FP8_KEYS, STAGES = 4, ONES = 1024, TILE = D * KEYS + ONES;
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
    static constexpr bool WHOLE = true, POWERS = true, TURNS = false;
    /* A weight is held as its code's part of 127. */
    static constexpr float MOST_CODE = E4M3_MOST + 1, UNIT = E4M3_STEPS / MOST_CODE,
                           SHIFT = ATTENTION_SHIFT + E4M3_ONE / E4M3_STEPS;
    /* How much higher a top is than the greatest logit that brings it, as a power of two: more where
    ** few tiles were seen, since to raise it costs a fifth of a tile. */
    static __device__ __forceinline__ float above(int tiles)
    {
        return tiles < 8 ? 2 : tiles < 64 ? 1 : 0;
    }
    float t[68];
    uint32_t p[KEYS / 8];

    /* The rows of ones. */
    static __device__ __forceinline__ void prepare(uint32_t v)
    {
        for (int i = threadIdx.x; i < STAGES * ONES / 4; i += blockDim.x)
            store_word(v + i / (ONES / 4) * TILE + D * KEYS + i % (ONES / 4) * 4, 0x38383838);
        written_for_copies();
    }
    static __device__ __forceinline__ void fetch(uint32_t tile, const CUtensorMap *map,
                                                 uint32_t full, int key, const query_place &p,
                                                 const attention_args &a)
    {
        barrier_expect(full, D * KEYS);
        tile_fetch(tile, map, full, key * KEYS / 2, (p.batch * a.heads + p.head) * D);
    }
    /* The codes of two weights in the two lowest bytes. A sum as large as ORIGIN has whole numbers only:
    ** the first is the second weight's code, the last has the first's below it. */
    static __device__ __forceinline__ uint32_t pair(float first, float second)
    {
        float x = __fmaf_rn(second, MOST_CODE, ORIGIN);
        x = __fmaf_rn(x, 256, -255 * ORIGIN);
        return __float_as_uint(__fmaf_rn(first, MOST_CODE, x));
    }
    /* The weights; those of 16 keys, for two rows of two blocks of 8, are two registers of the
    ** operand. */
    __device__ __forceinline__ void weigh(const int (&s)[KEYS / 2], const rows8 &r)
    {
#pragma unroll
        for (int n = 0; n < KEYS / 16; n++) {
            float e[8];
#pragma unroll
            for (int i = 0; i < 8; i++)
                e[i] = r.share(s[8 * n + i], i);
            p[2 * n] = __byte_perm(pair(e[0], e[1]), pair(e[4], e[5]), 0x5410);
            p[2 * n + 1] = __byte_perm(pair(e[2], e[3]), pair(e[6], e[7]), 0x5410);
        }
    }
    /* Is none as large as e4m3 goes, 448, which is 126? */
    __device__ __forceinline__ bool fit()
    {
        uint32_t any = 0;
#pragma unroll
        for (int i = 0; i < KEYS / 8; i++)
            any |= p[i] + 0x02020202;
        return !(any & 0x80808080);
    }
    /* What is not finite has no weight, but its scale is NaN. */
    __device__ __forceinline__ void add_weights(const rows8 &r)
    {
        sum[0] += r.slope[0] * 0;
        sum[1] += r.slope[1] * 0;
    }
    /* Starts t [64, D + 8] = p v. */
    __device__ __forceinline__ void start(uint32_t v)
    {
        uint64_t b = operand(v, 1024);
#pragma unroll
        for (int step = 0; step < KEYS / 32; step++)
            product_e4m3(t, p + step * 4, further(b, step * 32), step == 0);
        products_commit();
    }
    /* power: of two, that the values have */
    __device__ __forceinline__ void there(float power)
    {
        pin(t);
#pragma unroll
        for (int i = 0; i < 64; i++)
            o[i] += t[i] * power;
        sum[0] += t[64], sum[1] += t[66];
    }
    __device__ __forceinline__ void write(const attention_args &a, const attention_codes &c,
                                          const query_place &at, int query, int lane)
    {
        const float *mean = c.v_mean + (int64_t)(at.batch * a.heads + at.head) * D + lane % 4 * 2;
        T *y = (T *)a.y + (int64_t)at.batch * a.lq * a.y_stride + at.head * D;
        float share[2] = {sum[0] / 4, sum[1] / 4}; /* of four lanes, which have all of it each */
#pragma unroll
        for (int i = 0; i < 64; i++)
            o[i] += mean[i / 4 * 8 + i % 2] * sum[i / 2 % 2];
        write_rows<T>(a, o, share, y, query, lane);
    }
#endif
};

template <class T>
__global__ void __launch_bounds__(384, 1)
    attention_fp8_kernel(const __grid_constant__ CUtensorMap mq,
                         const __grid_constant__ CUtensorMap mk,
                         const __grid_constant__ CUtensorMap mv, const attention_args a,
                         const attention_codes c, const query_tiles w)
{
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
    attend8<values_e4m3<T>>(&mq, &mk, &mv, a, c, w);
#endif
}

} // namespace

template <class T> void attention_fp8(const attention_args &a, const attention_codes &c)
{
    int64_t dim[2] = {c.padded / 2, (int64_t)a.batch * a.heads * D}, steps[1] = {c.padded};
    int box[2] = {64, D};
    start_codes<attention_fp8_kernel<T>, values_e4m3<T>>(a, c,
                                                         tile_map(F16, c.v, 2, dim, steps, box));
}

template void attention_fp8<half_t>(const attention_args &a, const attention_codes &c);
template void attention_fp8<bf16_t>(const attention_args &a, const attention_codes &c);
