/*
** others.h: parameters that are not swapped.
*/
#ifndef OTHERS_H
#define OTHERS_H

#include "../dit.h"

/* Warns if parameters of m that belong to no linear (norms, modulation) have other values in b than
 * in a: then a linear of b may be made for them, and alone in a is another function. */
void others_compare(const dit *m, weights *a, weights *b);

#endif
