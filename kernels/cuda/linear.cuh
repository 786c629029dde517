/*
** linear.cuh: what the files of the linear op share: how a bias is kept, and Hopper's own product.
*/
#ifndef LINEAR_CUH
#define LINEAR_CUH

#include "common.cuh"

/* The bias of a 16-bit weight as the weight's type: it lies behind the F32 one. */
static inline void *narrow_bias(const linear_weight *l) { return (float *)l->b.data + l->w.dim[0]; }

/* y F32, F16 or BF16 = what the codes of s stand for, but for the scales of rows (widen.cu). */
void device_widen(tensor y, const stored *s);

/* Can linear_hopper() compute this? Is it the best way? */
bool linear_hopper_fits(tensor y, tensor x, tensor w);
bool linear_hopper_pays(tensor y, tensor x, tensor w);
/* y (of x's type or F32) = x w^T * scale + b, gelu of that; x and w F16 or BF16; scale and b F32
** [out] or NULL. */
void linear_hopper(tensor y, tensor x, tensor w, const float *scale, const float *b, bool gelu);
/* y F32 += gate * (x w^T * scale + b); gate F32 [out] or NULL */
void linear_hopper_add(tensor y, tensor x, tensor w, const float *scale, const float *b,
                       const float *gate);

/* F32 products that need no library (linear_small.cu). */
bool linear_small_fits(tensor y, tensor x, tensor w);
void linear_small(tensor y, tensor x, tensor w, const float *b, bool gelu);

#endif
