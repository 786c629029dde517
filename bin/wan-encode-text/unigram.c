/*
** unigram.c: Kudo's unigram model (2018, "Subword Regularization"): of all ways to cut a text into
** pieces of the vocabulary the one with the greatest sum of scores, by Viterbi's search.
**
** As Hugging Face's fast tokenizers do it, to the last tie: scores are F64, ends are reached from
** the left, shorter pieces first, and only a greater sum replaces what was found. (sentencepiece
** sums in F32, and cuts "..." otherwise where "." and ".." add up to the same.) A character that is
** no piece costs 10 more than the worst piece; a run of such is one <unk>, or, with byte fallback,
** its bytes. All pieces of the vocabulary are texts, <0x41> and <s> too.
*/
#include "unigram.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "spiece.h"

enum { MOST_PIECES = 1 << 20, MOST_BYTES_OF_PIECE = 256 };
static const double UNKNOWN_PENALTY = 10;

typedef struct {
    char *text; /* NULL: an empty place of the table */
    uint32_t n;
    int32_t id;
    double score;
} piece;

struct unigram {
    piece *table; /* by hash, open addressing; `slots` is a power of two */
    size_t slots, longest, pieces;
    double worst;
    int32_t unknown, byte[256]; /* byte: -1 where the vocabulary has none */
    bool fallback;
};

void add_ids(id_list *l, const int32_t *id, size_t n)
{
    l->id = realloc(l->id, (l->n + n + 1) * sizeof *l->id);
    if (!l->id)
        die("out of memory");
    if (n)
        memcpy(l->id + l->n, id, n * sizeof *id);
    l->n += n;
}

/* ---- the vocabulary ---- */

static const uint64_t HASH_START = 0xcbf29ce484222325u, HASH_STEP = 0x100000001b3u;

static uint64_t hash_byte(uint64_t h, char c) { return (h ^ (unsigned char)c) * HASH_STEP; }

/* Where a text of this hash is, or would be. */
static piece *place_of(const unigram *u, uint64_t h, const char *s, size_t n)
{
    size_t i = (size_t)(h ^ h >> 32) & (u->slots - 1);
    while (u->table[i].text && (u->table[i].n != n || memcmp(u->table[i].text, s, n) != 0))
        i = (i + 1) & (u->slots - 1);
    return u->table + i;
}

static piece *find(const unigram *u, const char *s, size_t n)
{
    uint64_t h = HASH_START;
    for (size_t i = 0; i < n; i++)
        h = hash_byte(h, s[i]);
    return place_of(u, h, s, n);
}

static void take(unigram *u, int32_t id, const char *text, size_t n, double value)
{
    u->worst = u->pieces == 0 || value < u->worst ? value : u->worst;
    u->pieces++;
    if (n == 0 || n > MOST_BYTES_OF_PIECE)
        return; /* it is never found */
    piece *p = find(u, text, n);
    if (!p->text)
        p->text = new_format("%.*s", (int)n, text);
    *p = (piece){p->text, (uint32_t)n, id, value};
    u->longest = n > u->longest ? n : u->longest;
}

static void take_piece(void *data, int32_t id, const char *text, size_t n, float score)
{
    take(data, id, text, n, (double)score);
}

static void take_pair(unigram *u, json_t *pair, int32_t id, const char *path)
{
    json_t *text = json_array_get(pair, 0), *score = json_array_get(pair, 1);
    if (!json_is_string(text) || !json_is_number(score))
        die("%s: piece %d of its vocabulary is no text with a score", path, id);
    take(u, id, json_string_value(text), json_string_length(text), json_number_value(score));
}

/* An empty table for n pieces. */
static unigram *empty(json_t *model, const char *path, size_t n)
{
    const char *type = json_string_value(json_object_get(model, "type"));
    json_t *unknown = json_object_get(model, "unk_id");
    if ((type && strcmp(type, "Unigram") != 0) || !json_is_array(json_object_get(model, "vocab")))
        die("%s is of a tokenizer of type '%.40s', not Unigram", path, type ? type : "?");
    if (!json_is_integer(unknown) || json_integer_value(unknown) < 0 ||
        json_integer_value(unknown) > INT32_MAX || n == 0 || n > MOST_PIECES)
        die("%s: its vocabulary of %zu pieces has no unk_id, or is none", path, n);
    unigram *u = new_bytes(sizeof *u);
    for (u->slots = 64; u->slots < 2 * n;)
        u->slots *= 2;
    u->table = new_bytes(u->slots * sizeof *u->table);
    u->unknown = (int32_t)json_integer_value(unknown);
    u->fallback = json_is_true(json_object_get(model, "byte_fallback"));
    return u;
}

