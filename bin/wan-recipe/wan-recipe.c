/*
** wan-recipe.c: what files say of how they were made, beside what is wanted: the questions that the
** pipelines ask.
**
** The first operand is a verb. No verb needs a model, and none looks at dates: a file whose recipe
** is not the wanted one is to be made.
*/
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "../../common/filedigest.h"
#include "../../common/recipe.h"
#include "about.h"
#include "apart.h"
#include "foreign.h"
#include "measured.h"
#include "plan.h"
#include "verify.h"
#include "wan-recipe.h"

static const char *text = "text", *directory = ".", *seeds, *keep, *stage_name, *role, *row_list;
static const char *weights_word, *variant_options, *all, *variant, *prompts, *headers, *table,
    *record, *refused, *names;
static option_list abouts;
static bool frames, latents, pairs, whole;
static const option options[] = {
    {'t', "text", OPTION_TEXT, &text, 0, 0, true},
    {'d', "directory", OPTION_TEXT, &directory, 0, 0, true},
    {'S', "seed", OPTION_TEXT, &seeds, 0, 0, true},
    {0, "keep", OPTION_TEXT, &keep, 0, 0, true},
    {0, "all", OPTION_TEXT, &all, 0, 0, true},
    {'v', "variant", OPTION_TEXT, &variant, 0, 0, true},
    {0, "frames", OPTION_FLAG, &frames, 0, 0, true},
    {0, "latents", OPTION_FLAG, &latents, 0, 0, true},
    {'s', "stage", OPTION_TEXT, &stage_name, 0, 0, true},
    {'k', "role", OPTION_TEXT, &role, 0, 0, true},
    {'r', "rows", OPTION_TEXT, &row_list, 0, 0, true},
    {0, "weights", OPTION_TEXT, &weights_word, 0, 0, true},
    {0, "options", OPTION_TEXT, &variant_options, 0, 0, true},
    {'p', "prompts", OPTION_TEXT, &prompts, 0, 0, true},
    {0, "headers", OPTION_TEXT, &headers, 0, 0, true},
    {0, "table", OPTION_TEXT, &table, 0, 0, true},
    {'a', "about", OPTION_LIST, &abouts, 0, 0, true},
    {0, "record", OPTION_TEXT, &record, 0, 0, true},
    {0, "pairs", OPTION_FLAG, &pairs, 0, 0, true},
    {0, "whole", OPTION_FLAG, &whole, 0, 0, true},
    {0, "refused", OPTION_TEXT, &refused, 0, 0, true},
    {0, "names", OPTION_TEXT, &names, 0, 0, true},
    OPTIONS_END,
};

/* An option that this verb cannot do without. */
static const char *needed(const char *value, const char *name)
{
    if (!value)
        usage_error("%s is needed", name);
    return value;
}

static plan_options planned(void)
{
    return (plan_options){text, directory, seeds, keep, all, frames, latents, variant, STAGES};
}

static stage stage_named(void)
{
    needed(stage_name, "-s STAGE");
    for (int s = 0; s < STAGES; s++)
        if (strcmp(stage_name, STAGE_NAME[s]) == 0)
            return (stage)s;
    usage_error("-s is text, latents, frames or film, not '%s'", stage_name);
}

static measure measured(void)
{
    if (pairs && whole)
        usage_error("either --pairs or --whole");
    if (abouts.n < 1 || abouts.n > 2)
        usage_error("-a is needed, once for videos and twice for pairs");
    return (measure){needed(table, "--table"),
                     {abouts.text[0], abouts.n > 1 ? abouts.text[1] : NULL},
                     needed(record, "--record"),
                     pairs,
                     whole};
}

/* ---- verbs ---- */

static void do_plan(char **word)
{
    (void)word;
    plan_options o = planned();
    if (stage_name)
        o.alone = stage_named();
    plan_print(&o);
}

static void do_texts(char **word)
{
    (void)word;
    plan_options o = planned();
    texts_print(&o);
}

static void do_missing(char **word)
{
    (void)word;
    plan_options o = planned();
    missing_print(stage_named(), &o);
}

