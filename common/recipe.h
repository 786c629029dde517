/*
** recipe.h: how a document was made, in its metadata: a record of each program, and a recipe.
**
** A program's record is the metadata key with its name, a JSON object: its version, all options in
** effect, all else that changes its output (the digest of its weights), and `input`: the recipe of
** the document that it read or, if that has none, the digest of its contents. The key `recipe` is
** the digest of the last record without members that do not change the output (version, device). So
** documents with equal recipes have equal bytes, and a recipe is known before anything is computed:
** with --recipe a program reads and writes documents without tensors, and computes nothing.
*/
#ifndef RECIPE_H
#define RECIPE_H

#include <jansson.h>

#include "digest.h"
#include "program.h"

#define RECIPE_KEY "recipe"

/* Adds the record of this program to d, and d's recipe if extra has the member `input`. `numerics`
** is raised by hand when a new version gives other bits for the same options. extra: further
** members, or NULL; this function releases it. */
void provenance_add(document *d, const option *table, int numerics, json_t *extra);

/* Adds the member `input` to extra: the recipe of d; if it has none, "tensors:DIGEST" of its
** tensors, if these are loaded; else nothing. */
void recipe_input(json_t *extra, const document *d);

/* The recipe of a record: the digest of all members that change the output. */
digest recipe_of(const char *program, const json_t *record);
/* Is this a member that does not change the output, or that follows from others? */
bool only_said(const char *member);

/* Is the value of this key a string, even if it looks like a record or a number (prompt, seed)? */
bool is_text(const char *key);
/* The record in a value of the metadata: an object with a version, unless the key's value is always
** a string. NULL: it is a string. To be freed by json_decref. */
json_t *record_of(const char *key, const char *value);

/* ---- --recipe: documents without tensors, one for each that would be made ---- */

/* Writes d, without tensors. */
void recipe_write(writer *w, document *d);
/* The document just read, with its data if it has any: for recipe_input. */
void recipe_load(reader *r);

/* For a program that prints tables: its record and recipe as a line of JSON. */
void recipe_print(const option *table, int numerics, json_t *extra);

#endif
