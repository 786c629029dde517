/*
** rows.h: a wanted video as a line of text, which the stages of an experiment pass to each other.
**
** The fields are separated by tabs: name, number of the prompt, seed, then the recipes of text,
** latents, frames and film. From them a stage knows what to make, and whether it is already there.
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

/* Reads the next row; false at the end of the file. Dies for a line that is no row; where: the
 * file's name for messages. */
bool row_read(row *r, FILE *f, const char *where);
void row_print(const row *r, FILE *f);
void row_free(row *r);

/* The path of the file that a stage makes for the row. Latents, frames and film are in the
 * variant's directory. To be freed. */
char *row_file(const row *r, stage s, const char *text_directory, const char *directory);

#endif
