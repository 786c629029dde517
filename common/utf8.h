/*
** utf8.h: is a text UTF-8? For programs that read prompts; they link utf8proc.
*/
#ifndef UTF8_H
#define UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Shortest forms, no surrogates, nothing over 10ffff. */
bool is_utf8(const char *s, size_t n);

#endif
