/*
** tokens.c: ids as the reference's tokenizer gives them.
**
** The reference runs the fast tokenizer, which a tokenizer.json describes; where there is none,
** sentencepiece decides alone. They are alike but for added tokens (</s>, <pad>, <extra_id_7>),
** which are found in the text before anything else; for characters outside of the vocabulary, which
** are <unk> where byte_fallback is false; and for ties (unigram.c).
**
** Where both lie side by side the pieces, their scores and the character map are the model's (they
** are the same, or a warning says that they are not), the rest is as tokenizer.json says.
**
** A tokenizer.json is followed as far as those of T5 and its like go: its added tokens; the
** precompiled character map of its normalizer, which sentencepiece's own code applies, Strip and
** the Replace of many blanks by one; WhitespaceSplit and Metaspace; a Unigram model. What else it
** may say is refused by name.
*/
#include "tokens.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "../../common/filedigest.h"
#include "../../common/openfile.h"
#include "spiece.h"
#include "text.h"
#include "tokenizer.h"
#include "unigram.h"

typedef struct {
    char *text;
    size_t n;
    int32_t id;
    bool left, right; /* takes the white space on that side with it */
    bool word;        /* only where no letter or digit touches it */
} added_token;

typedef enum { PREFIX_ALWAYS, PREFIX_FIRST, PREFIX_NEVER } prefix_scheme;

struct tokens {
    tokenizer *model; /* sentencepiece: all of it, or (with a tokenizer.json) its character map */
    int32_t end;
    char rule[96];
    digest digest;
    unigram *pieces; /* of a tokenizer.json; NULL: sentencepiece decides */
    int added;
    added_token *token; /* the longest first */
    bool strip, squeeze, words;
    prefix_scheme prefix;
};

static const char BLANK[] = "\xe2\x96\x81"; /* U+2581, which stands for a blank in pieces */

/* ---- tokenizer.json ---- */

static json_t *read_json(const char *path)
{
    json_error_t error;
    FILE *f = input_file(path);
    if (!f)
        die_errno("cannot read %s", path);
    json_t *root = json_loadf(f, JSON_ALLOW_NUL, &error);
    fclose(f);
    if (!root)
        die("cannot read %s: line %d: %s", path, error.line, error.text);
    return root;
}

static bool is_set(json_t *o, const char *key) { return json_is_true(json_object_get(o, key)); }

static const char *type_of(json_t *o)
{
    const char *type = json_string_value(json_object_get(o, "type"));
    return type ? type : "?";
}

/* The longest first. */
static int by_length(const void *a, const void *b)
{
    const added_token *x = a, *y = b;
    return x->n != y->n ? (x->n < y->n) - (x->n > y->n) : strcmp(x->text, y->text);
}

static void read_added(tokens *t, json_t *list, const char *path)
{
    enum { MOST = 1 << 16 };
    size_t n = json_array_size(list);
    if (n > MOST)
        die("%s has %zu added tokens; at most %d are read", path, n, MOST);
    t->token = new_bytes((n + 1) * sizeof *t->token);
    for (size_t i = 0; i < n; i++) {
        json_t *o = json_array_get(list, i), *id = json_object_get(o, "id");
        const char *said = json_string_value(json_object_get(o, "content"));
        if (!said || !*said || !json_is_integer(id) || json_integer_value(id) < 0 ||
            json_integer_value(id) > INT32_MAX)
            die("%s: added token %zu has no content or no id", path, i);
        t->token[t->added++] = (added_token){.text = new_format("%s", said),
                                             .n = strlen(said),
                                             .id = (int32_t)json_integer_value(id),
                                             .left = is_set(o, "lstrip"),
                                             .right = is_set(o, "rstrip"),
                                             .word = is_set(o, "single_word")};
    }
    if (t->added)
        qsort(t->token, (size_t)t->added, sizeof *t->token, by_length);
}

/* Base 64 (RFC 4648); returns how many bytes were written to `to`. */
static size_t from_base64(unsigned char *to, const char *s)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    int have = 0;
    size_t n = 0;
    for (; *s; s++) {
        const char *at = strchr(digits, *s);
        if (!at)
            continue;
        bits = bits << 6 | (uint32_t)(at - digits);
        have += 6;
        if (have >= 8) {
            have -= 8;
            to[n++] = (unsigned char)(bits >> have);
        }
    }
    return n;
}

/* What applies a character map of n bytes. */
static void set_map(tokens *t, const void *map, size_t n, const char *where)
{
    size_t made;
    void *model = spiece_of_map(map, n, &made);
    const char *error = tokenizer_open(&t->model, model, made);
    if (error)
        die("cannot read %s: its character map: %s", where, error);
    free(model);
}

/* NULL: one that maps nothing. */
static void set_map_text(tokens *t, const char *base64, const char *path)
{
    size_t length = base64 ? strlen(base64) : 0;
    unsigned char *map = new_bytes(length + 1);
    set_map(t, map, base64 ? from_base64(map, base64) : 0, path);
    free(map);
}

