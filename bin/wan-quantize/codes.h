/*
** codes.h: a weight as 8-bit codes with one scale a row, by TorchAO's rule.
*/
#ifndef CODES_H
#define CODES_H

#include "../../common/tensor.h"

/* What rounding did to some weights. */
typedef struct {
    int64_t count;
    double sum, greatest;    /* of |error| */
    double squares, weights; /* sums of error^2 and of weight^2 */
} rounding;

rounding rounding_sum(rounding a, rounding b);
/* Of n values made of w. */
rounding rounding_of(const float *made, const float *w, int64_t n);
double rounding_mean(rounding r);
double rounding_relative(rounding r); /* |error| / |weight|, L2 */

/* F32, F16 or BF16: what can be quantized. */
bool codes_readable(tensor_type type);
/* The greatest magnitude in x; infinity if any value is NaN or infinite. */
float absmax(tensor x);
/* How a row's scale is made of its greatest magnitude. */
typedef struct {
    bool divide;      /* by 127.5, as PyTorch does on a CPU; else multiplied by its reciprocal */
    bool weight_type; /* rounded to the type of the weights, as TorchAO does; else F32 */
} scale_rule;

/* scale F32 [out] of w [out, in]; false if a value of w is not finite. */
bool code_scales(float *scale, tensor w, scale_rule rule);
/* codes I8 [out, in] of w [out, in] with these scales. */
rounding code_rows(int8_t *codes, tensor w, const float *scale);

#endif
