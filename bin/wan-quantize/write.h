/*
** write.h: the planned tensors, written one after another.
*/
#ifndef WRITE_H
#define WRITE_H

#include "../../common/stream.h"
#include "plan.h"

/* Declares what is written of the n plans. */
void write_declare(document *d, const plan *p, int n);
/* All of d's entries; reports each layer of codes (report.h) and each tensor (ledger.h). */
void write_entries(writer *out, const document *d, weights *w, plan *p, const target *to);

#endif
