/*
** attention.h: what attention.c has of attention_codes.c.
*/
#ifndef CPU_ATTENTION_H
#define CPU_ATTENTION_H

#include "cpu.h"

/* The e4m3fn next to v (OCP OFP8 1.0), as F32; more than 448 becomes that, NaN stays. */
INLINE float e4m3_near(float v)
{
    uint32_t u = bits_of_f32(v), size = u & 0x7fffffffu;
    float normal = f32_of_bits((u + 0x7ffff + (u >> 20 & 1)) & 0xfff00000u);
    float rounded = size < 0x3c800000u ? rintf(v * 512.0f) / 512.0f : normal;
    rounded = rounded > 448.0f ? 448.0f : rounded < -448.0f ? -448.0f : rounded;
    return size > 0x7f800000u ? v : rounded;
}

/* q, k, v as their codes have them, F32, on the scratch stack. v_mean [B, H d] is to be added to
** the result; absent unless v is in e4m3. */
typedef struct {
    tensor q, k, v, v_mean;
} rounded_heads;

rounded_heads attention_codes(tensor q, tensor k, tensor v, const attention_spec *spec);

#endif
