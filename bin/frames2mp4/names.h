/*
** names.h: which file each document goes to: FILE operands in turn, a pattern, or by its recipe.
**
** In a pattern %n is the prompt's number from 1 (%02n: two digits at least; documents of one prompt
** that follow each other and differ in their seeds have one number), %s the metadata
** `seed`, %v the variant, %% a percent sign. What metadata put into a name may hold letters,
** digits and ._+- only, so that a stream cannot lead out of the directory.
*/
#ifndef NAMES_H
#define NAMES_H

#include "../../common/routes.h"

typedef struct {
    routes *routes;      /* by recipe; NULL: not so */
    const char *pattern; /* NULL: the operands */
    char **operand;
    int operands;
    int used;
    char **name;            /* all that were given out: none may come twice */
    struct json_t *name_at; /* nameindex.h */
    int prompt;             /* the number of the last document's prompt, */
    char *text, **seed;     /* what that is, and the seeds with it so far */
    int seeds;
} names;

/* Usage error for a pattern that it does not understand. list: of files by recipe (routes.h). Of
** list, pattern and operands there must be one. */
void names_open(names *n, const char *list, const char *pattern, char **operand, int operands);
/* The name of document `number`; dies if it had been given out before, or if there is none left. */
const char *names_next(names *n, int number, const document *d);
/* Dies if operands are left; the names given out end here. */
void names_end(names *n, int documents);

#endif
