/*
** record.c: the tables that come from experiment.json: what ran, on which machines, and how the
** videos were made, as their metadata say. A value that all variants share is shown once; a missing
** one is an en dash.
*/
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "tables.h"

/* ---- JSON as text ---- */

static char *append(char *text, const char *separator, char *more)
{
    char *both = new_format("%s%s%s", text, *text ? separator : "", more);
    free(text);
    free(more);
    return both;
}

static char *json_text(const json_t *x)
{
    char *text = new_format("%s", "");
    size_t i;
    const char *key;
    json_t *part;
    if (json_is_string(x))
        return append(text, "", new_format("%s", json_string_value(x)));
    if (json_is_integer(x))
        return append(text, "", new_format("%" JSON_INTEGER_FORMAT, json_integer_value(x)));
    if (json_is_real(x))
        return append(text, "", new_format("%.6g", json_real_value(x)));
    if (json_is_boolean(x))
        return append(text, "", new_format("%s", json_is_true(x) ? "yes" : "no"));
    json_array_foreach((json_t *)x, i, part) text = append(text, ", ", json_text(part));
    json_object_foreach((json_t *)x, key, part)
    {
        char *value = json_text(part);
        text = append(text, ", ", new_format("%s %s", key, value));
        free(value);
    }
    return *text ? text : append(text, "", new_format("\u2013"));
}

static json_t *variant_record(const evaluation *e, int variant)
{
    return json_object_get(json_object_get(e->record, "variants"), e->variant[variant]);
}

static void column(table *t, const char *head, bool number)
{
    table_column(t, new_format("%s", head), number);
}

/* ---- machines ---- */

static const char *const MACHINE[][2] = {
    {"card", "card"},     {"driver", "driver"},
    {"cuda", "CUDA"},     {"cpu", "processor"},
    {"cores", "cores"},   {"memory_bytes", "memory (bytes)"},
    {"system", "system"}, {"ffmpeg", "ffmpeg"},
    {"commit", "commit"}, {"dirty", "changed since the commit"}};
enum { MACHINE_ROWS = sizeof MACHINE / sizeof *MACHINE };

static char *machine_text(const json_t *machine, const char *key)
{
    const json_t *value = json_object_get(machine, key);
    if (strcmp(key, "commit") == 0 && json_is_string(value)) /* as many digits as git needs */
        return new_format("%.12s", json_string_value(value));
    return json_text(value);
}

/* The different machines, and for each what ran there: "text, fp16". */
typedef struct {
    json_t *machines; /* array */
    char **who;
} machine_list;

static void add_machine(machine_list *list, const char *who, json_t *machine)
{
    size_t i;
    json_t *known;
    if (!json_is_object(machine))
        return;
    json_array_foreach(list->machines, i, known)
    {
        if (!json_equal(known, machine))
            continue;
        const char *last = strrchr(list->who[i], ' ');
        if (strcmp(last ? last + 1 : list->who[i], who) != 0)
            list->who[i] = append(list->who[i], ", ", new_format("%s", who));
        return;
    }
    json_array_append(list->machines, machine);
    list->who = realloc(list->who, json_array_size(list->machines) * sizeof *list->who);
    if (!list->who)
        die("out of memory");
    list->who[i] = new_format("%s", who);
}

static void add_runs(machine_list *list, const char *who, const json_t *record)
{
    size_t i;
    json_t *run;
    json_array_foreach(json_object_get(record, "runs"), i, run)
    {
        add_machine(list, who, json_object_get(run, "machine"));
    }
}

table machine_table(const evaluation *e)
{
    machine_list list = {json_array(), NULL};
    size_t k;
    json_t *machine;
    add_runs(&list, "text", json_object_get(e->record, "text"));
    for (int v = 0; v < e->variants; v++)
        add_runs(&list, e->variant[v], variant_record(e, v));
    add_machine(&list, "evaluation",
                json_object_get(json_object_get(e->record, "evaluation"), "machine"));
    table t = table_new(new_format("What ran on what"));
    column(&t, "machine", false);
    json_array_foreach(list.machines, k, machine) { table_column(&t, list.who[k], false); }
    for (int i = 0; i < MACHINE_ROWS && json_array_size(list.machines) > 0; i++) {
        table_copy(&t, MACHINE[i][1]);
        json_array_foreach(list.machines, k, machine)
        {
            table_put(&t, machine_text(machine, MACHINE[i][0]));
        }
    }
    json_decref(list.machines);
    free(list.who);
    return t;
}

