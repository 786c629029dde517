/*
** experiment-record.c: what ran on what, with which options and weights: experiment.json; and what
** it took: paper_table.csv.
**
** Everything here was written down when it happened, by the programs and by the record of their
** runs. Nothing is asked of the machine that this runs on, which may be another.
*/
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/csv.h"
#include "../../common/die.h"
#include "../../common/nameindex.h"
#include "../../common/program.h"
#include "experiment-record.h"
#include "runs.h"
#include "variant.h"

static const char *output = ".", *names_file;
static const option options[] = {
    {'o', "output", OPTION_TEXT, &output, 0, 0, true},
    {0, "names", OPTION_TEXT, &names_file, 0, 0, true},
    OPTIONS_END,
};

/* ---- what the runs took ---- */

/* A figure of a program's --stats, part being "seconds" or "counts"; NAN if it is not there. */
static double stat_of(const json_t *run, const char *program, const char *part, const char *name)
{
    const json_t *stats = json_object_get(json_object_get(run, "programs"), program);
    const json_t *x = json_object_get(json_object_get(stats, part), name);
    return x ? json_number_value(x) : NAN;
}

static double added(double sum, double x) { return isnan(x) ? sum : isnan(sum) ? x : sum + x; }
static double greater(double a, double b) { return isnan(a) || b > a ? b : a; }

static double sum_stats(const json_t *runs, const char *program, const char *part, const char *name)
{
    size_t i;
    const json_t *run;
    double sum = NAN;
    json_array_foreach(runs, i, run) sum = added(sum, stat_of(run, program, part, name));
    return sum;
}

/* The greatest count of any program of the runs. */
static double greatest_count(const json_t *runs, const char *name)
{
    size_t i;
    const char *program;
    json_t *run, *stats;
    double most = NAN;
    json_array_foreach(runs, i, run)
        json_object_foreach(json_object_get(run, "programs"), program, stats) most =
            greater(most, stat_of(run, program, "counts", name));
    return most;
}

static bool is_stage(const json_t *run, const char *stage)
{
    const char *its = json_string_value(json_object_get(run, "stage"));
    return !stage || (its && strcmp(its, stage) == 0);
}

/* By the clock, of all runs of the stage that ended; stage NULL: of any. */
static double clock_seconds(const json_t *runs, const char *stage)
{
    size_t i;
    const json_t *run;
    double sum = NAN;
    json_array_foreach(runs, i, run)
    {
        const json_t *seconds = json_object_get(run, "seconds");
        if (is_stage(run, stage) && json_is_number(seconds))
            sum = added(sum, json_number_value(seconds));
    }
    return sum;
}

/* A text of a run's record; "" if it is not there. */
static const char *text_of(const json_t *run, const char *key)
{
    const char *text = json_string_value(json_object_get(run, key));
    return text ? text : "";
}

/* What tells the parts of work apart: when it was dealt, and which part. To be freed. */
static char *part_of(const json_t *run)
{
    return new_format("%s\t%s", text_of(run, "dealt"), text_of(run, "part"));
}

/* The greatest of the last runs; NAN if there is none, or one was interrupted. A run is one of the
 * last if it is of the parts that work was dealt in last, and the last of its part: neither an
 * earlier attempt nor made again or gone on with by a later one. */
static double last_code(const json_t *runs)
{
    size_t i;
    const json_t *run;
    const char *dealt = "";
    struct json_t *last = NULL;
    double code = NAN;
    bool broken = false;
    json_array_foreach(runs, i, run)
    {
        char *part = part_of(run);
        index_note(&last, part, (int)i);
        if (strcmp(text_of(run, "dealt"), dealt) > 0)
            dealt = text_of(run, "dealt");
        free(part);
    }
    json_array_foreach(runs, i, run)
    {
        const json_t *its = json_object_get(run, "return_code");
        char *part = part_of(run);
        bool is_last =
            strcmp(text_of(run, "dealt"), dealt) == 0 && index_find(last, part) == (int)i;
        free(part);
        broken = broken || (is_last && !json_is_number(its));
        if (is_last && json_is_number(its))
            code = greater(code, json_number_value(its));
    }
    index_free(&last);
    return broken ? NAN : code;
}

