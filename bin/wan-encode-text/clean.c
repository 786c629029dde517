/*
** clean.c: a prompt's text as the reference gives it to its tokenizer.
**
** The reference (wan/modules/tokenizers.py) calls ftfy.fix_text, html.unescape twice, and makes one
** blank of any white space. ftfy is followed in its version 6.3.1 with default settings, from its
** documentation ("Fixer functions", "Configuring ftfy"): line by line, character references,
** misread encodings (mojibake.c), C1 controls, ligatures, width, quotes, line ends, terminal
** escapes, control characters and composition (NFC), round and round until nothing changes.
**
** What it refuses: nothing. A text that is valid UTF-8 has a clean form, if only an empty one.
*/
#include "clean.h"

#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "../../common/die.h"
#include "html.h"
#include "mojibake.h"

/* ---- character by character ---- */

/* Latin letters that are one character for the printer's or an old encoding's sake. */
static const char *ligature(int32_t c)
{
    static const struct {
        int32_t c;
        const char *letters;
    } table[] = {{0x132, "IJ"},       {0x133, "ij"},  {0x149, "\u02bcn"}, {0x1f1, "DZ"},
                 {0x1f2, "Dz"},       {0x1f3, "dz"},  {0x1c4, "D\u017d"}, {0x1c5, "D\u017e"},
                 {0x1c6, "d\u017e"},  {0x1c7, "LJ"},  {0x1c8, "Lj"},      {0x1c9, "lj"},
                 {0x1ca, "NJ"},       {0x1cb, "Nj"},  {0x1cc, "nj"},      {0xfb00, "ff"},
                 {0xfb01, "fi"},      {0xfb02, "fl"}, {0xfb03, "ffi"},    {0xfb04, "ffl"},
                 {0xfb05, "\u017ft"}, {0xfb06, "st"}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].c == c)
            return table[i].letters;
    return NULL;
}

/* Normalised, as options say; t is valid UTF-8. */
static void normalise(text *t, utf8proc_option_t options)
{
    utf8proc_uint8_t *s;
    utf8proc_ssize_t n = utf8proc_map((const utf8proc_uint8_t *)t->s, (utf8proc_ssize_t)t->n, &s,
                                      UTF8PROC_STABLE | UTF8PROC_COMPOSE | options);
    if (n < 0)
        die("cannot normalise a text: %s", utf8proc_errmsg(n));
    text_clear(t);
    text_add(t, (const char *)s, (size_t)n);
    free(s);
}

/* Half and full width: the usual form. Curly quotes: the straight ones. */
static void add_plain(text *out, int32_t c)
{
    if (c == 0x3000)
        c = ' ';
    if (c > 0xff00 && c < 0xfff0) {
        text one = {0};
        text_add_char(&one, c);
        normalise(&one, UTF8PROC_COMPAT);
        text_add(out, one.s, one.n);
        text_free(&one);
    } else if (c == 0x2bc || (c >= 0x2018 && c <= 0x201b)) {
        text_add(out, "'", 1);
    } else if (c >= 0x201c && c <= 0x201f) {
        text_add(out, "\"", 1);
    } else if (c == '\r' || c == 0x2028 || c == 0x2029 || c == 0x85) {
        text_add(out, "\n", 1);
    } else {
        text_add_char(out, c);
    }
}

static void fix_characters(text *t)
{
    text out = {0};
    const char *end = t->s + t->n;
    for (const char *s = t->s; s < end;) {
        int32_t c = next_char(&s, end);
        const char *letters = ligature(c);
        if (c == '\r' && s < end && *s == '\n')
            continue;
        if (!letters) {
            add_plain(&out, c);
            continue;
        }
        for (const char *last = letters + strlen(letters); letters < last;)
            add_plain(&out, next_char(&letters, last));
    }
    text_become(t, &out);
}

static void drop(text *out, const char *s, size_t n) { (void)out, (void)s, (void)n; }

/* Control characters but for the white ones; Arabic's deprecated ones, the byte order mark,
 * annotation and object replacement characters. */
static void remove_controls(text *t)
{
    static regex escape = {.pattern = "\\x1b\\[[\\p{Nd};]*[a-zA-Z]", .utf8 = true};
    static regex control = {.pattern =
                                "[\\x00-\\x08\\x0b\\x0e-\\x1f\\x7f\\x{206a}-\\x{206f}\\x{feff}"
                                "\\x{fff9}-\\x{fffc}]",
                            .utf8 = true};
    regex_replace(&escape, t, drop);
    regex_replace(&control, t, drop);
}

/* ---- lines, and the whole ---- */

static void fix_line(text *t, bool unescape)
{
    for (bool changed = true; changed && t->n;) {
        text before = text_of(t->s, t->n);
        if (unescape)
            html_unescape_whole(t);
        fix_encoding(t);
        fix_c1_controls(t);
        fix_characters(t);
        remove_controls(t);
        normalise(t, 0);
        changed = !text_same(t, &before);
        text_free(&before);
    }
}

/* Character references are left alone from the first line on that holds a "<": that is HTML. */
static void fix_text(text *t)
{
    text out = {0};
    bool unescape = true;
    for (size_t i = 0, n; i < t->n; i += n) {
        const char *s = t->s + i, *newline = memchr(s, '\n', t->n - i);
        n = newline ? (size_t)(newline - s) + 1 : t->n - i;
        unescape = unescape && !memchr(s, '<', n);
        text line = text_of(s, n);
        fix_line(&line, unescape);
        text_add(&out, line.s, line.n);
        text_free(&line);
    }
    text_become(t, &out);
}

static void single_blanks(text *t)
{
    text out = {0};
    const char *end = t->s + t->n;
    bool blank = false;
    for (const char *s = t->s; s < end;) {
        const char *from = s;
        if (is_space(next_char(&s, end))) {
            blank = true;
            continue;
        }
        if (blank && out.n)
            text_add(&out, " ", 1);
        blank = false;
        text_add(&out, from, (size_t)(s - from));
    }
    text_become(t, &out);
}

void clean(text *t)
{
    text_add(t, "", 0); /* never NULL from here on */
    fix_text(t);
    text_add(t, "", 0);
    html_unescape(t);
    html_unescape(t);
    single_blanks(t);
    text_add(t, "", 0);
}
