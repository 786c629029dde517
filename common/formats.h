/*
** formats.h: what a weight may be stored as: one descriptor a format.
**
** Floats are used as they are. Codes stay on the device as they are stored and become floats
** layer by layer, inside the product or before it. Of what turns them into values, scales of whole
** rows meet the F32 sums; steps of groups and scales inside blocks belong to the values.
** A new format is a line in formats.c, its values there or in blocks.c, and in cuda/widen.cu.
**
** Who named them: int8 is TorchAO's (and, with rows' scales, everybody's), mxfp4 and mxfp8 are
** OCP's Microscaling 1.0, nvfp4 NVIDIA's, q8_0 and following ggml's.
*/
#ifndef FORMATS_H
#define FORMATS_H

#include "tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A weight as it is stored; value(o, k) = (code - zero) * step * scale, from left to right, in F32;
** what is absent (data NULL) is left out, but U4 codes without a zero have the zero 8. */
typedef struct {
    tensor w;     /* [out, in]: floats, or codes */
    tensor scale; /* F32 [out] */
    tensor step;  /* of groups in a row [out, in / g]; of squares [out / b, in / b], rounded up */
    tensor zero;  /* U4 [out, in / g], rounded up to an even width: a row begins with a byte */
} stored;

/* Perhaps: codes that are values by themselves, as those of fp8. */
typedef enum { SCALES_NONE, SCALES_ROWS, SCALES_PERHAPS_ROWS, SCALES_INSIDE } scales_place;

typedef struct {
    const char *name;    /* of a group that has no size of its own, what stands before "-g128" */
    tensor_type codes;   /* of w */
    scales_place scales; /* those of rows, or a block's own */
    tensor_type step;    /* of groups; TENSOR_TYPES: there are none */
    int high, wide; /* rows, and elements of a row, that share a step; wide 0: step's shape says */
    bool zero;
    int halves, at; /* F16 scales within a block, and where: its values are finite if they are */
} weight_format;

/* The line that s fits, in types and shapes; NULL: no product takes it. */
const weight_format *format_of(const stored *s);
/* The first line with such codes; NULL: they are none. */
const weight_format *format_of_codes(tensor_type codes);
/* By its name or a rule's that makes it ("int4-g128", "int8-127", "fp8-tensor"); *group: the
** elements that share a step, or 0. NULL if there is none. */
const weight_format *format_named(const char *name, int *group);
/* "int4-g128", "fp32". Static memory. */
const char *format_text(const stored *s);

static inline bool is_codes(tensor_type type)
{
    const weight_format *f = format_of_codes(type);
    return f && f->scales + (f->step != TENSOR_TYPES) > 0;
}

static inline bool is_stored_weight(const stored *s) { return format_of(s) != NULL; }

/* Elements of a row that share a step; rows that do. */
int64_t step_wide(const stored *s);
int64_t step_high(const stored *s);
/* y[i] = (y[i] - zero) * step for the codes at [k, k + n) of a row, where s has steps. */
void stored_steps(float *y, const stored *s, int64_t row, int64_t k, int64_t n);
/* Values [first, first + n) of s, counted along its rows, as F32; whole blocks. */
void stored_values(float *to, const stored *s, int64_t first, int64_t n);

#ifdef __cplusplus
}
#endif

#endif
