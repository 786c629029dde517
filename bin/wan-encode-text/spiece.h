/*
** spiece.h: is a sentencepiece model safe to hand to the library?
*/
#ifndef SPIECE_H
#define SPIECE_H

#include <stddef.h>
#include <stdint.h>

/* What is wrong with the model in these bytes; NULL: nothing that we know of. */
const char *spiece_fault(const void *bytes, size_t n);

/* The model's character map, of *length bytes; NULL if it has none. The n bytes have no fault. */
const void *spiece_map(const void *bytes, size_t n, size_t *length);
/* Calls take(data, i, text, bytes of it, score) for each piece in turn. */
void spiece_pieces(const void *bytes, size_t n,
                   void (*take)(void *data, int32_t i, const char *text, size_t length,
                                float score),
                   void *data);
/* A model that has this character map (n bytes, 0: none), and no pieces: it normalizes, and leaves
 * blanks as they are. In new memory of *made bytes. */
void *spiece_of_map(const void *map, size_t n, size_t *made);

#endif
