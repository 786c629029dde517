/*
** routes.h: which file a document goes to, by its recipe: for programs that write many files.
**
** The list is a text: a line for each file, its recipe, a tab, its name. So it does not matter in
** which order documents come, and none can get another's name.
*/
#ifndef ROUTES_H
#define ROUTES_H

#include "stream.h"

typedef struct routes routes;

/* Dies for a line that has no recipe, and for a name that comes twice. */
routes *routes_open(const char *list);
/* The file that wants d; the first that has not been given, if several want the same. Dies if none
** does; number: d's, for the message. Valid until routes_close. */
const char *routes_take(routes *r, const document *d, int number);
/* Dies if a file has not been given, and frees r. */
void routes_close(routes *r);

#endif
