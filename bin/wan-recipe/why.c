/*
** why.c: the records of a wanted video beside those of the file that is there.
**
** Records are compared stage by stage and member by member; what make's user can set has the name
** that it has there.
*/
#include "why.h"

#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "../../common/recipe.h"

const char *const STAGE_NAME[STAGES] = {"text", "latents", "frames", "film"};

/* Members as make calls them. %s is the variant. */
static const struct {
    stage s;
    const char *member, *name;
} NAMES[] = {
    {TEXT, "weights", "the text encoder"},
    {TEXT, "tokenizer", "the tokenizer"},
    {TEXT, "negative", "NEGATIVE"},
    {TEXT, "input", "the prompt"},
    {LATENTS, "weights", "weights.%s"},
    {LATENTS, "steps", "STEPS"},
    {LATENTS, "options", "options.%s"},
    {LATENTS, "guidance", "GUIDANCE"},
    {LATENTS, "shift", "SHIFT"},
    {LATENTS, "size", "SIZE"},
    {LATENTS, "frames", "FRAMES"},
    {FRAMES, "weights", "the VAE"},
    {FILM, "fps", "FPS"},
    {FILM, "ffmpeg", "ffmpeg"},
    {FILM, "encoder", "ffmpeg's encoder"},
};

wanted wanted_of(const document *d, int stages, int number)
{
    wanted w = {.program = {0}};
    int n = 0;
    for (int i = 0; i < d->keys; i++) {
        json_t *record = record_of(d->key[i].key, d->key[i].value);
        if (record && n < stages) {
            w.program[n] = d->key[i].key;
            w.record[n++] = record;
        } else {
            json_decref(record);
        }
    }
    if (n < stages)
        die("document %d has the records of %d programs, not of %d", number, n, stages);
    for (int s = 0; s < stages; s++)
        w.recipe[s] = s < stages - 1 ? json_string_value(json_object_get(w.record[s + 1], "input"))
                                     : metadata_get(d, RECIPE_KEY);
    for (int s = 0; s < stages; s++)
        if (!is_digest(w.recipe[s]))
            die("document %d: %s has no recipe", number, STAGE_NAME[s]);
    return w;
}

void wanted_free(wanted *w)
{
    for (int s = 0; s < STAGES; s++)
        json_decref(w->record[s]);
}

/* ---- one member ---- */

static char *name_of(const wanted *w, stage s, const char *member, const document *d)
{
    const char *variant = metadata_get(d, "variant");
    bool model = strcmp(w->program[s], "wan-quantize") == 0; /* which is no stage of a video */
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES && !model; i++)
        if (NAMES[i].s == s && strcmp(NAMES[i].member, member) == 0)
            return strchr(NAMES[i].name, '%')
                       ? new_format("%.*s%s", (int)strcspn(NAMES[i].name, "%"), NAMES[i].name,
                                    variant ? variant : "the variant")
                       : new_format("%s", NAMES[i].name);
    return new_format("%s.%s", w->program[s], member);
}

static bool is_long(const json_t *value)
{
    const char *text = json_string_value(value);
    return json_is_object(value) || json_is_array(value) || is_digest(text) ||
           (text && strlen(text) > 60);
}

/* "STEPS was 2, is 50" */
static char *change(const wanted *w, stage s, const char *member, const json_t *was,
                    const json_t *is, const document *d)
{
    char *name = name_of(w, s, member, d), *text;
    if (is_long(was) || is_long(is)) {
        text = new_format("%s changed", name);
    } else {
        char *a = was ? json_dumps(was, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9)) : NULL;
        char *b = is ? json_dumps(is, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9)) : NULL;
        text = new_format("%s was %s, is %s", name, a ? a : "not said", b ? b : "not said");
        free(a);
        free(b);
    }
    free(name);
    return text;
}

/* ---- a record, all records ---- */

static char *joined(char *list, char *more)
{
    char *text = list ? new_format("%s, %s", list, more) : new_format("%s", more);
    free(list);
    free(more);
    return text;
}

/* The members of record s that differ, behind `list`. */
static char *record_changes(const wanted *w, stage s, const json_t *its, const document *d,
                            char *list)
{
    const char *member;
    json_t *value;
    json_object_foreach(w->record[s], member, value)
    {
        bool follows = only_said(member) || (s > TEXT && strcmp(member, "input") == 0);
        if (!follows && !json_equal(value, json_object_get(its, member)))
            list = joined(list, change(w, s, member, json_object_get(its, member), value, d));
    }
    json_object_foreach((json_t *)its, member, value)
    {
        if (!only_said(member) && !json_object_get(w->record[s], member))
            list = joined(list, change(w, s, member, value, NULL, d));
    }
    return list;
}

char *why_not(const wanted *w, stage made, const found *f, const document *d)
{
    char *list = NULL;
    if (!f->there)
        return new_format("missing");
    if (!f->whole || !f->recipe)
        return new_format(f->whole ? "does not say of what it was made" : "cut short or broken");
    for (int s = TEXT; s <= (int)made && !list; s++) {
        const char *text = json_string_value(json_object_get(f->metadata, w->program[s]));
        json_t *its = text ? record_of(w->program[s], text) : NULL;
        if (its)
            list = record_changes(w, s, its, d, list);
        else
            list = new_format("made without %s", w->program[s]);
        json_decref(its);
    }
    return list ? list : new_format("of another recipe");
}