/* ---- runs ---- */

static void put_runs(table *t, const char *who, const json_t *record, bool fake)
{
    size_t i;
    json_t *run;
    json_array_foreach(json_object_get(record, "runs"), i, run)
    {
        double seconds = json_number_value(json_object_get(run, "seconds"));
        bool ended = json_is_number(json_object_get(run, "seconds"));
        const char *stage = json_string_value(json_object_get(run, "stage"));
        table_copy(t, who);
        table_put(t, json_text(json_object_get(run, "stage")));
        table_put(t, json_text(json_object_get(run, "begun")));
        table_put(t, marked(figure(ended ? seconds : NAN, decimals_for(seconds, 3, 0)),
                            fake && strcmp(stage ? stage : "", "film") != 0));
        table_put(t, json_text(json_object_get(run, "return_code")));
    }
}

table runs_table(const evaluation *e)
{
    table t = table_new(new_format("Every run%s", has_fakes(e) ? "; " FAKE_NOTE : ""));
    column(&t, "of", false);
    column(&t, "stage", false);
    column(&t, "begun", false);
    column(&t, "seconds", true);
    column(&t, "return code", true);
    put_runs(&t, "all", json_object_get(e->record, "text"), false);
    for (int v = 0; v < e->variants; v++)
        put_runs(&t, e->variant[v], variant_record(e, v), is_fake(e, v));
    return t;
}

/* ---- how the videos were made ---- */

/* A flat object: "program option": value for every option of every program, and "key": value for
** what is no program's. What names the variant is left out: its key, and tensor-pick's record. */
static json_t *flat_metadata(const json_t *metadata)
{
    json_t *flat = json_object(), *value, *inner;
    const char *key, *option;
    json_object_foreach((json_t *)metadata, key, value)
    {
        if (strcmp(key, "variant") == 0 || strcmp(key, "tensor-pick") == 0)
            continue;
        if (!json_is_object(value))
            json_object_set(flat, key, value);
        json_object_foreach(value, option, inner)
        {
            char *name = new_format("%s %s", key, option);
            json_object_set(flat, name, inner);
            free(name);
        }
    }
    return flat;
}

/* Is that key the same for all variants? */
static bool is_shared(const evaluation *e, json_t *const *flat, const char *key)
{
    for (int v = 1; v < e->variants; v++) {
        const json_t *a = json_object_get(flat[0], key), *b = json_object_get(flat[v], key);
        if (!a || !b || !json_equal(a, b))
            return false;
    }
    return true;
}

/* shared: rows of what is the same for all variants, with one value; else rows of what differs. */
static void put_options(table *t, const evaluation *e, bool shared)
{
    json_t *all = json_object(), *value;
    json_t **flat = new_bytes((size_t)e->variants * sizeof *flat);
    const char *key;
    for (int v = 0; v < e->variants; v++) {
        flat[v] = flat_metadata(json_object_get(variant_record(e, v), "metadata"));
        json_object_update_missing(all, flat[v]);
    }
    json_object_foreach(all, key, value)
    {
        if (is_shared(e, flat, key) != shared)
            continue;
        table_copy(t, key);
        for (int v = 0; v < (shared ? 1 : e->variants); v++)
            table_put(t, json_text(json_object_get(flat[v], key)));
    }
    for (int v = 0; v < e->variants; v++)
        json_decref(flat[v]);
    free(flat);
    json_decref(all);
}

table differing_table(const evaluation *e)
{
    table t = table_new(new_format("How the videos were made: what differs between variants"));
    column(&t, "option", false);
    for (int v = 0; v < e->variants; v++)
        column(&t, e->variant[v], false);
    put_options(&t, e, false);
    return t;
}

table shared_table(const evaluation *e)
{
    table t = table_new(new_format("How the videos were made: what is the same for all"));
    column(&t, "option", false);
    column(&t, "value", false);
    put_options(&t, e, true);
    return t;
}

table measuring_table(const evaluation *e)
{
    const char *key;
    json_t *value;
    table t = table_new(new_format("What was measured, with which CLIP"));
    column(&t, "option", false);
    column(&t, "value", false);
    json_object_foreach(json_object_get(e->record, "evaluation"), key, value)
    {
        if (strcmp(key, "machine") == 0)
            continue;
        table_copy(&t, key);
        table_put(&t, json_text(value));
    }
    return t;
}
