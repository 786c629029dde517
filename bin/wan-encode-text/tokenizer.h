/*
** tokenizer.h: sentencepiece as C sees it. Errors come back as text, NULL is success.
*/
#ifndef TOKENIZER_H
#define TOKENIZER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tokenizer tokenizer;

/* The text that a function returns is good until the next call of one. */
/* A model file's n bytes, which are not needed any more when it returns. */
const char *tokenizer_open(tokenizer **t, const void *bytes, size_t n);
/* The ids of the pieces of s[0..n), without an end token, in memory that the caller frees. */
const char *tokenizer_encode(const tokenizer *t, const char *s, size_t n, int32_t **ids,
                             size_t *count);
/* The text as the model cuts it: its pieces, joined, in memory that the caller frees. */
const char *tokenizer_normalize(const tokenizer *t, const char *s, size_t n, char **text,
                                size_t *length);
/* The id of the end token, negative if the model has none. */
int32_t tokenizer_end(const tokenizer *t);
void tokenizer_close(tokenizer *t);

#ifdef __cplusplus
}
#endif
#endif
