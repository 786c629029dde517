/*
** namelist.c: a growing list of names.
*/
#include "namelist.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "openfile.h"

void names_add(name_list *list, const char *name)
{
    if ((list->n & (list->n - 1)) == 0) /* full at powers of two */
        list->name = realloc(list->name, (size_t)(list->n ? 2 * list->n : 1) * sizeof *list->name);
    if (!list->name)
        die("out of memory");
    list->name[list->n++] = new_format("%s", name);
}

void names_read(name_list *list, const char *path)
{
    char *line = NULL;
    size_t room = 0;
    FILE *f = input_file(path);
    if (!f)
        die_errno("cannot read %s", path);
    while (getline(&line, &room, f) >= 0) {
        line[strcspn(line, "\n")] = 0;
        names_add(list, line);
    }
    if (ferror(f))
        die_errno("cannot read %s", path);
    free(line);
    fclose(f);
}

static int alphabetical(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void names_sort(name_list *list)
{
    int n = 0;
    if (list->n)
        qsort(list->name, (size_t)list->n, sizeof *list->name, alphabetical);
    for (int i = 0; i < list->n; i++)
        if (n && strcmp(list->name[n - 1], list->name[i]) == 0)
            free(list->name[i]);
        else
            list->name[n++] = list->name[i];
    list->n = n;
}

json_t *names_json(const name_list *list, const char *what)
{
    json_t *array = json_array();
    for (int i = 0; i < list->n; i++)
        if (json_array_append_new(array, json_string(list->name[i])) != 0)
            die("%s '%s' is not UTF-8", what, list->name[i]);
    return array;
}

void names_free(name_list *list)
{
    for (int i = 0; i < list->n; i++)
        free(list->name[i]);
    free(list->name);
    *list = (name_list){0};
}
