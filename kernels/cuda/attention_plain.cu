/*
** attention_plain.cu: attention in F32 throughout, for heads of any width up to 512. For --dtype
** fp32 and for small models: right, and not for speed (no tensor cores, whose F32 is rounded to
** 11 bits).
**
** A block of 256 threads takes 16 queries of one head and walks over the keys 32 at a time. Of
** the logits [16, 32] a thread sums two; of the output [16, d] it holds, in registers, every 16th
** column of its row. V is read from the caches.
*/
#include "../attention.h"
#include "attention.cuh"

namespace
{

/* The weight in e4m3 that is nearest to 2^x, logarithms being what is rounded (../attention.h). */
__device__ __forceinline__ float e4m3_weight(float x)
{
    float n = fminf(fmaxf(rintf(E4M3_STEPS * x + E4M3_ONE), 0), E4M3_MOST);
    int code = (int)n;
    float weight = code < E4M3_STEPS ? n * 0x1p-9f : __int_as_float((code << 20) + (120 << 23));
    return x == x ? weight : x;
}

/* The same of weights that are integers, where they begin: from four tiles of keys. logits: of 32. */
template <class F>
__device__ __forceinline__ float first_top(const attention_args &a, int query, F logits)
{
    constexpr int TILE = ATTENTION_INT8_PV_KEYS;
    int number = query / ATTENTION_PV_QUERIES * (ATTENTION_PV_QUERIES / TILE),
        whole = max(a.lk / TILE, 1);
    float first = -INFINITY, second = -INFINITY;
    for (int look = 0; look < 4; look++) {
        int tile = (number + (int)((2 * look + 1) * (int64_t)whole / 8)) % whole;
        float most = -INFINITY;
        for (int key = tile * TILE; key < tile * TILE + TILE; key += TILE / 2) {
            float s[2];
            logits(s, key);
            most = fmaxf(most, lane_max(fmaxf(s[0], s[1]), 16));
        }
        second = fmaxf(second, fminf(first, most));
        first = fmaxf(first, most);
    }
    return ceilf(second * a.scale_log2e) - ATTENTION_PV_BITS(a.lk);
}

/* By how much it grows: log2 of weights, and weights, of keys j and j + 16 of a query's 32. */
__device__ __forceinline__ float top_grows(float x0, float x1, float p0, float p1)
{
    float most = lane_max(fmaxf(x0, x1), 16), eight = p0 + p1;
    eight += __shfl_xor_sync(~0u, eight, 1);
    eight += __shfl_xor_sync(~0u, eight, 8);
    eight = fmaxf(eight, __shfl_xor_sync(~0u, eight, 2));
    eight = fmaxf(eight, __shfl_xor_sync(~0u, eight, 4));
    return eight > ATTENTION_PV_MOST ? fmaxf(ceilf(most) - ATTENTION_PV_LONG, 1) : 0;
}

constexpr int QUERIES = 16, KEYS = 32, THREADS = 256, SLICE = 32, MOST = 512 / 16;

__global__ void __launch_bounds__(THREADS) attention_plain_kernel(attention_args a)
{
    __shared__ float q[QUERIES][SLICE + 1], k[KEYS][SLICE + 1], p[QUERIES][KEYS];
    int row = threadIdx.x / 16, part = threadIdx.x % 16;
    int query = blockIdx.x * QUERIES, head = blockIdx.y, batch = blockIdx.z;
    const float *xq = (const float *)a.q + batch * a.lq * a.q_stride + head * a.d;
    const float *xk = (const float *)a.k + batch * a.lk * a.k_stride + head * a.d;
    const float *xv = (const float *)a.v + batch * a.lk * a.v_stride + head * a.d;
    float o[MOST] = {}, top = -INFINITY, sum = 0;
    bool whole = a.in == ATTENTION_INT8_PV;

    /* s: of keys key + part and the 16th behind. */
    auto logits = [&](float(&s)[2], int key) {
        s[0] = s[1] = 0;
        for (int c = 0; c < a.d; c += SLICE) {
            __syncthreads();
            int column = threadIdx.x % SLICE;
            for (int r = threadIdx.x / SLICE; r < KEYS; r += THREADS / SLICE) {
                bool in = c + column < a.d;
                k[r][column] = in && key + r < a.lk ? xk[(key + r) * a.k_stride + c + column] : 0;
                if (r < QUERIES)
                    q[r][column] =
                        in && query + r < a.lq ? xq[(query + r) * a.q_stride + c + column] : 0;
            }
            __syncthreads();
#pragma unroll
            for (int e = 0; e < SLICE; e++) {
                s[0] += q[row][e] * k[part][e];
                s[1] += q[row][e] * k[part + 16][e];
            }
        }
        for (int e = 0; e < 2; e++)
            s[e] = adjusted(a, s[e], head, query + row, key + part + e * 16);
    };

    if (whole)
        top = first_top(a, query, logits);
    for (int key = 0, end = keys_seen(a, query + QUERIES); key < end; key += KEYS) {
        float s[2], fade, p0, p1;
        logits(s, key);
        if (whole) {
            float x0 = s[0] * a.scale_log2e - top, x1 = s[1] * a.scale_log2e - top;
            float by = top_grows(x0, x1, exp2f(x0), exp2f(x1));
            fade = exp2f(-by);
            top += by;
            p0 = exp2f(x0 - by), p1 = exp2f(x1 - by);
        } else {
            float t = lane_max(fmaxf(s[0], s[1]), 16);
            if (a.v_mean) /* tops are whole powers of two */
                t = ceilf(t * a.scale_log2e) / a.scale_log2e;
            t = fmaxf(top, t);
            fade = exp2f((top - t) * a.scale_log2e);
            top = t;
            p0 = (s[0] - t) * a.scale_log2e, p1 = (s[1] - t) * a.scale_log2e;
            p0 = a.in == ATTENTION_FP8 ? e4m3_weight(p0 + ATTENTION_SHIFT) : exp2f(p0);
            p1 = a.in == ATTENTION_FP8 ? e4m3_weight(p1 + ATTENTION_SHIFT) : exp2f(p1);
        }
        sum = sum * fade + lane_sum(p0 + p1, 16);
        p[row][part] = whole ? rintf(p0) : p0;
        p[row][part + 16] = whole ? rintf(p1) : p1;
        __syncwarp(); /* a row's 16 threads are in one warp */
        int n = min(KEYS, a.lk - key);
#pragma unroll
        for (int c = 0; c < MOST; c++)
            if (c * 16 < a.d) {
                int column = c * 16 + part;
                float total = o[c] * fade;
                if (column < a.d)
                    for (int j = 0; j < n; j++)
                        total += p[row][j] * xv[(key + j) * a.v_stride + column];
                o[c] = total;
            }
    }
    const float *mean = a.v_mean ? a.v_mean + (batch * a.heads + head) * a.d : nullptr;
    float *y = (float *)a.y + batch * a.lq * a.y_stride + head * a.d;
    if (query + row < a.lq)
#pragma unroll
        for (int c = 0; c < MOST; c++)
            if (c * 16 + part < a.d)
                y[(query + row) * a.y_stride + c * 16 + part] =
                    o[c] / sum + (mean ? mean[c * 16 + part] : 0);
}

} // namespace

void attention_plain(const attention_args &a)
{
    dim3 grid((unsigned)ceil_div(a.lq, QUERIES), (unsigned)a.heads, (unsigned)a.batch);
    attention_plain_kernel<<<grid, THREADS, 0, stream>>>(a);
    LAUNCHED("attention in F32");
}
