/*
** prompts.c: a list of prompts: lines of text, cleaned and cut into pieces; and lines of ids.
*/
#include <stdio.h>
#include <string.h>

#include "../../bin/wan-encode-text/clean.h"
#include "../../bin/wan-encode-text/prompts.h"
#include "../../common/utf8.h"
#include "fuzz.h"

static tokens *pieces;

void fuzz_begin(void)
{
    static char model[1 << 20];
    size_t n =
        fuzz_read(model, sizeof model, SOURCEDIR "/fixtures/random/google/umt5-xxl/spiece.model");
    pieces = tokens_open(model, n, "the fixture", NULL);
}

static void read_all(const prompt_rules *rules, FILE *f)
{
    prompt_list list = {.file = f};
    for (prompt p; prompt_read(&p, rules, &list); prompt_free(&p)) {
        text t = text_of(p.text, strlen(p.text));
        clean(&t);
        if (!is_utf8(t.s, t.n))
            fuzz_broken("a clean text is UTF-8");
        text_free(&t);
    }
}

/* What begins with a digit is a list of ids. */
void fuzz_target(const uint8_t *bytes, size_t n)
{
    bool ids = n && bytes[0] >= '0' && bytes[0] <= '9';
    prompt_rules rules = {.pieces = ids ? NULL : pieces, .most = 512, .vocabulary = 1024};
    fuzz_file("prompts", bytes, n);
    FILE *f = fopen("prompts", "r");
    if (!f)
        f = fuzz_open(bytes, n);
    read_all(&rules, f);
    fclose(f);
}
