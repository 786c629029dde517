/*
** mojibake.c: text that was written as UTF-8 and read as something else, read rightly again.
**
** The method is that of ftfy 6.3.1's fix_encoding (its documentation, "Fixing problems and getting
** explanations"): a text that looks misread is written back as bytes in the first one-byte encoding
** that has all of its characters, and if those bytes are UTF-8, or nearly, they are what was meant.
** "Nearly": blanks for byte a0, sequences with a byte lost, UTF-16's halves each as UTF-8. A text
** that is misread in places only is mended in those. The result may have been misread before, so it
** is all done again until nothing changes.
**
** Hard to see: no step may turn honest text into other text. So a whole text is only ever reread
** when looks_misread() says so, and a part only when it is also made as UTF-8 sequences are.
*/
#include "mojibake.h"

#include <string.h>

#include "../../common/utf8.h"
#include "codepages.h"

/* ---- bytes that are UTF-8, or nearly ---- */

/* à as a word by itself ("Ã la mode"): of its a0 and the blank behind it one blank is left. */
static void part_a_grave(text *out, const char *s, size_t n)
{
    (void)s, (void)n;
    text_add(out, "\xc3\xa0 ", 3);
}

static void blank_to_a0(text *out, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        text_add(out, s[i] == ' ' ? "\xa0" : s + i, 1);
}

/* Byte a0 that became a blank comes back where that makes a likely letter. Two bytes: no-break
 * space, à, Š, Π, Р, ٠. Three: not behind e0 and e1, and none of the CJK. Four: f0 only. */
static void restore_a0(text *bytes)
{
    static regex a_grave = {.pattern = "\\xc3 (?! |quele|quela|quilo|s )"};
    static regex altered = {.pattern = "[\\xc2\\xc3\\xc5\\xce\\xd0\\xd9] "
                                       "|[\\xe2\\xe3] [\\x80-\\x84\\x86-\\x9f\\xa1-\\xbf]"
                                       "|[\\xe0-\\xe3][\\x80-\\x84\\x86-\\x9f\\xa1-\\xbf] "
                                       "|\\xf0 [\\x80-\\xbf][\\x80-\\xbf]"
                                       "|\\xf0[\\x80-\\xbf] [\\x80-\\xbf]"
                                       "|\\xf0[\\x80-\\xbf][\\x80-\\xbf] "};
    span found;
    if (!regex_find(&altered, bytes, 0, &found))
        return;
    regex_replace(&a_grave, bytes, part_a_grave);
    regex_replace(&altered, bytes, blank_to_a0);
}

static void to_lost(text *out, const char *s, size_t n)
{
    (void)s, (void)n;
    text_add_char(out, 0xfffd);
}

/* Sequences some of whose bytes were lost (1a, or once "?") become one U+FFFD. */
static void replace_lost(text *bytes)
{
#define LOST "[\\x1a?]"
#define NEXT "[\\x1a\\x80-\\xbf]"
#define ANY "[\\x1a?\\x80-\\xbf]"
    static regex lost = {.pattern = "[\\xc2-\\xdf]\\x1a|[\\xc2-\\xc3]\\?"
                                    "|\\xed[\\xa0-\\xaf]" LOST "\\xed[\\xb0-\\xbf]" ANY
                                    "|\\xed[\\xa0-\\xaf]" ANY "\\xed[\\xb0-\\xbf]" LOST
                                    "|[\\xe0-\\xef]" LOST NEXT "|[\\xe0-\\xef]" NEXT LOST
                                    "|[\\xf0-\\xf4]" LOST NEXT NEXT "|[\\xf0-\\xf4]" NEXT LOST NEXT
                                    "|[\\xf0-\\xf4]" NEXT NEXT LOST "|\\x1a"};
    regex_replace(&lost, bytes, to_lost);
}

/* UTF-8 and its two usual variants: surrogates that are each written as three bytes (CESU-8), and
 * c0 80 for 0 (Java). False if it is none of them. */
static bool decode(text *t, const text *bytes)
{
    const unsigned char *s = (const unsigned char *)bytes->s;
    size_t n = bytes->n, i = 0, plain = 0;
    text out = {0};
    while (i < n) {
        bool pair = i + 6 <= n && s[i] == 0xed && (s[i + 1] & 0xf0) == 0xa0 &&
                    (s[i + 2] & 0xc0) == 0x80 && s[i + 3] == 0xed && (s[i + 4] & 0xf0) == 0xb0 &&
                    (s[i + 5] & 0xc0) == 0x80;
        bool null = i + 2 <= n && s[i] == 0xc0 && s[i + 1] == 0x80;
        if (!pair && !null) {
            i++;
            continue;
        }
        text_add(&out, bytes->s + plain, i - plain);
        if (pair)
            text_add_char(&out, ((s[i + 1] & 15) << 16) + ((s[i + 2] & 63) << 10) +
                                    ((s[i + 4] & 15) << 6) + (s[i + 5] & 63) + 0x10000);
        else
            text_add(&out, "", 1);
        plain = i += pair ? 6 : 2;
    }
    text_add(&out, bytes->s + plain, n - plain);
    bool good = is_utf8(out.s, out.n);
    if (good)
        text_become(t, &out);
    text_free(&out);
    return good;
}

