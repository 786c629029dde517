/*
** lowrank.h: a weight's leading singular part as two thin F16 matrices.
*/
#ifndef LOWRANK_H
#define LOWRANK_H

#include <stdint.h>

/* w [out, in] ~ up [out, n] down [n, in], F16; w becomes what they leave of it. squares [in]: the
 * sums of squares of the inputs, or NULL; n is at most out and in. */
void low_rank(float *w, int64_t out, int64_t in, int64_t n, const double *squares, uint16_t *up,
              uint16_t *down);
/* w += sign * up down */
void low_rank_add(float *w, int64_t out, int64_t in, int64_t n, const uint16_t *up,
                  const uint16_t *down, float sign);

#endif
