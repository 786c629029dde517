/*
** formats.c: every format that a weight may be stored in: its values bit for bit, its products, rows
** in several formats as one weight, and what is not finite in it.
*/
#include "codes.h"
#include "suite.h"

/* One row of ones after the other: the product is w itself, each value alone. */
static tensor identity(int64_t n)
{
    tensor x = new_host(F32, n, n);
    for (int64_t i = 0; i < n; i++)
        ((float *)x.data)[i * n + i] = 1;
    return x;
}

START_TEST(values_are_the_blocks)
{
    static const tensor_type operands[] = {F32, F16, BF16};
    enum { OUT = 24, IN = 512 };
    for (int i = 0; i < CODE_TYPES * 3; i++) {
        tensor_type type = CODES[i / 3], A = operand_type(operands[i % 3]);
        size_t mark = scratch_mark();
        tensor codes = random_codes(type, OUT, IN, 1), ones = new_host(F32, 1, OUT);
        for (int64_t o = 0; o < OUT; o++)
            ((float *)ones.data)[o] = 1;
        linear_weight l = uploaded(1, &codes, type == I8 ? &ones : NULL, NULL, F16);
        ck_assert_int_eq(l.w.type, type);
        tensor y = scratch(F32, IN, OUT), w = values_of(codes, A);
        linear(y, placed(identity(IN), A, 0), &l);
        tensor got = fetched(y);
        for (int64_t o = 0; o < OUT; o++)
            for (int64_t k = 0; k < IN; k++)
                if (at(got, k, o) != at(w, o, k))
                    ck_abort_msg("%s, element %d of row %d: %.9g instead of %.9g", type_name(type),
                                 (int)k, (int)o, (double)at(got, k, o), (double)at(w, o, k));
        scratch_reset(mark);
    }
}
END_TEST

/* y (+)= gate * (x w^T scale + b), gelu aside, in F64. */
static void compare_product(tally *t, tensor y, tensor before, tensor x, tensor w, tensor scale,
                            tensor b)
{
    tensor got = fetched(y);
    int64_t in = tensor_width(x);
    for (int64_t i = 0; i < tensor_rows(x); i++)
        for (int64_t o = 0; o < tensor_rows(w); o++) {
            double sum = 0, size = 0, s = scale.data ? (double)at(scale, 0, o) : 1;
            for (int64_t k = 0; k < in; k++) {
                double term = (double)at(x, i, k) * (double)at(w, o, k);
                sum += term;
                size += fabs(term);
            }
            double add = (double)at(b, 0, o), was = before.data ? (double)at(before, i, o) : 0;
            compare(t, at(got, i, o), was + sum * s + add,
                    1.13 * (size * fabs(s) + fabs(add) + fabs(was)), (double)in, y.type);
        }
    free(got.data);
}

START_TEST(products_of_codes)
{
    static const int64_t sizes[][3] = {{1, 256, 16}, {3, 512, 40}, {70, 768, 136}, {300, 1536, 72}};
    for (int i = 0; i < CODE_TYPES * 2; i++) {
        tensor_type type = CODES[i / 2], A = operand_type(i % 2 ? BF16 : F16);
        tally t = {.name = type_name(type)};
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            int64_t N = sizes[k][0], in = sizes[k][1], out = sizes[k][2];
            bool scaled = type == I8 || (scaled_beside(type) && k % 2);
            size_t mark = scratch_mark();
            tensor codes = random_codes(type, out, in, 0.01f),
                   scale = random_host(1, out, 0.01f, F32);
            for (int64_t o = 0; o < out; o++)
                ((float *)scale.data)[o] = fabsf(((float *)scale.data)[o]) + 1e-4f;
            tensor b = random_host(1, out, 1, F32), x = random_host(N, in, 1, A);
            tensor w = values_of(codes, A), none = {0}, before = random_host(N, out, 4, F32);
            linear_weight l = uploaded(1, &codes, scaled ? &scale : NULL, &b, F16);
            tensor on_device = placed(x, A, 16), y = placed(new_host(F32, N, out), A, 8);
            linear(y, on_device, &l);
            compare_product(&t, y, none, x, w, scaled ? scale : none, b);
            y = placed(new_host(F32, N, out), F32, 8);
            linear(y, on_device, &l);
            compare_product(&t, y, none, x, w, scaled ? scale : none, b);
            y = placed(before, F32, 8);
            linear_add(y, on_device, &l, none);
            tally sum = {.name = "linear_add"};
            if (A == F32)
                compare_product(&sum, y, before, x, w, scaled ? scale : none, b);
            scratch_reset(mark);
        }
        report(&t);
    }
}
END_TEST

