/*
** namelist.h: lists of names: of videos, from operands and files; of layers, patterns, prompts.
*/
#ifndef NAMELIST_H
#define NAMELIST_H

#include <jansson.h>

typedef struct {
    int n;
    char **name;
} name_list;

void names_add(name_list *list, const char *name);
/* The lines of the file; dies if it cannot be read. */
void names_read(name_list *list, const char *path);
/* In the order of bytes, each once. */
void names_sort(name_list *list);
void names_free(name_list *list);
/* An array; dies for a name that is not UTF-8, calling it a `what`. */
json_t *names_json(const name_list *list, const char *what);

#endif
