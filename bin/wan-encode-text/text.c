/*
** text.c: growable UTF-8 strings, and regular expressions over them (PCRE2).
*/
#include "text.h"

#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <utf8proc.h>

#include "../../common/die.h"

void text_add(text *t, const char *s, size_t n)
{
    if (t->n + n + 1 > t->room) {
        t->room = 2 * (t->n + n) + 32;
        t->s = realloc(t->s, t->room);
        if (!t->s)
            die("out of memory: cannot get %zu bytes", t->room);
    }
    if (n)
        memcpy(t->s + t->n, s, n);
    t->n += n;
    t->s[t->n] = 0;
}

text text_of(const char *s, size_t n)
{
    text t = {0};
    text_add(&t, s, n);
    return t;
}

void text_add_char(text *t, int32_t c)
{
    utf8proc_uint8_t bytes[4];
    utf8proc_ssize_t n = utf8proc_encode_char(c, bytes);
    text_add(t, (const char *)bytes, (size_t)n);
}

void text_clear(text *t)
{
    t->n = 0;
    if (t->s)
        t->s[0] = 0;
}

void text_free(text *t)
{
    free(t->s);
    *t = (text){0};
}

void text_become(text *t, text *from)
{
    free(t->s);
    *t = *from;
    *from = (text){0};
    text_add(t, "", 0); /* of which all was dropped is empty, and not NULL */
}

bool text_same(const text *a, const text *b)
{
    return a->n == b->n && (a->n == 0 || memcmp(a->s, b->s, a->n) == 0);
}

int32_t next_char(const char **p, const char *end)
{
    utf8proc_int32_t c;
    utf8proc_ssize_t k = utf8proc_iterate((const utf8proc_uint8_t *)*p, end - *p, &c);
    if (k < 1)
        die("text that was UTF-8 is no more"); /* ours, but cheaper to say than to loop over */
    *p += k;
    return c;
}

bool is_space(int32_t c)
{
    return (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
           c == 0x202f || c == 0x205f || c == 0x3000;
}

bool is_word_char(int32_t c)
{
    utf8proc_category_t k = utf8proc_category(c);
    return c == '_' || (k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_NO);
}

/* ---- regular expressions ---- */

static void compile(regex *r)
{
    int error;
    PCRE2_SIZE at;
    PCRE2_UCHAR message[120];
    uint32_t options = r->utf8 ? PCRE2_UTF | PCRE2_UCP : 0;
    r->code =
        pcre2_compile((PCRE2_SPTR)r->pattern, PCRE2_ZERO_TERMINATED, options, &error, &at, NULL);
    if (!r->code) {
        pcre2_get_error_message(error, message, sizeof message);
        die("PCRE2 refuses a pattern at %zu: %s", (size_t)at, (char *)message);
    }
    r->match = pcre2_match_data_create_from_pattern(r->code, NULL);
    if (!r->match)
        die("out of memory");
}

bool regex_find(regex *r, const text *t, size_t from, span *found)
{
    if (!r->code)
        compile(r);
    int n = pcre2_match(r->code, (PCRE2_SPTR)(t->s ? t->s : ""), t->n, from, 0, r->match, NULL);
    if (n < 0 && n != PCRE2_ERROR_NOMATCH)
        die("PCRE2 cannot search a text of %zu bytes: error %d", t->n, n);
    if (n < 0)
        return false;
    const PCRE2_SIZE *place = pcre2_get_ovector_pointer(r->match);
    *found = (span){place[0], place[1]};
    return true;
}

void regex_replace(regex *r, text *t, void (*change)(text *out, const char *s, size_t n))
{
    text out = {0};
    size_t done = 0;
    span m;
    while (done < t->n && regex_find(r, t, done, &m) && m.end > m.begin) {
        text_add(&out, t->s + done, m.begin - done);
        change(&out, t->s + m.begin, m.end - m.begin);
        done = m.end;
    }
    text_add(&out, t->s + done, t->n - done);
    text_become(t, &out);
}