/* Of many rows a device may round values with their scales, and the bias, to the operand's type: random
** errors, of which a sum has a part that lessens with its length. */
START_TEST(many_rows)
{
    enum { N = 1100, IN = 512, OUT = 40 };
    for (int i = 0; i < (CODE_TYPES + 1) * 2; i++) { /* the last: floats */
        tensor_type A = operand_type(i % 2 ? BF16 : F16);
        tensor_type type = i / 2 < CODE_TYPES ? CODES[i / 2] : A;
        tally t = {.name = type_name(type)};
        size_t mark = scratch_mark();
        tensor codes =
            type == A ? random_host(OUT, IN, 0.05f, A) : random_codes(type, OUT, IN, 0.01f);
        tensor scale = random_host(1, OUT, 0.01f, F32);
        for (int64_t o = 0; o < OUT; o++)
            ((float *)scale.data)[o] = fabsf(((float *)scale.data)[o]) + 1e-4f;
        tensor b = random_host(1, OUT, 1, F32), x = random_host(N, IN, 1, A);
        bool scaled = scaled_beside(type);
        linear_weight l = uploaded(1, &codes, scaled ? &scale : NULL, &b, A);
        tensor w = type == A ? codes : values_of(codes, A), y = placed(new_host(F32, N, OUT), A, 8);
        tensor before = random_host(N, OUT, 4, F32), gate = random_host(1, OUT, 2, F32);
        tensor sums = placed(before, F32, 8), on_device = placed(x, A, 16);
        linear(y, on_device, &l);
        linear_add(sums, on_device, &l, reshape(upload(gate, F32), OUT));
        margins_untouched(y, 8, "linear");
        margins_untouched(sums, 8, "linear_add");
        tensor got = fetched(y), added = fetched(sums);
        double unit = half_unit(A) * 0x1p24 / (sqrt(IN) + 8);
        for (int64_t r = 0; r < N; r += 17)
            for (int64_t o = 0; o < OUT; o++) {
                double sum = 0, size = 0, s = scaled ? (double)at(scale, 0, o) : 1;
                double add = (double)at(b, 0, o);
                for (int64_t k = 0; k < IN; k++) {
                    double term = (double)at(x, r, k) * (double)at(w, o, k) * s;
                    sum += term;
                    size += fabs(term);
                }
                size += fabs(add) + unit * (0.2 * size + fabs(add));
                compare(&t, at(got, r, o), sum + add, size, IN, y.type);
                double g = (double)at(gate, 0, o), was = (double)at(before, r, o);
                size += unit * fabs(sum + add);
                compare(&t, at(added, r, o), was + g * (sum + add), size * fabs(g) + fabs(was), IN,
                        F32);
            }
        free(got.data);
        free(added.data);
        scratch_reset(mark);
        report(&t);
    }
}
END_TEST

/* q and k in one format, v in another, as Q4_K_M has them. */
START_TEST(rows_below)
{
    enum { N = 21, IN = 512 };
    tensor_type A = operand_type(F16);
    tensor codes[2] = {random_codes(Q4_K, 40, IN, 0.01f), random_codes(Q4_K, 24, IN, 0.01f)};
    tensor last = random_codes(Q6_K, 16, IN, 0.01f), x = random_host(N, IN, 1, A), none = {0};
    tensor b[2] = {random_host(1, 40, 1, F32), random_host(1, 24, 1, F32)};
    tensor b_last = random_host(1, 16, 1, F32);
    size_t mark = scratch_mark();
    linear_weight below = uploaded(1, &last, NULL, &b_last, F16);
    linear_weight l = uploaded(2, codes, NULL, b, F16);
    l.below = &below;
    tensor y = placed(new_host(F32, N, 80), A, 8), sum = placed(new_host(F32, N, 80), F32, 0);
    linear(y, placed(x, A, 8), &l);
    tally t = {.name = "rows below"};
    compare_product(&t, columns(y, 0, 40), none, x, values_of(codes[0], A), none, b[0]);
    compare_product(&t, columns(y, 40, 24), none, x, values_of(codes[1], A), none, b[1]);
    compare_product(&t, columns(y, 64, 16), none, x, values_of(last, A), none, b_last);
    margins_untouched(y, 8, "linear");
    tensor gate = random_host(1, 80, 2, F32), made = fetched(y);
    linear_add(sum, placed(x, A, 8), &l, reshape(upload(gate, F32), 80));
    tensor got = fetched(sum);
    for (int64_t i = 0; i < N; i++)
        for (int64_t o = 0; o < 80; o++)
            if (fabs((double)at(got, i, o) - (double)at(gate, 0, o) * (double)at(made, i, o)) >
                1e-2 * (1 + fabs((double)at(made, i, o))))
                ck_abort_msg("linear_add: row %d, column %d", (int)i, (int)o);
    report(&t);
    scratch_reset(mark);
}
END_TEST

START_TEST(what_is_not_finite)
{
    for (int i = 0; i < CODE_TYPES; i++) {
        tensor_type type = CODES[i];
        size_t mark = scratch_mark();
        tensor codes = random_codes(type, 8, 512, 1);
        uint8_t *p = codes.data;
        int64_t wanted = 0;
        if (type == F8_E4M3 || type == F8_E5M2) {
            p[77] = 0x7f;
            wanted = 1;
        } else if (type != I8) {
            size_t at = type_size(type) * 3 + (type == Q6_K ? 208 : 0);
            put_f16(p + at, INFINITY);
            if (format_of_codes(type)->halves == 2) /* a least value */
                put_f16(p + type_size(type) * 9 + 2, -INFINITY);
            tensor w = new_host(F32, 8, 512);
            host_convert(w, codes);
            for (int64_t k = 0; k < 8 * 512; k++)
                wanted += !isfinite(((float *)w.data)[k]);
        }
        tensor scale = new_host(F32, 1, 8);
        linear_weight l = uploaded(1, &codes, type == I8 ? &scale : NULL, NULL, F16);
        ck_assert_int_eq(count_nonfinite(l.w), wanted);
        scratch_reset(mark);
    }
}
END_TEST

TESTS(device_open, 120, values_are_the_blocks, products_of_codes, many_rows, rows_below,
      what_is_not_finite)