/* ---- the whole text ---- */

/* Rereads t if it is UTF-8 that was read as one code page. */
static bool reread(text *t)
{
    text bytes = {0};
    bool done = false;
    for (codepage p = 0; p < CODEPAGES && !done; p++) {
        if (!codepage_encode(&bytes, p, t))
            continue;
        if (p != MACROMAN) /* there c3 is √ or an en dash before a blank */
            restore_a0(&bytes);
        if (codepage_is_sloppy(p))
            replace_lost(&bytes);
        done = decode(t, &bytes);
    }
    text_free(&bytes);
    return done;
}

/* ---- parts of it ---- */

enum { FIRST_OF_2 = 1, FIRST_OF_3 = 2, FIRST_OF_4 = 4, FOLLOWING = 8 };

/* What a byte from 80 on is in UTF-8. */
static int part_of_utf8(int byte)
{
    return byte < 0xc0                    ? FOLLOWING
           : byte == 0xf0 || byte == 0xf3 ? FIRST_OF_4
           : byte >= 0xf0 || byte < 0xc2  ? 0
           : byte < 0xe0                  ? FIRST_OF_2
                                          : FIRST_OF_3;
}

/* Which bytes of UTF-8 a character may have been, in latin-1 or a windows page. Blanks may have
 * been a0. */
static int clues(int32_t c)
{
    static unsigned char found[1 << 16]; /* no page has a character beyond; made once */
    if (!found[' ']) {
        for (codepage p = LATIN_1; p <= WINDOWS_1257; p++)
            for (int byte = 0x80; byte < 0xf4; byte++)
                found[codepage_char(p, (unsigned char)byte)] |= part_of_utf8(byte);
        for (int byte = 0x80; byte < 0xc0; byte++)
            found[byte] |= FOLLOWING;
        found[' '] = FOLLOWING;
    }
    return c < (int32_t)sizeof found ? found[c] : 0;
}

/* A following byte that is not also honest punctuation. */
static bool is_telling(int32_t c)
{
    static const int32_t honest[] = {' ',    0x2013, 0x2014, 0x2015, 0x2018, 0x2019,
                                     0x201a, 0x201c, 0x201d, 0x201e, 0x2022, 0x2026};
    for (size_t i = 0; i < sizeof honest / sizeof *honest; i++)
        if (honest[i] == c)
            return false;
    return clues(c) & FOLLOWING;
}

/* The end of the longest run of sequences at s that look like UTF-8; s if there is none. */
static const char *run_at(const char *s, const char *end)
{
    while (s < end) {
        const char *p = s;
        int first = clues(next_char(&p, end)), following = 0;
        const char *ends[4] = {p};
        for (const char *q = p; following < 3 && q < end && clues(next_char(&q, end)) & FOLLOWING;)
            ends[++following] = q;
        if (first & FIRST_OF_2 && following >= 1)
            s = ends[1];
        else if (first & FIRST_OF_3 && following >= 2)
            s = ends[2];
        else if (first & FIRST_OF_4 && following >= 3)
            s = ends[3];
        else
            break;
    }
    return s;
}

/* Mends the runs that look misread by themselves; those within a larger garble are left. */
static void fix_parts(text *t)
{
    text out = {0};
    const char *end = t->s + t->n;
    int32_t before = 0;
    for (const char *s = t->s; s < end;) {
        const char *run = is_telling(before) ? s : run_at(s, end), *p = s;
        if (run == s) {
            before = next_char(&p, end);
            text_add(&out, s, (size_t)(p - s));
            s = p;
            continue;
        }
        text part = text_of(s, (size_t)(run - s));
        if (part.n < t->n && looks_misread(&part))
            fix_encoding(&part);
        text_add(&out, part.s, part.n);
        text_free(&part);
        while (s < run)
            before = next_char(&s, end);
    }
    text_become(t, &out);
}

/* ---- control characters ---- */

void fix_c1_controls(text *t)
{
    text out = {0};
    const char *end = t->s + t->n;
    for (const char *s = t->s; s < end;) {
        int32_t c = next_char(&s, end);
        bool control = c >= 0x80 && c <= 0x9f;
        text_add_char(&out, control ? codepage_char(WINDOWS_1252, (unsigned char)c) : c);
    }
    text_become(t, &out);
}

/* ---- all of it ---- */

/* One misreading undone: of the whole, else of parts, else of the control characters. */
static void fix_once(text *t)
{
    if (!looks_misread(t) || reread(t))
        return;
    text before = text_of(t->s, t->n);
    fix_parts(t);
    if (text_same(t, &before))
        fix_c1_controls(t);
    text_free(&before);
}

void fix_encoding(text *t)
{
    for (bool changed = true; changed;) {
        text before = text_of(t->s, t->n);
        fix_once(t);
        changed = !text_same(t, &before);
        text_free(&before);
    }
}
