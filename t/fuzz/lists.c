/*
** lists.c: lines that name things. The first byte says of what: rows of an experiment (r), which must be
** the same when they are printed and read again; names (n); recipes and the files that they go to, and
** a document that asks for one (t).
*/
#include <string.h>
#include <unistd.h>

#include "../../bin/wan-recipe/rows.h"
#include "../../common/namelist.h"
#include "../../common/recipe.h"
#include "../../common/routes.h"
#include "fuzz.h"

static FILE *again;

void fuzz_begin(void) { again = fuzz_blank(); }

static void compare(const row *a)
{
    row b;
    rewind(again);
    if (ftruncate(fileno(again), 0) != 0)
        fuzz_broken("a file in memory can be emptied");
    row_print(a, again);
    fflush(again);
    rewind(again);
    if (!row_read(&b, again, "again"))
        fuzz_broken("a row that was printed is read");
    if (strcmp(a->name, b.name) != 0 || strcmp(a->number, b.number) != 0 ||
        strcmp(a->seed, b.seed) != 0)
        fuzz_broken("a row that was printed is the same");
    row_free(&b);
}

static void read_rows(FILE *f)
{
    row r;
    while (row_read(&r, f, "input")) {
        compare(&r);
        row_free(&r);
    }
}

static void read_names(void)
{
    name_list list = {0};
    names_read(&list, "names");
    names_sort(&list);
    for (int i = 1; i < list.n; i++)
        if (strcmp(list.name[i - 1], list.name[i]) > 0)
            fuzz_broken("names that were sorted are in order");
    names_free(&list);
}

static void read_routes(void)
{
    metadata key = {RECIPE_KEY, "0123456789abcdef0123456789abcdef"};
    document d = {.keys = 1, .key = &key};
    routes *r = routes_open("names");
    routes_take(r, &d, 1);
    routes_close(r);
}

void fuzz_target(const uint8_t *bytes, size_t n)
{
    if (n == 0)
        return;
    fuzz_file("names", bytes + 1, n - 1);
    if (bytes[0] == 'r') {
        FILE *f = fuzz_open(bytes + 1, n - 1);
        read_rows(f);
        fclose(f);
    } else if (bytes[0] == 't') {
        read_routes();
    } else {
        read_names();
    }
}
