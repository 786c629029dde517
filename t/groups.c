/*
** groups.c: weights in codes with a scale for each group (its step), in a tensor of its own. Tests
** the values, against their definitions, which are written out here once more; the same values on
** the device; several weights joined by rows; and which tensors fit no format.
*/
#include "codes.h"
#include "suite.h"

enum { OUT = 256, IN = 512 };

static const struct {
    const char *name;
    tensor_type codes, step;
    int high, wide;
    bool zero, rows;
} kinds[] = {
    {"int4-g32", U4, F16, 1, 32, true, false},
    {"int4-g128", U4, F16, 1, 128, true, false},
    {"int4-g512", U4, F16, 1, 512, true, false},
    {"int4s-g64", U4, F16, 1, 64, false, false},
    {"mxfp4", F4, F8_E8M0, 1, 32, false, false},
    {"mxfp8", F8_E4M3, F8_E8M0, 1, 32, false, false},
    {"nvfp4", F4, F8_E4M3, 1, 16, false, true},
    {"fp8-block", F8_E4M3, F32, 128, 128, false, false},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static uint8_t random_byte(void) { return (uint8_t)(random_float(128) + 128); }

/* Random steps between about 2^-9 and 1. */
static void random_steps(tensor step)
{
    for (int64_t i = 0; i < tensor_count(step); i++) {
        float v = fabsf(random_float(1)) + 0x1p-9f;
        if (step.type == F32)
            ((float *)step.data)[i] = v;
        else if (step.type == F16)
            ((uint16_t *)step.data)[i] = f16_of_f32(v);
        else if (step.type == F8_E4M3)
            ((uint8_t *)step.data)[i] = (uint8_t)(random_byte() % 0x40);
        else
            ((uint8_t *)step.data)[i] = (uint8_t)(118 + random_byte() % 10);
    }
}

static stored random_groups(int kind)
{
    int64_t across = IN / kinds[kind].wide, down = OUT / kinds[kind].high;
    stored s = {.w = random_codes(kinds[kind].codes, OUT, IN, 1),
                .step = new_host(kinds[kind].step, down, across)};
    random_steps(s.step);
    if (kinds[kind].zero) {
        int64_t even = (across + 1) / 2 * 2;
        s.zero = tensor_of(new_host(U8, OUT, even / 2).data, U4, OUT, even);
        for (int64_t i = 0; i < OUT * even / 2; i++)
            ((uint8_t *)s.zero.data)[i] = random_byte();
    }
    if (kinds[kind].rows) {
        s.scale = random_host(1, OUT, 1, F32);
        for (int64_t i = 0; i < OUT; i++)
            ((float *)s.scale.data)[i] = 0.37f;
    }
    return s;
}

/* ---- the definitions, once more ---- */

/* The value of a float of few bits: a sign, `exponents` bits of exponent with this bias, `bits` of
 * mantissa, subnormals; in F64. */
static double minifloat(unsigned v, int exponents, int bits, int bias)
{
    unsigned m = v & ((1u << bits) - 1), e = v >> bits & ((1u << exponents) - 1);
    double x = e ? ldexp(1 + ldexp(m, -bits), (int)e - bias) : ldexp(m, 1 - bias - bits);
    return v >> (bits + exponents) & 1 ? -x : x;
}

static unsigned half_byte(const void *p, int64_t i)
{
    return ((const uint8_t *)p)[i / 2] >> (i % 2 ? 4 : 0) & 15;
}

static double value(int kind, const stored *s, int64_t o, int64_t k)
{
    int64_t i = o * IN + k, across = IN / kinds[kind].wide;
    int64_t at = o / kinds[kind].high * across + k / kinds[kind].wide;
    const uint8_t *step = s->step.data, *codes = s->w.data;
    double code = kinds[kind].codes == U4   ? half_byte(codes, i)
                  : kinds[kind].codes == F4 ? minifloat(half_byte(codes, i), 2, 1, 1)
                                            : minifloat(codes[i], 4, 3, 7);
    if (kinds[kind].zero)
        code -= half_byte(s->zero.data, o * s->zero.stride + k / kinds[kind].wide);
    else if (kinds[kind].codes == U4)
        code -= 8;
    return code * (kinds[kind].step == F32       ? (double)((const float *)step)[at]
                   : kinds[kind].step == F16     ? (double)f32_of_f16(((const uint16_t *)step)[at])
                   : kinds[kind].step == F8_E8M0 ? ldexp(1, step[at] - 127)
                                                 : minifloat(step[at], 4, 3, 7));
}

/* ---- tests ---- */

START_TEST(values_are_as_defined)
{
    for (int kind = 0; kind < KINDS; kind++) {
        stored s = random_groups(kind);
        const weight_format *f = format_of(&s);
        int group;
        float *y = new_host(F32, OUT, IN).data;
        ck_assert_ptr_nonnull(f);
        ck_assert_ptr_eq(f, format_named(kinds[kind].name, &group));
        ck_assert_str_eq(format_text(&s), kinds[kind].name);
        stored_values(y, &s, 0, OUT * IN);
        for (int64_t i = 0; i < OUT * IN; i++) {
            float wanted = (float)value(kind, &s, i / IN, i % IN);
            if (kinds[kind].rows)
                wanted *= 0.37f;
            if (y[i] != wanted)
                ck_abort_msg("%s, element %d: %.9g instead of %.9g", kinds[kind].name, (int)i,
                             (double)y[i], (double)wanted);
        }
    }
}
END_TEST

/* With the identity matrix as x the product is w, rounded to the operand's type. */
START_TEST(the_device_has_them)
{
    static const tensor_type operands[] = {F32, F16, BF16};
    for (int i = 0; i < KINDS * 3; i++) {
        int kind = i / 3;
        tensor_type A = operand_type(operands[i % 3]);
        size_t mark = scratch_mark();
        stored s = random_groups(kind);
        linear_weight l = linear_upload(1, &s, NULL, F16);
        tensor x = new_host(F32, IN, IN), y = scratch(F32, IN, OUT), w = new_host(F32, OUT, IN);
        for (int64_t k = 0; k < IN; k++)
            ((float *)x.data)[k * IN + k] = 1;
        for (int64_t k = 0; k < OUT * IN; k++)
            ((float *)w.data)[k] = (float)value(kind, &s, k / IN, k % IN);
        tensor rounded = new_host(A, OUT, IN);
        host_convert(rounded, w);
        host_convert(w, rounded);
        linear(y, placed(x, A, 0), &l);
        tensor got = fetched(y);
        for (int64_t o = 0; o < OUT; o++)
            for (int64_t k = 0; k < IN; k++) {
                float wanted = at(w, o, k) * (kinds[kind].rows ? 0.37f : 1.0f);
                if (at(got, k, o) != wanted)
                    ck_abort_msg("%s as %s, element %d of row %d: %.9g instead of %.9g",
                                 kinds[kind].name, type_name(A), (int)k, (int)o,
                                 (double)at(got, k, o), (double)wanted);
            }
        scratch_reset(mark);
    }
}
END_TEST

static stored some_rows(const stored *s, int kind, int64_t first, int64_t n)
{
    stored part = {.w = rows(s->w, first, n),
                   .step = rows(s->step, first / kinds[kind].high, n / kinds[kind].high)};
    if (s->zero.data)
        part.zero = rows(s->zero, first, n);
    if (s->scale.data)
        part.scale = tensor_of((float *)s->scale.data + first, F32, n);
    return part;
}

START_TEST(joined_rows_are_the_whole)
{
    for (int kind = 0; kind < KINDS; kind++) {
        size_t mark = scratch_mark();
        tensor_type A = operand_type(F16);
        stored s = random_groups(kind);
        stored part[2] = {some_rows(&s, kind, 0, 128), some_rows(&s, kind, 128, 128)};
        linear_weight whole = linear_upload(1, &s, NULL, F16);
        linear_weight joined = linear_upload(2, part, NULL, F16);
        tensor x = placed(random_host(9, IN, 1, A), A, 0);
        tensor a = scratch(F32, 9, OUT), b = scratch(F32, 9, OUT);
        linear(a, x, &whole);
        linear(b, x, &joined);
        ck_assert_mem_eq(fetched(a).data, fetched(b).data, 9 * OUT * 4);
        scratch_reset(mark);
    }
}
END_TEST

START_TEST(what_fits_no_format)
{
    static const char *const others[] = {"int4",      "int4-g",   "int4-g016", "int4-g 16",
                                         "int4-g16x", "int4-g17", "int8-g16"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        int group;
        ck_assert_msg(!format_named(others[i], &group), "%s is a format", others[i]);
    }
    stored s = random_groups(1), t = s;
    t.step = tensor_of(s.step.data, F16, OUT, IN / 128 - 1);
    ck_assert_ptr_null(format_of(&t));
    t = s;
    t.step.type = BF16;
    ck_assert_ptr_null(format_of(&t));
    t = s;
    t.scale = random_host(1, OUT, 1, F32);
    ck_assert_ptr_null(format_of(&t));
    t = random_groups(6);
    t.scale = (tensor){0}; /* nvfp4 without its second scale */
    ck_assert_ptr_null(format_of(&t));
    static const char *const names[] = {"int4",       "int4-g",     "int4-g8", "int4-g48x",
                                        "int4-g-128", "mxfp4-g32",  "int5",    "",
                                        "int4-g0128", "fp8-block2", "INT8"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int group;
        if (format_named(names[i], &group))
            ck_abort_msg("'%s' is a format", names[i]);
    }
}
END_TEST

TESTS(device_open, 120, values_are_as_defined, the_device_has_them, joined_rows_are_the_whole,
      what_fits_no_format)
