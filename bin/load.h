/*
** load.h: loads a checkpoint's parameters to the device, for every program that runs a model.
**
** Each function takes the full name of a parameter, checks its shape (-1: any), converts it to the
** type it will be used in, and counts its bytes by type for --stats ("weight_bytes.F16").
** load_end() refuses values that are not finite: they are counted on the device, and the counts are
** read only then, so that loading never waits for them.
*/
#ifndef LOAD_H
#define LOAD_H

#include <jansson.h>

#include "../common/checkpoint/weights.h"
#include "../kernels/kernels.h"

/* Parameters of w are loaded between these two. load_end() waits, and dies naming the first
** parameter with values that are not finite. Memory that load_begin() takes of the stack is used
** until then. */
void load_begin(weights *w);
void load_end(void);

/* NAME.weight [out, in] (or [out, ...] with as many elements), its scales where it is codes
** (checkpoint/stored.h), NAME.bias [out] if it is there. */
linear_weight load_linear(weights *w, const char *name, int64_t out, int64_t in, tensor_type type);
/* The rows of n <= 4 such, one below the other: names are PREFIX + suffix. All have the same shape
** [out, in]; what is stored in different types stays apart, as parts of one weight. */
linear_weight load_joined(weights *w, const char *prefix, int n, const char *const suffix[],
                          int64_t out, int64_t in, tensor_type type);
/* NAME [out, in], floats, as a product's weight without a bias. */
linear_weight load_matrix(weights *w, const char *name, int64_t out, int64_t in, tensor_type type);
/* F32 [n] of a parameter that has n elements in any shape (a norm's gamma, a modulation). */
tensor load_vector(weights *w, const char *name, int64_t n);

/* ---- channels of pictures: with zeros up to multiples of eight, for tensor cores ---- */

/* The multiple of eight that n channels take. */
int64_t load_channels(int64_t n);
/* NAME.weight [out, in, kt, ky, kx] or [out, in, ky, kx], NAME.bias [out]; fewer than eight
** channels out stay as they are. */
conv_weight load_conv(weights *w, const char *name, int64_t out, int64_t in, tensor_type type);
/* The same without a bias. */
conv_weight load_bare_conv(weights *w, const char *name, int64_t out, int64_t in, tensor_type type);
/* A kernel [out, 2 in, ky, kx] whose input channels are those of a frame followed by those of the
 * frame before; loaded as a kernel of two frames (kt = 2). */
conv_weight load_pair_conv(weights *w, const char *name, int64_t out, int64_t in, tensor_type type);
/* The same of a kernel of one pixel, as a product. */
linear_weight load_pointwise(weights *w, const char *name, int64_t out, int64_t in,
                             tensor_type type);
/* F32 gains of an RMS norm over n channels. The mean of squares is also over the zero channels that
 * load_channels() adds, so the gains are reduced by as much. */
tensor load_gains(weights *w, const char *name, int64_t n);

/* "fp32", "fp16", "bf16" as a type; usage error for others. */
tensor_type dtype_named(const char *dtype);
/* For provenance_add: the device and its kind, and the weights' digest if there are any. dry: what
** is known without looking for the device. */
json_t *load_provenance(weights *w, bool dry);

#endif
