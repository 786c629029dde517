/*
** digest.h: a short name for what bytes say: XXH3, 128 bits, as xxh128sum prints it.
**
** Equal digests mean equal bytes as far as mistakes go; it is no proof against anyone who wants two
** alike.
*/
#ifndef DIGEST_H
#define DIGEST_H

#include <stdbool.h>
#include <stddef.h>

enum { DIGEST_DIGITS = 32 };

typedef struct {
    char hex[DIGEST_DIGITS + 1];
} digest;

digest digest_of(const void *bytes, size_t n);
digest digest_of_text(const char *text);
bool is_digest(const char *text); /* 32 hex digits, lower case; NULL is none */

/* The same of bytes that come piece by piece. */
typedef struct digester digester;
digester *digester_new(void);
void digester_add(digester *g, const void *bytes, size_t n);
digest digester_end(digester *g); /* frees it */

#endif
