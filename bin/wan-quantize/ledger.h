/*
** ledger.h: --ledger FILE: a row for every tensor of the output, whose bytes add up to its data.
*/
#ifndef LEDGER_H
#define LEDGER_H

#include "../../common/stream.h"
#include "codes.h"

/* path NULL: there is none, and the others do nothing. */
void ledger_open(const char *path);
/* elements: weights, or scales; bits: a weight, with its scales, or 0: not said. before: bytes of
 * what it was made of. error: NULL if there is none. */
void ledger_add(const entry *e, const char *rule, int64_t elements, double bits, size_t before,
                const rounding *error);
/* Dies if it could not be written. */
void ledger_close(void);

#endif
