/*
** formats.c: the table of weight formats, and what a stored weight's values are: the specification
** of every device's expansion. What is inside a block is in blocks.c.
*/
#include "formats.h"

#include <stdio.h>
#include <stdlib.h>

#define NONE TENSOR_TYPES

static const weight_format formats[] = {
    {"fp32", F32, SCALES_NONE, NONE, 0, 0, false, 0, 0},
    {"fp16", F16, SCALES_NONE, NONE, 0, 0, false, 0, 0},
    {"bf16", BF16, SCALES_NONE, NONE, 0, 0, false, 0, 0},
    {"int8", I8, SCALES_ROWS, NONE, 0, 0, false, 0, 0},
    {"fp8", F8_E4M3, SCALES_PERHAPS_ROWS, NONE, 0, 0, false, 0, 0},
    {"fp8-block", F8_E4M3, SCALES_NONE, F32, 128, 128, false, 0, 0},
    {"mxfp8", F8_E4M3, SCALES_NONE, F8_E8M0, 1, 32, false, 0, 0},
    {"fp8-e5m2", F8_E5M2, SCALES_PERHAPS_ROWS, NONE, 0, 0, false, 0, 0},
    {"int4", U4, SCALES_NONE, F16, 1, 0, true, 0, 0},
    {"int4s", U4, SCALES_NONE, F16, 1, 0, false, 0, 0},
    {"mxfp4", F4, SCALES_NONE, F8_E8M0, 1, 32, false, 0, 0},
    {"nvfp4", F4, SCALES_ROWS, F8_E4M3, 1, 16, false, 0, 0},
    {"q8_0", Q8_0, SCALES_INSIDE, NONE, 0, 0, false, 1, 0},
    {"q4_0", Q4_0, SCALES_INSIDE, NONE, 0, 0, false, 1, 0},
    {"q4_1", Q4_1, SCALES_INSIDE, NONE, 0, 0, false, 2, 0},
    {"q5_0", Q5_0, SCALES_INSIDE, NONE, 0, 0, false, 1, 0},
    {"q5_1", Q5_1, SCALES_INSIDE, NONE, 0, 0, false, 2, 0},
    {"q4_k", Q4_K, SCALES_INSIDE, NONE, 0, 0, false, 2, 0},
    {"q5_k", Q5_K, SCALES_INSIDE, NONE, 0, 0, false, 2, 0},
    {"q6_k", Q6_K, SCALES_INSIDE, NONE, 0, 0, false, 1, 208},
};
enum { FORMATS = sizeof formats / sizeof *formats, LEAST_GROUP = 16, MOST_GROUP = 1 << 16 };

/* ---- which ---- */

static int64_t up(int64_t n, int64_t by) { return (n + by - 1) / by; }

static bool steps_fit(const weight_format *f, const stored *s)
{
    const tensor *w = &s->w, *t = &s->step;
    if (f->step == NONE || !t->data)
        return f->step == NONE && !t->data && !s->zero.data;
    if (t->type != f->step || t->rank != 2 || t->dim[1] < 1 || t->dim[0] != up(w->dim[0], f->high))
        return false;
    if (f->wide ? t->dim[1] != up(w->dim[1], f->wide)
                : w->dim[1] % t->dim[1] || w->dim[1] / t->dim[1] % LEAST_GROUP)
        return false;
    if (f->high == 1 && f->wide && w->dim[1] % f->wide)
        return false;
    return f->zero == (s->zero.data != NULL) &&
           (!f->zero || (s->zero.type == U4 && s->zero.rank == 2 && s->zero.dim[0] == w->dim[0] &&
                         s->zero.dim[1] == up(t->dim[1], 2) * 2));
}

