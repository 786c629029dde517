/*
** compare.h: what the tests of the kernels share: random operands on the host and on the device,
** and comparison with sums made in F64.
**
** Operands go through upload() and results through download(), so the same tests run with
** whatever kernels are linked. Inputs are rounded to the type the device will hold before the
** reference sees them: what is compared is arithmetic, not rounding of inputs.
**
** Tolerance of an element: half a unit in the last place of the type it is stored in, and
** (sqrt(n) + 8) * 2^-24 times the sum of the magnitudes of its n terms: what rounding errors of
** F32 sums come to when they are independent, with room for the few roundings before and after.
** A missing term is 1/n of those magnitudes and is seen for all n here.
*/
#ifndef COMPARE_H
#define COMPARE_H

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../common/die.h"
#include "../kernels/kernels.h"
#include "uploaded.h"

static uint32_t random_state = 1;

/* Uniform in [-size, size). */
static inline float random_float(float size)
{
    random_state = random_state * 1664525u + 1013904223u;
    return ((float)(random_state >> 8) * 0x1p-23f - 1.0f) * size;
}

/* Operands live as long as the test program; the list is what LeakSanitizer finds them by, so that it
** reports others' leaks alone. */
static inline void *remembered(void *p)
{
    static void **all;
    static size_t n;
    if ((n & (n + 1)) == 0 && !(all = realloc(all, 2 * (n + 1) * sizeof *all)))
        die("out of memory");
    return all[n++] = p;
}

static inline tensor new_host(tensor_type type, int64_t n, int64_t width)
{
    void *p = new_bytes((size_t)(n * width) * type_size(type) + 1);
    return tensor_of(remembered(p), type, n, width);
}

/* F32 [n, width] on the host whose values are exact in `type`. */
static inline tensor random_host(int64_t n, int64_t width, float size, tensor_type type)
{
    tensor t = new_host(F32, n, width), small = new_host(type, n, width);
    for (int64_t i = 0; i < n * width; i++)
        ((float *)t.data)[i] = random_float(size);
    if (type != F32) {
        host_convert(small, t);
        host_convert(t, small);
    }
    free(small.data);
    return t;
}

static inline float at(tensor host, int64_t row, int64_t column)
{
    return ((const float *)host.data)[row * host.stride + column];
}

/* The host's values on the device as `type`, in rows that are `pad` wider on each side. */
static inline tensor placed(tensor host, tensor_type type, int64_t pad)
{
    int64_t n = tensor_rows(host), width = tensor_width(host);
    tensor wide = scratch(type, n, width + 2 * pad);
    if (n * width == 0)
        return columns(wide, pad, width);
    zero(wide);
    tensor view = columns(wide, pad, width);
    copy(view, upload(tensor_of(host.data, F32, n, width), F32));
    return view;
}

/* Device values of any float type as F32 on the host. */
static inline tensor fetched(tensor x)
{
    tensor small = new_host(x.type, tensor_rows(x), tensor_width(x));
    tensor t = new_host(F32, tensor_rows(x), tensor_width(x));
    if (tensor_count(x) == 0)
        return t;
    download(small, x);
    host_convert(t, small);
    free(small.data);
    return t;
}

/* Do the columns beside a view still hold zeros? */
static inline void margins_untouched(tensor view, int64_t pad, const char *what)
{
    int64_t n = tensor_rows(view), width = tensor_width(view);
    tensor whole = view;
    if (n * width == 0)
        return;
    whole.data = (char *)view.data - (size_t)pad * type_size(view.type);
    whole.dim[whole.rank - 1] = width + 2 * pad;
    tensor t = fetched(whole);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < pad; j++)
            if (at(t, i, j) != 0 || at(t, i, pad + width + j) != 0)
                ck_abort_msg("%s wrote beside its columns in row %d", what, (int)i);
    free(t.data);
}

/* Half a unit in the last place, relative. */
static inline double half_unit(tensor_type type)
{
    return type == F16 ? 0x1p-11 : type == BF16 ? 0x1p-8 : 0x1p-24;
}

/* The greatest error so far as a part of its tolerance: printed, so that a test that has become
** close to failing is seen. */
typedef struct {
    const char *name;
    double worst;
} tally;

/* got must be want to within `type`'s rounding and n F32 roundings of terms that sum to size. */
static inline void compare(tally *t, float got, double want, double size, double n,
                           tensor_type type)
{
    double tolerance = half_unit(type) * fabs(want) + (sqrt(n) + 8) * 0x1p-24 * size + 1e-37;
    if (type == F16)
        tolerance += 0x1p-25; /* subnormals */
    double part = fabs((double)got - want) / tolerance;
    if (!(part <= 1)) /* Check's own assertions write to a file each time */
        ck_abort_msg("%s: %.9g instead of %.9g: %.3g times the tolerance", t->name, (double)got,
                     want, part);
    t->worst = part > t->worst ? part : t->worst;
}

static inline void report(const tally *t)
{
    printf("# %s: the greatest error is %.3f of the tolerance\n", t->name, t->worst);
}

static inline bool on_cpu(void) { return strcmp(device_name(), "cpu") == 0; }

/* Widths the linked kernels take: any on the CPU, multiples of 8 elsewhere. */
static inline bool takes(int64_t width) { return on_cpu() || width % 8 == 0; }

#endif
