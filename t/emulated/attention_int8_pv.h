/*
** attention_int8_pv.h: a kernel run lane by lane, for a test in C.
*/
#ifndef EMULATED_ATTENTION_INT8_PV_H
#define EMULATED_ATTENTION_INT8_PV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* code [L, 128]; scale: of each row, or, of v, of each channel */
typedef struct {
    int8_t *code;
    float *scale;
} int8_codes;

/* y [Lq, 128] F16 = attention of one head, on a card whose blocks may have so much shared memory; late:
** copies to it take as long as they may. */
void emulated_attention_int8_pv(uint16_t *y, int Lq, int Lk, const int8_codes *q,
                                const int8_codes *k, const int8_codes *v, const float *v_mean,
                                size_t shared_bytes, bool late);

#ifdef __cplusplus
}
#endif

#endif
