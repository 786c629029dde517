/*
** bpe.c: CLIP's tokenizer: text to ids by byte-level pairs (Sennrich et al. 2016, "Neural Machine
** Translation of Rare Words with Subword Units"; Radford et al. 2021, section 2.4).
**
** As Hugging Face's CLIPTokenizer of today does it: NFC, white space to single blanks, lower case
** character by character; words by CLIP's pattern; a word's bytes as printable characters, the
** last one with "</w>" behind it; then, while any two neighbours are in merges.txt, those that come
** first there become one. There is no ftfy before it, as there was in openai/CLIP. Literal
** <|startoftext|> and <|endoftext|> are those tokens, found before anything is changed.
**
** It refuses: a vocabulary that lacks the two tokens or a byte.
** There is no hard idea: both tables are dictionaries by text, "a b" to its rank, "ab" to its id.
*/
#include "bpe.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <utf8proc.h>

#include "../../common/die.h"
#include "../../common/filedigest.h"
#include "../../common/openfile.h"

/* Unicode's White_Space, which PCRE2's \s is not quite. */
#define SPACE                                                                                      \
    "\\x09-\\x0d\\x20\\x85\\xa0\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}"   \
    "\\x{3000}"
static const char WORDS[] =
    "<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^" SPACE
    "\\p{L}\\p{N}]+";
static const char SPECIALS[] = "<\\|startoftext\\|>|<\\|endoftext\\|>";
static const char START[] = "<|startoftext|>", END[] = "<|endoftext|>";

struct bpe {
    json_t *id;   /* token: id */
    json_t *rank; /* "a b": line of merges.txt */
    int32_t start, end;
    char byte[256][3]; /* a byte's printable character */
    pcre2_code *words, *specials;
};

/* ---- the tables ---- */

/* The path of a file in the model's directory, or in that of the model's file. */
static char *beside(const char *model, const char *name)
{
    struct stat s;
    const char *slash = strrchr(model, '/');
    if (stat(model, &s) != 0 || S_ISDIR(s.st_mode))
        return new_format("%s/%s", model, name);
    return new_format("%.*s%s", slash ? (int)(slash + 1 - model) : 0, model, name);
}

/* Printable bytes of Latin-1 are themselves, the others follow from U+0100 in their order. */
static void name_bytes(bpe *b)
{
    for (int i = 0, next = 256; i < 256; i++) {
        bool printable = (i >= '!' && i <= '~') || (i >= 0xa1 && i <= 0xff && i != 0xad);
        utf8proc_ssize_t n =
            utf8proc_encode_char(printable ? i : next++, (utf8proc_uint8_t *)b->byte[i]);
        b->byte[i][n] = 0;
    }
}

static int32_t id_of(const bpe *b, const char *token)
{
    json_t *id = json_object_get(b->id, token);
    return id ? (int32_t)json_integer_value(id) : -1;
}

static void read_vocabulary(bpe *b, const char *model)
{
    char *path = beside(model, "vocab.json"), token[16];
    FILE *f = input_file(path);
    if (!f)
        die_errno("cannot read %s", path);
    json_error_t error;
    const char *key;
    json_t *id;
    b->id = json_loadf(f, JSON_REJECT_DUPLICATES, &error);
    fclose(f);
    if (!b->id)
        die("cannot read %s: line %d: %s", path, error.line, error.text);
    if (!json_is_object(b->id))
        die("%s is no vocabulary: not an object of tokens", path);
    json_object_foreach(b->id, key, id)
    {
        if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) > INT_MAX)
            die("%s: the id of '%.40s' is not a whole number", path, key);
    }
    b->start = id_of(b, START);
    b->end = id_of(b, END);
    if (b->start < 0 || b->end < 0)
        die("%s has no %s", path, b->start < 0 ? START : END);
    for (int i = 0; i < 256; i++)
        for (int last = 0; last < 2; last++) {
            snprintf(token, sizeof token, "%s%s", b->byte[i], last ? "</w>" : "");
            if (id_of(b, token) < 0)
                die("%s has no token for byte %d: '%s'", path, i, token);
        }
    free(path);
}

