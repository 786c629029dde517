/*
** codepages.h: the one-byte encodings in which UTF-8 is most often misread.
*/
#ifndef CODEPAGES_H
#define CODEPAGES_H

#include "text.h"

/* In the order in which ftfy tries them. */
typedef enum {
    LATIN_1,
    WINDOWS_1252,
    WINDOWS_1251,
    WINDOWS_1250,
    WINDOWS_1253,
    WINDOWS_1254,
    WINDOWS_1257,
    ISO_8859_2,
    MACROMAN,
    CP437,
    CODEPAGES
} codepage;

/* The windows pages: bytes that have no character stand for themselves, and byte 1a for U+FFFD, a
 * character that was lost before. */
bool codepage_is_sloppy(codepage p);
int32_t codepage_char(codepage p, unsigned char byte);
/* False if a character of t is not in p. */
bool codepage_encode(text *bytes, codepage p, const text *t);

#endif
