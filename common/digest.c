/*
** digest.c: FNV-1a (Fowler, Noll and Vo), 64 bits.
*/
#include "digest.h"

uint64_t digest_bytes(uint64_t h, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 0x100000001b3u;
    return h;
}
