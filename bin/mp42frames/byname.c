/*
** byname.c: a list of names and prompts.
*/
#include "byname.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "../../common/die.h"
#include "../../common/line.h"
#include "../../common/openfile.h"

typedef struct {
    char *name, *prompt;
} named;

enum { MOST_BYTES = 1 << 16 }; /* of a prompt, as in wan-encode-text */

static struct {
    int n;
    named *line; /* sorted by name */
} list;

static int by_name(const void *a, const void *b)
{
    return strcmp(((const named *)a)->name, ((const named *)b)->name);
}

/* "else/a cat.mp4" is "a cat". To be freed. */
static char *bare(const char *file)
{
    static const char *const endings[] = {".mp4", ".mkv", ".webm", ".mov", ".avi", ".gif", NULL};
    const char *slash = strrchr(file, '/');
    char *name = new_format("%s", slash ? slash + 1 : file), *dot = strrchr(name, '.');
    for (const char *const *e = endings; dot && *e; e++)
        if (strcmp(dot, *e) == 0) {
            *dot = 0;
            break;
        }
    return name;
}

static void add_line(char *text, int number, const char *path)
{
    char *tab = strchr(text, '\t');
    if (!tab || tab == text)
        die("line %d of %s is not a name, a tab and a prompt", number, path);
    *tab = 0;
    if (strlen(tab + 1) > MOST_BYTES)
        die("line %d of %s: a prompt has at most %d bytes", number, path, MOST_BYTES);
    list.line = realloc(list.line, (size_t)(list.n + 1) * sizeof *list.line);
    if (!list.line)
        die("out of memory");
    list.line[list.n++] = (named){bare(text), new_format("%s", tab + 1)};
}

void byname_open(const char *path)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t got;
    FILE *f = input_file(path);
    if (!f)
        die_errno("cannot read %s", path);
    for (int number = 1; (got = getline(&line, &room, f)) >= 0; number++) {
        size_t n = (size_t)got;
        char *text = line_text(line, &n);
        text[n] = 0;
        if (n)
            add_line(text, number, path);
    }
    if (ferror(f))
        die_errno("cannot read %s", path);
    free(line);
    fclose(f);
    if (list.n)
        qsort(list.line, (size_t)list.n, sizeof *list.line, by_name);
    for (int i = 1; i < list.n; i++)
        if (strcmp(list.line[i - 1].name, list.line[i].name) == 0)
            die("%s has %s twice", path, list.line[i].name);
}

const char *byname_prompt(const char *file)
{
    named wanted = {bare(file), NULL};
    const named *found =
        list.n ? bsearch(&wanted, list.line, (size_t)list.n, sizeof wanted, by_name) : NULL;
    free(wanted.name);
    return found ? found->prompt : NULL;
}