static void read_merges(bpe *b, const char *model)
{
    char *path = beside(model, "merges.txt"), *line = NULL;
    FILE *f = input_file(path);
    if (!f)
        die_errno("cannot read %s", path);
    b->rank = json_object();
    size_t room = 0;
    ssize_t n;
    for (long i = 1; (n = getline(&line, &room, f)) >= 0; i++) {
        while (n && (line[n - 1] == '\n' || line[n - 1] == '\r'))
            line[--n] = 0;
        if (n == 0 || strncmp(line, "#version", 8) == 0)
            continue;
        const char *blank = strchr(line, ' ');
        if (!blank || blank == line || !blank[1] || strchr(blank + 1, ' ') ||
            json_object_set_new(b->rank, line, json_integer(i)) != 0)
            die("%s: line %ld is not a pair of tokens", path, i);
    }
    if (ferror(f))
        die_errno("cannot read %s", path);
    if (json_object_size(b->rank) == 0)
        die("%s has no pairs", path);
    fclose(f);
    free(line);
    free(path);
}

static pcre2_code *compiled(const char *pattern)
{
    int error;
    PCRE2_SIZE at;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                                     PCRE2_UTF | PCRE2_UCP, &error, &at, NULL);
    if (!code)
        die("PCRE2 refuses a pattern at %zu: error %d", (size_t)at, error);
    return code;
}

bpe *bpe_open(const char *model)
{
    bpe *b = new_bytes(sizeof *b);
    memset(b, 0, sizeof *b);
    name_bytes(b);
    read_vocabulary(b, model);
    read_merges(b, model);
    b->words = compiled(WORDS);
    b->specials = compiled(SPECIALS);
    return b;
}

void bpe_close(bpe *b)
{
    json_decref(b->id);
    json_decref(b->rank);
    pcre2_code_free(b->words);
    pcre2_code_free(b->specials);
    free(b);
}

/* ---- a word ---- */

/* The ids of a text so far; one more than `most` says that there are too many. */
typedef struct {
    int32_t *id;
    int n, most;
} id_list;

static void add_id(id_list *l, int32_t id)
{
    if (l->n < l->most)
        l->id[l->n] = id;
    l->n += l->n <= l->most;
}

/* A piece of a word: its text, and the rank of the pair that it makes with the next piece. */
typedef struct {
    char *text;
    json_int_t rank; /* INT_MAX: no such pair */
} piece;

static char *joined(const char *a, const char *between, const char *b)
{
    return new_format("%s%s%s", a, between, b);
}

static void rank_pair(const bpe *b, piece *p, int i, int n)
{
    p[i].rank = INT_MAX;
    if (i + 1 >= n)
        return;
    char *pair = joined(p[i].text, " ", p[i + 1].text);
    json_t *rank = json_object_get(b->rank, pair);
    if (rank)
        p[i].rank = json_integer_value(rank);
    free(pair);
}

/* Pieces i and i + 1 become one. Returns how many are left. */
static int merge(const bpe *b, piece *p, int i, int n)
{
    char *both = joined(p[i].text, "", p[i + 1].text);
    free(p[i].text);
    free(p[i + 1].text);
    p[i].text = both;
    memmove(p + i + 1, p + i + 2, (size_t)(n - i - 2) * sizeof *p);
    n--;
    rank_pair(b, p, i, n);
    if (i)
        rank_pair(b, p, i - 1, n);
    return n;
}

static int first_pair(const piece *p, int n)
{
    int best = 0;
    for (int i = 1; i < n; i++)
        if (p[i].rank < p[best].rank)
            best = i;
    return best;
}

static void encode_word(const bpe *b, id_list *ids, const char *s, size_t length)
{
    int n = (int)length;
    piece *p = new_bytes(length * sizeof *p);
    for (int i = 0; i < n; i++)
        p[i].text = joined(b->byte[(unsigned char)s[i]], "", i + 1 < n ? "" : "</w>");
    for (int i = 0; i < n; i++)
        rank_pair(b, p, i, n);
    for (int i; i = first_pair(p, n), p[i].rank < INT_MAX;)
        n = merge(b, p, i, n);
    for (int i = 0; i < n; i++) {
        int32_t id = id_of(b, p[i].text);
        add_id(ids, id < 0 ? b->end : id); /* merges.txt made a token that vocab.json lacks */
        free(p[i].text);
    }
    free(p);
}

