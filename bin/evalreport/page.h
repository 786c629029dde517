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

/* films.c: the section of videos. */
void write_videos(const evaluation *e, bool linked);

/* words.c: sentences that all three have; each to be freed. */
char *title_text(const evaluation *e);    /* "fp16 and w8a16" */
char *lead_text(const evaluation *e);     /* "20 videos of each: 832x480, 81 frames, .." */
char *judge_text(const evaluation *e);    /* what a judge's metrics are; "" */
char *measured_text(const evaluation *e); /* of what the metrics are, and how it was decoded */
char *clip_text(const evaluation *e);     /* which CLIP; "" where there was none */
char *pairing_text(const evaluation *e);  /* what makes a pair */
char *against_text(const evaluation *e);  /* what another reference than the tables' lacks; "" */
char *floor_text(const evaluation *e);    /* what the floor is, or that there is none */
char *tests_text(const evaluation *e);    /* what p, and p (Holm), are */
char *metrics_text(const evaluation *e);  /* what the metrics are */
char *finding_text(const evaluation *e, int variant); /* its metrics by what is said of them */

#endif
