/*
** values.h: elements as numbers, whatever their type, and what can be said of many of them. For
** looking at tensors; no model computes with it.
*/
#ifndef VALUES_H
#define VALUES_H

#include "tensor.h"

/* n elements of the contiguous host tensor t, from the first-th on. Exact, but for 64-bit integers
 * over 2^53. */
void values(double *to, tensor t, int64_t first, int64_t n);

typedef struct {
    int64_t count, nans, infinities;
    double min, max, mean, deviation; /* of the finite ones (0 if none); deviation: population */
} value_summary;

value_summary summarize(tensor t);

#endif
