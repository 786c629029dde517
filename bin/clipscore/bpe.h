/*
** bpe.h: CLIP's tokenizer: text to ids by byte-level pairs, as Hugging Face's CLIPTokenizer.
*/
#ifndef BPE_H
#define BPE_H

#include <stddef.h>
#include <stdint.h>

#include "../../common/digest.h"

enum { BPE_MOST = 4096 }; /* more positions than any text model has */

typedef struct bpe bpe;

/* vocab.json and merges.txt of the model, a directory, or a file that they lie beside. */
bpe *bpe_open(const char *model);
digest bpe_digest(const char *model); /* of both files, as they are */
/* The ids of s[0..n), valid UTF-8, with a start and an end token; what is more than `most` is cut,
** keeping the end token, and *cut says that it was (cut may be NULL). Returns how many they are. */
int bpe_encode(const bpe *b, int32_t *ids, int most, const char *s, size_t n, int *cut);
void bpe_close(bpe *b);

#endif
