/*
** record.c: reads a video's shape and metadata from the JSON that tensor-info prints for its
** stream.
**
** The record of a program is a JSON object in a string. Its members become keys of their own, so
** that two videos can be compared option by option, and a difference can be named. A prompt stays a
** string, even if it looks like such an object.
*/
#include "record.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "die.h"
#include "openfile.h"
#include "recipe.h"

char *last_component(const char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    size_t from = n;
    while (from > 0 && path[from - 1] != '/')
        from--;
    return new_format("%.*s", (int)(n - from), path + from);
}

static void add_key(record *r, char *key, char *value, bool member)
{
    r->key = realloc(r->key, (size_t)(r->keys + 1) * sizeof *r->key);
    if (!r->key || !key || !value)
        die("out of memory");
    r->key[r->keys++] = (record_key){key, value, member};
}

/* Adds one string of the metadata; if it is a record, its members. */
static void add_metadata(record *r, const char *key, const char *text)
{
    const char *member;
    json_t *value, *object = record_of(key, text);
    if (object)
        json_object_foreach(object, member, value)
            add_key(r, new_format("%s.%s", key, member),
                    json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS), true);
    else
        add_key(r, new_format("%s", key), new_format("%s", text), false);
    json_decref(object);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const record_key *)a)->key, ((const record_key *)b)->key);
}

/* The sizes of the tensor `frames` [N, H, W, 3]. */
static bool read_shape(record *r, const json_t *tensors)
{
    size_t i;
    const json_t *t;
    json_int_t n, h, w, c;
    json_array_foreach(tensors, i, t)
    {
        const char *name = json_string_value(json_object_get(t, "name"));
        if (!name || strcmp(name, "frames") != 0)
            continue;
        if (json_unpack((json_t *)t, "{s:[I,I,I,I!]}", "shape", &n, &h, &w, &c) != 0)
            return false;
        r->frames = n;
        r->height = h;
        r->width = w;
        return true;
    }
    return false;
}

static void read_json(record *r, const char *path)
{
    const char *key;
    json_error_t error;
    json_t *value, *all = input_json(path, JSON_REJECT_DUPLICATES, &error);
    if (!all)
        die("cannot read %s: line %d: %s", path, error.line, error.text);
    json_object_foreach(json_object_get(all, "metadata"), key, value)
    {
        if (!json_is_string(value))
            die("%s: the metadata '%s' is not a text", path, key);
        add_metadata(r, key, json_string_value(value));
    }
    const char *content = json_string_value(json_object_get(all, "content"));
    r->content = content ? new_format("%s", content) : NULL;
    if (!read_shape(r, json_object_get(all, "tensors")))
        die("%s is not what tensor-info --json says of a video: it has no shape of frames", path);
    if (r->keys)
        qsort(r->key, (size_t)r->keys, sizeof *r->key, by_key);
    json_decref(all);
}

/* The reason in the last line of the .fault file; without such a file, that DIRECTORY/NAME is
 * missing. */
static char *read_fault(const char *path, const char *directory, const char *name)
{
    char line[1000], last[1000] = "", *variant = last_component(directory), *text;
    FILE *f = input_file(path);
    while (f && fgets(line, sizeof line, f))
        if (line[strspn(line, " \r\n")])
            snprintf(last, sizeof last, "%.*s", (int)strcspn(line, "\r\n"), line);
    if (f)
        fclose(f);
    text = *last ? new_format("%s/%s: %s", variant, name, last)
                 : new_format("%s/%s is missing", variant, name);
    free(variant);
    return text;
}

record record_read(const char *directory, const char *name)
{
    record r = {0};
    char *json = new_format("%s/%s.json", directory, name);
    char *fault = new_format("%s/%s.fault", directory, name);
    if (access(json, F_OK) == 0)
        read_json(&r, json);
    else
        r.fault = read_fault(fault, directory, name);
    free(json);
    free(fault);
    return r;
}

void record_free(record *r)
{
    for (int i = 0; i < r->keys; i++) {
        free(r->key[i].key);
        free(r->key[i].value);
    }
    free(r->key);
    free(r->fault);
    free(r->content);
    *r = (record){0};
}

const char *record_get(const record *r, const char *key)
{
    record_key wanted = {.key = (char *)key};
    const record_key *k =
        r->keys ? bsearch(&wanted, r->key, (size_t)r->keys, sizeof wanted, by_key) : NULL;
    return k ? k->value : NULL;
}
