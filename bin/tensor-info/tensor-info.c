/*
** tensor-info: what is in a stream or a checkpoint: metadata, names, types, shapes; with --values,
** what the numbers are like.
**
** Without --values it reads headers only, so a checkpoint of any size is answered at once. It
** changes nothing and passes nothing on: `tee >(tensor-info >&2)` looks into a pipe.
*/
#include <fnmatch.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../common/die.h"
#include "../../common/recipe.h"
#include "../../common/source.h"
#include "../../common/text.h"
#include "../../common/values.h"
#include "tensor-info.h"

static bool with_values, as_json, only_names;
static const char *pattern = "*";

static const option options[] = {
    {'v', "values", OPTION_FLAG, &with_values, 0, 0, false},
    {'j', "json", OPTION_FLAG, &as_json, 0, 0, false},
    {'n', "names", OPTION_FLAG, &only_names, 0, 0, false},
    {'k', "keep", OPTION_TEXT, &pattern, 0, 0, false},
    OPTIONS_END,
};

static bool wanted(const entry *e) { return fnmatch(pattern, e->name, 0) == 0; }

/* ---- formats: what wan-quantize says of a layer ---- */

/* The document's {"layers": {"blocks.0.ffn.0": "int4-g128", ...}, ...}, or NULL. */
static json_t *quantization;

static void read_quantization(const document *d)
{
    const char *said = metadata_get(d, "quantization");
    json_decref(quantization);
    quantization = said ? json_loads(said, 0, NULL) : NULL;
}

/* The format of X.weight, or NULL. */
static const char *format_said(const char *name)
{
    char *layer = quantization ? before_end(name, ".weight") : NULL;
    json_t *said = json_object_get(json_object_get(quantization, "layers"), layer);
    free(layer);
    return json_string_value(said);
}

/* ---- for people ---- */

/* A value that is a JSON object (a program's record) is laid out; a text stands as it is. */
static void print_metadata(const document *d)
{
    for (int i = 0; i < d->keys; i++) {
        bool record = !is_text(d->key[i].key);
        json_t *object = record ? json_loads(d->key[i].value, 0, NULL) : NULL;
        if (!json_is_object(object)) {
            printf("  %s: %s\n", shown(d->key[i].key), shown(d->key[i].value));
            json_decref(object);
            continue;
        }
        const char *name;
        json_t *value;
        printf("  %s:\n", shown(d->key[i].key));
        json_object_foreach(object, name, value)
        {
            if (json_equal(object, quantization) && strcmp(name, "layers") == 0) {
                printf("    layers: %zu, in the column of formats\n", json_object_size(value));
                continue;
            }
            char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
            printf("    %s: %s\n", shown(name), text ? text : "?");
            free(text);
        }
        json_decref(object);
    }
}

static void print_tensor(source *s, const entry *e, int width, int of_type)
{
    printf("%-*s  %-*s  %-22s %12zu", width, shown(e->name), of_type, type_name(e->t.type),
           shape_text(e->t.rank, e->t.dim), tensor_bytes(e->t));
    if (with_values && !type_has_values(e->t.type)) {
        printf("  %11s %11s %11s %11s  - -", "-", "-", "-", "-");
    } else if (with_values) {
        value_summary v = summarize(source_tensor(s, e));
        printf("  %11.5g %11.5g %11.5g %11.5g  %" PRId64 " %" PRId64, v.min, v.max, v.mean,
               v.deviation, v.nans, v.infinities);
    }
    if (format_said(e->name))
        printf("  %s", shown(format_said(e->name)));
    putchar('\n');
}

static void print_document(source *s)
{
    const document *d = source_document(s);
    int width = 4, of_type = 4;
    uint64_t bytes = 0, tensors = 0;
    read_quantization(d);
    for (int i = 0; i < d->entries; i++)
        if (wanted(&d->entry[i])) {
            int n = (int)strlen(shown(d->entry[i].name));
            width = n > width ? n : width;
            n = (int)strlen(type_name(d->entry[i].t.type));
            of_type = n > of_type ? n : of_type;
            bytes += tensor_bytes(d->entry[i].t);
            tensors++;
        }
    printf("%s: %" PRIu64 " tensor%s, %" PRIu64 " bytes\n", source_where(s), tensors,
           tensors == 1 ? "" : "s", bytes);
    print_metadata(d);
    if (tensors) {
        printf("%-*s  %-*s  %-22s %12s", width, "name", of_type, "type", "shape", "bytes");
        if (with_values)
            printf("  %11s %11s %11s %11s  %s", "min", "max", "mean", "std", "nan inf");
        if (json_object_get(quantization, "layers"))
            printf("  format");
        putchar('\n');
    }
    for (int i = 0; i < d->entries; i++)
        if (wanted(&d->entry[i]))
            print_tensor(s, &d->entry[i], width, of_type);
}

/* ---- for programs: a line a document ---- */

static json_t *tensor_json(source *s, const entry *e)
{
    json_t *shape = json_array();
    for (int i = 0; i < e->t.rank; i++)
        json_array_append_new(shape, json_integer(e->t.dim[i]));
    json_t *o = json_pack("{s:s, s:s, s:o, s:I}", "name", e->name, "type", type_name(e->t.type),
                          "shape", shape, "bytes", (json_int_t)tensor_bytes(e->t));
    if (format_said(e->name))
        json_object_set_new(o, "format", json_string(format_said(e->name)));
    if (with_values && type_has_values(e->t.type)) {
        value_summary v = summarize(source_tensor(s, e));
        json_t *more = json_pack("{s:f, s:f, s:f, s:f, s:I, s:I}", "min", v.min, "max", v.max,
                                 "mean", v.mean, "std", v.deviation, "nan", (json_int_t)v.nans,
                                 "inf", (json_int_t)v.infinities);
        json_object_update(o, more);
        json_decref(more);
    }
    return o;
}

static void print_json(source *s, int number)
{
    const document *d = source_document(s);
    json_t *keys = json_object(), *tensors = json_array();
    read_quantization(d);
    for (int i = 0; i < d->keys; i++)
        json_object_set_new(keys, d->key[i].key, json_string(d->key[i].value));
    for (int i = 0; i < d->entries; i++)
        if (wanted(&d->entry[i]))
            json_array_append_new(tensors, tensor_json(s, &d->entry[i]));
    json_t *file = json_string(source_name(s)); /* NULL: the name is not UTF-8 */
    json_t *line = json_pack("{s:o*, s:i, s:o, s:o}", "file", file, "document", number, "metadata",
                             keys, "tensors", tensors);
    json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(line);
}

/* ---- */

static void print_names(const document *d)
{
    for (int i = 0; i < d->entries; i++)
        if (wanted(&d->entry[i]))
            puts(shown(d->entry[i].name));
}

static void info(const char *path)
{
    source *s = source_open(path);
    int number = 0;
    while (source_next(s)) {
        number++;
        stats_add("documents", 1);
        if (only_names)
            print_names(source_document(s));
        else if (as_json)
            print_json(s, number);
        else
            print_document(s);
        output_flush(); /* now: a pipe's documents may be minutes apart */
    }
    if (number == 0)
        die("%s is empty", source_name(s));
    source_close(s);
    json_decref(quantization);
    quantization = NULL;
}

int main(int argc, char **argv)
{
    int first = program_begin(argc, argv, options, usage);
    if (first == argc)
        info("-");
    for (int i = first; i < argc; i++)
        info(argv[i]);
    return program_end();
}
