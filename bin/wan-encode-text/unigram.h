/*
** unigram.h: a vocabulary of pieces with scores, and the best way to cut a text into them.
*/
#ifndef UNIGRAM_H
#define UNIGRAM_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct unigram unigram;

/* Ids that are made one after the other. */
typedef struct {
    int32_t *id;
    size_t n;
} id_list;

void add_ids(id_list *l, const int32_t *id, size_t n);

/* model: "model" of a tokenizer.json. Dies, naming path, if it is no Unigram. */
unigram *unigram_of_json(json_t *model, const char *path);
/* The same with the pieces and scores of a sentencepiece model, which has no fault. */
unigram *unigram_of_model(json_t *model, const char *path, const void *bytes, size_t n);
size_t unigram_pieces(const unigram *u);
/* Adds the ids of a piece of text, UTF-8, which is cut by itself. */
void unigram_encode(const unigram *u, id_list *l, const char *s, size_t n);
bool unigram_has_fallback(const unigram *u);
void unigram_close(unigram *u);

#endif
