/*
** plan.c: wanted videos beside what is there.
**
** What is there decides by its recipe alone. A film that is current needs no latents, and latents
** that are current no text: those may have been removed to save space.
*/
#include "plan.h"

#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "../../common/openfile.h"
#include "../../common/recipe.h"
#include "rows.h"

/* Texts that have been asked for: a prompt of several seeds is named once. */
static char *last_number;

static void say(stage s, const char *why, const row *r)
{
    printf("%s\t%s\t", STAGE_NAME[s], why);
    row_print(r, stdout);
}

/* Is this file of the row as it is wanted? If not, says why. */
static bool current(const row *r, stage s, const wanted *w, const document *d,
                    const plan_options *o, bool speak)
{
    char *path = row_file(r, s, o->text, o->directory);
    found f = found_file(path);
    bool is = f.whole && f.recipe && strcmp(f.recipe, r->recipe[s]) == 0;
    if (!is && speak) {
        char *why = why_not(w, s, &f, d);
        say(s, why, r);
        free(why);
    }
    found_free(&f);
    free(path);
    return is;
}

static void plan_row(const row *r, const wanted *w, const document *d, const plan_options *o)
{
    if (o->alone < STAGES) {
        current(r, o->alone, w, d, o, true);
        return;
    }
    bool film = o->latents || (current(r, FILM, w, d, o, true) &&
                               (!o->frames || current(r, FRAMES, w, d, o, true)));
    if (film && !o->latents)
        return;
    if (current(r, LATENTS, w, d, o, true) || (last_number && strcmp(last_number, r->number) == 0))
        return;
    current(r, TEXT, w, d, o, true);
    free(last_number);
    last_number = new_format("%s", r->number);
}

/* The seeds, and how many they are; 0: none were given. */
static int split_seeds(char **seed, char *list, int most)
{
    int n = 0;
    for (char *s = strtok(list, ","); s; s = strtok(NULL, ",")) {
        if (n == most)
            die("there are more than %d seeds", most);
        seed[n++] = s;
    }
    return n;
}

static row row_of(const char *name, const char *number, const char *seed, const wanted *w)
{
    row r = {new_format("%s", name), new_format("%s", number), new_format("%s", seed), {0}};
    for (int s = 0; s < STAGES; s++)
        r.recipe[s] = new_format("%s", w->recipe[s]);
    return r;
}

/* Document i of those that are in the order of prompts and seeds. */
static row numbered_row(const document *d, const wanted *w, int i, char **seed, int seeds)
{
    const char *its = metadata_get(d, "seed"), *expected = seed[i % seeds];
    if (!its || strcmp(its, expected) != 0)
        die("document %d has seed %s, not %s", i + 1, its ? its : "none", expected);
    char *number = new_format("%02d", i / seeds + 1);
    char *name = new_format("%s_seed%s", number, expected);
    row r = row_of(name, number, expected, w);
    free(name);
    free(number);
    return r;
}

/* One that was kept says its name. */
static row kept_row(const document *d, const wanted *w)
{
    const char *name = metadata_get(d, "name"), *seed = metadata_get(d, "seed");
    if (!name || !seed)
        usage_error("-S SEEDS is needed: the documents have no names");
    char *number = new_format("%.*s", (int)strcspn(name, "_"), name);
    row r = row_of(name, number, seed, w);
    free(number);
    return r;
}

static FILE *created(const char *path)
{
    FILE *f = path ? output_file(path) : NULL;
    if (path && !f)
        die_errno("cannot create %s", path);
    return f;
}

void plan_print(const plan_options *o)
{
    enum { MOST_SEEDS = 10000 };
    static char *seed[MOST_SEEDS];
    char *list = new_format("%s", o->seeds ? o->seeds : "");
    int seeds = split_seeds(seed, list, MOST_SEEDS);
    FILE *kept = created(o->keep), *all = created(o->all);
    reader in;
    writer out = {0};
    if (kept)
        writer_open(&out, kept, o->keep);
    reader_open(&in, stdin, "standard input");
    for (int i = 0; reader_next(&in); i++) {
        wanted w = wanted_of(&in.d, STAGES, i + 1);
        row r = seeds ? numbered_row(&in.d, &w, i, seed, seeds) : kept_row(&in.d, &w);
        metadata_set(&in.d, "name", r.name);
        if (o->variant)
            metadata_set(&in.d, "variant", o->variant);
        if (kept)
            recipe_write(&out, &in.d);
        if (all)
            row_print(&r, all);
        plan_row(&r, &w, &in.d, o);
        wanted_free(&w);
        row_free(&r);
    }
    if (seeds && in.documents % seeds)
        die("%d documents are not %d seeds of each prompt", in.documents, seeds);
    if (kept)
        writer_close(&out);
    if (all && fclose(all) != 0)
        die_errno("cannot write %s", o->all);
    free(list);
    free(last_number);
    last_number = NULL;
}

void texts_print(const plan_options *o)
{
    reader in;
    reader_open(&in, stdin, "standard input");
    for (int i = 0; reader_next(&in); i++) {
        wanted w = wanted_of(&in.d, 1, i + 1);
        char *number = new_format("%02d", i + 1);
        for (int s = 0; s < STAGES; s++)
            w.recipe[s] = w.recipe[TEXT];
        row r = row_of(number, number, "-", &w);
        free(number);
        current(&r, TEXT, &w, &in.d, o, true);
        wanted_free(&w);
        row_free(&r);
    }
}

void missing_print(stage s, const plan_options *o)
{
    for (row r; row_read(&r, stdin, "standard input"); row_free(&r)) {
        char *path = row_file(&r, s, o->text, o->directory);
        bool film = s == FILM && o->frames, missing = !is_current(path, r.recipe[s]);
        free(path);
        if (film && !missing) {
            path = row_file(&r, FRAMES, o->text, o->directory);
            missing = !is_current(path, r.recipe[FRAMES]);
            free(path);
        }
        if (missing)
            row_print(&r, stdout);
    }
}
