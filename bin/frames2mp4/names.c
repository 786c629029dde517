/*
** names.c: file names from operands or from a pattern and a document's metadata.
*/
#include "names.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "../../common/frames.h"
#include "../../common/nameindex.h"

/* One conversion of a pattern: after the % stand digits, then the letter. */
typedef struct {
    int width;
    bool zeros;
    char letter;
} conversion;

/* p is behind the %; returns what follows the conversion. */
static const char *parse(conversion *c, const char *p)
{
    *c = (conversion){.zeros = *p == '0'};
    for (; isdigit((unsigned char)*p); p++)
        if ((c->width = 10 * c->width + (*p - '0')) > 20)
            usage_error("-o: a width is at most 20");
    c->letter = *p;
    if (!*p || !strchr("nsv%", *p))
        usage_error("-o: after %% stands n, s, v or another %%, not '%.1s'", p);
    if (*p != 'n' && c->width)
        usage_error("-o: only %%n takes a width");
    return p + 1;
}

void names_open(names *n, const char *list, const char *pattern, char **operand, int operands)
{
    *n = (names){.pattern = pattern, .operand = operand, .operands = operands};
    conversion c;
    if (pattern && operands)
        usage_error("either -o PATTERN or FILE...: there is '%s', too", operand[0]);
    if (list && (pattern || operands))
        usage_error("--by-recipe excludes -o PATTERN and FILE...");
    if (!list && !pattern && !operands)
        usage_error("-o PATTERN or FILE... is needed");
    if (list)
        n->routes = routes_open(list);
    for (const char *p = pattern; p && (p = strchr(p, '%'));)
        p = parse(&c, p + 1);
    if (pattern && !*pattern)
        usage_error("-o: the pattern is empty");
}

/* value as a part of a name, or death. */
static const char *safe(const char *value, char letter, const char *what, int number)
{
    if (!value)
        die("%%%c in the name: document %d has no %s", letter, number, what);
    if (!value[strspn(value, ".")]) /* "", ".", "..": as a directory another than is meant */
        die("%%%c in the name: the %s of document %d is '%s', which names nothing", letter, what,
            number, value);
    for (const char *p = value; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("._+-", *p))
            die("%%%c in the name: the %s of document %d, '%s', cannot be part of one", letter,
                what, number, value);
    return value;
}

static char *from_pattern(const char *pattern, int number, const document *d)
{
    char *name;
    size_t size;
    FILE *f = open_memstream(&name, &size);
    if (!f)
        die("out of memory");
    for (const char *p = pattern; *p;) {
        conversion c;
        if (*p != '%') {
            putc(*p++, f);
            continue;
        }
        p = parse(&c, p + 1);
        switch (c.letter) {
        case 'n': fprintf(f, c.zeros ? "%0*d" : "%*d", c.width, number); break;
        case 's': fputs(safe(metadata_get(d, "seed"), 's', "seed", number), f); break;
        case 'v': fputs(safe(document_variant(d), 'v', "variant", number), f); break;
        case '%': putc('%', f); break;
        }
    }
    if (fclose(f) != 0)
        die("out of memory");
    return name;
}

static void forget_prompt(names *n)
{
    for (int i = 0; i < n->seeds; i++)
        free(n->seed[i]);
    free(n->seed);
    free(n->text);
    n->seed = NULL;
    n->text = NULL;
    n->seeds = 0;
}

/* The number of the document's prompt, as an experiment counts them: one more than the last, unless
 * it is the same with another seed. */
static int prompt_number(names *n, const document *d)
{
    const char *prompt = metadata_get(d, "prompt"), *seed = metadata_get(d, "seed");
    bool same = prompt && seed && n->text && strcmp(prompt, n->text) == 0;
    for (int i = 0; i < n->seeds; i++)
        same &= strcmp(seed ? seed : "", n->seed[i]) != 0;
    if (!same) {
        forget_prompt(n);
        n->prompt++;
    }
    if (prompt && seed) {
        if (!n->text)
            n->text = new_format("%s", prompt);
        n->seed = realloc(n->seed, (size_t)(n->seeds + 1) * sizeof *n->seed);
        if (!n->seed)
            die("out of memory");
        n->seed[n->seeds++] = new_format("%s", seed);
    }
    return n->prompt;
}

const char *names_next(names *n, int number, const document *d)
{
    if (n->routes)
        return routes_take(n->routes, d, number);
    if (!n->pattern && n->used == n->operands)
        die("document %d has no file: %d named", number, n->operands);
    char *name =
        n->pattern ? from_pattern(n->pattern, prompt_number(n, d), d) : n->operand[n->used];
    int before = index_find(n->name_at, name);
    if (before >= 0)
        die("document %d would replace %s, which is document %d%s", number, name, before + 1,
            !n->pattern    ? ""
            : n->seeds > 1 ? ": -o needs %s, the seed"
                           : ": -o needs %n");
    index_note(&n->name_at, name, n->used);
    n->name = realloc(n->name, (size_t)(n->used + 1) * sizeof *n->name);
    if (!n->name)
        die("out of memory");
    return n->name[n->used++] = name;
}

void names_end(names *n, int documents)
{
    forget_prompt(n);
    if (n->routes)
        routes_close(n->routes);
    else if (!n->pattern && documents < n->operands)
        die("%d files are named but there are only %d documents: %s is not written", n->operands,
            documents, n->operand[documents]);
    for (int i = 0; n->pattern && i < n->used; i++)
        free(n->name[i]);
    free(n->name);
    index_free(&n->name_at);
}
