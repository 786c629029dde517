/*
** layout-out.h: --layout: writes the result in the layout that another program reads.
*/
#ifndef LAYOUT_OUT_H
#define LAYOUT_OUT_H

#include "../../common/stream.h"
#include "plan.h"

/* A usage error if the layout cannot hold codes of the rule; also sets whether the file is GGUF. */
void layout_check(target *t);
/* Changes the plan's names, shapes and companion tensors to the layout's, before any weight is
 * quantised. Dies for a tensor that the layout cannot hold. */
void layout_apply(weights *w, plan *p, const target *t);
/* Adds the metadata that readers of the layout need. */
void layout_metadata(document *d, const weights *w, const plan *p, const target *t);

#endif
