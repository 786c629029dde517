/*
** layer.h: a linear of the model as the forward pass uses it. All options that concern linears are
** applied here: inputs are written (--tap) and counted (--stat); rotated, if the weight in the
** checkpoint is rotated; quantised (--act); and a low-rank branch is added:
**
**     y = act(x H) w^T + b + (x down^T) up^T
**
** Linears that share their input are one product: q, k and v; the text's k and v. Each keeps its
** official name, by which options choose it. Without such options a layer is just its linear.
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
    linear_weight weight; /* n linears of one shape, joined by rows */
    int n;
    char *name[MOST_JOINED];   /* "blocks.3.self_attn.q": as the official module's */
    bool act[MOST_JOINED];     /* its inputs are quantised */
    bool rotated[MOST_JOINED]; /* its inputs are rotated: hadamard() */
    linear_weight down[MOST_JOINED], up[MOST_JOINED]; /* [rank, in], [out, rank], or absent */
    statistics *statistics;                           /* of the inputs, or NULL */
} dit_layer;

/* ---- options, set before the model is loaded ---- */

/* --act: int8, int4, fp8, or NULL (none); a usage error for others. patterns: of --layer; each
 * entry may be several with commas in between; without any it is blocks.*. */
void layers_quantise(const char *act, const option_list *patterns);
/* Those patterns. */
const name_list *layers_patterns(void);
/* Adds `act` and `act_layers` to the record, if they were given, since they change results. Once
 * the model is loaded, also `act_products`, "codes", "rounded" or both: how the chosen linears are
 * multiplied, which follows from the weights and the device. */
void layers_stamp(json_t *stamp);

/* From here on each linear is a product of its own, so that it can be exchanged by itself. */
void layers_divide(void);

/* The layer of PREFIX + each suffix, without its weight. */
dit_layer layer_named(int n, const char *prefix, const char *const suffix[]);
/* Is each of its linears a product of its own? So it is after layers_divide(), and if inputs of its
 * linears are prepared in different ways. Then the weight of each must be loaded as a part of its
 * own (linear_weight's below). */
bool layer_divided(const dit_layer *l);

/* Called when its weight is loaded: counts it in act_products. */
void layer_loaded(const dit_layer *l);

/* The weight of the i-th linear of a layer that is divided, or that has one linear. */
linear_weight *layer_part(dit_layer *l, int i);
/* Exchanges the i-th linears of a and b: weight, bias, branch, and how inputs are prepared. Both
 * layers are divided. */
void layer_exchange(dit_layer *a, dit_layer *b, int i);

/* ---- inputs ---- */

/* The input of a layer: values, or codes and a scale for each row. */
typedef struct {
    tensor x, scale;
} layer_input;

/* h = modulated_norm() or layer_norm() of x F32, as the input of l. If l multiplies codes, and no
 * option needs the values, codes are made instead, in h's memory. */
layer_input layer_modulated(tensor h, tensor x, tensor scale, tensor shift, float eps,
                            const dit_layer *l);
layer_input layer_normed(tensor h, tensor x, tensor gamma, tensor beta, float eps,
                         const dit_layer *l);
/* Rows [at, at + n). */
layer_input input_rows(layer_input in, int64_t at, int64_t n);

/* ---- products: y, x, gate as of linear(), linear_gelu() and linear_add() ---- */

void layer(tensor y, tensor x, const dit_layer *l);
void layer_gelu(tensor y, tensor x, const dit_layer *l);
/* The same for an input that was made for l. */
void layer_of(tensor y, layer_input in, const dit_layer *l);
void layer_gelu_of(tensor y, layer_input in, const dit_layer *l);
/* y F32 += gate * (x w^T + b). product: gets x w^T + b as well, unless it is absent. It is computed
 * a second time for this, so that y has the same bits with and without it. */
void layer_add(tensor y, tensor x, const dit_layer *l, tensor gate, tensor product);
/* y = x w^T + b in F32, though w is stored in 16 bits */
void layer_f32(tensor y, tensor x, const dit_layer *l);

#endif
