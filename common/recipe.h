/*
** recipe.h: what a document says of how it was made: a record of each program, and its recipe.
**
** A program adds one key, its own name, whose value is a JSON object: its version, all options in
** effect, what else decides the bytes that it writes (the digest of its weights), and `input`, the
** recipe of what it read, or the digest of that content where it has none. The document's `recipe`
** is the digest of this object but for what is only said to readers (version, device). So two
** documents of one recipe have the same bytes, and a recipe is known before anything is computed:
** with --recipe a program reads and writes documents without tensors, and computes nothing.
*/
#ifndef RECIPE_H
#define RECIPE_H

#include <jansson.h>

#include "digest.h"
#include "program.h"

#define RECIPE_KEY "recipe"

/* Adds the key program_name() to d, and d's recipe, which it has only if extra has `input`.
** `numerics` is raised by hand when the same recipe is to give other bits. extra: more members,
** taken over, or NULL. */
void provenance_add(document *d, const option *table, int numerics, json_t *extra);

/* Puts the member `input` into extra: the recipe of d, or else "tensors:DIGEST" of what it holds if
** its data are loaded, or else nothing. */
void recipe_input(json_t *extra, const document *d);

/* The recipe that a record of a program means: of its members but for what is only said. */
digest recipe_of(const char *program, const json_t *record);
/* Does this member decide nothing, or follow from others? */
bool only_said(const char *member);

/* Is the value of this key a text, whatever it looks like (prompt, seed)? */
bool is_text(const char *key);
/* The record in a value of the metadata: an object with a version, of a key that is no text.
** NULL: it is a text. To be freed by json_decref. */
json_t *record_of(const char *key, const char *value);

/* ---- --recipe: documents without tensors, one for each that would be made ---- */

/* Writes d as it is, without tensors. */
void recipe_write(writer *w, document *d);
/* The document just read, with its data if it has any: for recipe_input. */
void recipe_load(reader *r);

/* For a program that prints tables: its record and recipe as a line of JSON. */
void recipe_print(const option *table, int numerics, json_t *extra);

#endif