const weight_format *format_of(const stored *s)
{
    for (int i = 0; i < FORMATS; i++) {
        const weight_format *f = formats + i;
        bool rows = s->scale.data != NULL, may = f->scales == SCALES_PERHAPS_ROWS;
        if (f->codes == s->w.type && s->w.rank == 2 && s->w.dim[1] % type_block(f->codes) == 0 &&
            (may || rows == (f->scales == SCALES_ROWS)) && steps_fit(f, s))
            return f;
    }
    return NULL;
}

const weight_format *format_of_codes(tensor_type codes)
{
    for (int i = 0; i < FORMATS; i++)
        if (formats[i].codes == codes)
            return formats + i;
    return NULL;
}

const weight_format *format_named(const char *name, int *group)
{
    static const char *const others[][2] = {
        {"int8-127", "int8"}, {"fp8-tensor", "fp8"}, {"fp8-row", "fp8"}};
    *group = 0;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(name, others[i][0]) == 0)
            name = others[i][1];
    for (int i = 0; i < FORMATS; i++) {
        const weight_format *f = formats + i;
        size_t n = strlen(f->name);
        bool sized = f->step != NONE && !f->wide;
        if (strncmp(name, f->name, n) != 0)
            continue;
        if (!sized && !name[n]) {
            *group = f->high == 1 ? f->wide : 0;
            return f;
        }
        char *end;
        if (sized && strncmp(name + n, "-g", 2) == 0 && name[n + 2] >= '1' && name[n + 2] <= '9') {
            long size = strtol(name + n + 2, &end, 10);
            if (!*end && size >= LEAST_GROUP && size <= MOST_GROUP && size % LEAST_GROUP == 0) {
                *group = (int)size;
                return f;
            }
        }
    }
    return NULL;
}

const char *format_text(const stored *s)
{
    static char text[48];
    const weight_format *f = format_of(s);
    if (!f)
        return type_name(s->w.type);
    if (f->step == NONE || f->wide)
        return f->name;
    snprintf(text, sizeof text, "%s-g%lld", f->name, (long long)step_wide(s));
    return text;
}

/* ---- values ---- */

int64_t step_high(const stored *s) { return s->step.type == F32 ? 128 : 1; }

int64_t step_wide(const stored *s) { return step_high(s) > 1 ? 128 : s->w.dim[1] / s->step.dim[1]; }

static float step_at(const stored *s, int64_t row, int64_t group)
{
    const unsigned char *at = s->step.data;
    float step;
    at += (size_t)(row * s->step.stride + group) * type_size(s->step.type);
    host_widen(&step, at, s->step.type, 1);
    return step;
}

void stored_steps(float *y, const stored *s, int64_t row, int64_t k, int64_t n)
{
    int64_t wide = step_wide(s), high = step_high(s), end = k + n;
    const uint8_t *zeros = s->zero.data;
    if (zeros)
        zeros += row * s->zero.stride / 2;
    while (k < end) {
        int64_t group = k / wide, next = (group + 1) * wide < end ? (group + 1) * wide : end;
        float step = step_at(s, row / high, group);
        float zero = zeros             ? (float)(zeros[group / 2] >> 4 * (group % 2) & 15)
                     : s->w.type == U4 ? 8.0f
                                       : 0.0f;
        for (; k < next; k++, y++)
            *y = (*y - zero) * step;
    }
}

void stored_values(float *to, const stored *s, int64_t first, int64_t n)
{
    tensor w = s->w;
    int64_t rows = w.rank ? w.dim[0] : 1, width = rows ? tensor_count(w) / rows : 0;
    const float *scale = s->scale.data;
    host_widen(to, (const char *)w.data + (size_t)(first / type_block(w.type)) * type_size(w.type),
               w.type, n);
    if (!scale && !s->step.data)
        return;
    for (int64_t i = first, k, m; i < first + n; i += m, to += m) {
        k = i % width;
        m = width - k < first + n - i ? width - k : first + n - i;
        if (s->step.data)
            stored_steps(to, s, i / width, k, m);
        for (int64_t j = 0; scale && j < m; j++)
            to[j] *= scale[i / width];
    }
}
