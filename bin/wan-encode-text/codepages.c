/*
** codepages.c: the one-byte encodings in which UTF-8 is most often misread.
*/
#include "codepages.h"

/* Latin-1 needs no table. */
static const uint16_t upper_half[CODEPAGES - 1][128] = {
#include "codepages.inc"
};

bool codepage_is_sloppy(codepage p) { return p >= WINDOWS_1252 && p <= WINDOWS_1257; }

int32_t codepage_char(codepage p, unsigned char byte)
{
    if (byte == 0x1a && codepage_is_sloppy(p))
        return 0xfffd;
    return byte < 128 || p == LATIN_1 ? byte : upper_half[p - 1][byte - 128];
}

static int byte_of(codepage p, int32_t c)
{
    if (c < 128 && c != 0x1a)
        return c;
    if (c < 256 && codepage_char(p, (unsigned char)c) == c)
        return c;
    for (int byte = 0x1a; byte < 256; byte = byte < 128 ? 128 : byte + 1)
        if (codepage_char(p, (unsigned char)byte) == c)
            return byte;
    return -1;
}

bool codepage_encode(text *bytes, codepage p, const text *t)
{
    text_clear(bytes);
    const char *end = t->s + t->n;
    for (const char *s = t->s; s < end;) {
        int byte = byte_of(p, next_char(&s, end));
        if (byte < 0)
            return false;
        text_add(bytes, &(char){(char)byte}, 1);
    }
    return true;
}
