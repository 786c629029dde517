/*
** attention_mma.cc: kernels/cuda/attention_mma.cu lane by lane (cuda.h), for one sequence in F16.
*/
#define __shared__
#include "cuda.h"

#include "../../kernels/cuda/attention_mma.cu"

#include "attention.h"

namespace
{
alignas(1024) uint4 shared[(256 << 10) / sizeof(uint4)];
}

void emulated_attention_mma(uint16_t *y, const uint16_t *q, const uint16_t *k, const uint16_t *v,
                            int Lq, int Lk, int heads, int d, const float *bias, bool causal,
                            size_t shared_bytes, bool late)
{
    attention_args a = {};
    a.q = q, a.k = k, a.v = v, a.y = y;
    a.q_stride = a.k_stride = a.v_stride = a.y_stride = heads * d;
    a.lq = Lq, a.lk = Lk, a.d = d, a.batch = 1, a.heads = heads;
    a.scale_log2e = (float)(1.4426950408889634 / sqrt(d));
    a.inverse_scale = (float)sqrt(d);
    a.bias = bias;
    a.causal = causal;
    lanes::shared_bytes = shared_bytes;
    lanes::late = late;
    attention_mma<half_t>(a);
}
