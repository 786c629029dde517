/*
** routes.c: the list of wanted files and their recipes. It is read once; each document takes its
** file from it.
*/
#include "routes.h"

#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "openfile.h"
#include "recipe.h"

typedef struct {
    char *recipe, *file;
    bool given;
    int place; /* in the list: files with the same recipe are given in this order */
} route;

struct routes {
    const char *list;
    int n;
    route *route; /* sorted by recipe */
};

static int by_recipe(const void *a, const void *b)
{
    const route *x = a, *y = b;
    int order = strcmp(x->recipe, y->recipe);
    return order ? order : x->place - y->place;
}

static int by_file(const void *a, const void *b)
{
    return strcmp(((const route *)a)->file, ((const route *)b)->file);
}

static void add_line(routes *r, char *line)
{
    char *tab = strchr(line, '\t');
    if (tab)
        *tab = 0;
    if (!tab || !tab[1] || !is_digest(line))
        die("line %d of %s is not a recipe, a tab and a file", r->n + 1, r->list);
    r->route = realloc(r->route, (size_t)(r->n + 1) * sizeof *r->route);
    if (!r->route)
        die("out of memory");
    r->route[r->n] = (route){new_format("%s", line), new_format("%s", tab + 1), false, r->n};
    r->n++;
}

routes *routes_open(const char *list)
{
    routes *r = new_bytes(sizeof *r);
    char *line = NULL;
    size_t room = 0;
    FILE *f = input_file(list);
    if (!f)
        die_errno("cannot read %s", list);
    r->list = list;
    while (getline(&line, &room, f) >= 0) {
        line[strcspn(line, "\n")] = 0;
        add_line(r, line);
    }
    if (ferror(f))
        die_errno("cannot read %s", list);
    free(line);
    fclose(f);
    if (r->n)
        qsort(r->route, (size_t)r->n, sizeof *r->route, by_file);
    for (int i = 1; i < r->n; i++)
        if (strcmp(r->route[i - 1].file, r->route[i].file) == 0)
            die("%s is twice in %s", r->route[i].file, list);
    if (r->n)
        qsort(r->route, (size_t)r->n, sizeof *r->route, by_recipe);
    return r;
}

const char *routes_take(routes *r, const document *d, int number)
{
    const char *recipe = metadata_get(d, RECIPE_KEY);
    if (!is_digest(recipe))
        die("document %d has no recipe: no file of %s is known to be for it", number, r->list);
    int low = 0, high = r->n;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (strcmp(r->route[middle].recipe, recipe) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < r->n && strcmp(r->route[low].recipe, recipe) == 0; low++)
        if (!r->route[low].given) {
            r->route[low].given = true;
            return r->route[low].file;
        }
    die("document %d was not asked for: its recipe %s is not in %s", number, recipe, r->list);
}

void routes_close(routes *r)
{
    for (int i = 0; i < r->n; i++)
        if (!r->route[i].given)
            die("no document came for %s, whose recipe is %s", r->route[i].file,
                r->route[i].recipe);
    for (int i = 0; i < r->n; i++) {
        free(r->route[i].recipe);
        free(r->route[i].file);
    }
    free(r->route);
    free(r);
}