static int count_runs(const json_t *runs, const char *stage)
{
    size_t i;
    const json_t *run;
    int n = 0;
    json_array_foreach(runs, i, run) n += is_stage(run, stage);
    return n;
}

/* Bytes of the transformer on the device, of the type or, if NULL, of all; the last run's. */
static double weight_bytes(const json_t *runs, const char *type)
{
    static const char prefix[] = "weight_bytes.";
    size_t i;
    const char *name;
    json_t *run, *count;
    double bytes = NAN;
    json_array_foreach(runs, i, run)
    {
        const json_t *stats = json_object_get(json_object_get(run, "programs"), "wan-denoise");
        double sum = NAN;
        json_object_foreach(json_object_get(stats, "counts"), name, count)
        {
            bool is = strncmp(name, prefix, sizeof prefix - 1) == 0 &&
                      (!type || strcmp(name + sizeof prefix - 1, type) == 0);
            sum = added(sum, is ? json_number_value(count) : NAN);
        }
        bytes = isnan(sum) ? bytes : sum;
    }
    return bytes;
}

/* ---- paper_table.csv ---- */

/* "fp16"; with int8 codes "w8a16", the operands' bits; "" if not known. To be freed. */
static char *precision_of(const variant *v)
{
    char *format = values_of(v, "wan-denoise.format");
    if (*format)
        return format;
    free(format);
    char *dtype = values_of(v, "wan-denoise.dtype");
    if (!*dtype || !(weight_bytes(v->runs, "I8") > 0))
        return dtype;
    const char *bits = strcmp(dtype, "fp32") == 0 ? "32" : "16";
    free(dtype);
    return new_format("w8a%s", bits);
}

static char *gpu_of(const variant *v)
{
    static const char prefix[] = "cuda: ";
    char *device = values_of(v, "wan-denoise.device");
    if (strncmp(device, prefix, sizeof prefix - 1) == 0)
        memmove(device, device + sizeof prefix - 1, strlen(device + sizeof prefix - 1) + 1);
    return device;
}

/* Where the runs were: each NODE, or NODE:CARD where a card was chosen, once, with blanks between.
 * To be freed. */
static char *nodes_of(const json_t *runs)
{
    size_t i;
    const json_t *run;
    text_set all = {0};
    json_array_foreach(runs, i, run)
    {
        const json_t *at = json_object_get(run, "machine");
        const char *node = text_of(at, "node"), *device = text_of(at, "device");
        char *place = new_format("%s%s%s", node, *device ? ":" : "", device);
        if (*node)
            text_set_add(&all, place);
        free(place);
    }
    return text_set_end(&all);
}

/* A whole number, or an empty field for NAN. */
static void put_count(csv_writer *w, double n)
{
    if (isnan(n))
        csv_put(w, NULL);
    else
        csv_put_whole(w, (long long)n);
}

static void put_freed(csv_writer *w, char *text)
{
    csv_put(w, text);
    free(text);
}

static void put_row(csv_writer *w, const variant *v, const json_t *text)
{
    const json_t *runs = v->runs;
    double sampling = added(sum_stats(runs, "wan-denoise", "seconds", "steps"),
                            sum_stats(runs, "wan-denoise", "seconds", "text"));
    csv_put(w, v->name);
    put_freed(w, precision_of(v));
    put_freed(w, gpu_of(v));
    put_freed(w, values_of(v, "wan-denoise.size"));
    put_freed(w, values_of(v, "wan-denoise.frames"));
    put_freed(w, values_of(v, "wan-denoise.steps"));
    csv_put_whole(w, v->videos);
    put_count(w, greater(greatest_count(runs, "peak_device_bytes"),
                         greatest_count(text, "peak_device_bytes")));
    put_count(w, greatest_count(runs, "steady_device_bytes"));
    put_count(w, weight_bytes(runs, NULL));
    csv_put_figure(w, clock_seconds(text, NULL));
    csv_put_figure(w, sum_stats(runs, "wan-denoise", "seconds", "load"));
    csv_put_figure(w, sampling);
    csv_put_figure(w, sum_stats(runs, "wan-denoise", "seconds", "steps") /
                          sum_stats(runs, "wan-denoise", "counts", "steps"));
    csv_put_figure(w, clock_seconds(runs, "film"));
    csv_put_figure(w, added(clock_seconds(runs, NULL), clock_seconds(text, NULL)));
    csv_put_whole(w, count_runs(runs, "latents"));
    put_count(w, last_code(runs));
    put_freed(w, nodes_of(runs));
    put_freed(w, values_of(v, "wan-denoise.format"));
    put_freed(w, values_of(v, "wan-denoise.bits"));
    put_freed(w, values_of(v, "wan-denoise.weight_bytes"));
    put_freed(w, values_of(v, "wan-denoise.stored"));
    csv_put(w, note_of(v));
    put_freed(w, values_of(v, "wan-denoise.act"));
    put_freed(w, values_of(v, "wan-denoise.attention"));
}

