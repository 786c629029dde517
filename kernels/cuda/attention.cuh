/*
** attention.cuh: what the attention kernels share: their arguments and what is done to a logit.
*/
#ifndef ATTENTION_CUH
#define ATTENTION_CUH

#include "common.cuh"

/* Softmax is of scale * logit. What the options add to a logit is divided by scale beforehand, so
** that one factor, scale * log2(e), is left, and it goes into the argument of exp2. */
struct attention_args {
    const void *q, *k, *v;
    void *y;
    int64_t q_stride, k_stride, v_stride, y_stride; /* elements from row to row */
    int lq, lk, d, batch, heads;
    float scale_log2e;
    float inverse_scale;
    const float *bias; /* [H, lq + lk - 1] or NULL */
    float last;        /* log(last_key_count) / scale, or 0 */
    bool causal;
    const float *v_mean; /* [B, H d]: weights are rounded to e4m3, and this is added; or NULL */
};

/* The logit of query i and key j of head h with everything added that the options ask for. */
__device__ __forceinline__ float adjusted(const attention_args &a, float s, int h, int i, int j)
{
    if (j >= a.lk || (a.causal && j > i))
        return -INFINITY;
    if (a.bias && i < a.lq)
        s += a.bias[(int64_t)h * (a.lq + a.lk - 1) + j - i + a.lq - 1] * a.inverse_scale;
    return j == a.lk - 1 ? s + a.last : s;
}

/* Is there a logit to adjust in the tile of the keys from j on, for queries from i on? */
__device__ __forceinline__ bool adjusts(const attention_args &a, int i, int j, int keys)
{
    return a.bias || j + keys >= a.lk || (a.causal && j + keys - 1 > i);
}

/* The keys that queries below `end` can see. */
__device__ __forceinline__ int keys_seen(const attention_args &a, int end)
{
    return a.causal ? min(a.lk, end) : a.lk;
}

/* Scales of the codes of q [B, H, Lq] and of k [B, H, tiles, 8]: of a tile the first four are those
** of the keys which one lane of four has (attention_codes.cu). */
struct attention_scales {
    const float *q, *k;
    int64_t tiles;
};

/* One function a file; each returns once the kernel is on the stream. */
template <class T> void attention_mma(const attention_args &a); /* d = 64 and 128, sm_80 */
/* q and k being int8 codes of heads 128 wide */
template <class T> void attention_mma_int8(const attention_args &a, const attention_scales &c);
template <class T> void attention_wide(const attention_args &a); /* d = 8..512, sm_80 */
/* One head of d > 128, sm_90a; without a bias, the mask and last */
bool attention_strips_takes(const attention_args &a);
template <class T> void attention_strips(const attention_args &a);
template <class T> void attention_hopper(const attention_args &a); /* d = 128, sm_90a */
constexpr int MOST_FEW_KEYS = 128;
template <class T> void attention_few(const attention_args &a); /* as many keys, d = 128, sm_90a */
/* In 8 bits: q and k, sm_80, and if fp8 the weights and v too, sm_90a; d = 128 */
template <class T> void attention_8bit(const attention_args &a, bool fp8);
/* The same values anywhere, slowly. */
template <class T> void attention_rounded(const attention_args &a, tensor y, bool fp8);
void attention_plain(const attention_args &a); /* F32, d = 1..512 */

#endif
