/*
** nameindex.c: names and their indices, as a JSON object of integers.
*/
#include "nameindex.h"

#include <jansson.h>

#include "die.h"

void index_note(struct json_t **index, const char *name, int place)
{
    if (!*index)
        *index = json_object();
    if (json_object_set_new_nocheck(*index, name, json_integer(place)))
        die("out of memory");
}

int index_find(const struct json_t *index, const char *name)
{
    const json_t *place = json_object_get(index, name);
    return place ? (int)json_integer_value(place) : -1;
}

void index_free(struct json_t **index)
{
    json_decref(*index);
    *index = NULL;
}
