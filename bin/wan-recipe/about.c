/*
** about.c: records of videos. A record holds as long as its video's file has the contents that the
** record names by their digest.
*/
#include "about.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/die.h"
#include "../../common/filedigest.h"
#include "../../common/openfile.h"

char *about_path(const char *pattern, const char *name)
{
    const char *slash = strchr(name, '/');
    char *path = NULL;
    size_t bytes;
    bool named = false;
    FILE *f = open_memstream(&path, &bytes);
    if (!f)
        die("out of memory");
    for (const char *p = pattern; *p; p++) {
        if (p[0] == '%' && p[1] == 'v' && slash)
            fprintf(f, "%.*s", (int)(slash - name), name);
        else if (p[0] == '%' && p[1] == 'j' && (named = true))
            fputs(slash ? slash + 1 : name, f);
        else {
            fputc(*p, f);
            continue;
        }
        p++;
    }
    if (fclose(f) != 0)
        die("out of memory");
    if (!named)
        usage_error("%s has no %%j for the name", pattern);
    return path;
}

/* The number of frames: the first dimension of the tensor `frames`. */
static int64_t count_frames(const json_t *all)
{
    size_t i;
    json_t *t;
    json_array_foreach(json_object_get(all, "tensors"), i, t)
    {
        const char *name = json_string_value(json_object_get(t, "name"));
        if (name && strcmp(name, "frames") == 0)
            return json_integer_value(json_array_get(json_object_get(t, "shape"), 0));
    }
    return 0;
}

about about_read(const char *path)
{
    about a = {0};
    json_t *all = input_json(path, JSON_REJECT_DUPLICATES, NULL);
    const char *content = json_string_value(json_object_get(all, "content"));
    a.frames = count_frames(all);
    a.there = is_digest(content) && a.frames > 0;
    a.content = a.there ? new_format("%s", content) : NULL;
    json_decref(all);
    return a;
}

void about_free(about *a)
{
    free(a->content);
    *a = (about){0};
}

char *next_name(FILE *f)
{
    char *name = NULL;
    size_t room = 0;
    if (getline(&name, &room, f) < 0) {
        free(name);
        return NULL;
    }
    name[strcspn(name, "\n")] = 0;
    return name;
}

/* The contents of a file; "" if path is NULL. To be freed. */
static char *text_of(const char *path)
{
    char *text = NULL;
    size_t room = 0;
    FILE *f = path ? input_file(path) : NULL;
    if (!path)
        return new_format("%s", "");
    if (!f)
        die_errno("cannot read %s", path);
    if (getdelim(&text, &room, 0, f) < 0)
        die("%s is empty", path);
    fclose(f);
    return text;
}

/* The digest of a record: of its JSON without the member `digest`. */
static digest digest_of_record(const json_t *all)
{
    json_t *bare = json_copy((json_t *)all);
    json_object_del(bare, "digest");
    char *text = json_dumps(bare, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(9));
    digest d = digest_of_text(text);
    free(text);
    json_decref(bare);
    return d;
}

/* Reads a record; NULL if it is missing or was changed after it was written. */
static json_t *read_record(const char *path)
{
    json_t *all = input_json(path, JSON_REJECT_DUPLICATES, NULL);
    const char *said = json_string_value(json_object_get(all, "digest"));
    if (said && strcmp(said, digest_of_record(all).hex) == 0)
        return all;
    json_decref(all);
    return NULL;
}

void about_check(const char *path)
{
    json_t *all = read_record(path);
    if (!all)
        die("%s is not as it was made", path);
    json_decref(all);
}

static void keep_line(json_t *all, const char *to, const char *file, const char *reader)
{
    char *part = new_format("%s.part", to);
    json_object_del(all, "file"); /* where the video was read from does not describe it */
    json_object_del(all, "document");
    json_object_set_new(all, "content", json_string(file_digest(file).hex));
    json_object_set_new(all, "reader", json_string(reader));
    json_object_set_new(all, "digest", json_string(digest_of_record(all).hex));
    FILE *f = fopen(part, "w");
    if (!f || json_dumpf(all, f, JSON_COMPACT | JSON_REAL_PRECISION(9)) != 0 ||
        fputc('\n', f) < 0 || fclose(f) != 0 || rename(part, to) != 0)
        die_errno("cannot write %s", to);
    free(part);
}

int about_keep(const char *to, const char *file, const char *record, const char *names)
{
    int n = 0;
    char *reader = text_of(record), *name;
    FILE *list = input_file(names);
    if (!list)
        die_errno("cannot read %s", names);
    for (json_t *all; (all = json_loadf(stdin, JSON_DISABLE_EOF_CHECK, NULL)); n++) {
        if (!json_is_object(all) || !(name = next_name(list)))
            die("line %d of standard input is of no video in %s", n + 1, names);
        char *its = about_path(to, name), *its_file = about_path(file, name);
        keep_line(all, its, its_file, reader);
        free(its);
        free(its_file);
        free(name);
        json_decref(all);
    }
    free(reader);
    fclose(list);
    return n;
}

/* ---- videos that are not known yet ---- */

/* Does the record describe the file's present contents, as read by this reader? */
static bool is_known(const char *record, const char *file, const char *reader)
{
    json_t *all = read_record(record);
    const char *content = json_string_value(json_object_get(all, "content"));
    const char *its = json_string_value(json_object_get(all, "reader"));
    bool known =
        content && its && strcmp(its, reader) == 0 && strcmp(content, file_digest(file).hex) == 0;
    json_decref(all);
    return known;
}

/* The list of refused videos as an object: name to reason. */
static json_t *read_refused(const char *path)
{
    char *line = NULL;
    size_t room = 0;
    json_t *all = json_object();
    FILE *f = path ? input_file(path) : NULL;
    if (path && !f)
        die_errno("cannot read %s", path);
    while (f && getline(&line, &room, f) >= 0) {
        line[strcspn(line, "\n")] = 0;
        char *tab = strchr(line, '\t');
        if (!tab)
            die("%s has a line without a tab", path);
        *tab = 0;
        json_object_set_new(all, line, json_string(tab + 1));
    }
    free(line);
    if (f)
        fclose(f);
    return all;
}

/* The path of the file NAME.fault, which a video has instead of NAME.json if it cannot be measured.
 * To be freed. */
static char *fault_path(const char *record)
{
    size_t n = strlen(record), end = strlen(".json");
    bool json = n > end && strcmp(record + n - end, ".json") == 0;
    return new_format("%.*s.fault", (int)(json ? n - end : n), record);
}

static void write_fault(const char *path, const char *why)
{
    FILE *f = fopen(path, "w");
    if (!f || fprintf(f, "%s\n", why) < 0 || fclose(f) != 0)
        die_errno("cannot write %s", path);
}

void unknown_print(const videos *v)
{
    char *name = NULL, *reader = text_of(v->record);
    size_t room = 0;
    json_t *refused = read_refused(v->refused);
    while (getline(&name, &room, stdin) >= 0) {
        name[strcspn(name, "\n")] = 0;
        char *file = about_path(v->file, name), *its = about_path(v->about, name);
        char *fault = fault_path(its);
        const char *why = json_string_value(json_object_get(refused, name));
        bool there = access(file, F_OK) == 0;
        if (!there || why || !is_known(its, file, reader)) {
            unlink(its);
            unlink(fault);
            if (there && why)
                write_fault(fault, why);
            else if (there)
                puts(name);
        }
        free(file);
        free(its);
        free(fault);
    }
    json_decref(refused);
    free(reader);
    free(name);
}
