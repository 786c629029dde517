/*
** places.h: where the parts of a text encoder lie that are no weights: the tokenizer, text_len.
*/
#ifndef PLACES_H
#define PLACES_H

#include "../../common/checkpoint/weights.h"
#include "tokens.h"

/* The directory that a path names, or that its file is in; to be freed. */
char *directory_of(const char *path);
/* text_len of the configuration there; 512 where it says nothing. */
int64_t text_len_of(const char *model);
/* The tokenizer that `named` is or holds (--tokenizer; NULL: none was named); else the one within
 * the model's file, which open() opens; else the one in or beside the model's directory. */
tokens *tokens_find(const char *model, const char *named, weights *open(void));

#endif