/* Exit status 1, and why on standard output, if the file is not what the document says. */
static void do_current(char **word)
{
    reader in;
    if (!word[0])
        usage_error("the file is needed");
    reader_open(&in, stdin, "standard input");
    if (!reader_next(&in))
        die("standard input has no document");
    wanted w = wanted_of(&in.d, 1, 1);
    found f = found_file(word[0]);
    bool is = f.recipe && strcmp(f.recipe, w.recipe[0]) == 0;
    char *why = is ? NULL : why_not(&w, TEXT, &f, &in.d);
    if (why)
        puts(why);
    free(why);
    found_free(&f);
    wanted_free(&w);
    document_free(&in.d);
    output_flush();
    if (!is)
        exit(1);
}

static void do_apart(char **word) { apart_check(needed(word[0], "the file")); }

static foreign command(char **word)
{
    return (foreign){needed(role, "-k ROLE"), word, weights_word, variant_options, seeds, prompts};
}

static void do_record(char **word)
{
    foreign f = {.role = "", .word = word};
    foreign_print(&f);
}

/* Of files, or of standard input. */
static void do_digest(char **word)
{
    static char block[1 << 16];
    for (int i = 0; word[i]; i++)
        printf("%s  %s\n", file_digest(word[i]).hex, word[i]);
    if (word[0])
        return;
    digester *g = digester_new();
    for (size_t n; (n = fread(block, 1, sizeof block, stdin)) > 0;)
        digester_add(g, block, n);
    puts(digester_end(g).hex);
}

static void do_prompts(char **word)
{
    (void)word;
    prompts_recipes();
}

static void do_foreign(char **word)
{
    foreign f = command(word);
    foreign_recipes(&f);
}

static void do_stamp(char **word)
{
    foreign f = command(word);
    foreign_stamp(&f, stage_named(), needed(row_list, "-r ROWS"));
}

static void do_headers(char **word)
{
    (void)word;
    headers_keep(needed(headers, "--headers FILE"));
}

static void do_seal(char **word)
{
    foreign f = command(word);
    foreign_seal(&f, needed(row_list, "-r ROWS"), needed(headers, "--headers FILE"), directory);
}

static void do_unknown(char **word)
{
    (void)word;
    videos v = {needed(table, "--table"), needed(abouts.n ? abouts.text[0] : NULL, "-a"), record,
                refused};
    unknown_print(&v);
}

static void do_about(char **word)
{
    (void)word;
    printf("%d\n", about_keep(needed(abouts.n ? abouts.text[0] : NULL, "-a"),
                              needed(table, "--table"), record, needed(names, "--names FILE")));
}

static void do_unmeasured(char **word)
{
    (void)word;
    measure m = measured();
    unmeasured_print(&m);
}

static void do_measured(char **word)
{
    (void)word;
    measure m = measured();
    measured_keep(&m, needed(names, "--names FILE"));
}

static void do_verify(char **word)
{
    (void)word;
    int bad = verify_list();
    if (bad)
        die("%d %s not as %s made: what is removed is made again", bad,
            bad == 1 ? "file is" : "files are", bad == 1 ? "it was" : "they were");
}

static const struct {
    const char *name;
    void (*act)(char **word);
} VERBS[] = {
    {"current", do_current},   {"plan", do_plan},
    {"texts", do_texts},       {"missing", do_missing},
    {"record", do_record},     {"digest", do_digest},
    {"prompts", do_prompts},   {"foreign", do_foreign},
    {"stamp", do_stamp},       {"headers", do_headers},
    {"seal", do_seal},         {"unknown", do_unknown},
    {"about", do_about},       {"unmeasured", do_unmeasured},
    {"measured", do_measured}, {"verify", do_verify},
    {"apart", do_apart},
};

int main(int argc, char **argv)
{
    int first = program_begin(argc, argv, options, usage);
    if (first == argc)
        usage_error("a verb is needed: plan, texts, missing, verify, ...");
    for (size_t i = 0; i < sizeof VERBS / sizeof *VERBS; i++)
        if (strcmp(argv[first], VERBS[i].name) == 0) {
            VERBS[i].act(argv + first + 1);
            return program_end();
        }
    usage_error("there is no verb '%s'", argv[first]);
}
