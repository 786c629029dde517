/*
** patterns.h: lists of shell patterns over names, as --tap, --stat and --layer take them.
*/
#ifndef PATTERNS_H
#define PATTERNS_H

#include <stdbool.h>

#include "../common/namelist.h"

/* Those of a text that has commas between them. */
void patterns_add(name_list *list, const char *text);
/* The first one at or behind `from` that fits name, or -1. */
int patterns_fit(const name_list *list, int from, const char *name);

#endif
