/*
** recipe.c: records of programs, and the digests of them that are recipes.
**
** Canonical JSON is jansson's compact form with sorted keys and nine digits of a real number, which
** is also how a record is written: so a recipe can be computed again from the metadata alone.
*/
#include "recipe.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "seal.h"

enum { FORM = JSON_COMPACT | JSON_REAL_PRECISION(9) };

/* Said to readers: it decides nothing (the machine), or follows from what does (the kind of
 * weights; the digest of a text, whose recipe is the input; the record of that input; the steps
 * that a rule chose). */
static const char *const SAID[] = {"version",      "device", "rng_card", "context", "format",
                                   "act_products", "before", "skipped",  NULL};
/* Keys of the metadata that are texts whatever they look like. */
static const char *const TEXTS[] = {"prompt",   "negative_prompt", "seed",    "fps", "variant",
                                    RECIPE_KEY, SEAL_KEY,          "comment", NULL};

static bool in_list(const char *const list[], const char *name)
{
    for (; *list; list++)
        if (strcmp(*list, name) == 0)
            return true;
    return false;
}

bool only_said(const char *member) { return in_list(SAID, member); }

static char *dumped(const json_t *all, size_t more)
{
    char *text = json_dumps(all, FORM | more);
    if (!text)
        die("out of memory");
    return text;
}

/* ---- records ---- */

/* NULL: text that is not UTF-8 cannot be JSON */
static json_t *option_json(const option *o)
{
    switch (o->kind) {
    case OPTION_FLAG: return json_boolean(*(bool *)o->value);
    case OPTION_INT: return json_integer(*(int64_t *)o->value);
    case OPTION_FLOAT: return json_real(*(double *)o->value);
    case OPTION_TEXT: {
        const char *text = *(const char **)o->value;
        return text ? json_string(text) : json_null();
    }
    case OPTION_LIST: {
        const option_list *list = o->value;
        json_t *all = json_array();
        for (int i = 0; i < list->n; i++)
            if (json_array_append_new(all, json_string(list->text[i])) != 0)
                return NULL;
        return all;
    }
    }
    return NULL;
}

static json_t *record_now(const option *table, int numerics, json_t *extra)
{
    json_t *all = json_object();
    json_object_set_new(all, "version", json_string(PROGRAM_VERSION));
    json_object_set_new(all, "numerics", json_integer(numerics));
    for (const option *o = table; o->value; o++)
        if (!o->hidden) {
            char letter[2] = {o->letter, 0};
            json_t *value = option_json(o);
            if (!value)
                die("the value of %s is not UTF-8", o->name ? o->name : letter);
            json_object_set_new(all, o->name ? o->name : letter, value);
        }
    if (extra && json_object_update(all, extra) != 0)
        die("out of memory");
    json_decref(extra);
    return all;
}

bool is_text(const char *key) { return in_list(TEXTS, key); }

json_t *record_of(const char *key, const char *value)
{
    if (is_text(key))
        return NULL;
    json_t *all = json_loads(value, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_string(json_object_get(all, "version")))
        return all;
    json_decref(all);
    return NULL;
}

digest recipe_of(const char *program, const json_t *record)
{
    json_t *all = json_object(), *value;
    const char *member;
    json_object_foreach((json_t *)record, member, value) if (!only_said(member))
        json_object_set(all, member, value);
    json_object_set_new(all, "program", json_string(program));
    char *text = dumped(all, JSON_SORT_KEYS);
    digest d = digest_of_text(text);
    free(text);
    json_decref(all);
    return d;
}

void provenance_add(document *d, const option *table, int numerics, json_t *extra)
{
    json_t *record = record_now(table, numerics, extra);
    char *text = dumped(record, 0);
    metadata_set(d, program_name(), text);
    if (json_object_get(record, "input"))
        metadata_set(d, RECIPE_KEY, recipe_of(program_name(), record).hex);
    else
        metadata_remove(d, RECIPE_KEY);
    free(text);
    json_decref(record);
}

/* ---- what was read ---- */

static digest digest_of_tensors(const document *d)
{
    document bare = *d;
    bare.keys = 0;
    digester *g = seal_begin(&bare);
    for (int i = 0; i < d->entries; i++)
        digester_add(g, d->entry[i].t.data, tensor_bytes(d->entry[i].t));
    return digester_end(g);
}

void recipe_input(json_t *extra, const document *d)
{
    const char *recipe = metadata_get(d, RECIPE_KEY);
    if (is_digest(recipe))
        json_object_set_new(extra, "input", json_string(recipe));
    else if (d->memory)
        json_object_set_new(extra, "input", json_sprintf("tensors:%s", digest_of_tensors(d).hex));
}

/* ---- --recipe ---- */

void recipe_write(writer *w, document *d)
{
    assert(d->entries == 0);
    writer_header(w, d);
    writer_end(w);
}

void recipe_load(reader *r)
{
    if (!is_digest(metadata_get(&r->d, RECIPE_KEY)))
        reader_load(r);
}

void recipe_print(const option *table, int numerics, json_t *extra)
{
    json_t *record = record_now(table, numerics, extra);
    json_object_set_new(record, "program", json_string(program_name()));
    char *text = dumped(record, JSON_SORT_KEYS);
    puts(text);
    free(text);
    json_decref(record);
}
