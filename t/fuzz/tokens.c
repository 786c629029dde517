/*
** tokens.c: a tokenizer.json, and behind a zero byte a text that it cuts. If the text's length is
** odd there is a sentencepiece model beside it.
*/
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../bin/wan-encode-text/tokens.h"
#include "fuzz.h"

static char model[1 << 20];
static size_t model_bytes;

void fuzz_begin(void)
{
    model_bytes = fuzz_read(model, sizeof model, SOURCEDIR "/fixtures/spm/bytes/spiece.model");
}

void fuzz_target(const uint8_t *bytes, size_t n)
{
    size_t json, length;
    int32_t *ids;
    const char *text = fuzz_part(&bytes, &n, &json);
    const char *path = fuzz_path(text, json);
    fuzz_file(path, text, json);
    text = fuzz_part(&bytes, &n, &length);
    bool beside = length % 2;
    size_t count;
    tokens *t = tokens_open(beside ? model : NULL, beside ? model_bytes : 0, "the fixture", path);
    if (!tokens_encode(t, text, length, &ids, &count))
        free(ids);
    tokens_close(t);
}
