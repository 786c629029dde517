/*
** attention.h: what the codes of 8-bit attention are made with, on every device;
** kernels/cpu/attention_codes.c says how.
*/
#ifndef ATTENTION_H
#define ATTENTION_H

/* A mean of keys or values is of so many tokens at most. */
enum { ATTENTION_SAMPLE = 1024 };

/* Channel c of q and k changes its sign if bit c % 32 of word c / 32 % 4 is set: binary digits of
** pi, which no row of Hadamard's matrix resembles. */
#define ATTENTION_SIGNS                                                                            \
    {                                                                                              \
        0x243F6A88u, 0x85A308D3u, 0x13198A2Eu, 0x03707344u                                         \
    }

/* Scales of k, and v's powers of two, are of tiles of so many keys, from the first on: where v is
** in 16 bits, where it is in e4m3. */
enum { ATTENTION_INT8_KEYS = 176, ATTENTION_FP8_KEYS = 128 };

/* Weights in e4m3 are 2^8 times e^(logit - top), and tops whole powers of two. */
enum { ATTENTION_SHIFT = 8 };

#endif
