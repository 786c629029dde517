/*
** attention.cuh: what the attention kernels share: their arguments and what is done to a logit.
*/
#ifndef ATTENTION_CUH
#define ATTENTION_CUH

#include "../attention.h"
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
    attention_operands in; /* of attention_plain: how weights are rounded */
    const float *v_mean;   /* [B, H d]: weights are rounded, and this is added; or NULL */
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

constexpr float LEAST = 0x1p-40f; /* the least scale of codes */

/* Scales of the codes of q [B, H, Lq] and of k [B, H, tiles, 8]: of a tile the first four are those
** of the keys which one lane of four has (attention_codes.cu). */
struct attention_scales {
    const float *q, *k;
    int64_t tiles;
};

/* What the pre-pass leaves (attention_codes.cu): of q and k int8 and scales; of v e4m3, a head's
** channels as rows, a power of two for each tile of keys, and what was taken off. Eight numbers of
** a tile are side by side: scales of the keys that a lane of four has, then v's power, and three of
** no use. */
constexpr int INT8_KEYS = ATTENTION_INT8_KEYS, FP8_KEYS = ATTENTION_FP8_KEYS;
struct attention_codes {
    const int8_t *q, *k;  /* [B, L, H, 128] */
    const float *q_scale; /* [B, H, Lq] */
    const float *scales;  /* [B, H, tiles, 8] */
    const uint8_t *v;     /* [B, H, 128, padded keys]; of 16 tokens in the order of turned() */
    const float *v_mean;  /* [B, H, 128] */
    int padded;           /* keys, to whole tiles */
};

/* What attention_int8_pv.cu has of k and v: for each sequence, head and 64 keys a tile of bytes,
** as it is to lie in shared memory. First the codes of k, a row of 128 a key, chunk c of 16 at
** c ^ (row mod 8); then those of v, a row of 64 a channel, chunk c at c ^ (row / 2 mod 4), each 16 keys in
** the order of turned(); then the four scales of keys of the same j / 2 mod 4, eight times: a word for
** each lane that copies. */
constexpr int PV_KEYS = ATTENTION_INT8_PV_KEYS, PV_HALF = PV_KEYS * 128,
              PV_TILE = 2 * PV_HALF + 128;
struct attention_tiles {
    const int8_t *q;      /* [B, Lq, H, 128] */
    const float *q_scale; /* [B, H, Lq] */
    const uint8_t *kv;    /* [B, H, tiles, PV_TILE] */
    const float *v_unit;  /* [B, H, 128]: greatest |v - mean| / 127; NAN where not finite */
    const float *v_mean;  /* [B, H, 128] */
    int tiles;
};
/* Sums of codes are in s32: of as many keys. */
constexpr int PV_MOST_KEYS = 1 << 18;

/* One function a file; each returns once the kernel is on the stream. */
template <class T> void attention_mma(const attention_args &a); /* d = 64 and 128, sm_80 */
/* q and k being int8 codes of heads 128 wide */
template <class T> void attention_mma_int8(const attention_args &a, const attention_scales &c);
/* q, k and v being int8 codes of heads 128 wide */
template <class T> void attention_int8_pv(const attention_args &a, const attention_tiles &c);
template <class T> void attention_wide(const attention_args &a); /* d = 8..512, sm_80 */
/* One head of d > 128, sm_90a; without a bias, the mask and last */
bool attention_strips_takes(const attention_args &a);
template <class T> void attention_strips(const attention_args &a);
template <class T> void attention_hopper(const attention_args &a); /* d = 128, sm_90a */
constexpr int MOST_FEW_KEYS = 128;
template <class T> void attention_few(const attention_args &a); /* as many keys, d = 128, sm_90a */
/* d = 128, sm_90a: q and k being int8 codes, v of 16 bits or e4m3 */
template <class T> void attention_int8(const attention_args &a, const attention_codes &c);
template <class T> void attention_fp8(const attention_args &a, const attention_codes &c);
/* In 8 bits: q and k, or all in int8, sm_80; weights and v in e4m3, sm_90a; d = 128 */
template <class T> void attention_8bit(const attention_args &a);
/* The same values anywhere, slowly. */
template <class T> void attention_rounded(const attention_args &a, tensor y);
void attention_plain(const attention_args &a); /* F32, d = 1..512 */

#endif
