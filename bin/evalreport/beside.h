/*
** beside.h: one evaluation beside another of the same videos, as of their frames and of their mp4.
*/
#ifndef BESIDE_H
#define BESIDE_H

#include "evaluation.h"
#include "table.h"

/* Dies if they compare with other references, or share no variant that is compared. */
void beside_check(const evaluation *e, const evaluation *other);
/* A row for each variant and metric that both have: effect and p of each, and whether they
 * agree. */
table beside_table(const evaluation *e, const evaluation *other);
/* Where what is concluded depends on what was measured, in sentences, or that it does not. To be
 * freed. */
char *beside_text(const evaluation *e, const evaluation *other);

#endif
