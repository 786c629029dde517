/*
** attention.h: constants of 8-bit attention that are the same on every device;
** kernels/cpu/attention_codes.c has the formulas.
*/
#ifndef ATTENTION_H
#define ATTENTION_H

#include "kernels.h"

/* The mean of keys or values is taken over so many tokens at most. */
enum { ATTENTION_SAMPLE = 1024 };

/* Channel c of q and k changes its sign if bit c % 32 of word c / 32 % 4 is set. The bits are binary
** digits of pi: unlike any row of a Hadamard matrix. */
#define ATTENTION_SIGNS                                                                            \
    {                                                                                              \
        0x243F6A88u, 0x85A308D3u, 0x13198A2Eu, 0x03707344u                                         \
    }

/* Tiles of keys, from the first key on, for which k has scales and v in e4m3 its power of two: the
** number of keys in a tile if v is in 16 bits, in e4m3, and in int8. */
enum { ATTENTION_INT8_KEYS = 176, ATTENTION_FP8_KEYS = 128, ATTENTION_INT8_PV_KEYS = 64 };

static inline int attention_tile_keys(attention_operands in)
{
    return in == ATTENTION_FP8       ? ATTENTION_FP8_KEYS
           : in == ATTENTION_INT8_PV ? ATTENTION_INT8_PV_KEYS
                                     : ATTENTION_INT8_KEYS;
}

/* A softmax weight in e4m3 is the value of the code nearest to 8 log2(2^8 e^(logit - top)) + 56, at
** least 0 and at most 126. So a code, four bits of exponent and three behind the leading one, is taken
** for the logarithm of its value in eighths (Schraudolph, Neural Computation 11(4), 1999): the value
** is 1 to 1.062 times the weight that is meant, 1.04 in the mean, which the divisor has too. Weights
** below 2^-6 come out less, and below 2^-7 as 0. e^top is a power of two, the least that is not less
** than the weights so far; on Hopper it may be 2 or 4 times that. */
enum { ATTENTION_SHIFT = 8, E4M3_STEPS = 8, E4M3_ONE = 56, E4M3_MOST = 126 };

/* A softmax weight in eight bits is 2^8 e^(logit - top), rounded to an integer, e^top being the least
** power of two that is not less than the query's weights: the greatest has 128 to 256. The divisor
** sums weights that are not rounded, and v has its mean taken: so what rounding loses of many small
** weights goes to the mean of v, and not to a few large ones. Weights that are not much larger than 1
** carry an error of a third of a unit each: it grows with the number of keys, and is greatest where
** logits deviate by 2 (PERFORMANCE.md). On a GPU (kernels/cuda/attention_int8_pv.cu) top is found on the way:
** a unit may be finer for the first keys, and is up to eight times as large where many weights of 32
** neighbouring keys are large. */
enum { ATTENTION_U8_SHIFT = 8 };

#endif
