/*
** namelist.h: names of videos, from operands and from a file with a name a line.
*/
#ifndef NAMELIST_H
#define NAMELIST_H

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

#endif
