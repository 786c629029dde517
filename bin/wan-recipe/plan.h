/*
** plan.h: what is to be made, and why.
*/
#ifndef PLAN_H
#define PLAN_H

#include <stdbool.h>

#include "why.h"

typedef struct {
    const char *text;      /* directory of the texts */
    const char *directory; /* of the variant: latents, frames, films */
    const char *seeds;     /* "1,2": the documents are in this order for each prompt */
    const char *keep;      /* a file for the documents as they came; NULL: none */
    const char *all;       /* a file for the rows of all videos; NULL: none */
    bool frames;           /* frames are kept, too */
    bool latents;          /* latents are wanted for themselves, and nothing behind them */
    const char *variant;   /* its name, for reasons; NULL: the documents say it */
    stage alone;           /* this stage's file is looked at, whatever else is there; STAGES: no */
} plan_options;

/* Reads documents that all stages have passed with --recipe (without seeds: kept ones, which have
 * names). Prints a line for each file that is not as it is wanted: its stage, why, and the row of
 * its video (rows.h). A text is named only if latents follow from it, latents only if they are
 * asked for or a film follows from them. */
void plan_print(const plan_options *o);

/* The same of documents that the first stage has passed, for all texts; of a row only the text's
** recipe counts. */
void texts_print(const plan_options *o);

/* Reads rows and prints those whose file of stage s is not current. */
void missing_print(stage s, const plan_options *o);

#endif
