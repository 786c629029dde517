/*
** tensor.c: shapes, views and host conversions. It never allocates.
*/
#include "tensor.h"

#include <assert.h>
#include <stdio.h>

#include "die.h"

static const struct {
    const char *name;
    size_t size;
} types[TENSOR_TYPES] = {
    [F64] = {"F64", 8}, [I64] = {"I64", 8}, [U64] = {"U64", 8},         [F32] = {"F32", 4},
    [I32] = {"I32", 4}, [U32] = {"U32", 4}, [F16] = {"F16", 2},         [BF16] = {"BF16", 2},
    [I16] = {"I16", 2}, [U16] = {"U16", 2}, [F8_E4M3] = {"F8_E4M3", 1}, [F8_E5M2] = {"F8_E5M2", 1},
    [I8] = {"I8", 1},   [U8] = {"U8", 1},   [BOOL] = {"BOOL", 1},
};

size_t type_size(tensor_type t) { return types[t].size; }

const char *type_name(tensor_type t) { return types[t].name; }

bool type_from_name(tensor_type *t, const char *name)
{
    for (int i = 0; i < TENSOR_TYPES; i++)
        if (strcmp(types[i].name, name) == 0) {
            *t = (tensor_type)i;
            return true;
        }
    return false;
}

tensor tensor_make(void *data, tensor_type type, int rank, const int64_t *dim)
{
    tensor t = {.type = type, .rank = rank, .data = data};
    assert(rank >= 0 && rank <= TENSOR_MAX_RANK);
    for (int i = 0; i < rank; i++)
        t.dim[i] = dim[i];
    t.stride = tensor_width(t);
    return t;
}

int64_t tensor_count(tensor t)
{
    int64_t n = 1;
    for (int i = 0; i < t.rank; i++)
        n *= t.dim[i];
    return n;
}

size_t tensor_bytes(tensor t) { return (size_t)tensor_count(t) * type_size(t.type); }

int64_t tensor_width(tensor t) { return t.rank ? t.dim[t.rank - 1] : 1; }

int64_t tensor_rows(tensor t)
{
    int64_t n = 1;
    for (int i = 0; i + 1 < t.rank; i++)
        n *= t.dim[i];
    return n;
}

bool tensor_contiguous(tensor t) { return t.stride == tensor_width(t) || tensor_rows(t) == 1; }

bool same_shape(tensor a, tensor b)
{
    if (a.rank != b.rank)
        return false;
    for (int i = 0; i < a.rank; i++)
        if (a.dim[i] != b.dim[i])
            return false;
    return true;
}

tensor tensor_reshape(tensor t, int rank, const int64_t *dim)
{
    assert(tensor_contiguous(t));
    tensor r = tensor_make(t.data, t.type, rank, dim);
    assert(tensor_count(r) == tensor_count(t));
    return r;
}

static void *element(tensor t, int64_t i) { return (char *)t.data + (size_t)i * type_size(t.type); }

tensor columns(tensor t, int64_t first, int64_t n)
{
    assert(first >= 0 && first + n <= tensor_width(t));
    tensor r = tensor_of(element(t, first), t.type, tensor_rows(t), n);
    r.stride = t.stride;
    return r;
}

tensor rows(tensor t, int64_t first, int64_t n)
{
    assert(first >= 0 && first + n <= tensor_rows(t));
    tensor r = tensor_of(element(t, first * t.stride), t.type, n, tensor_width(t));
    r.stride = t.stride;
    return r;
}

tensor slice(tensor t, int64_t first, int64_t n)
{
    assert(tensor_contiguous(t) && t.rank > 0 && first >= 0 && first + n <= t.dim[0]);
    tensor r = t;
    r.dim[0] = n;
    r.data = element(t, t.dim[0] ? first * (tensor_count(t) / t.dim[0]) : 0);
    r.stride = tensor_width(r);
    return r;
}

static char *text_buffer(void)
{
    static _Thread_local char ring[8][200];
    static _Thread_local int next;
    return ring[next++ & 7];
}

const char *shape_text(int rank, const int64_t *dim)
{
    char *s = text_buffer();
    int n = snprintf(s, 200, "[");
    for (int i = 0; i < rank && n < 180; i++)
        n += dim[i] < 0 /* any size */
                 ? snprintf(s + n, (size_t)(200 - n), i ? ", *" : "*")
                 : snprintf(s + n, (size_t)(200 - n), i ? ", %lld" : "%lld", (long long)dim[i]);
    snprintf(s + n, (size_t)(200 - n), "]");
    return s;
}

const char *tensor_text(tensor t)
{
    const char *shape = shape_text(t.rank, t.dim);
    char *s = text_buffer();
    snprintf(s, 200, "%s %s", type_name(t.type), shape);
    return s;
}

/* One row: n values of type `from` at src become F32 at dst. */
static void widen(float *dst, const void *src, tensor_type from, int64_t n)
{
#define LOOP(ctype, expression)                                                                    \
    for (int64_t i = 0; i < n; i++) {                                                              \
        ctype v = ((const ctype *)src)[i];                                                         \
        dst[i] = expression;                                                                       \
    }                                                                                              \
    return
    switch (from) {
    case F64: LOOP(double, (float)v);
    case F32: LOOP(float, v);
    case F16: LOOP(uint16_t, f32_of_f16(v));
    case BF16: LOOP(uint16_t, f32_of_bf16(v));
    case I64: LOOP(int64_t, (float)v);
    case I32: LOOP(int32_t, (float)v);
    case I16: LOOP(int16_t, (float)v);
    case I8: LOOP(int8_t, (float)v);
    case U64: LOOP(uint64_t, (float)v);
    case U32: LOOP(uint32_t, (float)v);
    case U16: LOOP(uint16_t, (float)v);
    case U8: LOOP(uint8_t, (float)v);
    case BOOL: LOOP(uint8_t, v ? 1.0f : 0.0f);
    default: die("no arithmetic for values of type %s", type_name(from));
    }
#undef LOOP
}

static void narrow(void *dst, tensor_type to, const float *src, int64_t n)
{
    switch (to) {
    case F32: memcpy(dst, src, (size_t)n * 4); return;
    case F64:
        for (int64_t i = 0; i < n; i++)
            ((double *)dst)[i] = (double)src[i];
        return;
    case F16:
        for (int64_t i = 0; i < n; i++)
            ((uint16_t *)dst)[i] = f16_of_f32(src[i]);
        return;
    case BF16:
        for (int64_t i = 0; i < n; i++)
            ((uint16_t *)dst)[i] = bf16_of_f32(src[i]);
        return;
    default: die("no conversion to values of type %s", type_name(to));
    }
}

void host_convert(tensor dst, tensor src)
{
    assert(tensor_count(dst) == tensor_count(src) && tensor_contiguous(dst) &&
           tensor_contiguous(src));
    if (dst.type == src.type) {
        memcpy(dst.data, src.data, tensor_bytes(src));
        return;
    }
    int64_t count = tensor_count(src);
    float block[1024];
    for (int64_t i = 0; i < count; i += 1024) {
        int64_t n = count - i < 1024 ? count - i : 1024;
        widen(block, element(src, i), src.type, n);
        narrow(element(dst, i), dst.type, block, n);
    }
}
