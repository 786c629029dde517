/*
** foreign.h: programs that are not ours as stages of an experiment: their records and recipes.
**
** A foreign program knows no --recipe. Its record is its command, in which each word that names a
** file or directory is replaced by the digest of what is in it, so that another program, script or
** model is noticed wherever it lies. What variants differ in is kept apart from the command. The
** record has the name of the stage's variable in make
** (DENOISE), and is put into what the program wrote: in the order in which it was asked for.
*/
#ifndef FOREIGN_H
#define FOREIGN_H

#include "why.h"

typedef struct {
    const char *role;    /* DENOISE */
    char **word;         /* the command; NULL behind the last */
    const char *weights; /* what of it a comparison of variants is about: the model that it gets, */
    const char *options; /* and the variant's options; or NULL */
    const char *seeds;   /* "1,2": a document for each, of the seed */
    const char
        *prompts; /* a file whose i-th line is the prompt of the i-th row, for the stage text */
} foreign;

/* The record as a line of JSON. */
void foreign_print(const foreign *f);

/* Lines, as wan-encode-text --print-prompts writes them, to documents for foreign_recipes. */
void prompts_recipes(void);

/* Passes documents without tensors on, each with the record and the recipe that follows. */
void foreign_recipes(const foreign *f);
/* Passes documents on, the i-th with the record and the recipe that the i-th row of `rows` has for
** stage s. Dies if they are not as many, or of another seed. */
void foreign_stamp(const foreign *f, stage s, const char *rows);
/* The i-th film of the rows, in `directory`, gets a box: the metadata of the i-th document of
** `headers`, and the record. */
void foreign_seal(const foreign *f, const char *rows, const char *headers, const char *directory);

/* Passes a stream on and keeps its documents, without tensors, in a file. */
void headers_keep(const char *file);

#endif
