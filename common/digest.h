/*
** digest.h: a short name for what bytes say: FNV-1a, 64 bits. It tells files apart; it is no proof
** against anyone who wants two alike.
*/
#ifndef DIGEST_H
#define DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define DIGEST_START 0xcbf29ce484222325u

/* The digest of what made h, and n bytes behind it. */
uint64_t digest_bytes(uint64_t h, const void *bytes, size_t n);

#endif
