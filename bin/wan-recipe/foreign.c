/*
** foreign.c: what is known of a program that says nothing of itself.
*/
#include "foreign.h"

#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/box.h"
#include "../../common/die.h"
#include "../../common/filedigest.h"
#include "../../common/openfile.h"
#include "../../common/recipe.h"
#include "rows.h"

void prompts_recipes(void)
{
    writer out;
    char *line = NULL;
    size_t room = 0;
    writer_open(&out, stdout, "standard output");
    while (getline(&line, &room, stdin) >= 0) {
        document d = {0};
        line[strcspn(line, "\n")] = 0;
        metadata_set(&d, "prompt", line);
        metadata_set(&d, RECIPE_KEY, digest_of_text(line).hex);
        recipe_write(&out, &d);
        document_free(&d);
    }
    free(line);
}

/* ---- the command ---- */

static char **found_files;
static int found_count;

static int find_file(const char *path, const struct stat *s, int type, struct FTW *place)
{
    (void)place;
    if (type != FTW_F || !S_ISREG(s->st_mode)) /* a pipe has no content to be of */
        return 0;
    found_files = realloc(found_files, (size_t)(found_count + 1) * sizeof *found_files);
    if (!found_files)
        die("out of memory");
    found_files[found_count++] = new_format("%s", path);
    return 0;
}

