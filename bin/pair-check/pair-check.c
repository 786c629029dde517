/*
** pair-check.c: are two sets of videos strict pairs: made alike in everything but the model?
**
** Videos of one name are a pair if all that their metadata say of how they were made agrees, but
** for the weights and their type. Those that do not say it cannot be checked; they are paired by
** their names, and the table says so. It refuses to guess: what is missing, broken or made
** otherwise is no pair, and every reason is given before it fails.
*/
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "../../common/frames.h"
#include "../../common/namelist.h"
#include "../../common/program.h"
#include "../../common/record.h"
#include "../../common/text.h"
#include "pair-check.h"

static option_list may_differ;
static const char *names_file;
static const option options[] = {
    {'d', "differ", OPTION_LIST, &may_differ, 0, 0, false},
    {0, "names", OPTION_TEXT, &names_file, 0, 0, true},
    OPTIONS_END,
};

/* What names a variant, and so differs always. */
static const char *const labels[] = {"variant",
                                     "file",
                                     "tensor-pick.metadata",
                                     "recipe",
                                     "digest",
                                     "mp42frames.sealed",
                                     "wan-denoise.format", /* these four follow from the weights */
                                     "wan-denoise.bits",
                                     "wan-denoise.weight_bytes",
                                     "wan-denoise.stored",
                                     "wan-denoise.act_products", /* and from act and the device */
                                     "wan-denoise.skipped",      /* and from skip */
                                     NULL};
/* What a variant is about. */
static const char *const model[] = {"wan-denoise.weights", "wan-denoise.dtype", "DENOISE.weights",
                                    NULL};
/* What both must say for a pair to count as checked. */
static const char *const needed[] = {"prompt",
                                     "seed",
                                     "wan-denoise.version",
                                     "wan-denoise.context",
                                     "wan-denoise.size",
                                     "wan-denoise.frames",
                                     "wan-denoise.steps",
                                     "wan-denoise.solver",
                                     "wan-denoise.shift",
                                     "wan-denoise.guidance",
                                     "wan-denoise.rng",
                                     "wan-vae-decode.version",
                                     NULL};

/* ---- texts that grow ---- */

/* Frees old; returns old, a separator unless old is empty, and more. */
static char *joined(char *old, const char *separator, const char *more)
{
    char *text = new_format("%s%s%s", old, *old ? separator : "", more);
    free(old);
    return text;
}

/* At most 60 bytes of it, cut between characters. */
static char *excerpt(const char *text)
{
    enum { MOST = 60 };
    size_t n = strlen(text);
    if (n <= MOST)
        return new_format("%s", text);
    for (n = MOST; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80;)
        n--;
    return new_format("%.*s...", (int)n, text);
}

/* ---- two videos ---- */

typedef struct {
    const char *name;
    record a, b;
    const char *pairing; /* "provenance", "name"; NULL: no pair */
    char *differs;       /* keys of the model that do, with blanks between them */
    char *reason;        /* of no pair: a line; else "" */
} pair;

static void set_reason(pair *p, char *text)
{
    free(p->reason);
    p->reason = text;
}

static bool in_list(const char *key, const char *const list[])
{
    for (; *list; list++)
        if (strcmp(key, *list) == 0)
            return true;
    return false;
}

/* Does the list, names with commas between them, have it, in full or without the program? */
static bool names_key(const char *list, const char *key)
{
    const char *dot = strchr(key, '.');
    for (size_t n; *list; list += n + (list[n] == ',')) {
        n = strcspn(list, ",");
        if (strlen(key) == n && strncmp(list, key, n) == 0)
            return true;
        if (dot && strlen(dot + 1) == n && strncmp(list, dot + 1, n) == 0)
            return true;
    }
    return false;
}

static bool is_declared(const char *key)
{
    for (int i = 0; i < may_differ.n; i++)
        if (names_key(may_differ.text[i], key))
            return true;
    return false;
}

/* A recipe that came in says nothing that the records before it do not; and of versions it is the
 * numerics that count, where both say them. */
static bool follows(const pair *p, const char *key)
{
    if (strcmp(key, "DENOISE.options") == 0) /* of another's sampler, if it passes ours on */
        return record_get(&p->a, "wan-denoise.version") && record_get(&p->b, "wan-denoise.version");
    if (ends_with(key, ".input"))
        return true;
    if (!ends_with(key, ".version"))
        return false;
    char *other = new_format("%.*s.numerics", (int)(strlen(key) - strlen(".version")), key);
    bool said = record_get(&p->a, other) && record_get(&p->b, other);
    free(other);
    return said;
}

/* One key's values, NULL where it is absent. */
static void compare_key(pair *p, const char *key, const char *a, const char *b)
{
    if (in_list(key, labels) || follows(p, key) || (a && b && strcmp(a, b) == 0))
        return;
    if (in_list(key, model) || is_declared(key)) {
        p->differs = joined(p->differs, " ", key);
        return;
    }
    char *x = excerpt(a ? a : "nothing"), *y = excerpt(b ? b : "nothing");
    char *text = new_format("%s: %s and %s", key, x, y);
    p->reason = joined(p->reason, "; ", text);
    free(x);
    free(y);
    free(text);
}

/* All keys of both, in order. */
static void compare_keys(pair *p)
{
    const record *a = &p->a, *b = &p->b;
    for (int i = 0, j = 0; i < a->keys || j < b->keys;) {
        int order = i == a->keys ? 1 : j == b->keys ? -1 : strcmp(a->key[i].key, b->key[j].key);
        const record_key *x = order <= 0 ? &a->key[i++] : NULL;
        const record_key *y = order >= 0 ? &b->key[j++] : NULL;
        compare_key(p, x ? x->key : y->key, x ? x->value : NULL, y ? y->value : NULL);
    }
    if (*p->reason)
        set_reason(p, new_format("differs in %s", p->reason));
}

