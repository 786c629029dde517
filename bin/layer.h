/*
** layer.h: a linear of the model as the forward pass uses it: the one place where inputs of linears
** are seen (--tap, --stat) and prepared: rotated, where the checkpoint's weight is rotated, and
** rounded (--act); and where a branch of low rank is added:
**
**     y = act(x H) w^T + b + (x down^T) up^T
**
** Linears that share their input are one product: q, k and v; the text's k and v. Each keeps its
** official name, by which it is chosen. With nothing asked for a layer is its linear and no more.
*/
#ifndef LAYER_H
#define LAYER_H

#include <jansson.h>

#include "../common/namelist.h"
#include "../common/program.h"
#include "../kernels/kernels.h"
#include "statistics.h"

enum { MOST_JOINED = 3 };

typedef struct {
    linear_weight weight; /* the rows of n linears of one shape, one below the other */
    int n;
    char *name[MOST_JOINED];   /* "blocks.3.self_attn.q": as the official module's */
    bool act[MOST_JOINED];     /* its inputs are quantised */
    bool rotated[MOST_JOINED]; /* its inputs are rotated: hadamard() */
    linear_weight down[MOST_JOINED], up[MOST_JOINED]; /* [rank, in], [out, rank], or absent */
    statistics *statistics;                           /* of the inputs, or NULL */
} dit_layer;

/* ---- what is asked for, before the model is loaded ---- */

/* --act int8|int4|fp8 for linears whose names fit a pattern (each entry of the list is some, with
 * commas between them; none: blocks.*); NULL: none. Usage error for others. */
void layers_quantise(const char *act, const option_list *patterns);
/* Those patterns. */
const name_list *layers_patterns(void);
/* `act` and `act_layers`, if they were asked for: they decide bytes. And once the model is loaded
 * `act_products`, "codes", "rounded" or both: how the chosen linears are multiplied, which follows
 * from the weights and the device. */
void layers_stamp(json_t *stamp);

/* From here on no linears share a product, so that each can be exchanged by itself. */
void layers_divide(void);

/* The layer of PREFIX + each suffix, without its weight. */
dit_layer layer_named(int n, const char *prefix, const char *const suffix[]);
/* Is each of its linears a product of its own, as inputs of some are prepared in another way than
 * those of others, or as asked for? Then the parts of its weight (linear_weight's below) must be
 * loaded apart, one for each. */
bool layer_divided(const dit_layer *l);

/* Its weight is there: it counts in act_products. */
void layer_loaded(const dit_layer *l);

/* The i-th linear of a layer that is divided, or has no other. */
linear_weight *layer_part(dit_layer *l, int i);
/* All that is the i-th linear's changes places with b's: weight, bias, branch, how its inputs are
 * prepared. Both are divided. */
void layer_exchange(dit_layer *a, dit_layer *b, int i);

/* ---- inputs ---- */

/* What a layer multiplies: values, or codes and a scale for each row. */
typedef struct {
    tensor x, scale;
} layer_input;

/* h = modulated_norm() or layer_norm() of x F32, as inputs of l. Where l multiplies codes, and
 * nobody sees the values, codes are made instead, in h's memory. */
layer_input layer_modulated(tensor h, tensor x, tensor scale, tensor shift, float eps,
                            const dit_layer *l);
layer_input layer_normed(tensor h, tensor x, tensor gamma, tensor beta, float eps,
                         const dit_layer *l);
/* Rows [at, at + n). */
layer_input input_rows(layer_input in, int64_t at, int64_t n);

/* ---- products: y, x, gate as of linear(), linear_gelu() and linear_add() ---- */

void layer(tensor y, tensor x, const dit_layer *l);
void layer_gelu(tensor y, tensor x, const dit_layer *l);
/* Of inputs that were made for l. */
void layer_of(tensor y, layer_input in, const dit_layer *l);
void layer_gelu_of(tensor y, layer_input in, const dit_layer *l);
/* y F32 += gate * (x w^T + b). product: where that without gate goes as well, or absent. It is made
 * once more for this: what y gets is the same whether anybody looks or not. */
void layer_add(tensor y, tensor x, const dit_layer *l, tensor gate, tensor product);
/* y = x w^T + b in F32, though w is stored in 16 bits */
void layer_f32(tensor y, tensor x, const dit_layer *l);

#endif
