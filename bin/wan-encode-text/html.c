/*
** html.c: HTML's character references, undone in the two ways that the reference uses.
**
** The rules are those of the HTML5 standard, 13.2.5.72 to .80 (character references), as Python's
** html module applies them: a name is cut from behind until a known one is left; numbers 128 to 159
** are read as windows-1252; control characters and noncharacters vanish. ftfy's stricter form
** (6.3.1, fixes.unescape_html) leaves incomplete ones alone: "this&not that" is no error.
*/
#include "html.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "codepages.h"

/* ---- the names ---- */

static const char words[] =
#include "entities.inc"
    ;

enum { MAX_NAMES = 2400, LONGEST_NAME = 32 };

/* "NAME;HEX.HEX^HEX" within words[] */
typedef struct {
    const char *name;
    size_t n; /* of the name alone */
} entity;

static entity names[MAX_NAMES];
static size_t count;

static void find_words(void)
{
    for (const char *p = words; *p; p += strcspn(p, " "), p += *p == ' ') {
        if (count == MAX_NAMES)
            die("too many names of characters");
        names[count++] = (entity){p, strcspn(p, ":;")};
    }
}

static int by_name(const void *a, const void *b)
{
    const entity *x = a, *y = b;
    size_t n = x->n < y->n ? x->n : y->n;
    int order = memcmp(x->name, y->name, n);
    return order ? order : (x->n > y->n) - (x->n < y->n);
}

/* The value behind NAME (";HEX..." or ":HEX..."), or NULL. */
static const char *entity_named(const char *name, size_t n)
{
    if (!count)
        find_words(); /* they are sorted in the file */
    entity key = {name, n}, *e = bsearch(&key, names, count, sizeof *names, by_name);
    return e ? e->name + e->n : NULL;
}

/* value: at the mark before the first HEX of a list. */
static void add_value(text *out, const char *value)
{
    char *end;
    do {
        text_add_char(out, (int32_t)strtol(value + 1, &end, 16));
        value = end;
    } while (*value == '.');
}

/* ---- numbers ---- */

static bool is_unwanted(long c)
{
    return (c >= 1 && c <= 8) || c == 0xb || (c >= 0xe && c <= 0x1f) || (c >= 0x7f && c <= 0x9f) ||
           (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe;
}

static void add_number(text *out, long c)
{
    if (c >= 0x80 && c <= 0x9f)
        text_add_char(out, codepage_char(WINDOWS_1252, (unsigned char)c));
    else if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        text_add_char(out, 0xfffd);
    else if (!is_unwanted(c))
        text_add_char(out, (int32_t)c);
}

/* "#12" or "#xab" and perhaps ";" at s: returns the bytes it takes, 0 if there is none. */
static size_t number_at(const char *s, size_t n, long *value)
{
    bool hex = n > 1 && (s[1] == 'x' || s[1] == 'X');
    size_t i = hex ? 2 : 1, first = i;
    *value = 0;
    for (; i < n && (hex ? isxdigit((unsigned char)s[i]) : isdigit((unsigned char)s[i])); i++) {
        int digit = isdigit((unsigned char)s[i]) ? s[i] - '0' : (s[i] | 32) - 'a' + 10;
        if (*value <= 0x10ffff)
            *value = *value * (hex ? 16 : 10) + digit;
    }
    if (i == first)
        return 0;
    return i + (i < n && s[i] == ';');
}

/* ---- HTML5's way ---- */

/* The bytes of a name at s as HTML cuts it out: up to 32 characters, none of them blank or < & # ;
 * and then perhaps a semicolon, which is counted too. */
static size_t name_at(const char *s, size_t n)
{
    const char *p = s, *end = s + n;
    for (int chars = 0; chars < LONGEST_NAME && p < end && !strchr("\t\n\f <&#;", *p); chars++)
        next_char(&p, end);
    if (p == s)
        return 0;
    return (size_t)(p - s) + (p < end && *p == ';');
}

/* The name at s[0..n), with its semicolon if any, or else the longest beginning of it. */
static void add_named(text *out, const char *s, size_t n)
{
    bool closed = s[n - 1] == ';';
    const char *value = entity_named(s, n - closed);
    if (value && (closed || *value == ':')) {
        add_value(out, value);
        return;
    }
    for (size_t k = n - 1; k > 1; k--)
        if ((value = entity_named(s, k)) && *value == ':') {
            add_value(out, value);
            text_add(out, s + k, n - k);
            return;
        }
    text_add(out, "&", 1);
    text_add(out, s, n);
}

void html_unescape(text *t)
{
    text out = {0};
    const char *p = t->s, *end = p + t->n, *amp;
    while (p < end && (amp = memchr(p, '&', (size_t)(end - p)))) {
        text_add(&out, p, (size_t)(amp - p));
        p = amp + 1;
        size_t left = (size_t)(end - p), n;
        long number;
        if (left && *p == '#') {
            if ((n = number_at(p, left, &number)))
                add_number(&out, number);
        } else if ((n = name_at(p, left)))
            add_named(&out, p, n);
        if (!n)
            text_add(&out, "&", 1);
        p += n;
    }
    text_add(&out, p, (size_t)(end - p));
    text_become(t, &out);
}

/* ---- ftfy's way ---- */

/* "NAME" in capitals for a name that is all small, where HTML5 sees nothing in "&NAME;". */
static const char *capital_named(const char *name, size_t n)
{
    char small[LONGEST_NAME];
    for (size_t i = 0; i < n; i++) {
        if (islower((unsigned char)name[i]))
            return NULL;
        small[i] = (char)tolower((unsigned char)name[i]);
    }
    const char *value = entity_named(small, n);
    if (!value)
        return NULL;
    text whole = text_of("&", 1), before;
    text_add(&whole, name, n + 1);
    before = text_of(whole.s, whole.n);
    html_unescape(&whole);
    bool free_name = text_same(&whole, &before);
    text_free(&whole);
    text_free(&before);
    if (!free_name)
        return NULL;
    size_t length = strcspn(value, " "), capital = strcspn(value, "^ ");
    return capital < length ? value + capital : value;
}

/* "&...;", complete */
static void add_whole(text *out, const char *s, size_t n)
{
    if (s[1] == '#') {
        long number;
        text value = {0};
        size_t taken = number_at(s + 1, n - 1, &number);
        if (taken == n - 1)
            add_number(&value, number);
        if (taken != n - 1 || (value.n == 1 && value.s[0] == ';')) /* ftfy takes it for a failure */
            text_add(out, s, n);
        else if (value.n)
            text_add(out, value.s, value.n);
        text_free(&value);
        return;
    }
    const char *value = entity_named(s + 1, n - 2);
    if (!value)
        value = capital_named(s + 1, n - 2);
    if (value)
        add_value(out, value);
    else
        text_add(out, s, n);
}

void html_unescape_whole(text *t)
{
    static regex reference = {.pattern = "&#?[0-9A-Za-z]{1,24};"};
    regex_replace(&reference, t, add_whole);
}
