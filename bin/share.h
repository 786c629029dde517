/*
** share.h: one forward pass on several ranks: who makes what, and what travels between them.
**
** The passes of guidance go to two halves of the ranks, where that is possible, and within a half
** the tokens are split into parts. All but attention works on tokens one by one. For attention the
** ranks of a half exchange: each gets all tokens of some of the heads, and gives back its own
** tokens of all of them (Ulysses, arXiv:2309.14509).
*/
#ifndef SHARE_H
#define SHARE_H

#include "../kernels/kernels.h"

/* Rank half * parts + part makes the passes of its half for the tokens of its part. */
typedef struct {
    int halves, half; /* 2: a pass of guidance in each; 1: all passes everywhere */
    int parts, part;
} dit_share;

/* Of this rank of `ranks`, where a step has so many passes. */
dit_share share_of(int rank, int ranks, int passes);

/* The first token of L of a part: parts differ by at most one token. */
int64_t share_begin(const dit_share *s, int64_t L, int part);
/* How many tokens of L are ours. */
int64_t share_tokens(const dit_share *s, int64_t L);

/* In what follows `passes` are those made here, stacked, n = share_tokens(s, L), u = s->parts.
 * Where there is nothing to exchange the result is x, and nothing is copied. */

/* A [passes x L, D/u]: all tokens of our heads, of x A [passes x n, D], our tokens of all heads. It
 * is there after exchange_wait(); until then x and the top of the stack must stay. */
tensor share_heads(const dit_share *s, int passes, int64_t L, tensor x);
/* The way back: y [passes x n, D] of x [passes x L, D/u]. With one part it does nothing. */
void share_join(const dit_share *s, int passes, int64_t L, tensor y, tensor x);
/* [halves x passes x L, w]: every rank's tokens of all passes, of x [passes x n, w], contiguous. It
 * is there. */
tensor share_gather(const dit_share *s, int passes, int64_t L, tensor x);

#endif
