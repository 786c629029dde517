/*
** prompts.c: lines of text as sequences of token ids.
**
** A line is checked (UTF-8, no NUL), cleaned as the reference does, cut into pieces, ended with the
** end token and, if it is too long, shortened before that token. Refused by line number: text that
** is not UTF-8 or longer than a header may carry, ids that are no numbers or not in the vocabulary.
*/
#include "prompts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "../../common/line.h"
#include "../../common/utf8.h"
#include "clean.h"

/* The prompt and the negative prompt, both escaped, must fit the header of a stream. A model reads
 * only the first 2 kB or so. */
enum { MOST_BYTES = 1 << 16 };

static void check_text(const char *s, size_t n, const char *where)
{
    if (n > MOST_BYTES)
        die("%s has %zu bytes: a prompt has at most %d", where, n, MOST_BYTES);
    if (!is_utf8(s, n))
        die("%s is not UTF-8", where);
    if (memchr(s, 0, n))
        die("%s is not text: it has a NUL", where);
}

static bool is_blank(const char *s, size_t n)
{
    for (const char *p = s; p < s + n;)
        if (!is_space(next_char(&p, s + n)))
            return false;
    return true;
}

/* ---- ids ---- */

static void ids_of_numbers(prompt *p, const prompt_rules *rules, const char *where)
{
    const char *s = p->text;
    for (p->n = 0; s += strspn(s, " \t"), *s; p->n++) {
        size_t n = strcspn(s, " \t");
        char *end;
        errno = 0;
        long id = strtol(s, &end, 10);
        if (*s < '0' || *s > '9' || end != s + n || errno || id > INT32_MAX)
            die("%s: '%.*s' is not a token id", where, n < 40 ? (int)n : 40, s);
        p->ids = realloc(p->ids, (size_t)(p->n + 1) * sizeof *p->ids);
        if (!p->ids)
            die("out of memory");
        p->ids[p->n] = (int32_t)id;
        s += n;
    }
    if (p->n > rules->most)
        die("%s has %lld ids, but text_len is %lld", where, (long long)p->n,
            (long long)rules->most);
}

static void ids_of_text(prompt *p, const prompt_rules *rules, size_t bytes, const char *where)
{
    text t = text_of(p->text, bytes);
    clean(&t);
    size_t n;
    const char *error = tokens_encode(rules->pieces, t.s, t.n, &p->ids, &n);
    if (error)
        die("cannot cut %s into pieces: %s", where, error);
    text_free(&t);
    p->n = (int64_t)n + 1;
    if (p->n > rules->most) {
        warn("%s has %lld tokens, cut to %lld", where, (long long)p->n, (long long)rules->most);
        p->n = rules->most;
    }
    p->ids[p->n - 1] = tokens_end(rules->pieces);
}

prompt prompt_of(const prompt_rules *rules, char *s, size_t bytes, const char *where)
{
    prompt p = {.text = s};
    check_text(s, bytes, where);
    if (rules->pieces)
        ids_of_text(&p, rules, bytes, where);
    else
        ids_of_numbers(&p, rules, where);
    if (p.n == 0)
        die("%s has no token ids", where);
    for (int64_t i = 0; i < p.n; i++)
        if (rules->vocabulary && p.ids[i] >= rules->vocabulary)
            die("%s: token %d is not in the vocabulary of %lld", where, p.ids[i],
                (long long)rules->vocabulary);
    return p;
}

/* ---- lines ---- */

/* Sets list->line, the line number for messages, after the line s was read. If the list is a
 * selection of lines of list->of, the number is that of the next line there that equals s. */
static void count_line(prompt_list *list, const char *s, size_t n)
{
    char *other = NULL;
    size_t room = 0, before = list->line++;
    ssize_t got;
    while (list->of && (got = getline(&other, &room, list->of)) >= 0) {
        size_t bytes = (size_t)got;
        const char *candidate = line_text(other, &bytes);
        list->line = ++before;
        if (bytes == n && memcmp(candidate, s, n) == 0)
            break;
    }
    free(other);
}

/* "line 3 of NAME": the place of the last line, for messages. */
enum { WHERE = 320 };
static const char *where_is(const prompt_list *list, char where[WHERE])
{
    snprintf(where, WHERE, "line %zu%s%.255s", list->line, list->name ? " of " : "",
             list->name ? list->name : "");
    return where;
}

char *prompt_line(prompt_list *list, size_t *bytes)
{
    char *s = NULL, where[WHERE];
    size_t room = 0;
    ssize_t n;
    while ((n = getline(&s, &room, list->file)) >= 0) {
        *bytes = (size_t)n;
        memmove(s, line_text(s, bytes), *bytes);
        s[*bytes] = 0;
        count_line(list, s, *bytes);
        check_text(s, *bytes, where_is(list, where));
        if (!is_blank(s, *bytes)) {
            list->given++;
            return s;
        }
        warn("%s is blank: skipped", where);
    }
    if (ferror(list->file))
        die_errno("cannot read standard input");
    if (!list->given)
        die("%s has no prompt", list->name ? list->name : "standard input");
    free(s);
    return NULL;
}

bool prompt_read(prompt *p, const prompt_rules *rules, prompt_list *list)
{
    size_t bytes;
    char *s = prompt_line(list, &bytes), where[WHERE];
    if (!s)
        return false;
    *p = prompt_of(rules, s, bytes, where_is(list, where));
    return true;
}

void prompt_free(prompt *p)
{
    free(p->text);
    free(p->ids);
    *p = (prompt){0};
}
