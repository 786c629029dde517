/*
** spiece.c: a sentencepiece model, and text cut into its pieces.
*/
#include <stdlib.h>
#include <string.h>

#include "../../bin/wan-encode-text/tokenizer.h"
#include "fuzz.h"

void fuzz_target(const uint8_t *bytes, size_t n)
{
    static const char *const lines[] = {"", "a red fox", "\u3000ｆｕｌｌ ﬁ Å①", "日本 \u2581x <s>"};
    tokenizer *t;
    int32_t *ids;
    size_t count;
    if (tokenizer_open(&t, bytes, n))
        return;
    for (int i = 0; i < 4; i++)
        if (!tokenizer_encode(t, lines[i], strlen(lines[i]), &ids, &count))
            free(ids);
    tokenizer_end(t);
    tokenizer_close(t);
}
