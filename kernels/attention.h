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

/* A softmax weight as an integer is 2^(log2(e) logit - top), rounded: a byte, and now and then two, as
** products of bytes are added. top is a whole number for each query:
**
**   - At first 2^top is 1/64 of a large weight, or 1/128 where there are 4096 keys or fewer. Of each of
**     four tiles of 64 keys the greatest logit is looked for: of the four the second makes this weight, so
**     that one tile like no other, the query's own for instance, is of no matter. They are 1/8, 3/8, 5/8
**     and 7/8 of the keys behind the tile that has the number of the first of the query's block of 128
**     (attention.c: find_units).
**   - Then all keys are walked over, 32 at a time. If the eight of them that have the same j / 2 mod 4 have
**     weights of more than 255 together, their query's top becomes greater by 1, or by as much as keeps
**     the greatest of the 32 at 2^15 or below, and sums so far are halved as often. What is then still
**     more than a byte has a second one.
**
** The divisor sums weights that are not rounded, and v has its mean taken: so what rounding loses of many
** small weights goes to the mean of v, and not to a few large ones. */
enum { ATTENTION_PV_MOST = 255, ATTENTION_PV_LONG = 15 };
enum { ATTENTION_PV_QUERIES = 128, ATTENTION_PV_FEW = 4096 };
#define ATTENTION_PV_BITS(keys) ((keys) <= ATTENTION_PV_FEW ? 7 : 6)

#endif
