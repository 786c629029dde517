/*
** record.c: the tables that come from experiment.json. It says what it says: keys that are not known
** here are shown too, and what is missing is an en dash.
*/
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

/* ---- tables ---- */

table command_table(const evaluation *e)
{
    const char *key;
    json_t *value;
    table t = table_new(new_format("What was asked for"));
    table_column(&t, new_format("option"), false);
    table_column(&t, new_format("value"), false);
    json_object_foreach(json_object_get(e->record, "command"), key, value)
    {
        table_copy(&t, key);
        table_put(&t, json_text(value));
    }
    return t;
}

static json_t *variant_record(const evaluation *e, int variant)
{
    return json_object_get(json_object_get(e->record, "variants"), e->variant[variant]);
}

/* What a run, or the evaluation, says of its machine: in an object of its own or with the rest. */
static json_t *machine_value(const json_t *run, const char *key)
{
    const json_t *machine = json_object_get(run, "machine");
    return json_object_get(json_is_object(machine) ? machine : run, key);
}

/* Of a commit, the digits that git needs. */
static char *machine_text(const json_t *value, const char *key)
{
    if (strcmp(key, "commit") == 0 && json_is_string(value))
        return new_format("%.12s", json_string_value(value));
    return json_text(value);
}

/* All that the runs of a variant say for that key, each once. */
static char *runs_text(const json_t *runs, const char *key)
{
    char *text = new_format("%s", "");
    json_t *seen = json_array(), *run;
    size_t i;
    json_array_foreach((json_t *)runs, i, run)
    {
        json_t *value = machine_value(run, key), *old;
        size_t k;
        bool again = false;
        json_array_foreach(seen, k, old) again = again || json_equal(old, value);
        if (!value || json_is_null(value) || again)
            continue;
        json_array_append(seen, value);
        text = append(text, "; ", machine_text(value, key));
    }
    json_decref(seen);
    return *text ? text : append(text, "", new_format("\u2013"));
}

table machine_table(const evaluation *e)
{
    static const char *const machine[][2] = {
        {"card", "card"},     {"driver", "driver"},
        {"cuda", "CUDA"},     {"cpu", "processor"},
        {"cores", "cores"},   {"memory_bytes", "memory (bytes)"},
        {"system", "system"}, {"ffmpeg", "ffmpeg"},
        {"commit", "commit"}, {"dirty", "changes to the commit"},
    };
    static const char *const digests[][2] = {
        {"weights", "transformer"}, {"text", "text encoder"}, {"vae", "VAE"}, {"clip", "CLIP"}};
    const json_t *evaluator = json_object_get(e->record, "evaluation");
    table t = table_new(new_format("What ran on what, with which weights (digests)"));
    table_column(&t, new_format("%s", ""), false);
    for (int v = 0; v < e->variants; v++)
        table_column(&t, new_format("%s", e->variant[v]), false);
    table_column(&t, new_format("evaluation"), false);
    for (size_t i = 0; i < sizeof machine / sizeof *machine; i++) {
        table_copy(&t, machine[i][1]);
        for (int v = 0; v < e->variants; v++)
            table_put(&t, runs_text(json_object_get(variant_record(e, v), "runs"), machine[i][0]));
        table_put(&t, machine_text(machine_value(evaluator, machine[i][0]), machine[i][0]));
    }
    for (size_t i = 0; i < sizeof digests / sizeof *digests; i++) {
        table_copy(&t, digests[i][1]);
        for (int v = 0; v < e->variants; v++)
            table_put(&t, json_text(json_object_get(variant_record(e, v), digests[i][0])));
        table_put(&t, json_text(json_object_get(evaluator, digests[i][0])));
    }
    return t;
}

table options_table(const evaluation *e)
{
    json_t *all = json_object(), *value;
    const char *key;
    table t = table_new(new_format("Options of wan-denoise in effect"));
    table_column(&t, new_format("option"), false);
    for (int v = 0; v < e->variants; v++) {
        table_column(&t, new_format("%s", e->variant[v]), false);
        json_object_update_missing(all, json_object_get(variant_record(e, v), "options"));
    }
    json_object_foreach(all, key, value)
    {
        table_copy(&t, key);
        for (int v = 0; v < e->variants; v++)
            table_put(&t, json_text(json_object_get(
                              json_object_get(variant_record(e, v), "options"), key)));
    }
    json_decref(all);
    return t;
}
