/*
** digest.c: XXH3 of 128 bits, from libxxhash.
*/
#include "digest.h"

#include <string.h>
#include <xxhash.h>

#include "die.h"

static digest as_hex(XXH128_hash_t h)
{
    static const char digits[] = "0123456789abcdef";
    digest d;
    XXH128_canonical_t bytes; /* big-endian: the same text on every machine */
    XXH128_canonicalFromHash(&bytes, h);
    for (int i = 0; i < DIGEST_DIGITS; i++)
        d.hex[i] = digits[bytes.digest[i / 2] >> (i % 2 ? 0 : 4) & 15];
    d.hex[DIGEST_DIGITS] = 0;
    return d;
}

digest digest_of(const void *bytes, size_t n) { return as_hex(XXH3_128bits(bytes, n)); }

digest digest_of_text(const char *text) { return digest_of(text, strlen(text)); }

bool is_digest(const char *text)
{
    return text && strlen(text) == DIGEST_DIGITS &&
           strspn(text, "0123456789abcdef") == DIGEST_DIGITS;
}

digester *digester_new(void)
{
    XXH3_state_t *state = XXH3_createState();
    if (!state || XXH3_128bits_reset(state) != XXH_OK)
        die("out of memory");
    return (digester *)state;
}

void digester_add(digester *g, const void *bytes, size_t n)
{
    if (n)
        XXH3_128bits_update((XXH3_state_t *)g, bytes, n);
}

digest digester_end(digester *g)
{
    digest d = as_hex(XXH3_128bits_digest((XXH3_state_t *)g));
    XXH3_freeState((XXH3_state_t *)g);
    return d;
}
