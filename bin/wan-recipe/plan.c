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
#include "../../common/recipe.h"
#include "rows.h"

/* Texts that have been asked for: a prompt of several seeds is named once. */
static char *last_number;

static void say(stage s, const char *why, const row *r)
{
    printf("%s\t%s\t", STAGE_NAME[s], why);
    row_print(r);
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

/* The seeds, and how many they are. */
static int split_seeds(char **seed, char *list, int most)
{
    int n = 0;
    for (char *s = strtok(list, ","); s; s = strtok(NULL, ",")) {
        if (n == most)
            die("there are more than %d seeds", most);
        seed[n++] = s;
    }
    if (n == 0)
        usage_error("-S SEEDS is needed");
    return n;
}

void plan_print(const plan_options *o)
{
    enum { MOST_SEEDS = 10000 };
    static char *seed[MOST_SEEDS];
    char *list = new_format("%s", o->seeds ? o->seeds : "");
    int seeds = split_seeds(seed, list, MOST_SEEDS);
    FILE *kept = o->keep ? fopen(o->keep, "wb") : NULL;
    reader in;
    writer out = {0};
    if (o->keep && !kept)
        die_errno("cannot create %s", o->keep);
    if (kept)
        writer_open(&out, kept, o->keep);
    reader_open(&in, stdin, "standard input");
    for (int i = 0; reader_next(&in); i++) {
        const char *its = metadata_get(&in.d, "seed"), *expected = seed[i % seeds];
        if (!its || strcmp(its, expected) != 0)
            die("document %d has seed %s, not %s", i + 1, its ? its : "none", expected);
        row r = {.number = new_format("%02d", i / seeds + 1), .seed = new_format("%s", expected)};
        r.name = new_format("%s_seed%s", r.number, r.seed);
        wanted w = wanted_of(&in.d, STAGES, i + 1);
        for (int s = 0; s < STAGES; s++)
            r.recipe[s] = new_format("%s", w.recipe[s]);
        metadata_set(&in.d, "name", r.name);
        if (kept)
            recipe_write(&out, &in.d);
        plan_row(&r, &w, &in.d, o);
        wanted_free(&w);
        row_free(&r);
    }
    if (in.documents % seeds)
        die("%d documents are not %d seeds of each prompt", in.documents, seeds);
    if (kept)
        writer_close(&out);
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
        row r = {.number = new_format("%02d", i + 1), .seed = new_format("-")};
        r.name = new_format("%s", r.number);
        for (int s = 0; s < STAGES; s++)
            r.recipe[s] = new_format("%s", w.recipe[TEXT]);
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
            row_print(&r);
    }
}