/* ---- a text ---- */

/* NFC in lower case; the caller frees it. */
static char *normalised(const char *s, size_t n, size_t *length)
{
    utf8proc_uint8_t *composed, *p;
    utf8proc_ssize_t m = utf8proc_map((const utf8proc_uint8_t *)s, (utf8proc_ssize_t)n, &composed,
                                      UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (m < 0)
        die("cannot normalise a text: %s", utf8proc_errmsg(m));
    utf8proc_uint8_t *lower = p = new_bytes(2 * (size_t)m + 4); /* some grow: 2 bytes become 3 */
    for (utf8proc_ssize_t i = 0; i < m;) {
        utf8proc_int32_t c;
        i += utf8proc_iterate(composed + i, m - i, &c);
        if (c == 0x130) { /* the only character whose lower case is two */
            p += utf8proc_encode_char('i', p);
            p += utf8proc_encode_char(0x307, p);
        } else {
            p += utf8proc_encode_char(utf8proc_tolower(c), p);
        }
    }
    free(composed);
    *length = (size_t)(p - lower);
    return (char *)lower;
}

/* The next match at or after *from, whose place is [*from, *to). */
static bool find(const pcre2_code *code, const char *s, size_t n, size_t *from, size_t *to)
{
    pcre2_match_data *match = pcre2_match_data_create_from_pattern(code, NULL);
    if (!match)
        die("out of memory");
    int rc = pcre2_match(code, (PCRE2_SPTR)s, n, *from, PCRE2_NO_UTF_CHECK, match, NULL);
    if (rc < 0 && rc != PCRE2_ERROR_NOMATCH)
        die("PCRE2 cannot search a text of %zu bytes: error %d", n, rc);
    if (rc > 0) {
        *from = pcre2_get_ovector_pointer(match)[0];
        *to = pcre2_get_ovector_pointer(match)[1];
    }
    pcre2_match_data_free(match);
    return rc > 0;
}

/* The pattern has the special tokens as words, which only those in capitals become here; they fall
** into "<|", letters and "|>". */
static void encode_match(const bpe *b, id_list *ids, const char *s, size_t n)
{
    bool special = n > 4 && s[0] == '<' && s[1] == '|' && s[2] >= 'a' && s[2] <= 'z';
    size_t side = special ? 2 : 0;
    if (special)
        encode_word(b, ids, s, side);
    encode_word(b, ids, s + side, n - 2 * side);
    if (special)
        encode_word(b, ids, s + n - side, side);
}

/* Text without special tokens. */
static void encode_plain(const bpe *b, id_list *ids, const char *s, size_t n)
{
    size_t length, to;
    char *t = normalised(s, n, &length);
    for (size_t from = 0; ids->n <= ids->most && find(b->words, t, length, &from, &to); from = to)
        encode_match(b, ids, t + from, to - from);
    free(t);
}

int bpe_encode(const bpe *b, int32_t *ids, int most, const char *s, size_t n, int *cut)
{
    id_list list = {.id = ids, .most = most};
    size_t done = 0, from = 0, to;
    add_id(&list, b->start);
    for (; find(b->specials, s, n, &from, &to); done = from = to) {
        encode_plain(b, &list, s + done, from - done);
        add_id(&list, s[from + 2] == 's' ? b->start : b->end);
    }
    encode_plain(b, &list, s + done, n - done);
    add_id(&list, b->end);
    if (cut)
        *cut = list.n > most;
    if (list.n > most) {
        list.n = most;
        ids[most - 1] = b->end;
    }
    return list.n;
}

digest bpe_digest(const char *model)
{
    char *vocab = beside(model, "vocab.json");
    char *merges = beside(model, "merges.txt");
    char *both = new_format("%s %s", file_digest(vocab).hex, file_digest(merges).hex);
    digest d = digest_of_text(both);
    free(vocab);
    free(merges);
    free(both);
    return d;
}
