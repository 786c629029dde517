/*
** linear.cuh: what the files of the linear op share: how a bias is kept.
*/
#ifndef LINEAR_CUH
#define LINEAR_CUH

#include "common.cuh"

/* The bias of a 16-bit weight as the weight's type: it lies behind the F32 one. */
static inline void *narrow_bias(const linear_weight *l) { return (float *)l->b.data + l->w.dim[0]; }

#endif
