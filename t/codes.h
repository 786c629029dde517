/*
** codes.h: random weights in every format of common/formats.h, for tests.
*/
#ifndef CODES_H
#define CODES_H

#include "compare.h"

/* All types that are codes. */
static const tensor_type CODES[] = {I8,   F8_E4M3, F8_E5M2, Q8_0, Q4_0, Q4_1,
                                    Q5_0, Q5_1,    Q4_K,    Q5_K, Q6_K};
enum { CODE_TYPES = sizeof CODES / sizeof *CODES };

static inline void put_f16(uint8_t *p, float v)
{
    uint16_t h = f16_of_f32(v);
    memcpy(p, &h, 2);
}

/* Any bits, but where a block's own scales stand: there of about `size`. */
static inline tensor random_codes(tensor_type type, int64_t out, int64_t in, float size)
{
    static const struct {
        tensor_type type;
        int scale, least; /* bytes where F16 scales stand; -1: none */
    } places[] = {{Q8_0, 0, -1}, {Q4_0, 0, -1}, {Q4_1, 0, 2}, {Q5_0, 0, -1},
                  {Q5_1, 0, 2},  {Q4_K, 0, 2},  {Q5_K, 0, 2}, {Q6_K, 208, -1}};
    size_t bytes = (size_t)(out * in / type_block(type)) * type_size(type);
    uint8_t *p = remembered(new_bytes(bytes + 1));
    for (size_t i = 0; i < bytes; i++) {
        p[i] = (uint8_t)(random_float(128) + 128);
        if (type == F8_E4M3 || type == F8_E5M2)
            p[i] &= 0xbf; /* neither NaN nor infinite */
    }
    for (size_t k = 0; k < sizeof places / sizeof *places; k++)
        for (size_t at = 0; type == places[k].type && at < bytes; at += type_size(type)) {
            put_f16(p + at + places[k].scale, random_float(size));
            if (places[k].least >= 0)
                put_f16(p + at + places[k].least, random_float(size));
        }
    return tensor_of(p, type, out, in);
}

/* The values of host codes, F32, as operands of type A have them. */
static inline tensor values_of(tensor codes, tensor_type A)
{
    tensor w = new_host(F32, codes.dim[0], codes.dim[1]);
    host_convert(w, codes);
    if (A != F32) {
        tensor small = new_host(A, codes.dim[0], codes.dim[1]);
        host_convert(small, w);
        host_convert(w, small);
    }
    return w;
}

static inline bool scaled_beside(tensor_type type)
{
    return type == I8 || type == F8_E4M3 || type == F8_E5M2;
}

#endif
