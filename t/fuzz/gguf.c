/*
** gguf.c: a GGUF file, under whatever layout its names are; every tensor is touched, and expanded
** as wan-quantize would.
*/
#include <stdlib.h>
#include <string.h>

#include "../../common/checkpoint/layout.h"
#include "../../common/checkpoint/stored.h"
#include "../../common/values.h"
#include "fuzz.h"

void fuzz_target(const uint8_t *bytes, size_t n)
{
    if (n < 9 || memcmp(bytes, "GGUF", 4) != 0)
        return;
    weights *w = weights_open(fuzz_path(bytes, n));
    weights_metadata(w, "general.name");
    for (int i = 0; i < weights_count(w); i++) {
        tensor t = weights_any(w, weights_name(w, i));
        if (type_has_values(t.type))
            summarize(t);
    }
    w = model_any(w);
    for (int i = 0; i < weights_count(w); i++) {
        const char *name = weights_name(w, i);
        size_t length = strlen(name);
        if (length > 7 && strcmp(name + length - 7, ".weight") == 0) {
            char base[256];
            snprintf(base, sizeof base, "%.*s", (int)(length - 7), name);
            stored s = weights_stored(w, base);
            free(stored_expanded(&s).data);
        }
    }
    weights_close(w);
}
