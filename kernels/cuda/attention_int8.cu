/*
** attention_int8.cu: attention for heads 128 wide on Hopper, logits of int8 codes, weights and
** values of 16 bits (attention_8bit.cuh has the loop).
**
** 176 keys a tile, three of each under way. Shared memory: Q 16 KB, K 3 x 22 KB, V 3 x 44 KB:
** 218 KB with the scales. Registers: output 64, logits 88, weights 44. Bound: 4 Lq Lk d operations,
** half of them at twice the rate: 1.33 times a dense product's.
*/
#include "attention_8bit.cuh"

namespace
{

template <class T> struct values_16 : output8 {
    static constexpr int KEYS = INT8_KEYS, STAGES = 3, BOX = KEYS * 128, TILE = 2 * BOX;
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
    static constexpr bool WHOLE = false, POWERS = false, TURNS = true;
    static constexpr float UNIT = 1, SHIFT = 0; /* as a power of two */
    static __device__ __forceinline__ float above(int) { return 0; }
    float some[2];
    uint32_t p[KEYS / 4];

    static __device__ __forceinline__ void prepare(uint32_t) {}
    static __device__ __forceinline__ void fetch(uint32_t tile, const CUtensorMap *map,
                                                 uint32_t full, int key, const query_place &p,
                                                 const attention_args &)
    {
        barrier_expect(full, TILE);
        tile_fetch(tile, map, full, p.head * D, key * KEYS, p.batch);
        tile_fetch(tile + BOX, map, full, p.head * D + 64, key * KEYS, p.batch);
    }
    /* The weights and their sums. */
    __device__ __forceinline__ void weigh(const int (&s)[KEYS / 2], const rows8 &r)
    {
        float total[4] = {};
#pragma unroll
        for (int n = 0; n < KEYS / 4; n++) {
            float low = r.weight(s[2 * n], 2 * n), high = r.weight(s[2 * n + 1], 2 * n + 1);
            total[n % 2 * 2] += low;
            total[n % 2 * 2 + 1] += high;
            p[n] = pack2<T>(low, high);
        }
        some[0] = total[0] + total[1];
        some[1] = total[2] + total[3];
    }
    /* Are all less than 2^15, which 16 bits hold? */
    __device__ __forceinline__ bool fit() { return fmaxf(some[0], some[1]) < 0x1p15f; }
    __device__ __forceinline__ void add_weights(const rows8 &)
    {
        sum[0] += some[0];
        sum[1] += some[1];
    }
    /* Starts o [64, D] += p v. */
    __device__ __forceinline__ void start(uint32_t v)
    {
        uint64_t b = operand(v, 1024, BOX);
#pragma unroll
        for (int step = 0; step < KEYS / 16; step++)
            product_128<T>(o, p + step * 4, further(b, step * 2048));
        products_commit();
    }
    __device__ __forceinline__ void there(float) { pin(o); }
    __device__ __forceinline__ void write(const attention_args &a, const attention_codes &,
                                          const query_place &at, int query, int lane)
    {
        T *y = (T *)a.y + (int64_t)at.batch * a.lq * a.y_stride + at.head * D;
        write_rows<T>(a, o, sum, y, query, lane);
    }
#endif
};

template <class T>
__global__ void __launch_bounds__(384, 1)
    attention_int8_kernel(const __grid_constant__ CUtensorMap mq,
                          const __grid_constant__ CUtensorMap mk,
                          const __grid_constant__ CUtensorMap mv, const attention_args a,
                          const attention_codes c, const query_tiles w)
{
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
    attend8<values_16<T>>(&mq, &mk, &mv, a, c, w);
#endif
}

} // namespace

template <class T> void attention_int8(const attention_args &a, const attention_codes &c)
{
    start_codes<attention_int8_kernel<T>, values_16<T>>(
        a, c, map_rows(a.v, a.v_stride, a.lk, a, INT8_KEYS));
}

template void attention_int8<half_t>(const attention_args &a, const attention_codes &c);
template void attention_int8<bf16_t>(const attention_args &a, const attention_codes &c);
