/*
** utf8.c: utf8proc's decoder, asked only whether it gets to the end.
*/
#include "utf8.h"

#include <utf8proc.h>

bool is_utf8(const char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t k =
            utf8proc_iterate((const utf8proc_uint8_t *)s + i, (utf8proc_ssize_t)(n - i), &c);
        if (k < 1)
            return false;
        i += (size_t)k;
    }
    return true;
}