static int alphabetical(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Of all files in a directory, with their names in it. */
static digest directory_digest(const char *path)
{
    digester *g = digester_new();
    found_count = 0;
    if (nftw(path, find_file, 16, 0) != 0)
        die_errno("cannot read %s", path);
    if (found_count)
        qsort(found_files, (size_t)found_count, sizeof *found_files, alphabetical);
    for (int i = 0; i < found_count; i++) {
        char *line =
            new_format("%s %s\n", found_files[i] + strlen(path), file_digest(found_files[i]).hex);
        digester_add(g, line, strlen(line));
        free(line);
        free(found_files[i]);
    }
    return digester_end(g);
}

/* Where in PATH a program is; dies if it is nowhere. To be freed. */
static char *program_path(const char *name)
{
    char *list = new_format("%s", getenv("PATH") ? getenv("PATH") : ""), *path = NULL;
    if (strchr(name, '/'))
        path = new_format("%s", name);
    for (char *at = list, *dir; !path && (dir = strsep(&at, ":"));) {
        path = new_format("%s/%s", *dir ? dir : ".", name);
        if (access(path, X_OK) != 0) {
            free(path);
            path = NULL;
        }
    }
    free(list);
    if (!path || access(path, X_OK) != 0)
        die("cannot find the program %s", name);
    return path;
}

static json_t *word_json(const char *word, bool first)
{
    struct stat s;
    char *path = first ? program_path(word) : new_format("%s", word);
    json_t *json;
    if (stat(path, &s) == 0 && S_ISREG(s.st_mode))
        json = json_sprintf("file:%s", file_digest(path).hex);
    else if (stat(path, &s) == 0 && S_ISDIR(s.st_mode))
        json = json_sprintf("directory:%s", directory_digest(path).hex);
    else
        json = json_string(word);
    free(path);
    if (!json)
        die("'%s' is not UTF-8", word);
    return json;
}

/* {"version": "?", "command": [..], "weights": .., "options": ..} */
static json_t *record_of_command(const foreign *f)
{
    json_t *words = json_array();
    if (!f->word[0])
        usage_error("a command is needed behind --");
    for (int i = 0; f->word[i]; i++)
        json_array_append_new(words, word_json(f->word[i], i == 0));
    json_t *record = json_pack("{s:s, s:o}", "version", "?", "command", words);
    if (f->weights)
        json_object_set_new(record, "weights", word_json(f->weights, false));
    if (f->options)
        json_object_set_new(record, "options", json_string(f->options));
    return record;
}

void foreign_print(const foreign *f)
{
    json_t *record = record_of_command(f);
    json_dumpf(record, stdout, JSON_COMPACT | JSON_SORT_KEYS);
    putchar('\n');
    json_decref(record);
}

/* ---- documents ---- */

/* The record with the input and, if it has one, the seed of d; into d, with the recipe. */
static void add_record(document *d, const char *role, const json_t *record, const char *input,
                       const char *seed)
{
    json_t *its = json_copy((json_t *)record);
    json_object_set_new(its, "input", json_string(input));
    if (seed)
        json_object_set_new(its, "seed", json_string(seed));
    char *text = json_dumps(its, JSON_COMPACT);
    if (!text)
        die("out of memory");
    metadata_set(d, role, text);
    metadata_set(d, RECIPE_KEY, recipe_of(role, its).hex);
    free(text);
    json_decref(its);
}

static void write_recipe(writer *w, const document *in, const foreign *f, const json_t *record,
                         const char *seed)
{
    document d = {0};
    const char *input = metadata_get(in, RECIPE_KEY);
    metadata_copy(&d, in);
    if (seed)
        metadata_set(&d, "seed", seed);
    add_record(&d, f->role, record, input, seed);
    recipe_write(w, &d);
    document_free(&d);
}

void foreign_recipes(const foreign *f)
{
    reader in;
    writer out;
    json_t *record = record_of_command(f);
    reader_open(&in, stdin, "standard input");
    writer_open(&out, stdout, "standard output");
    while (reader_next(&in)) {
        if (!is_digest(metadata_get(&in.d, RECIPE_KEY)))
            die("document %d of standard input has no recipe", in.documents);
        if (!f->seeds) {
            write_recipe(&out, &in.d, f, record, NULL);
            continue;
        }
        char *list = new_format("%s", f->seeds);
        for (char *seed = strtok(list, ","); seed; seed = strtok(NULL, ","))
            write_recipe(&out, &in.d, f, record, seed);
        free(list);
    }
    json_decref(record);
}

static void pass_data(reader *r, writer *w)
{
    enum { BLOCK = 1 << 20 };
    static char block[BLOCK];
    for (uint64_t left = r->length, n; left; left -= n) {
        n = left < BLOCK ? left : BLOCK;
        reader_bytes(r, block, n);
        writer_bytes(w, block, n);
    }
    writer_end(w);
}

/* A copy of the current document's header, without the digest of its file. */
static document header_of(const reader *r)
{
    document d = {0};
    metadata_copy(&d, &r->d);
    for (int i = 0; i < r->d.entries; i++)
        document_add(&d, r->d.entry[i].name, r->d.entry[i].t);
    return d;
}

static FILE *open_rows(const char *rows)
{
    FILE *f = input_file(rows);
    if (!f)
        die_errno("cannot read %s", rows);
    return f;
}

/* d is what was asked for as r, as far as it says. */
static void check_row(const document *d, const row *r, const foreign *f, int number)
{
    const char *seed = metadata_get(d, "seed");
    if (seed && strcmp(seed, r->seed) != 0 && strcmp(r->seed, "-") != 0)
        die("%s wrote a document %d of seed %s: %s was asked for", f->word[0], number, seed,
            r->name);
}

/* The next line; dies if there is none. To be freed. */
static char *next_line(FILE *f, const char *path)
{
    char *line = NULL;
    size_t room = 0;
    if (getline(&line, &room, f) < 0)
        die("%s has too few lines", path);
    line[strcspn(line, "\n")] = 0;
    return line;
}

/* What the stage's record has for an input: for texts the digest of the prompt, which d gets, too,
 * if it has none. */
static digest input_of(document *d, const row *r, stage s, const foreign *f, FILE *prompts)
{
    digest input = {{0}};
    if (s > TEXT) {
        memcpy(input.hex, r->recipe[s - 1], DIGEST_DIGITS);
        return input;
    }
    char *prompt = next_line(prompts, f->prompts);
    if (!metadata_get(d, "prompt"))
        metadata_set(d, "prompt", prompt);
    input = digest_of_text(prompt);
    free(prompt);
    return input;
}

static FILE *open_prompts(const foreign *f, stage s)
{
    if (s > TEXT)
        return NULL;
    FILE *prompts = f->prompts ? input_file(f->prompts) : NULL;
    if (!prompts)
        die("the prompts are needed: -p FILE");
    return prompts;
}

void foreign_stamp(const foreign *f, stage s, const char *rows)
{
    reader in;
    writer out;
    row r;
    FILE *list = open_rows(rows), *prompts = open_prompts(f, s);
    json_t *record = record_of_command(f);
    reader_open(&in, stdin, "standard input");
    writer_open(&out, stdout, "standard output");
    while (reader_next(&in)) {
        if (!row_read(&r, list, rows))
            die("%s wrote more documents than the %d that were asked for", f->word[0],
                in.documents - 1);
        check_row(&in.d, &r, f, in.documents);
        document d = header_of(&in);
        digest input = input_of(&d, &r, s, f, prompts);
        add_record(&d, f->role, record, input.hex, s == LATENTS ? r.seed : NULL);
        if (strcmp(metadata_get(&d, RECIPE_KEY), r.recipe[s]) != 0)
            die("%s was asked for %s by another command than it has now", f->word[0], r.name);
        writer_header(&out, &d);
        pass_data(&in, &out);
        document_free(&d);
        row_free(&r);
    }
    if (row_read(&r, list, rows))
        die("%s wrote %d documents: %s is missing", f->word[0], in.documents, r.name);
    json_decref(record);
    fclose(list);
}

void headers_keep(const char *file)
{
    reader in;
    writer out, kept;
    FILE *f = output_file(file);
    if (!f)
        die_errno("cannot create %s", file);
    reader_open(&in, stdin, "standard input");
    writer_open(&out, stdout, "standard output");
    writer_open(&kept, f, file);
    while (reader_next(&in)) {
        document d = header_of(&in), bare = {0};
        metadata_copy(&bare, &in.d);
        recipe_write(&kept, &bare);
        writer_header(&out, &d);
        pass_data(&in, &out);
        document_free(&bare);
        document_free(&d);
    }
    writer_close(&kept);
}

void foreign_seal(const foreign *f, const char *rows, const char *headers, const char *directory)
{
    reader in;
    row r;
    FILE *list = open_rows(rows), *kept = input_file(headers);
    json_t *record = record_of_command(f);
    if (!kept)
        die_errno("cannot read %s", headers);
    reader_open(&in, kept, headers);
    for (; row_read(&r, list, rows); row_free(&r)) {
        if (!reader_next(&in))
            die("%s has no document for %s", headers, r.name);
        add_record(&in.d, f->role, record, r.recipe[FRAMES], NULL);
        if (strcmp(metadata_get(&in.d, RECIPE_KEY), r.recipe[FILM]) != 0)
            die("%s was asked for %s by another command than it has now", f->word[0], r.name);
        json_t *all = json_object();
        for (int i = 0; i < in.d.keys; i++)
            json_object_set_new(all, in.d.key[i].key, json_string(in.d.key[i].value));
        char *file = row_file(&r, FILM, "", directory);
        box_append(file, all);
        free(file);
        json_decref(all);
    }
    json_decref(record);
    document_free(&in.d);
    fclose(kept);
    fclose(list);
}
