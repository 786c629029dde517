/*
** text.h: what names end in: X.weight is the weight of the layer X.
*/
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <string.h>

#include "die.h"

/* Is it something, and then `end`? */
static inline bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);
    return n > k && strcmp(text + n - k, end) == 0;
}

/* That something, in new memory; NULL if it does not end so. */
static inline char *before_end(const char *text, const char *end)
{
    size_t n = strlen(text) - (ends_with(text, end) ? strlen(end) : 0);
    return text[n] ? new_format("%.*s", (int)n, text) : NULL;
}

#endif
