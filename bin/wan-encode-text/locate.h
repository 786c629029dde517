/*
** locate.h: finds what a text encoder needs beside its weights: the tokenizer and text_len.
*/
#ifndef LOCATE_H
#define LOCATE_H

#include "../../common/checkpoint/weights.h"
#include "tokens.h"

/* The path itself if it is a directory, else the directory of that file; to be freed. */
char *directory_of(const char *path);
/* text_len of the model's config.json; 512 if it has none. */
int64_t text_len_of(const char *model);
/* Finds the tokenizer. The first of these: `named` (--tokenizer, or NULL), a file or a directory
 * that has one; a tokenizer stored in the model's file, which open() opens; one in the model's
 * directory or beside it. */
tokens *tokens_find(const char *model, const char *named, weights *open(void));

#endif
