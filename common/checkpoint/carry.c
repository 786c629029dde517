/*
** carry.c: what of a checkpoint's metadata goes along into another that is made of it.
*/
#include "carry.h"

#include <stdlib.h>

#include "../seal.h"
#include "config.h"

/* What says how the file was laid out, or its codes made, is not true of what is written. */
static bool is_stale(const weights *w, const char *key)
{
    static const char *const stale[] = {"_quantization_metadata", "tensor_names", "quantization",
                                        SEAL_KEY};
    const char *value = weights_metadata(w, key);
    for (size_t i = 0; i < sizeof stale / sizeof *stale; i++)
        if (strcmp(key, stale[i]) == 0)
            return true;
    return strncmp(key, "GGUF.", 5) == 0 || strncmp(key, "general.", 8) == 0 ||
           strncmp(key, "tokenizer.", 10) == 0 || strncmp(key, "comfy.", 6) == 0 ||
           (value && strncmp(value, "{\"_type\":", 9) == 0); /* torchao's, of each tensor */
}

void carry_metadata(document *d, const weights *w)
{
    for (int i = 0; i < weights_keys(w); i++)
        if (!is_stale(w, weights_key(w, i)))
            metadata_set(d, weights_key(w, i), weights_metadata(w, weights_key(w, i)));
}

void carry_config(document *d, const weights *w)
{
    if (metadata_get(d, "config") || !weights_what(w))
        return;
    config *c = config_open(w, PART_TRANSFORMER, false);
    char *text = config_json(c);
    if (text)
        metadata_set(d, "config", text);
    free(text);
    config_close(c);
}
