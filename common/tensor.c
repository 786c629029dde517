/*
** tensor.c: types, shapes and views. It never allocates.
*/
#include "tensor.h"

#include <assert.h>
#include <stdio.h>

/* Bytes and elements of a block; an element is the block of most types. */
static const struct {
    const char *name;
    size_t size;
    int64_t block;
} types[TENSOR_TYPES] = {
    [F64] = {"F64", 8, 1},
    [I64] = {"I64", 8, 1},
    [U64] = {"U64", 8, 1},
    [F32] = {"F32", 4, 1},
    [I32] = {"I32", 4, 1},
    [U32] = {"U32", 4, 1},
    [F16] = {"F16", 2, 1},
    [BF16] = {"BF16", 2, 1},
    [I16] = {"I16", 2, 1},
    [U16] = {"U16", 2, 1},
    [F8_E4M3] = {"F8_E4M3", 1, 1},
    [F8_E5M2] = {"F8_E5M2", 1, 1},
    [I8] = {"I8", 1, 1},
    [U8] = {"U8", 1, 1},
    [BOOL] = {"BOOL", 1, 1},
    [C64] = {"C64", 8, 1},
    [F8_E8M0] = {"F8_E8M0", 1, 1},
    [F8_E4M3FNUZ] = {"F8_E4M3FNUZ", 1, 1},
    [F8_E5M2FNUZ] = {"F8_E5M2FNUZ", 1, 1},
    [F6_E2M3] = {"F6_E2M3", 3, 4},
    [F6_E3M2] = {"F6_E3M2", 3, 4},
    [F4] = {"F4", 1, 2},
    [Q8_1] = {"Q8_1", 40, 32},
    [Q2_K] = {"Q2_K", 84, 256},
    [Q3_K] = {"Q3_K", 110, 256},
    [Q8_K] = {"Q8_K", 292, 256},
    [IQ2_XXS] = {"IQ2_XXS", 66, 256},
    [IQ2_XS] = {"IQ2_XS", 74, 256},
    [IQ3_XXS] = {"IQ3_XXS", 98, 256},
    [IQ1_S] = {"IQ1_S", 50, 256},
    [IQ4_NL] = {"IQ4_NL", 18, 32},
    [IQ3_S] = {"IQ3_S", 110, 256},
    [IQ2_S] = {"IQ2_S", 82, 256},
    [IQ4_XS] = {"IQ4_XS", 136, 256},
    [IQ1_M] = {"IQ1_M", 56, 256},
    [TQ1_0] = {"TQ1_0", 54, 256},
    [TQ2_0] = {"TQ2_0", 66, 256},
    [MXFP4] = {"MXFP4", 17, 32},
    [NVFP4] = {"NVFP4", 36, 64},
    [Q1_0] = {"Q1_0", 18, 128},
    [Q8_0] = {"Q8_0", 34, 32},
    [Q4_0] = {"Q4_0", 18, 32},
    [Q4_1] = {"Q4_1", 20, 32},
    [Q5_0] = {"Q5_0", 22, 32},
    [Q5_1] = {"Q5_1", 24, 32},
    [Q4_K] = {"Q4_K", 144, 256},
    [Q5_K] = {"Q5_K", 176, 256},
    [Q6_K] = {"Q6_K", 210, 256},
    [U4] = {"U4", 1, 2},
};

size_t type_size(tensor_type t) { return types[t].size; }

int64_t type_block(tensor_type t) { return types[t].block; }

bool type_has_values(tensor_type t) { return t < C64 || t >= Q8_0 || t == F8_E8M0 || t == F4; }

bool type_in_streams(tensor_type t) { return t < Q8_1; }

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

/* Of i elements, which are whole blocks. */
static size_t bytes_of(tensor_type type, int64_t i)
{
    assert(i % type_block(type) == 0);
    return (size_t)(i / type_block(type)) * type_size(type);
}

size_t tensor_bytes(tensor t) { return bytes_of(t.type, tensor_count(t)); }

int64_t tensor_width(tensor t) { return t.rank ? t.dim[t.rank - 1] : 1; }

int64_t tensor_rows(tensor t)
{
    int64_t n = 1;
    for (int i = 0; i + 1 < t.rank; i++)
        n *= t.dim[i];
    return n;
}

bool tensor_contiguous(tensor t) { return t.stride == tensor_width(t) || tensor_rows(t) == 1; }

const char *shape_wrong(int rank, const int64_t *dim)
{
    const int64_t most_bytes = 512,
                  most_of_nothing = 1 << 24; /* bytes an element; rows of width 0 */
    int64_t count = 1;
    bool empty = false;
    for (int i = 0; i < rank; i++) {
        empty |= dim[i] == 0;
        if (__builtin_mul_overflow(count, dim[i] ? dim[i] : 1, &count) ||
            count > INT64_MAX / most_bytes)
            return "the product of its dimensions overflows";
    }
    if (empty && count > most_of_nothing)
        return "it is empty, but its other dimensions are beyond all measure";
    return NULL;
}

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

static void *element(tensor t, int64_t i) { return (char *)t.data + bytes_of(t.type, i); }

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
