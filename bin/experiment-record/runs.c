/*
** runs.c: records of runs. Each is a directory: the file `run`, lines of a key, a tab and a value,
** and the programs' --stats.
*/
#include "runs.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "../../common/openfile.h"

static json_t *value_of(const char *key, const char *text)
{
    static const char *const numbers[] = {"clock",        "seconds", "return_code",
                                          "memory_bytes", "cores",   NULL};
    for (const char *const *k = numbers; *k; k++)
        if (strcmp(key, *k) == 0)
            return json_loads(text, JSON_DECODE_ANY, NULL);
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return json_boolean(*text == 't');
    return json_string(text);
}

json_t *lines_read(const char *path)
{
    char *line = NULL;
    size_t room = 0;
    json_t *all = json_object();
    FILE *f = input_file(path);
    if (!f && errno != ENOENT)
        die_errno("cannot read %s", path);
    while (f && getline(&line, &room, f) > 0) {
        char *value = strchr(line, '\t');
        line[strcspn(line, "\n")] = 0;
        if (!value)
            die("%s: a line without a tab: '%s'", path, line);
        *value++ = 0;
        json_t *json = value_of(line, value);
        if (!json)
            die("%s: %s is '%s'", path, line, value);
        json_object_set_new(all, line, json);
    }
    free(line);
    if (f)
        fclose(f);
    return all;
}

/* Removes the key from the object and returns its value; JSON null if it is not there. */
static json_t *take(json_t *object, const char *key)
{
    json_t *value = json_incref(json_object_get(object, key));
    json_object_del(object, key);
    return value ? value : json_null();
}

json_t *machine_of(json_t *lines)
{
    static const char *const keys[] = {
        "node",         "device", "card",   "driver", "cuda",  "cpu", "cores",
        "memory_bytes", "system", "ffmpeg", "commit", "dirty", NULL};
    json_t *machine = json_object();
    for (const char *const *k = keys; *k; k++)
        json_object_set_new(machine, *k, take(lines, *k));
    return machine;
}

/* The --stats of a run's programs, by the program's name. */
static json_t *programs_of(const char *run)
{
    json_t *all = json_object();
    DIR *d = opendir(run);
    if (!d)
        die_errno("cannot read %s", run);
    for (const struct dirent *e; (e = readdir(d));) {
        size_t n = strlen(e->d_name);
        if (n < 6 || strcmp(e->d_name + n - 5, ".json") != 0)
            continue;
        char *path = new_format("%s/%s", run, e->d_name);
        char *program = new_format("%.*s", (int)(n - 5), e->d_name);
        json_error_t error;
        json_t *stats = input_json(path, 0, &error);
        if (!stats)
            die("cannot read %s: line %d: %s", path, error.line, error.text);
        json_object_del(stats, "program");
        json_object_set_new(all, program, stats);
        free(path);
        free(program);
    }
    closedir(d);
    return all;
}

static json_t *run_read(const char *run)
{
    char *path = new_format("%s/run", run);
    json_t *lines = lines_read(path), *all = json_object();
    static const char *const keys[] = {"stage", "dealt",   "part",        "begun",
                                       "clock", "seconds", "return_code", NULL};
    for (const char *const *k = keys; *k; k++)
        json_object_set_new(all, *k, take(lines, *k));
    json_object_set_new(all, "machine", machine_of(lines));
    json_object_set_new(all, "programs", programs_of(run));
    json_decref(lines);
    free(path);
    return all;
}

static int by_clock(const void *a, const void *b)
{
    double x = json_number_value(json_object_get(*(json_t *const *)a, "clock"));
    double y = json_number_value(json_object_get(*(json_t *const *)b, "clock"));
    return (x > y) - (x < y);
}

json_t *runs_read(const char *directory)
{
    json_t **run = NULL, *sorted = json_array();
    int n = 0;
    char *path = new_format("%s/runs", directory);
    DIR *d = opendir(path);
    if (!d && errno != ENOENT)
        die_errno("cannot read %s", path);
    for (const struct dirent *e; d && (e = readdir(d));) {
        if (*e->d_name == '.')
            continue;
        char *name = new_format("%s/%s", path, e->d_name);
        run = realloc(run, (size_t)(n + 1) * sizeof *run);
        if (!run)
            die("out of memory");
        run[n++] = run_read(name);
        free(name);
    }
    if (d)
        closedir(d);
    if (n)
        qsort(run, (size_t)n, sizeof *run, by_clock);
    for (int i = 0; i < n; i++) {
        json_object_del(run[i], "clock");
        json_array_append_new(sorted, run[i]);
    }
    free(run);
    free(path);
    return sorted;
}
