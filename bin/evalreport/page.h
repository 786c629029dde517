/*
** page.h: the report as a document, in one of three languages, to standard output.
*/
#ifndef PAGE_H
#define PAGE_H

#include <stdbool.h>

#include "evaluation.h"

/* One page, with nothing that is not in it; linked: but for the videos. */
void write_html(const evaluation *e, bool linked);
/* Tables alone: an article that needs booktabs and longtable. */
void write_tex(const evaluation *e);
void write_markdown(const evaluation *e);

/* Sentences that all three have; each to be freed. */
char *title_text(const evaluation *e);    /* "fp16 and w8a16" */
char *measured_text(const evaluation *e); /* of what the metrics are */
char *pairing_text(const evaluation *e);  /* what makes a pair */

#endif
