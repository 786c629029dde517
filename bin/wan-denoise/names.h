/*
** names.h: which tensors of a forward pass --tap, --stat and --layer can name: the inputs of every
** linear and the results of the larger modules. Names are those of the official modules.
*/
#ifndef NAMES_H
#define NAMES_H

#include "../dit.h"

/* name: of a linear (then `shape` is its input's), or of an intermediate result. shape has no
 * data. */
typedef void (*name_visit)(void *to, const char *name, bool linear, tensor shape);

/* Visit the names in the order of computation: those computed once a text, with `seen` rows; and
 * those computed in each step, with L tokens a pass. */
void names_of_text(const dit *m, int64_t seen, name_visit visit, void *to);
void names_of_step(const dit *m, int64_t L, name_visit visit, void *to);

/* Dies if a pattern matches no linear; the message names the pattern and `by`, the option. */
void names_fit(const dit *m, const char *by, const name_list *patterns);

#endif
