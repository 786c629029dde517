/*
** tensor.h: a tensor is a small value: type, shape, row stride, pointer. It owns nothing.
**
** Every op sees a tensor of any rank as a matrix: width is the last dimension, rows the product of
** the others. Rows may stand further apart than they are wide (stride > width): that is how q, k
** and v are read out of one product. Nothing else is strided.
**
** Some types store elements in blocks (32 of Q8_0 in 34 bytes): then all that is counted here is
** still elements, and views begin and end where blocks do.
*/
#ifndef TENSOR_H
#define TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { TENSOR_MAX_RANK = 8 };

/* The types of safetensors, widest first: streams are written in this order. Then what else there
 * is in checkpoints. */
typedef enum {
    F64,
    I64,
    U64,
    F32,
    I32,
    U32,
    F16,
    BF16,
    I16,
    U16,
    F8_E4M3,
    F8_E5M2,
    I8,
    U8,
    BOOL,
    C64, /* from here on: told by name, never computed from, but for F8_E8M0 and F4 */
    F8_E8M0,
    F8_E4M3FNUZ,
    F8_E5M2FNUZ,
    F6_E2M3,
    F6_E3M2,
    F4,   /* e2m1, two a byte, the low half first */
    Q8_1, /* from here on: of ggml, which no stream holds */
    Q2_K,
    Q3_K,
    Q8_K,
    IQ2_XXS,
    IQ2_XS,
    IQ3_XXS,
    IQ1_S,
    IQ4_NL,
    IQ3_S,
    IQ2_S,
    IQ4_XS,
    IQ1_M,
    TQ1_0,
    TQ2_0,
    MXFP4,
    NVFP4,
    Q1_0,
    Q8_0, /* from here on: blocks whose values are read */
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q4_K,
    Q5_K,
    Q6_K,
    U4, /* two a byte, the low half first; our own files store it as U8 */
    TENSOR_TYPES
} tensor_type;

typedef struct {
    tensor_type type;
    int rank;
    int64_t dim[TENSOR_MAX_RANK];
    int64_t stride; /* elements from one row to the next; = width when contiguous */
    void *data;     /* host or device memory; NULL: absent (an optional parameter) */
} tensor;

size_t type_size(tensor_type t);      /* bytes an element, or a block */
int64_t type_block(tensor_type t);    /* elements a block; 1 for most */
const char *type_name(tensor_type t); /* "F32", as in safetensors, or "Q4_K", as in ggml */
bool type_from_name(tensor_type *t, const char *name);
bool type_has_values(tensor_type t); /* host_widen() knows it */
bool type_in_streams(tensor_type t); /* safetensors has it */

/* tensor_of(p, F32, 3, 4) is [3, 4] at p: the dimensions are the arguments behind the type. */
#define tensor_of(data, type, ...)                                                                 \
    tensor_make(data, type, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t),                    \
                (int64_t[]){__VA_ARGS__})
tensor tensor_make(void *data, tensor_type type, int rank, const int64_t *dim);

int64_t tensor_count(tensor t); /* elements; 1 for rank 0 */
size_t tensor_bytes(tensor t);  /* of the contiguous form */
int64_t tensor_width(tensor t);
int64_t tensor_rows(tensor t);
bool tensor_contiguous(tensor t);
bool same_shape(tensor a, tensor b);

/* What is wrong with a shape that a file gives, or NULL: for all readers, as no loop ends over the
 * rows of [2^60, 0]. A product that overflows does so whatever the order, beside a zero, too. */
const char *shape_wrong(int rank, const int64_t *dim);

/* Views. reshape asserts contiguity and equal counts; columns and rows are of the matrix that t is
 * seen as. */
#define reshape(t, ...)                                                                            \
    tensor_reshape(t, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (int64_t[]){__VA_ARGS__})
tensor tensor_reshape(tensor t, int rank, const int64_t *dim);
tensor columns(tensor t, int64_t first, int64_t n); /* [rows, n] */
tensor rows(tensor t, int64_t first, int64_t n);    /* [n, width] */
tensor slice(tensor t, int64_t first,
             int64_t n); /* [n, dim1, ...]: along the first dimension, contiguous */

/* "F32 [3, 4]" in one of eight static buffers: for messages. */
const char *tensor_text(tensor t);
const char *shape_text(int rank, const int64_t *dim);

/* y = the n values at x, whole blocks: each exactly what its type says, as F32 (of F64 and 64-bit
 * integers the nearest). */
void host_widen(float *y, const void *x, tensor_type type, int64_t n);
/* Host memory: dst gets src's values in dst's type (any to F32, F16, BF16, F64; same to same). */
void host_convert(tensor dst, tensor src);

/* ---- 16-bit floats, for loops that the compiler vectorises ---- */

static inline float f32_of_bits(uint32_t u)
{
    float f;
    memcpy(&f, &u, 4);
    return f;
}
static inline uint32_t bits_of_f32(float f)
{
    uint32_t u;
    memcpy(&u, &f, 4);
    return u;
}

static inline float f32_of_bf16(uint16_t h) { return f32_of_bits((uint32_t)h << 16); }

/* Exact for all values: the magnitude bits are scaled as a float, which makes subnormals right
 * without a branch. */
static inline float f32_of_f16(uint16_t h)
{
    uint32_t magnitude = (uint32_t)(h & 0x7fff) << 13;
    float f = f32_of_bits(magnitude) * 0x1p112f;
    uint32_t u = (h & 0x7c00) == 0x7c00 ? magnitude | 0x7f800000u : bits_of_f32(f);
    return f32_of_bits(u | (uint32_t)(h & 0x8000) << 16);
}

/* Round to nearest, ties to even; NaN stays NaN. */
static inline uint16_t bf16_of_f32(float f)
{
    uint32_t u = bits_of_f32(f);
    if ((u & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)(u >> 16 | 0x40);
    return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

static inline uint16_t f16_of_f32(float f)
{
    uint32_t u = bits_of_f32(f), sign = u >> 16 & 0x8000;
    u &= 0x7fffffffu;
    if (u > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00);
    if (u >= 0x477ff000u) /* 65520 and above round to infinity */
        return (uint16_t)(sign | 0x7c00);
    if (u < 0x38800000u) /* subnormal: adding 0.5 rounds at 2^-24 */
        return (uint16_t)(sign | (bits_of_f32(f32_of_bits(u) + 0.5f) - 0x3f000000u));
    return (uint16_t)(sign | (u + 0xfff + (u >> 13 & 1) - 0x38000000u) >> 13);
}

#ifdef __cplusplus
}
#endif

#endif