/* An mp4 without its box at the end may have been coded anew: its comment proves nothing. */
static bool says_all(const record *r)
{
    const char *sealed = record_get(r, "mp42frames.sealed");
    if (sealed && strcmp(sealed, "true") != 0)
        return false;
    for (const char *const *key = needed; *key; key++)
        if (!record_get(r, *key))
            return false;
    return true;
}

/* Without a fault: are they alike? */
static void check_pair(pair *p, const char *variant_a, const char *variant_b)
{
    const record *a = &p->a, *b = &p->b;
    bool checked = says_all(a) && says_all(b);
    if (a->frames != b->frames || a->height != b->height || a->width != b->width)
        set_reason(p, new_format("%s has %" PRId64 " frames of %" PRId64 "x%" PRId64 ", %s %" PRId64
                                 " of %" PRId64 "x%" PRId64,
                                 variant_a, a->frames, a->width, a->height, variant_b, b->frames,
                                 b->width, b->height));
    else if (record_get(a, "wan-denoise.version") && record_get(b, "wan-denoise.version"))
        compare_keys(p);
    if (!*p->reason)
        p->pairing = checked ? "provenance" : "name";
}

static pair pair_of(const char *directory_a, const char *directory_b, const char *name)
{
    pair p = {name, record_read(directory_a, name), record_read(directory_b, name),
              NULL, new_format("%s", ""),           new_format("%s", "")};
    char *variant_a = last_component(directory_a), *variant_b = last_component(directory_b);
    if (p.a.fault)
        p.reason = joined(p.reason, "; ", p.a.fault);
    if (p.b.fault)
        p.reason = joined(p.reason, "; ", p.b.fault);
    if (!p.a.fault && !p.b.fault)
        check_pair(&p, variant_a, variant_b);
    free(variant_a);
    free(variant_b);
    return p;
}

static void print_pair(const pair *p)
{
    print_cell(p->name);
    print_cell(p->pairing);
    print_cell(p->pairing ? p->differs : "");
    for (const char *c = p->reason; *c; c++)
        putchar((unsigned char)*c < ' ' || *c == 0x7f ? ' ' : *c);
    putchar('\n');
}

/* ---- all of them ---- */

/* The names of all NAME.json and NAME.fault in the directory. */
static void add_directory(name_list *list, const char *directory)
{
    static const char *const endings[] = {".json", ".fault"};
    DIR *d = opendir(directory);
    if (!d)
        die_errno("cannot read %s", directory);
    for (const struct dirent *e; (e = readdir(d));)
        for (int i = 0; i < 2; i++) {
            size_t n = strlen(e->d_name), ending = strlen(endings[i]);
            if (n > ending && strcmp(e->d_name + n - ending, endings[i]) == 0) {
                char *name = new_format("%.*s", (int)(n - ending), e->d_name);
                names_add(list, name);
                free(name);
            }
        }
    closedir(d);
}

static name_list names_of(const char *a, const char *b, char **operand, int n)
{
    name_list list = {0};
    for (int i = 0; i < n; i++)
        names_add(&list, operand[i]);
    if (names_file)
        names_read(&list, names_file);
    if (n == 0 && !names_file) {
        add_directory(&list, a);
        add_directory(&list, b);
    }
    names_sort(&list);
    return list;
}

/* Two pairs of one prompt and seed would be counted as two. */
static void warn_twice(const pair *p, int n)
{
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++) {
            const char *prompt = record_get(&p[i].a, "prompt"), *seed = record_get(&p[i].a, "seed");
            const char *other = record_get(&p[j].a, "prompt"), *its = record_get(&p[j].a, "seed");
            if (p[i].pairing && p[j].pairing && prompt && seed && other && its &&
                strcmp(prompt, other) == 0 && strcmp(seed, its) == 0)
                warn("%s and %s have the same prompt and seed: they count as two", p[j].name,
                     p[i].name);
        }
}

/* Says what was found; returns how many are pairs. */
static int judge(const pair *p, int n)
{
    int good = 0, by_name = 0;
    for (int i = 0; i < n; i++) {
        good += p[i].pairing != NULL;
        by_name += p[i].pairing && strcmp(p[i].pairing, "name") == 0;
        if (!p[i].pairing)
            note("%s is no pair: %s", p[i].name, p[i].reason);
    }
    if (by_name)
        warn("%d of %d pairs are taken for pairs by their names alone: not both videos say how "
             "they were made",
             by_name, good);
    warn_twice(p, n);
    return good;
}

static void pair_free(pair *p)
{
    record_free(&p->a);
    record_free(&p->b);
    free(p->differs);
    free(p->reason);
}

int main(int argc, char **argv)
{
    int first = program_begin(argc, argv, options, usage);
    if (argc - first < 2)
        usage_error("two directories are needed, not %d", argc - first);
    const char *a = argv[first], *b = argv[first + 1];
    name_list names = names_of(a, b, argv + first + 2, argc - first - 2);
    pair *p = new_bytes((size_t)names.n * sizeof *p + 1);
    puts("name\tpairing\tdiffers\treason");
    for (int i = 0; i < names.n; i++) {
        p[i] = pair_of(a, b, names.name[i]);
        print_pair(&p[i]);
        stats_add("documents", 1);
    }
    int good = judge(p, names.n);
    int n = names.n;
    for (int i = 0; i < n; i++)
        pair_free(&p[i]);
    free(p);
    names_free(&names);
    int status = program_end();
    if (good == 0)
        die("%s and %s have no pair in common", a, b);
    if (good < n)
        die("%d of %d are no pairs", n - good, n);
    return status;
}
