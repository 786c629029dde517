/*
** tokens.h: text to ids as the reference's tokenizer has it: by a sentencepiece model, a
** tokenizer.json, or both. Errors come back as text, NULL is success.
*/
#ifndef TOKENS_H
#define TOKENS_H

#include <stddef.h>
#include <stdint.h>

#include "../../common/digest.h"

typedef struct tokens tokens;

/* model: a sentencepiece model's n bytes, which are not needed any more when it returns, or NULL;
 * `where` names it. json: the path of a tokenizer.json, or NULL. Dies if one cannot be read. */
tokens *tokens_open(const void *model, size_t n, const char *where, const char *json);
/* The ids of s[0..n), without an end token, in memory that the caller frees. */
const char *tokens_encode(const tokens *t, const char *s, size_t n, int32_t **ids, size_t *count);
int32_t tokens_end(const tokens *t);
/* Who decides, in words: "sentencepiece", "tokenizer.json, no byte fallback, 303 added". */
const char *tokens_rule(const tokens *t);
digest tokens_digest(const tokens *t); /* of the files that decide */
void tokens_close(tokens *t);

#endif
