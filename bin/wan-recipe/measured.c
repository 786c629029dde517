/*
** measured.c: the tables of an evaluation, told apart by what they are of.
*/
#include "measured.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/die.h"
#include "../../common/digest.h"
#include "../../common/filemap.h"
#include "../../common/openfile.h"
#include "about.h"

/* ---- what a table is to be ---- */

/* The lines of the file, an array. */
static json_t *read_record(const char *path)
{
    json_t *all = json_array();
    FILE *f = input_file(path);
    if (!f)
        die_errno("cannot read %s", path);
    for (json_t *line; (line = json_loadf(f, JSON_DISABLE_EOF_CHECK, NULL));) {
        json_object_del(line, "version"); /* its numerics count, and what is in the file */
        json_object_del(line, "device");
        json_object_del(line, "file");
        json_array_append_new(all, line);
    }
    if (ferror(f) || !json_array_size(all))
        die("%s has no record of a program", path);
    fclose(f);
    return all;
}

static char *dumped(const json_t *all)
{
    char *text = json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(9));
    if (!text)
        die("out of memory");
    return text;
}

/* The head of a table that is wanted, without its digest; NULL if a video is not there. *rows: how
 * many it will have. */
static json_t *head_of(const measure *m, const json_t *record, const char *name, int64_t *rows)
{
    json_t *inputs = json_array();
    for (int i = 0; i < 2 && m->about[i]; i++) {
        char *path = about_path(m->about[i], name);
        about a = about_read(path);
        free(path);
        if (!a.there) {
            json_decref(inputs);
            return NULL;
        }
        json_array_append_new(inputs, json_string(a.content));
        *rows = m->whole ? 1 : !m->pairs ? a.frames : a.frames > 1 ? a.frames - 1 : 1;
        about_free(&a);
    }
    json_t *head = json_pack("{s:O, s:o}", "record", record, "inputs", inputs);
    char *text = dumped(head);
    json_object_set_new(head, "recipe", json_string(digest_of_text(text).hex));
    free(text);
    return head;
}

/* ---- what a table is ---- */

/* Of the head without its digest, and what follows it. */
static digest digest_of_table(const json_t *head, const char *rest, size_t n)
{
    json_t *bare = json_copy((json_t *)head);
    json_object_del(bare, "digest");
    char *text = dumped(bare);
    digester *g = digester_new();
    digester_add(g, text, strlen(text));
    digester_add(g, rest, n);
    free(text);
    json_decref(bare);
    return digester_end(g);
}

/* The head of the table in these bytes, and where the rest begins; NULL if it has none. */
static json_t *parse_head(const char *bytes, size_t n, const char **rest)
{
    const char *end = memchr(bytes, '\n', n);
    if (!end || n < 2 || memcmp(bytes, "# ", 2) != 0)
        return NULL;
    *rest = end + 1;
    json_t *head = json_loadb(bytes + 2, (size_t)(end - bytes) - 2, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(head))
        return head;
    json_decref(head);
    return NULL;
}

/* The head of the table if it is as it was written; else NULL. */
static json_t *read_table(const char *path)
{
    filemap m;
    const char *rest;
    struct stat s;
    FILE *f = input_file(path);
    json_t *head = NULL;
    if (f && fstat(fileno(f), &s) == 0 && S_ISREG(s.st_mode) && s.st_size > 0) {
        filemap_open(&m, fileno(f), path);
        const char *bytes = (const char *)m.at;
        head = parse_head(bytes, m.bytes, &rest);
        const char *said = json_string_value(json_object_get(head, "digest"));
        if (head &&
            (!said ||
             strcmp(said, digest_of_table(head, rest, m.bytes - (size_t)(rest - bytes)).hex) !=
                 0)) {
            json_decref(head);
            head = NULL;
        }
        filemap_close(&m);
    }
    if (f)
        fclose(f);
    return head;
}

void measured_check(const char *path)
{
    json_t *head = read_table(path);
    if (!head)
        die("%s is not as it was made", path);
    json_decref(head);
}

void unmeasured_print(const measure *m)
{
    char *name = NULL;
    size_t room = 0;
    int64_t rows;
    json_t *record = read_record(m->record);
    while (getline(&name, &room, stdin) >= 0) {
        name[strcspn(name, "\n")] = 0;
        json_t *wanted = head_of(m, record, name, &rows);
        char *path = about_path(m->table, name);
        json_t *is = wanted ? read_table(path) : NULL;
        if (wanted && (!is || !json_equal(json_object_get(is, "recipe"),
                                          json_object_get(wanted, "recipe")))) {
            if (access(path, F_OK) == 0 && unlink(path) != 0)
                die_errno("cannot remove %s", path);
            puts(name);
        }
        json_decref(is);
        json_decref(wanted);
        free(path);
    }
    json_decref(record);
    free(name);
}

/* ---- a table becomes many ---- */

/* The table that is being written: its text grows in memory. */
typedef struct {
    char *name;
    int64_t rows, expected;
    json_t *head;
    char *text;
    size_t bytes;
    FILE *file;
} part;

static void part_begin(part *p, const measure *m, const json_t *record, char *name,
                       const char *header)
{
    *p = (part){.name = name};
    p->head = head_of(m, record, name, &p->expected);
    if (!p->head)
        die("%s has no record of its video any more", name);
    p->file = open_memstream(&p->text, &p->bytes);
    if (!p->file)
        die("out of memory");
    fputs(header, p->file);
}

static void part_end(part *p, const measure *m)
{
    if (p->rows != p->expected)
        die("%s has %" PRId64 " rows where %" PRId64 " were expected: not kept", p->name, p->rows,
            p->expected);
    if (fclose(p->file) != 0)
        die("out of memory");
    digest d = digest_of_table(p->head, p->text, p->bytes);
    json_object_set_new(p->head, "digest", json_string(d.hex));
    char *head = dumped(p->head), *path = about_path(m->table, p->name);
    char *unfinished = new_format("%s.part", path);
    FILE *f = fopen(unfinished, "w");
    if (!f || fprintf(f, "# %s\n", head) < 0 || fwrite(p->text, 1, p->bytes, f) != p->bytes ||
        fclose(f) != 0 || rename(unfinished, path) != 0)
        die_errno("cannot write %s", path);
    free(head);
    free(path);
    free(unfinished);
    free(p->text);
    free(p->name);
    json_decref(p->head);
    *p = (part){0};
}

void measured_keep(const measure *m, const char *names)
{
    char *line = NULL, *header = NULL, *name;
    size_t room = 0;
    long document = 0, its;
    part p = {0};
    json_t *record = read_record(m->record);
    FILE *list = input_file(names);
    if (!list)
        die_errno("cannot read %s", names);
    while (getline(&line, &room, stdin) >= 0) {
        if (!header) {
            header = new_format("%s", line);
            continue;
        }
        its = strtol(line, NULL, 10);
        if (its != document) {
            if (document)
                part_end(&p, m);
            if (its != document + 1 || !(name = next_name(list)))
                die("a row of document %ld where %ld is the last that was asked for", its,
                    document);
            document = its;
            part_begin(&p, m, record, name, header);
        }
        fprintf(p.file, "1%s", line + strcspn(line, "\t")); /* alone in its table */
        p.rows++;
    }
    if (document)
        part_end(&p, m);
    if ((name = next_name(list)))
        die("nothing was measured of %s", name);
    free(line);
    free(header);
    fclose(list);
    json_decref(record);
}
