/*
** rows.h: a video that is wanted, as a line that stages pass to each other.
**
** name, number of the prompt, seed, then the recipes of text, latents, frames and film; fields are
** separated by tabs. With these a stage knows what to make, and whether it is there.
*/
#ifndef ROWS_H
#define ROWS_H

#include <stdbool.h>
#include <stdio.h>

#include "why.h"

typedef struct {
    char *name, *number, *seed;
    char *recipe[STAGES];
} row;

/* False at the end. Dies for a line that is none; where: how messages name the file. */
bool row_read(row *r, FILE *f, const char *where);
void row_print(const row *r, FILE *f);
void row_free(row *r);

/* Where a stage's file of the row is; frames and film are in the variant's directory as latents
 * are. To be freed. */
char *row_file(const row *r, stage s, const char *text_directory, const char *directory);

#endif
