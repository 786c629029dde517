/*
** formats.h: what the weights of a product may be stored as: one descriptor a format.
**
** Floats are used as they are. Codes stay on the device as they are stored, and become floats layer
** by layer, inside the product or before it: exactly, as host_widen() does (kernels/cpu/widen.c is
** the specification of the device's). Scales beside codes are one a row, and meet the F32 sums;
** scales inside blocks belong to the values. Rows are whole blocks, one behind the other.
*/
#ifndef FORMATS_H
#define FORMATS_H

#include "../common/tensor.h"

typedef enum { SCALES_NONE, SCALES_BESIDE, SCALES_PERHAPS_BESIDE, SCALES_INSIDE } scales_place;

typedef struct {
    tensor_type type;
    int elements, bytes; /* a block */
    scales_place scales;
    int halves, at; /* F16 scales within a block, and where: its values are finite if they are */
} weight_format;

static const weight_format weight_formats[] = {
    {F32, 1, 4, SCALES_NONE, 0, 0},
    {F16, 1, 2, SCALES_NONE, 0, 0},
    {BF16, 1, 2, SCALES_NONE, 0, 0},
    {I8, 1, 1, SCALES_BESIDE, 0, 0},
    {F8_E4M3, 1, 1, SCALES_PERHAPS_BESIDE, 0, 0},
    {F8_E5M2, 1, 1, SCALES_PERHAPS_BESIDE, 0, 0},
    {Q8_0, 32, 34, SCALES_INSIDE, 1, 0},
    {Q4_0, 32, 18, SCALES_INSIDE, 1, 0},
    {Q4_1, 32, 20, SCALES_INSIDE, 2, 0},
    {Q5_0, 32, 22, SCALES_INSIDE, 1, 0},
    {Q5_1, 32, 24, SCALES_INSIDE, 2, 0},
    {Q4_K, 256, 144, SCALES_INSIDE, 2, 0},
    {Q5_K, 256, 176, SCALES_INSIDE, 2, 0},
    {Q6_K, 256, 210, SCALES_INSIDE, 1, 208},
};

/* NULL for a type that no product takes. */
static inline const weight_format *format_of(tensor_type type)
{
    for (size_t i = 0; i < sizeof weight_formats / sizeof *weight_formats; i++)
        if (weight_formats[i].type == type)
            return weight_formats + i;
    return NULL;
}

static inline bool is_codes(tensor_type type)
{
    const weight_format *f = format_of(type);
    return f && f->scales != SCALES_NONE;
}

/* Is w [out, in] a weight that can be stored so, with or without scales? */
static inline bool is_weight(tensor w, bool scaled)
{
    const weight_format *f = format_of(w.type);
    if (!f || w.rank != 2 || w.dim[1] % f->elements)
        return false;
    return scaled ? f->scales == SCALES_BESIDE || f->scales == SCALES_PERHAPS_BESIDE
                  : f->scales != SCALES_BESIDE;
}

#endif