static unigram *with_bytes(unigram *u)
{
    for (int i = 0; i < 256; i++) {
        char name[8];
        snprintf(name, sizeof name, "<0x%02X>", (unsigned)i);
        const piece *p = find(u, name, 6);
        u->byte[i] = p->text ? p->id : -1;
    }
    return u;
}

unigram *unigram_of_json(json_t *model, const char *path)
{
    json_t *vocabulary = json_object_get(model, "vocab");
    size_t n = json_array_size(vocabulary);
    unigram *u = empty(model, path, n);
    for (size_t i = 0; i < n; i++)
        take_pair(u, json_array_get(vocabulary, i), (int32_t)i, path);
    return with_bytes(u);
}

static void count_piece(void *data, int32_t i, const char *text, size_t n, float score)
{
    (void)i, (void)text, (void)n, (void)score;
    ++*(size_t *)data;
}

unigram *unigram_of_model(json_t *model, const char *path, const void *bytes, size_t n)
{
    size_t pieces = 0;
    spiece_pieces(bytes, n, count_piece, &pieces);
    unigram *u = empty(model, path, pieces);
    spiece_pieces(bytes, n, take_piece, u);
    return with_bytes(u);
}

size_t unigram_pieces(const unigram *u) { return u->pieces; }

void unigram_close(unigram *u)
{
    for (size_t i = 0; i < u->slots; i++)
        free(u->table[i].text);
    free(u->table);
    free(u);
}

bool unigram_has_fallback(const unigram *u) { return u->fallback; }

/* ---- cutting ---- */

/* The best way that ends here. */
typedef struct {
    double sum;
    size_t begin; /* of its last piece; SIZE_MAX: no way is known */
    int32_t id;
} way;

static void offer(way *to, double sum, size_t begin, int32_t id)
{
    if (to->begin == SIZE_MAX || sum > to->sum)
        *to = (way){sum, begin, id};
}

static size_t char_bytes(const char *s, size_t left)
{
    unsigned char c = (unsigned char)*s;
    size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return n < left ? n : left;
}

/* A run of characters that are no pieces. */
static void add_unknown(const unigram *u, id_list *l, const char *s, size_t n)
{
    bool bytes = u->fallback;
    for (size_t i = 0; i < n && bytes; i++)
        bytes = u->byte[(unsigned char)s[i]] >= 0;
    if (!bytes)
        add_ids(l, &u->unknown, 1);
    for (size_t i = 0; i < n && bytes; i++)
        add_ids(l, &u->byte[(unsigned char)s[i]], 1);
}

/* The ways, from the end to the beginning, as ids. */
static void add_ways(const unigram *u, id_list *l, const way *best, const char *s, size_t n)
{
    size_t *ends = new_bytes((n + 1) * sizeof *ends), count = 0;
    for (size_t end = n; end > 0; end = best[end].begin)
        ends[count++] = end;
    for (size_t i = count; i-- > 0;) {
        size_t begin = best[ends[i]].begin;
        if (best[ends[i]].id != u->unknown) {
            add_ids(l, &best[ends[i]].id, 1);
            continue;
        }
        while (i > 0 && best[ends[i - 1]].id == u->unknown)
            i--;
        add_unknown(u, l, s + begin, ends[i] - begin);
    }
    free(ends);
}

void unigram_encode(const unigram *u, id_list *l, const char *s, size_t n)
{
    way *best = new_bytes((n + 1) * sizeof *best);
    for (size_t i = 1; i <= n; i++)
        best[i].begin = SIZE_MAX;
    for (size_t begin = 0, step; begin < n; begin += step) {
        uint64_t h = HASH_START;
        bool single = false;
        double sum = best[begin].sum;
        step = char_bytes(s + begin, n - begin);
        for (size_t k = 1; k <= u->longest && begin + k <= n; k++) {
            h = hash_byte(h, s[begin + k - 1]);
            const piece *p = place_of(u, h, s + begin, k);
            if (!p->text)
                continue;
            offer(best + begin + k, sum + p->score, begin, p->id);
            single |= k == step;
        }
        if (!single)
            offer(best + begin + step, sum + (u->worst - UNKNOWN_PENALTY), begin, u->unknown);
    }
    add_ways(u, l, best, s, n);
    free(best);
}
