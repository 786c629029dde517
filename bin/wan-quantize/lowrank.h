/*
** lowrank.h: a low-rank branch beside a quantised weight: its largest singular components as two
** thin F16 matrices.
*/
#ifndef LOWRANK_H
#define LOWRANK_H

#include <stdint.h>

/* Writes up [out, n] and down [n, in], F16, so that up down approximates w [out, in]; w becomes the
 * rest, w - up down. squares [in]: sums of squares of the layer's inputs, by which channels are
 * weighted, or NULL. n is at most out and in. */
void low_rank(float *w, int64_t out, int64_t in, int64_t n, const double *squares, uint16_t *up,
              uint16_t *down);
/* w += sign * up down */
void low_rank_add(float *w, int64_t out, int64_t in, int64_t n, const uint16_t *up,
                  const uint16_t *down, float sign);

#endif
