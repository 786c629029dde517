/*
** clip-bpe.c: CLIP's vocab.json and merges.txt, and a text: three parts. Where the first is empty
** it is the least vocabulary that is one; where the second is too, a few pairs, both read before.
*/
#include <stdio.h>
#include <string.h>

#include "../../bin/clipscore/bpe.h"
#include "../../common/utf8.h"
#include "fuzz.h"

/* What becomes of "the" and "tthhee", and of two characters of two bytes. */
static const char PAIRS[] = "t h\nth e</w>\nh e\ne e</w>\nt t\nÃ ©</w>\nÃ ©\nÃ© Ã©\n";

static char least[16384];
static bpe *ready;

/* A byte as bpe.c shows it: printable ones of Latin-1 as they are, the others from U+0100 on. */
static int shown_byte(char *to, int byte)
{
    int hidden = 0;
    for (int i = 0; i <= byte; i++)
        hidden += !((i >= '!' && i <= '~') || (i >= 0xa1 && i != 0xad));
    bool printable = (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte != 0xad);
    int c = printable ? byte : 255 + hidden;
    if (c < 128)
        return sprintf(to, "%s%c", c == '"' || c == '\\' ? "\\" : "", c);
    return sprintf(to, "%c%c", 0xc0 | c >> 6, 0x80 | (c & 63));
}

void fuzz_begin(void)
{
    char *p = least;
    p += sprintf(p, "{\"<|startoftext|>\":512,\"<|endoftext|>\":513");
    for (int i = 0; i < 512; i++) {
        p += sprintf(p, ",\"");
        p += shown_byte(p, i / 2);
        p += sprintf(p, "%s\":%d", i % 2 ? "</w>" : "", i);
    }
    sprintf(p, "}");
    fuzz_file("/vocab.json", least, strlen(least));
    fuzz_file("/merges.txt", PAIRS, strlen(PAIRS));
    ready = bpe_open("clip");
}

static void encode(const bpe *b, const char *text, size_t n)
{
    int32_t ids[77];
    int cut;
    if (is_utf8(text, n) && bpe_encode(b, ids, 77, text, n, &cut) > 77)
        fuzz_broken("a text has as many ids as there is room for");
}

void fuzz_target(const uint8_t *bytes, size_t n)
{
    size_t vocabulary_bytes, merges_bytes;
    const char *vocabulary = fuzz_part(&bytes, &n, &vocabulary_bytes);
    const char *merges = fuzz_part(&bytes, &n, &merges_bytes);
    if (!vocabulary_bytes && !merges_bytes) {
        encode(ready, (const char *)bytes, n);
        return;
    }
    if (!vocabulary_bytes) {
        vocabulary = least;
        vocabulary_bytes = strlen(least);
    }
    fuzz_file("/vocab.json", vocabulary, vocabulary_bytes);
    fuzz_file("/merges.txt", merges, merges_bytes);
    bpe *b = bpe_open("clip");
    encode(b, (const char *)bytes, n);
    bpe_close(b);
}
