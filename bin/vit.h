/*
** vit.h: the transformer that CLIP's two encoders and DINO's share, without what goes in and what
** is made of what comes out.
*/
#ifndef VIT_H
#define VIT_H

#include "load.h"

typedef struct {
    tensor gamma, beta; /* [D] */
} vit_norm;

typedef struct {
    vit_norm norm1, norm2;
    linear_weight qkv, out, fc1, fc2;
    tensor gate1, gate2; /* [D], LayerScale; absent: 1 */
} vit_layer;

typedef struct {
    int layers;
    int64_t heads, width, ffn_width; /* H, D */
    float epsilon;
    bool causal;
    void (*activation)(tensor y, tensor x);
    tensor_type A;
    vit_layer *layer;
    vit_norm last;
} vit;

/* What a layer's parameters are called, behind "PREFIX.I.". */
typedef struct {
    const char *norm1, *q, *k, *v, *out, *norm2, *fc1, *fc2;
    const char *gate1, *gate2; /* in full; NULL: no layout has them */
} vit_names;

/* Widths and the number of layers, from the weights. Heads are 64 wide, as there is no other kind
 * that is needed: `heads` is what config.json says of them (0: nothing), `from` its name. */
void vit_sizes(vit *m, weights *w, const char *prefix, const vit_names *n, int64_t heads,
               const char *from);
/* "quick_gelu", "gelu" (the exact one): false for another. */
bool vit_activation(vit *m, const char *name);
void vit_load(vit *m, weights *w, const char *prefix, const vit_names *n, const char *last,
              tensor_type type);
vit_norm vit_load_norm(weights *w, const char *name, int64_t n);
void vit_free(vit *m);

/* x F32 [B L, D] through all layers, of B sequences; the last norm is left to the caller. */
void vit_transform(const vit *m, tensor x, int batch);

/* ---- pictures as sequences ---- */

/* The convolution that makes a vector of each patch, as a product. */
typedef struct {
    int64_t side;         /* pixels of a patch */
    linear_weight weight; /* [D, 3 side^2 and zeros to a multiple of 8], perhaps with a bias */
    void *padded;         /* host memory under it, or NULL */
} vit_patches;

/* NAME.weight [D, 3, side, side] and, if it is there, NAME.bias. */
void vit_load_patches(vit_patches *p, weights *w, const char *name, int64_t width,
                      tensor_type type);
/* x F32 [n L, D] = [class; W patches] + positions of host pixels F32 [3, n, Y, X], whole patches;
 * start F32 [L, D] has the positions, and the class token is in its first row. */
void vit_embed(const vit *m, const vit_patches *p, tensor x, tensor start, tensor pixels);

#endif