static void write_table(const variant *v, int n, const json_t *text)
{
    csv_writer w;
    char *path = new_format("%s/paper_table.csv", output);
    csv_create(&w, path,
               "variant,precision,gpu,resolution,frames,steps,videos,peak_device_bytes,"
               "steady_device_bytes,weight_bytes,text_seconds,load_seconds,denoise_seconds,"
               "step_seconds,decode_seconds,seconds,runs,return_code,node,format,bits,format_bytes,"
               "stored,note,act,attention");
    for (int i = 0; i < n; i++)
        put_row(&w, &v[i], text);
    csv_finish(&w);
    free(path);
}

/* ---- experiment.json ---- */

static json_t *evaluation_of(const char *directory)
{
    static const char *const files[] = {"options", "clip", "judge", "recipe"};
    json_t *all = json_object();
    for (int i = 0; i < 4; i++) {
        char *path = new_format("%s/eval/%s", directory, files[i]);
        json_t *lines = lines_read(path);
        json_object_update(all, lines);
        json_decref(lines);
        free(path);
    }
    char *machine = new_format("%s/eval/machine", directory);
    json_t *lines = lines_read(machine);
    json_object_set_new(all, "machine", machine_of(lines));
    json_decref(lines);
    free(machine);
    return all;
}

static json_t *variant_json(const variant *v)
{
    json_t *about = metadata_of(v);
    return json_pack("{s:i, s:o, s:o, s:O}", "videos", v->videos, "weights", weights_of(v, about),
                     "metadata", about, "runs", v->runs);
}

static void write_json(const variant *v, int n, const json_t *text, const char *directory)
{
    json_t *all = json_object(), *variants = json_object();
    for (int i = 0; i < n; i++)
        json_object_set_new(variants, v[i].name, variant_json(&v[i]));
    json_object_set_new(all, "variants", variants);
    json_object_set_new(all, "text", json_pack("{s:O}", "runs", text));
    json_object_set_new(all, "evaluation", evaluation_of(directory));
    char *path = new_format("%s/experiment.json", output);
    char *json = json_dumps(all, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    FILE *f = fopen(path, "w");
    if (!json || !f || fprintf(f, "%s\n", json) < 0 || fclose(f) != 0)
        die_errno("cannot write %s", path);
    free(json);
    free(path);
    json_decref(all);
}

int main(int argc, char **argv)
{
    int first = program_begin(argc, argv, options, usage), n = argc - first - 1;
    if (n < 1)
        usage_error("a directory and at least one VARIANT are needed");
    const char *directory = argv[first];
    char *text_directory = new_format("%s/text", directory);
    json_t *text = runs_read(text_directory);
    variant *v = new_bytes((size_t)n * sizeof *v);
    for (int i = 0; i < n; i++)
        v[i] = variant_read(directory, argv[first + 1 + i], names_file);
    write_table(v, n, text);
    write_json(v, n, text, directory);
    for (int i = 0; i < n; i++)
        variant_free(&v[i]);
    free(v);
    json_decref(text);
    free(text_directory);
    return program_end();
}