/* Returns the text of its character map, NULL if it has none. */
static const char *read_normalizer(tokens *t, json_t *o, const char *path)
{
    json_t *list = json_object_get(o, "normalizers"), *one, *alone = NULL;
    const char *map = NULL;
    size_t i;
    if (!list && json_is_object(o))
        list = alone = json_pack("[O]", o);
    json_array_foreach(list, i, one)
    {
        json_t *pattern = json_object_get(json_object_get(one, "pattern"), "Regex");
        const char *type = type_of(one);
        if (strcmp(type, "Precompiled") == 0)
            map = json_string_value(json_object_get(one, "precompiled_charsmap"));
        else if (strcmp(type, "Strip") == 0 && is_set(one, "strip_right") &&
                 !is_set(one, "strip_left"))
            t->strip = true;
        else if (strcmp(type, "Replace") == 0 && json_is_string(pattern) &&
                 strcmp(json_string_value(pattern), " {2,}") == 0)
            t->squeeze = true;
        else
            die("%s has a normalizer of type %.40s, which is not read", path, type);
    }
    json_decref(alone);
    return map;
}

static void read_metaspace(tokens *t, json_t *o)
{
    const char *scheme = json_string_value(json_object_get(o, "prepend_scheme"));
    if (!scheme) /* as older files say it */
        scheme = json_is_false(json_object_get(o, "add_prefix_space")) ? "never" : "always";
    t->prefix = strcmp(scheme, "first") == 0   ? PREFIX_FIRST
                : strcmp(scheme, "never") == 0 ? PREFIX_NEVER
                                               : PREFIX_ALWAYS;
}

static void read_words(tokens *t, json_t *o, const char *path)
{
    json_t *list = json_object_get(o, "pretokenizers"), *one, *alone = NULL;
    size_t i;
    if (!list && json_is_object(o))
        list = alone = json_pack("[O]", o);
    t->prefix = PREFIX_NEVER;
    json_array_foreach(list, i, one)
    {
        const char *type = type_of(one);
        if (strcmp(type, "WhitespaceSplit") == 0)
            t->words = true;
        else if (strcmp(type, "Metaspace") == 0)
            read_metaspace(t, one);
        else
            die("%s has a pre-tokenizer of type %.40s, which is not read", path, type);
    }
    json_decref(alone);
}

/* </s>, which ends a text. */
static int32_t end_of(const tokens *t, const char *path)
{
    for (int i = 0; i < t->added; i++)
        if (strcmp(t->token[i].text, "</s>") == 0)
            return t->token[i].id;
    die("%s has no end token among those that were added", path);
}

/* All that tokenizer.json says; pieces and character map of the model, if there is one. */
static void describe(tokens *t, const void *model, size_t n, const char *where, const char *path)
{
    json_t *root = read_json(path), *said = json_object_get(root, "model");
    size_t length = 0, pieces = json_array_size(json_object_get(said, "vocab"));
    t->pieces = model ? unigram_of_model(said, path, model, n) : unigram_of_json(said, path);
    if (unigram_pieces(t->pieces) != pieces)
        warn("%s has %zu pieces, but %s has %zu: those of the latter are taken", path, pieces,
             where, unigram_pieces(t->pieces));
    read_added(t, json_object_get(root, "added_tokens"), path);
    read_words(t, json_object_get(root, "pre_tokenizer"), path);
    snprintf(t->rule, sizeof t->rule, "tokenizer.json, %s byte fallback, %d added",
             unigram_has_fallback(t->pieces) ? "with" : "no", t->added);
    t->end = t->end < 0 ? end_of(t, path) : t->end;
    const char *base64 = read_normalizer(t, json_object_get(root, "normalizer"), path);
    const void *map = model ? spiece_map(model, n, &length) : NULL;
    if (model)
        set_map(t, map, length, where);
    else
        set_map_text(t, base64, path);
    json_decref(root);
}

static digest digest_of_both(const void *model, size_t n, const char *json)
{
    digest of_model = model ? digest_of(model, n) : digest_of_text("");
    if (!json)
        return of_model;
    char *both = new_format("%s %s", of_model.hex, file_digest(json).hex);
    digest d = digest_of_text(both);
    free(both);
    return d;
}

tokens *tokens_open(const void *model, size_t n, const char *where, const char *json)
{
    tokens *t = new_bytes(sizeof *t);
    t->end = -1;
    t->digest = digest_of_both(model, n, json);
    if (model) {
        const char *error = tokenizer_open(&t->model, model, n);
        if (error)
            die("cannot read %s: %s", where, error);
        t->end = tokenizer_end(t->model);
    }
    if (!json) {
        snprintf(t->rule, sizeof t->rule, "sentencepiece");
        if (t->end < 0)
            die("%s has no end token", where);
        return t;
    }
    tokenizer_close(t->model); /* with a tokenizer.json only its pieces and its map count */
    t->model = NULL;
    describe(t, model, n, where, json);
    return t;
}

void tokens_close(tokens *t)
{
    if (!t)
        return;
    if (t->pieces)
        unigram_close(t->pieces);
    tokenizer_close(t->model);
    for (int i = 0; i < t->added; i++)
        free(t->token[i].text);
    free(t->token);
    free(t);
}

