/*
** attention.h: what attention.c has of attention_codes.c.
*/
#ifndef CPU_ATTENTION_H
#define CPU_ATTENTION_H

#include "cpu.h"

/* q, k, v as their codes have them, F32, on the scratch stack. v_mean [B, H d] is to be added to
** the result; absent unless v is in codes. */
typedef struct {
    tensor q, k, v, v_mean;
} rounded_heads;

rounded_heads attention_codes(tensor q, tensor k, tensor v, const attention_spec *spec);

#endif
