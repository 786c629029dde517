/*
** share.h: divides a forward pass among several ranks, and exchanges tensors between them.
**
** With an even number of ranks, each half of them computes one of the two passes of guidance.
** Within a half the tokens are divided into parts, one for each rank: all operations but attention
** treat tokens independently. For attention the ranks of a half exchange tensors: each gets all
** tokens of some of the heads, and afterwards its own tokens of all heads again (Ulysses,
** arXiv:2309.14509).
*/
#ifndef SHARE_H
#define SHARE_H

#include "../kernels/kernels.h"

/* Rank half * parts + part makes the passes of its half for the tokens of its part. */
typedef struct {
    int halves, half; /* 2: a pass of guidance in each; 1: all passes everywhere */
    int parts, part;
} dit_share;

/* The share of this rank of `ranks`, if a step has so many passes. */
dit_share share_of(int rank, int ranks, int passes);

/* The first token of L of a part: parts differ by at most one token. */
int64_t share_begin(const dit_share *s, int64_t L, int part);
/* The number of this rank's tokens of L. */
int64_t share_tokens(const dit_share *s, int64_t L);

/* Below, `passes` are those that this rank computes, stacked, n = share_tokens(s, L), u = s->parts.
 * If there is nothing to exchange the result is x, and nothing is copied. */

/* From x A [passes x n, D], this rank's tokens of all heads, to A [passes x L, D/u], all tokens of
 * this rank's heads. The result is valid after exchange_wait(); until then x and the top of the
 * stack must not change. */
tensor share_heads(const dit_share *s, int passes, int64_t L, tensor x);
/* The inverse: from x [passes x L, D/u] to y [passes x n, D]. With one part it does nothing. */
void share_join(const dit_share *s, int passes, int64_t L, tensor y, tensor x);
/* All-gather: from x [passes x n, w], contiguous, to [halves x passes x L, w], all tokens of all
 * passes. Waits for the exchange. */
tensor share_gather(const dit_share *s, int passes, int64_t L, tensor x);

#endif
