/*
** attention.h: kernels run lane by lane, for a test in C: of one sequence in F16, as on a card before Hopper
** whose blocks may have so much shared memory. late: copies to it take as long as they may.
*/
#ifndef EMULATED_ATTENTION_H
#define EMULATED_ATTENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../kernels/kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

/* y, q [Lq, heads d], k, v [Lk, heads d]: attention_mma.cu. bias [heads, Lq + Lk - 1] as in kernels.h, or
** NULL. */
void emulated_attention_mma(uint16_t *y, const uint16_t *q, const uint16_t *k, const uint16_t *v,
                            int Lq, int Lk, int heads, int d, const float *bias, bool causal,
                            size_t shared_bytes, bool late);

/* The same for one head 128 wide: attention_codes.cu, then attention_int8_pv.cu (in: ATTENTION_INT8_PV) or
** attention_mma.cu (ATTENTION_INT8). */
void emulated_attention_8bit(uint16_t *y, const uint16_t *q, const uint16_t *k, const uint16_t *v,
                             int Lq, int Lk, attention_operands in, size_t shared_bytes, bool late);

#ifdef __cplusplus
}
#endif

#endif
