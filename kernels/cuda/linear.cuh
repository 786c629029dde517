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
/* The same with these, and times a gate F32 [out] and GATE_POWER if it is there, rounded to y's type;
** and the bias, if the weight has one, as b of y's type, or of F32: then times the gate. Only of what
** device_widens_scaled(). */
void device_widen_scaled(tensor y, tensor b, const linear_weight *l, tensor gate);
bool device_widens_scaled(const linear_weight *l, tensor gate);
/* Small weights times small gates are no subnormals as F16. */
constexpr float GATE_POWER = 64;

/* Can linear_hopper() compute this? Is it the best way? */
bool linear_hopper_fits(tensor y, tensor x, tensor w);
bool linear_hopper_pays(tensor y, tensor x, tensor w);

/* What becomes of the sums of a product: y = gelu(sum * x_scale * scale + b), or with `add` y F32 +=
** gate * (sum * x_scale * scale + b). All F32; each may be NULL. */
typedef struct {
    const float *scale, *b, *gate; /* [out] */
    bool gelu, add;
    const float *x_scale; /* of codes: [N] */
} product_ends;

/* y of x's type or F32; x and w F16 or BF16. */
void linear_hopper(tensor y, tensor x, tensor w, const product_ends &e);
/* x and w I8; the second before Hopper (linear_int8_mma.cu). */
void linear_int8(tensor y, tensor x, tensor w, const product_ends &e);
void linear_int8_mma(tensor y, tensor x, tensor w, const product_ends &e);
/* x and w F8_E4M3; step: scales of squares of 128 x 128 of w, or absent. */
void linear_e4m3(tensor y, tensor x, tensor w, tensor step, const product_ends &e);

/* F32 products that need no library (linear_small.cu). */
bool linear_small_fits(tensor y, tensor x, tensor w);
void linear_small(tensor y, tensor x, tensor w, const float *b, bool gelu);

#endif
