/*
** compare.h: how far apart two tensors of equal count are.
*/
#ifndef COMPARE_H
#define COMPARE_H

#include "../../common/tensor.h"

typedef struct {
    int64_t count, same; /* same: equal bits if the types are equal, else equal values */
    int64_t nans;        /* places where either is NaN: no bound lets them pass */
    double greatest;     /* max |a - b|; infinite where only one is, or both with other signs */
    double relative;     /* ||a - b|| / ||b||, 2-norms; 0 / 0 is 0 */
    double cosine;       /* a b / (||a|| ||b||); 1 of two zeros, NAN where one alone is */
    double psnr;         /* dB with a peak of 255: of U8 alone; infinite if all are the same */
} comparison;

comparison compare(tensor a, tensor b);

#endif
