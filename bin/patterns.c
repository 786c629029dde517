/*
** patterns.c: fnmatch over lists.
*/
#include "patterns.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "../common/die.h"

void patterns_add(name_list *list, const char *text)
{
    for (const char *s = text; *s;) {
        size_t n = strcspn(s, ",");
        char *one = new_format("%.*s", (int)n, s);
        names_add(list, one);
        free(one);
        s += n + (s[n] == ',');
    }
}

void patterns_add_all(name_list *list, const char *option_name, const option_list *texts)
{
    for (int i = 0; i < texts->n; i++) {
        int before = list->n;
        patterns_add(list, texts->text[i]);
        if (list->n == before)
            usage_error("%s takes patterns of names, not '%s'", option_name, texts->text[i]);
    }
}

int patterns_fit(const name_list *list, int from, const char *name)
{
    for (int i = from; i < list->n; i++)
        if (fnmatch(list->name[i], name, 0) == 0)
            return i;
    return -1;
}
