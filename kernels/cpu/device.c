/*
** device.c: the CPU as a device: nothing to open, and device memory is memory.
**
** Activations are always F32 here; weights keep the type they are stored in. An upload that changes
** nothing returns the host's own memory, so a mapped checkpoint is used where it lies.
*/
#include <omp.h>

#include <stdio.h>

#include "product.h"

/* Whether the instructions that the user asks for are there. */
void device_find(void) { product_instructions(); }

void device_open(void) { device_find(); }

const char *device_name(void) { return "cpu"; }
const char *device_kind(void) { return product_fused() ? "cpu-fma" : "cpu-plain"; }

const char *device_details(void)
{
    static char text[32];
    snprintf(text, sizeof text, "cpu: %s", product_instructions());
    return text;
}

void device_wait(void) {}

/* A layer is loaded when it is asked for, and nothing computes meanwhile. */
void layer_begin(int i) { (void)i; }
void layer_end(void) {}

layer_away layer_park(size_t mark)
{
    (void)mark;
    return (layer_away){NULL, NULL, 0};
}

ptrdiff_t layer_bring(const layer_away *a)
{
    (void)a;
    return 0;
}

ptrdiff_t layer_settle(const layer_away *a)
{
    (void)a;
    return 0;
}

tensor_type operand_type(tensor_type type)
{
    (void)type;
    return F32;
}

float *thread_buffers(int64_t floats)
{
    return scratch(F32, omp_get_max_threads() * thread_stride(floats)).data;
}

tensor upload(tensor host, tensor_type type)
{
    bool aligned = type_block(type) > 1 || (uintptr_t)host.data % type_size(type) == 0;
    if (host.type == type && tensor_contiguous(host) && aligned)
        return host;
    tensor y = scratch_tensor(type, host.rank, host.dim);
    copy(y, host);
    return y;
}

void upload_into(tensor y, tensor host)
{
    check_pair(y.type == host.type && tensor_count(y) == tensor_count(host), "upload_into", y,
               host);
    memcpy(y.data, host.data, tensor_bytes(y));
}

void download(tensor host, tensor x)
{
    check_pair(host.type == x.type && tensor_count(host) == tensor_count(x), "download", host, x);
    copy(tensor_of(host.data, host.type, tensor_rows(x), tensor_width(x)), x);
}

void download_start(tensor host, tensor x) { download(host, x); }

void download_finish(void) {}

static void *row_of(tensor t, int64_t row)
{
    return (char *)t.data + (size_t)(row * t.stride / type_block(t.type)) * type_size(t.type);
}

VECTORISED static void to_bf16(uint16_t *y, const float *x, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] = bf16_of_f32(x[i]);
}

/* One row: the same type is moved, F16 and BF16 become F32 and are rounded from it. */
static void copy_row(tensor y, tensor x, int64_t row)
{
    int64_t n = tensor_width(x);
    if (y.type == x.type) {
        memcpy(row_of(y, row), row_of(x, row),
               (size_t)(n / type_block(y.type)) * type_size(y.type));
        return;
    }
    if (y.type == F32 && (x.type == F16 || x.type == BF16 || x.type == I8)) {
        widen_row(f32_row(y, row), &(stored){.w = x}, row, 0, n);
        return;
    }
    tensor to = tensor_make(row_of(y, row), y.type, 1, &n);
    tensor from = tensor_make(row_of(x, row), x.type, 1, &n);
    if (y.type == BF16 && x.type == F32)
        to_bf16(to.data, from.data, n);
    else
        host_convert(to, from);
}

void copy(tensor y, tensor x)
{
    check_pair(same_matrix(y, x), "copy", y, x);
    int64_t n = tensor_rows(x);
    if (n == 1 && tensor_contiguous(x)) { /* a vector: pieces, so that long ones run in parallel */
        int64_t count = tensor_count(x), piece = 4096;
        if (count > piece && count % piece == 0) {
            y = tensor_of(y.data, y.type, count / piece, piece);
            x = tensor_of(x.data, x.type, count / piece, piece);
            n = count / piece;
        }
    }
#pragma omp parallel for if (tensor_count(x) >= PARALLEL_FROM)
    for (int64_t i = 0; i < n; i++)
        copy_row(y, x, i);
}

void zero(tensor y)
{
    int64_t n = tensor_rows(y);
    for (int64_t i = 0; i < n; i++)
        memset(row_of(y, i), 0, (size_t)tensor_width(y) * type_size(y.type));
}
