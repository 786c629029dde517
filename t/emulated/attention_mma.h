/*
** attention_mma.h: a kernel run lane by lane, for a test in C.
*/
#ifndef EMULATED_ATTENTION_MMA_H
#define EMULATED_ATTENTION_MMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* y, q [Lq, heads d], k, v [Lk, heads d], F16: attention on a card whose blocks may have so much shared
** memory; late: copies to it take as long as they may. bias [heads, Lq + Lk - 1] as in kernels.h, or
** NULL. */
void emulated_attention_mma(uint16_t *y, const uint16_t *q, const uint16_t *k, const uint16_t *v,
                            int Lq, int Lk, int heads, int d, const float *bias, bool causal,
                            size_t shared_bytes, bool late);

#ifdef __cplusplus
}
#endif

#endif
