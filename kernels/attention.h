/*
** attention.h: constants of 8-bit attention that are the same on every device;
** kernels/cpu/attention_codes.c has the formulas.
*/
#ifndef ATTENTION_H
#define ATTENTION_H

/* The mean of keys or values is taken over so many tokens at most. */
enum { ATTENTION_SAMPLE = 1024 };

/* Channel c of q and k changes its sign if bit c % 32 of word c / 32 % 4 is set. The bits are binary
** digits of pi: unlike any row of a Hadamard matrix. */
#define ATTENTION_SIGNS                                                                            \
    {                                                                                              \
        0x243F6A88u, 0x85A308D3u, 0x13198A2Eu, 0x03707344u                                         \
    }

/* Tiles of keys, from the first key on, for which k has scales and v its power of two: the number of
** keys in a tile if v is in 16 bits, and if it is in e4m3. */
enum { ATTENTION_INT8_KEYS = 176, ATTENTION_FP8_KEYS = 128 };

/* Softmax weights in e4m3 are 2^8 e^(logit - top), where e^top is a power of two. */
enum { ATTENTION_SHIFT = 8 };

#endif
