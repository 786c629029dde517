/*
** apart.c: is one of these prompts among those of a calibration?
**
** Statistics (wan-denoise --stat) and checkpoints made with them (wan-quantize --stat) have digests
** of the prompts that they are of. A file that says nothing of prompts is of none.
*/
#include "apart.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "../../common/digest.h"
#include "found.h"

/* The list `prompts` in the JSON that is the value of a metadata key; NULL if there is none. */
static json_t *prompts_of(const found *f, const char *key)
{
    const char *text = json_string_value(json_object_get(f->metadata, key));
    json_t *said = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    json_t *list = json_incref(json_object_get(said, "prompts"));
    json_decref(said);
    return list;
}

static bool is_among(const json_t *list, const char *hex)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *one = json_string_value(json_array_get(list, i));
        if (one && strcmp(one, hex) == 0)
            return true;
    }
    return false;
}

void apart_check(const char *path)
{
    char *line = NULL, *first = NULL;
    size_t room = 0;
    int n = 0;
    found f = found_file(path);
    json_t *of_model = prompts_of(&f, "quantization"), *of_statistics = prompts_of(&f, "stat");
    while ((of_model || of_statistics) && getline(&line, &room, stdin) >= 0) {
        line[strcspn(line, "\n")] = 0;
        const char *hex = digest_of_text(line).hex;
        if (!is_among(of_model, hex) && !is_among(of_statistics, hex))
            continue;
        if (n++ == 0)
            first = new_format("%s", line);
    }
    if (n)
        die("%s was calibrated with %d of the prompts that are evaluated: %s", path, n, first);
    free(line);
    json_decref(of_model);
    json_decref(of_statistics);
    found_free(&f);
}
