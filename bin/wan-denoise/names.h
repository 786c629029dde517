/*
** names.h: what can be seen of a forward pass, by the names of the official modules: the inputs of
** every linear, and the results of the larger modules.
*/
#ifndef NAMES_H
#define NAMES_H

#include "../dit.h"

/* name: of a linear, whose input has this shape (no data), or of an intermediate. */
typedef void (*name_visit)(void *to, const char *name, bool linear, tensor shape);

/* In the order in which they are made: of a text, `seen` rows of which are shown; and of a step, L
 * tokens a pass. */
void names_of_text(const dit *m, int64_t seen, name_visit visit, void *to);
void names_of_step(const dit *m, int64_t L, name_visit visit, void *to);

/* Dies, naming pattern and option, if a pattern fits none of the linears' names. */
void names_fit(const dit *m, const char *by, const name_list *patterns);

#endif
