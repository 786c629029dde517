/*
** stored.h: a weight as its file stores it: values, or codes with the scales that belong to them.
*/
#ifndef STORED_H
#define STORED_H

#include "../formats.h"
#include "weights.h"

/* NAME.weight and its scales, NAME.weight_scale, of any float type and one for all or one a row;
** and of our own files (ours.c) the steps and zeros of groups. Dies for codes without
** scales, scales that are not finite and positive or of another shape, zero points that are not
** zero, companions that are not known, and types that have no values. */
stored weights_stored(weights *w, const char *name);
/* All values in new memory, F32 of s.w's shape, which the caller frees. */
tensor stored_expanded(const stored *s);
/* X.weight, if name is that of a companion (X.weight_scale, ...) that stands beside it; else NULL.
 * Static memory. */
const char *stored_owner(const weights *w, const char *name);
/* Is w's type one that stays as it is stored, codes or blocks? */
bool stored_as_codes(tensor_type type);

#endif
