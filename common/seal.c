/*
** seal.c: the canonical header of a document.
*/
#include "seal.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"

digester *seal_begin(const document *d)
{
    json_t *keys = json_object(), *tensors = json_array();
    for (int i = 0; i < d->keys; i++)
        if (strcmp(d->key[i].key, SEAL_KEY) != 0)
            json_object_set_new(keys, d->key[i].key, json_string(d->key[i].value));
    for (int i = 0; i < d->entries; i++)
        json_array_append_new(tensors,
                              json_pack("[s, s]", d->entry[i].name, tensor_text(d->entry[i].t)));
    json_t *all = json_pack("[o, o]", keys, tensors);
    char *text = all ? json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    if (!text)
        die("out of memory");
    json_decref(all);
    digester *g = digester_new();
    digester_add(g, text, strlen(text) + 1);
    free(text);
    return g;
}

const char *seal_of(const document *d)
{
    const char *text = metadata_get(d, SEAL_KEY);
    return is_digest(text) ? text : NULL;
}
