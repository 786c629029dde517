/*
** patterns.h: lists of shell patterns over names, as --tap, --stat and --layer take them.
*/
#ifndef PATTERNS_H
#define PATTERNS_H

#include <stdbool.h>

#include "../common/namelist.h"
#include "../common/program.h"

/* Those of a text that has commas between them. */
void patterns_add(name_list *list, const char *text);
/* Those of an option that may be given several times; usage error for a text that has none. */
void patterns_add_all(name_list *list, const char *option_name, const option_list *texts);
/* The first one at or behind `from` that fits name, or -1. */
int patterns_fit(const name_list *list, int from, const char *name);

#endif
