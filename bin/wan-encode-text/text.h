/*
** text.h: growable UTF-8 strings, and regular expressions over them.
**
** A text is valid UTF-8 unless it says bytes, may hold NULs, and has a NUL behind it. All of them
** are a prompt long: nothing here is made for megabytes.
*/
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    char *s; /* NULL while nothing was added */
    size_t n, room;
} text;

text text_of(const char *s, size_t n);
void text_add(text *t, const char *s, size_t n);
void text_add_char(text *t, int32_t c);
void text_clear(text *t);
void text_free(text *t);
/* t becomes `from`, which becomes nothing. */
void text_become(text *t, text *from);
bool text_same(const text *a, const text *b);

/* The character at *p (of valid UTF-8, before end), and moves *p behind it. */
int32_t next_char(const char **p, const char *end);
/* Python's and Unicode's white space. */
bool is_space(int32_t c);
/* A letter, mark, digit or underscore. */
bool is_word_char(int32_t c);

/* A pattern of PCRE2, compiled when it is first used: `static regex r = {"[a-z]", true}`. */
typedef struct {
    const char *pattern;
    bool utf8; /* characters, else bytes */
    void *code, *match;
} regex;

typedef struct {
    size_t begin, end;
} span;

/* The first match that begins at or after `from`. */
bool regex_find(regex *r, const text *t, size_t from, span *found);
/* Calls change(out, matched bytes, n) for every match in turn; the rest is copied. */
void regex_replace(regex *r, text *t, void (*change)(text *out, const char *s, size_t n));

#endif
