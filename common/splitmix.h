/*
** splitmix.h: SplitMix64 (Steele, Lea and Flood 2014): a hash of a seed and an index, the same on
** any machine and in any order.
*/
#ifndef SPLITMIX_H
#define SPLITMIX_H

#include <stdint.h>

/* The k-th number of the generator with this seed. */
static inline uint64_t splitmix(uint64_t seed, uint64_t k)
{
    uint64_t z = seed + (k + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

/* Neighbouring seeds are neighbouring places of one sequence; this begins far from theirs. */
static inline uint64_t splitmix_apart(uint64_t seed) { return splitmix(seed, 0); }

#endif
