/*
** names.h: which file each document goes to: FILE operands in turn, or a pattern.
**
** In a pattern %n is the document's number from 1 (%02n: two digits at least), %s the metadata
** `seed`, %v the variant, %% a percent sign. What metadata put into a name may hold letters,
** digits and ._+- only, so that a stream cannot lead out of the directory.
*/
#ifndef NAMES_H
#define NAMES_H

#include "../../common/stream.h"

typedef struct {
    const char *pattern; /* NULL: the operands */
    char **operand;
    int operands;
    int used;
    char **name; /* all that were given out: none may come twice */
} names;

/* Usage error for a pattern that it does not understand. */
void names_open(names *n, const char *pattern, char **operand, int operands);
/* The name of document `number`; dies if it had been given out before, or if there is none left. */
const char *names_next(names *n, int number, const document *d);
/* Dies if operands are left; the names given out end here. */
void names_end(names *n, int documents);

#endif
