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

    /* With ATTENTION_INT8_PV a first walk finds tops alone. */
    for (int tops = a.in == ATTENTION_INT8_PV; tops >= 0; tops--)
        for (int key = 0, end = keys_seen(a, query + QUERIES); key < end; key += KEYS) {
            float s[2] = {};
            for (int c = 0; c < a.d; c += SLICE) {
                __syncthreads();
                int column = threadIdx.x % SLICE;
                for (int r = threadIdx.x / SLICE; r < KEYS; r += THREADS / SLICE) {
                    bool in = c + column < a.d;
                    k[r][column] =
                        in && key + r < a.lk ? xk[(key + r) * a.k_stride + c + column] : 0;
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
            float t = lane_max(fmaxf(s[0], s[1]), 16);
            if (a.v_mean) /* tops are whole powers of two */
                t = ceilf(t * a.scale_log2e) / a.scale_log2e;
            t = fmaxf(top, t);
            if (tops) {
                top = t;
                continue;
            }
            float fade = exp2f((top - t) * a.scale_log2e);
            top = t;
            float p0 = (s[0] - t) * a.scale_log2e, p1 = (s[1] - t) * a.scale_log2e;
            if (a.in == ATTENTION_FP8) {
                p0 = e4m3_weight(p0 + ATTENTION_SHIFT);
                p1 = e4m3_weight(p1 + ATTENTION_SHIFT);
            } else {
                float shift = a.in == ATTENTION_INT8_PV ? ATTENTION_U8_SHIFT : 0;
                p0 = exp2f(p0 + shift);
                p1 = exp2f(p1 + shift);
            }
            sum = sum * fade + lane_sum(p0 + p1, 16);
            bool whole = a.in == ATTENTION_INT8_PV;
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