int32_t tokens_end(const tokens *t) { return t->end; }
const char *tokens_rule(const tokens *t) { return t->rule; }
digest tokens_digest(const tokens *t) { return t->digest; }

/* ---- text without added tokens ---- */

static bool starts_with(const char *s, const char *end, const char *what)
{
    size_t n = strlen(what);
    return (size_t)(end - s) >= n && memcmp(s, what, n) == 0;
}

/* Pieces never reach over a blank: what lies between two is cut by itself. */
static void encode_word(const tokens *t, id_list *l, const char *s, const char *end)
{
    for (const char *next; s < end; s = next) {
        for (next = s + 1; next < end && !starts_with(next, end, BLANK);)
            next++;
        unigram_encode(t->pieces, l, s, (size_t)(next - s));
    }
}

/* s, with blanks as pieces have them, and one before it if the scheme says so. */
static void encode_spaced(const tokens *t, id_list *l, const char *s, const char *end, bool first)
{
    text spaced = {0};
    bool prefix = t->prefix == PREFIX_ALWAYS || (t->prefix == PREFIX_FIRST && first);
    if (prefix && !starts_with(s, end, " ") && !starts_with(s, end, BLANK))
        text_add(&spaced, BLANK, 3);
    for (; s < end; s++)
        text_add(&spaced, *s == ' ' ? BLANK : s, *s == ' ' ? 3 : 1);
    if (spaced.n)
        encode_word(t, l, spaced.s, spaced.s + spaced.n);
    text_free(&spaced);
}

/* Strip and Replace of the normalizer. */
static size_t tidied(const tokens *t, char *s, size_t n)
{
    size_t kept = 0;
    while (t->strip && n > 0 && strchr(" \t\n\r\v\f", s[n - 1]))
        n--;
    for (size_t i = 0; i < n; i++)
        if (!t->squeeze || s[i] != ' ' || i == 0 || s[i - 1] != ' ')
            s[kept++] = s[i];
    return kept;
}

/* Words one by one where white space ends them, else all at once. first: nothing stands before. */
static const char *encode_text(const tokens *t, id_list *l, const char *s, size_t n, bool first)
{
    char *normal;
    const char *error = n ? tokenizer_normalize(t->model, s, n, &normal, &n) : NULL;
    if (error || n == 0)
        return error;
    const char *at = normal, *end = normal + tidied(t, normal, n);
    if (!t->words && at < end)
        encode_spaced(t, l, at, end, first);
    while (t->words && at < end) {
        const char *word = at, *next = at;
        while (at < end && !is_space(next_char(&next, end)))
            at = next;
        if (at > word)
            encode_spaced(t, l, word, at, first && word == normal);
        at = next;
    }
    free(normal);
    return NULL;
}

/* ---- added tokens ---- */

/* Where the character begins that ends at s. */
static const char *before(const char *begin, const char *s)
{
    do
        s--;
    while (s > begin && ((unsigned char)*s & 0xc0) == 0x80);
    return s;
}

static bool is_word_at(const char *s, const char *end) { return is_word_char(next_char(&s, end)); }
static bool is_space_at(const char *s, const char *end) { return is_space(next_char(&s, end)); }

/* The first place at or behind s where a stands; NULL if there is none. */
static const char *find_token(const added_token *a, const char *begin, const char *s,
                              const char *end)
{
    for (; (s = memmem(s, (size_t)(end - s), a->text, a->n)); s++) {
        bool touched = (s > begin && is_word_at(before(begin, s), end)) ||
                       (s + a->n < end && is_word_at(s + a->n, end));
        if (!a->word || !touched)
            return s;
    }
    return NULL;
}

/* The first added token at or behind s, of those at one place the longest; its place in *at. */
static const added_token *next_added(const tokens *t, const char *begin, const char *s,
                                     const char *end, const char **at)
{
    const added_token *found = NULL;
    *at = end;
    for (const added_token *a = t->token; a < t->token + t->added; a++) {
        const char *p = find_token(a, begin, s, end);
        if (p && (!found || p < *at)) {
            found = a;
            *at = p;
        }
    }
    return found;
}

const char *tokens_encode(const tokens *t, const char *s, size_t n, int32_t **ids, size_t *count)
{
    id_list l = {0};
    const char *begin = s, *end = s + n, *at, *error = NULL;
    const added_token *a;
    if (!t->pieces)
        return tokenizer_encode(t->model, s, n, ids, count);
    add_ids(&l, NULL, 0);
    while (!error && s < end && (a = next_added(t, begin, s, end, &at))) {
        const char *text_end = at;
        while (a->left && text_end > s && is_space_at(before(s, text_end), end))
            text_end = before(s, text_end);
        error = encode_text(t, &l, s, (size_t)(text_end - s), s == begin);
        add_ids(&l, &a->id, 1);
        s = at + a->n;
        while (a->right && s < end && is_space_at(s, end))
            next_char(&s, end);
    }
    if (!error)
        error = encode_text(t, &l, s, (size_t)(end - s), s == begin);
    *ids = l.id;
    *count = l.n;
    return error;
}
