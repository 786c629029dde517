/*
** layout-out.h: --layout: the result as other programs read it.
*/
#ifndef LAYOUT_OUT_H
#define LAYOUT_OUT_H

#include "../../common/stream.h"
#include "plan.h"

/* Usage error for a rule that the layout has no form for; says whether the file is GGUF. */
void layout_check(target *t);
/* Names, shapes and what else stands beside codes, before values are looked at. Dies for what the
 * layout cannot hold. */
void layout_apply(weights *w, plan *p, const target *t);
/* What the layout's readers look for in the metadata. */
void layout_metadata(document *d, const weights *w, const plan *p, const target *t);

#endif
