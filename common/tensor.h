/*
** tensor.h: a tensor is a small value: type, shape, row stride, pointer. It owns nothing.
**
** Every op sees a tensor of any rank as a matrix: width is the last dimension, rows the product of
** the others. Rows may stand further apart than they are wide (stride > width): that is how q, k
** and v are read out of one product. Nothing else is strided.
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

/* The types of safetensors, widest first: streams are written in this order. */
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
    TENSOR_TYPES
} tensor_type;

typedef struct {
    tensor_type type;
    int rank;
    int64_t dim[TENSOR_MAX_RANK];
    int64_t stride; /* elements from one row to the next; = width when contiguous */
    void *data;     /* host or device memory; NULL: absent (an optional parameter) */
} tensor;

size_t type_size(tensor_type t);      /* bytes an element */
const char *type_name(tensor_type t); /* "F32", as in safetensors */
bool type_from_name(tensor_type *t, const char *name);

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

/* Host memory: dst gets src's values in dst's type (F64 F32 F16 BF16 I8 ... to F32; F32 to F16 BF16
 * F64; same to same). */
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
