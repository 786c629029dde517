/*
** variant.c: the records of a variant's videos, and what they say together.
*/
#include "variant.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/csv.h"
#include "../../common/die.h"
#include "../../common/nameindex.h"
#include "runs.h"

/* The names of all records in the directory. */
static void add_records(name_list *list, const char *home)
{
    DIR *d = opendir(home);
    if (!d && errno != ENOENT)
        die_errno("cannot read %s", home);
    for (const struct dirent *e; d && (e = readdir(d));) {
        size_t n = strlen(e->d_name), end = strlen(".json");
        if (n <= end || strcmp(e->d_name + n - end, ".json") != 0)
            continue;
        char *name = new_format("%.*s", (int)(n - end), e->d_name);
        names_add(list, name);
        free(name);
    }
    if (d)
        closedir(d);
}

variant variant_read(const char *directory, const char *name, const char *names)
{
    name_list list = {0};
    variant v = {.name = name};
    char *home = new_format("%s/eval/%s", directory, name),
         *variant_home = new_format("%s/%s", directory, name);
    if (names)
        names_read(&list, names);
    else
        add_records(&list, home);
    names_sort(&list);
    v.about = new_bytes((size_t)list.n * sizeof *v.about);
    for (int i = 0; i < list.n; i++) {
        v.about[v.videos] = record_read(home, list.name[i]);
        if (v.about[v.videos].fault)
            record_free(&v.about[v.videos]);
        else
            v.videos++;
    }
    v.runs = runs_read(variant_home);
    names_free(&list);
    free(home);
    free(variant_home);
    return v;
}

void variant_free(variant *v)
{
    for (int i = 0; i < v->videos; i++)
        record_free(&v->about[i]);
    free(v->about);
    json_decref(v->runs);
}

static bool said_by_all(const variant *v, const record_key *k)
{
    for (int i = 0; i < v->videos; i++) {
        const char *value = record_get(&v->about[i], k->key);
        if (!value || strcmp(value, k->value) != 0)
            return false;
    }
    return true;
}

json_t *metadata_of(const variant *v)
{
    json_t *all = json_object();
    for (int i = 0; v->videos && i < v->about[0].keys; i++) {
        const record_key *k = &v->about[0].key[i];
        const char *dot = k->member ? strchr(k->key, '.') : NULL;
        json_t *value = dot ? json_loads(k->value, JSON_DECODE_ANY, NULL) : NULL;
        if (!said_by_all(v, k)) {
            json_decref(value);
            continue;
        }
        if (!value) {
            json_object_set_new(all, k->key, json_string(k->value));
            continue;
        }
        char *program = new_format("%.*s", (int)(dot - k->key), k->key);
        if (!json_object_get(all, program))
            json_object_set_new(all, program, json_object());
        json_object_set_new(json_object_get(all, program), dot + 1, value);
        free(program);
    }
    return all;
}

/* A JSON value as text; a number with the fewest digits that read back as it. To be freed. */
static char *value_text(const json_t *value, const char *json)
{
    char *text = NULL;
    size_t n;
    if (json_is_string(value))
        return new_format("%s", json_string_value(value));
    if (!json_is_real(value))
        return new_format("%s", json ? json : "");
    FILE *f = open_memstream(&text, &n);
    if (!f)
        die("out of memory");
    csv_figure(f, json_real_value(value));
    fclose(f);
    return text;
}

void text_set_add(text_set *s, const char *text)
{
    if (!*text || index_find(s->at, text) >= 0)
        return;
    index_note(&s->at, text, s->n);
    names_add(&s->list, text);
    s->n++;
}

char *text_set_end(text_set *s)
{
    char *all = NULL;
    size_t bytes;
    FILE *f = open_memstream(&all, &bytes);
    if (!f)
        die("out of memory");
    for (int i = 0; i < s->n; i++)
        fprintf(f, "%s%s", i ? " " : "", s->list.name[i]);
    if (fclose(f) != 0)
        die("out of memory");
    index_free(&s->at);
    names_free(&s->list);
    *s = (text_set){0};
    return all;
}

char *values_of(const variant *v, const char *key)
{
    text_set all = {0};
    const char *before = NULL; /* most say what the one before says */
    for (int i = 0; i < v->videos; i++) {
        const char *json = record_get(&v->about[i], key);
        if (before && json && strcmp(before, json) == 0)
            continue;
        json_t *value = json ? json_loads(json, JSON_DECODE_ANY, NULL) : NULL;
        char *text = value_text(value, json);
        text_set_add(&all, text);
        json_decref(value);
        free(text);
        before = json;
    }
    return text_set_end(&all);
}

const char *note_of(const variant *v)
{
    char *stored = values_of(v, "wan-denoise.stored");
    bool fake = strstr(stored, "fake") != NULL;
    free(stored);
    return fake ? "fake: F16 in memory" : NULL;
}

json_t *weights_of(const variant *v, const json_t *about)
{
    static const char *const keys[] = {"format", "bits", "weight_bytes", "stored"};
    json_t *all = json_object(), *said = json_object_get(about, "wan-denoise");
    for (int i = 0; i < 4; i++) {
        json_t *value = json_object_get(said, keys[i]);
        json_object_set_new(all, keys[i], value ? json_incref(value) : json_null());
    }
    if (note_of(v))
        json_object_set_new(all, "note", json_string(note_of(v)));
    return all;
}
