/*
** text.c: what each language takes for markup, and how it says the same as text.
**
** Prompts come from strangers, so nothing is passed on because it "will not occur". The hard one
** is LaTeX, whose classic engine stops at a letter it was not told of: such a letter is written as
** \otherletter{letter}{code point}, which prints it where the engine has all of Unicode, and its
** number where it has not.
*/
#include "text.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "../../common/die.h"

/* ---- letters ---- */

static void html_letter(FILE *f, int c)
{
    switch (c) {
    case '&': fputs("&amp;", f); return;
    case '<': fputs("&lt;", f); return;
    case '>': fputs("&gt;", f); return;
    case '"': fputs("&quot;", f); return;
    case '\'': fputs("&#39;", f); return;
    }
    putc(c, f);
}

/* All that begins emphasis, code, links, mentions, mathematics, HTML, emoji or another cell; the
 * dot that makes an address of "www", and a colon with something behind it. */
static void markdown_letter(FILE *f, int before, int c, int next)
{
    if (strchr("\\`*_{}[]<>|$#@~&!^", c) || (c == '.' && (before == 'w' || before == 'W')) ||
        (c == ':' && next != ' ' && next != 0))
        putc('\\', f);
    putc(c, f);
}

static void tex_letter(FILE *f, int c, int next)
{
    static const char *const spelt[] = {['\\'] = "\\textbackslash{}",
                                        ['~'] = "\\textasciitilde{}",
                                        ['^'] = "\\textasciicircum{}",
                                        ['"'] = "\\textquotedbl{}",
                                        ['['] = "{[}",
                                        [']'] = "{]}",
                                        ['*'] = "{*}"};
    if (c < (int)(sizeof spelt / sizeof *spelt) && spelt[c]) {
        fputs(spelt[c], f);
        return;
    }
    if (strchr("{}$&#_%", c))
        putc('\\', f);
    putc(c, f);
    if ((strchr("-'`<>,", c) && next == c) || (strchr("!?", c) && next == '`'))
        fputs("{}", f); /* else the two are one letter */
}

/* A letter beyond ASCII that stands in n bytes at s. */
static void tex_wide_letter(FILE *f, const char *s, int n, int c)
{
    switch (c) {
    case 0xa0: putc('~', f); return;
    case 0x2212: fputs("$-$", f); return;
    case 0x2013: fputs("--", f); return;
    case 0x2014: fputs("---", f); return;
    case 0xd7: fputs("$\\times$", f); return;
    case 0xf7: fputs("$\\div$", f); return;
    case 0xb1: fputs("$\\pm$", f); return;
    case 0x221e: fputs("$\\infty$", f); return;
    case 0x2026: fputs("\\dots{}", f); return;
    }
    bool known =
        (c >= 0xc0 && c <= 0xff) || c == 0x2018 || c == 0x2019 || c == 0x201c || c == 0x201d;
    if (known)
        fprintf(f, "%.*s", n, s);
    else
        fprintf(f, "\\otherletter{%.*s}{%04X}", n, s, (unsigned)c);
}

/* A letter that is not seen, but turns the direction of what follows it, or breaks its line. */
static bool steers(int c)
{
    return c == 0x61c || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069);
}

void put_text(FILE *f, markup m, const char *text)
{
    int before = 0;
    while (*text) {
        utf8proc_int32_t c = 0;
        int n = (int)utf8proc_iterate((const utf8proc_uint8_t *)text, -1, &c);
        if (n < 1) /* tables and records were looked at when they were read */
            die("text that is not UTF-8: %s", text);
        if (c < 0x20 || (c >= 0x7f && c < 0xa0))
            putc(' ', f);
        else if (steers(c)) /* shown for what it is */
            fprintf(f, "(U+%04X)", (unsigned)c);
        else if (c < 0x80 && m == HTML)
            html_letter(f, c);
        else if (c < 0x80 && m == MARKDOWN)
            markdown_letter(f, before, c, text[n]);
        else if (c < 0x80)
            tex_letter(f, c, text[n]);
        else if (m == TEX)
            tex_wide_letter(f, text, n, c);
        else
            fprintf(f, "%.*s", n, text);
        before = c;
        text += n;
    }
}

size_t letters(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += (*text & 0xc0) != 0x80;
    return n;
}

/* ---- numbers ---- */

char *figure(double x, int decimals)
{
    if (isnan(x))
        return new_format("\u2013");
    if (isinf(x))
        return new_format("%s\u221e", x < 0 ? "\u2212" : "");
    char *digits = new_format("%.*f", decimals, fabs(x));
    bool zero = !digits[strspn(digits, "0.")];
    char *text = new_format("%s%s", x < 0 && !zero ? "\u2212" : "", digits);
    free(digits);
    return text;
}

char *interval(double low, double high, int decimals)
{
    if (isnan(low) || isnan(high))
        return figure(NAN, 0);
    char *a = figure(low, decimals), *b = figure(high, decimals);
    char *text = new_format("[%s, %s]", a, b);
    free(a);
    free(b);
    return text;
}

char *probability(double p) { return p < 0.001 ? new_format("< 0.001") : figure(p, 3); }

int decimals_for(double x, int significant, int least)
{
    x = fabs(x);
    if (!isfinite(x) || x == 0)
        return least;
    int decimals = significant - 1 - (int)floor(log10(x));
    return decimals < least ? least : decimals > 12 ? 12 : decimals;
}
