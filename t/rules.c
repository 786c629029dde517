/*
** rules.c: what methods between fitting and coding build on: the value that rule_round() names is
** the one that coding stores, no code is nearer, and ranges are clipped one by one.
*/
#include <math.h>

#include "../bin/wan-quantize/rule.h"
#include "compare.h"
#include "suite.h"

static const char *const names[] = {"int8",      "int8-127", "fp8-tensor", "fp8-row",
                                    "fp8-block", "int4-g16", "int4-g64",   "int4s-g32",
                                    "mxfp4",     "mxfp8",    "nvfp4"};
enum { NAMES = sizeof names / sizeof *names, OUT = 130, IN = 320 };

/* Rows of several sizes, one of zeros, one of one sign; an outlier. */
static float *some_weights(void)
{
    float *w = remembered(new_bytes(OUT * IN * sizeof *w));
    for (int64_t i = 0; i < OUT * IN; i++)
        w[i] = random_float(1) * (i / IN == 3 ? 1e-5f : 1);
    for (int64_t k = 0; k < IN; k++) {
        w[IN + k] = 0;
        w[2 * IN + k] = fabsf(w[2 * IN + k]);
    }
    w[4 * IN + 7] = 30;
    return w;
}

static stored fitted(const rule *r, const float *w, const float *clip)
{
    stored s = rule_shape(r, OUT, IN);
    ck_assert_ptr_null(rule_refuses(r, OUT, IN));
    ck_assert_ptr_null(rule_fit(r, &s, w, clip));
    rule_room(&s);
    return s;
}

START_TEST(rounding_is_coding)
{
    const float *w = some_weights();
    for (int i = 0; i < NAMES; i++) {
        const rule *r = rule_named(names[i]);
        stored s = fitted(r, w, NULL), again = fitted(r, w, NULL);
        float value[IN], rounded[IN];
        for (int64_t row = 0; row < OUT; row++) {
            ck_assert_ptr_null(rule_code_row(r, &s, w + row * IN, row));
            stored_values(value, &s, row * IN, IN);
            for (int64_t k = 0; k < IN; k++) {
                rounded[k] = rule_round(r, &s, row, k, w[row * IN + k]);
                if (rounded[k] != value[k])
                    ck_abort_msg("%s, row %d, %d: rounds to %.9g, and stores %.9g", names[i],
                                 (int)row, (int)k, (double)rounded[k], (double)value[k]);
            }
            ck_assert_ptr_null(rule_code_row(r, &again, rounded, row));
            stored_values(rounded, &again, row * IN, IN);
            for (int64_t k = 0; k < IN; k++)
                if (rounded[k] != value[k])
                    ck_abort_msg("%s: %.9g is stored as %.9g", names[i], (double)value[k],
                                 (double)rounded[k]);
        }
        rule_free(&s);
        rule_free(&again);
    }
}
END_TEST

/* What is stored for a neighbour is a value that could be stored here: none is nearer. */
START_TEST(none_is_nearer)
{
    const float *w = some_weights();
    for (int i = 0; i < NAMES; i++) {
        const rule *r = rule_named(names[i]);
        stored s = fitted(r, w, NULL);
        for (int64_t row = 0; row < OUT; row += 3)
            for (int64_t k = 0; k < IN; k += 2) {
                float x = w[row * IN + k], step = fabsf(x) / 64;
                float best = rule_round(r, &s, row, k, x);
                for (int t = -40; t <= 40; t++) {
                    float other = rule_round(r, &s, row, k, x + step * (float)t);
                    if (fabsf(other - x) < fabsf(best - x) * 0.99999f)
                        ck_abort_msg("%s: %.9g rounds to %.9g, but %.9g is nearer", names[i],
                                     (double)x, (double)best, (double)other);
                }
            }
        rule_free(&s);
    }
}
END_TEST

START_TEST(ranges_are_clipped_alone)
{
    const float *w = some_weights();
    for (int i = 0; i < NAMES; i++) {
        const rule *r = rule_named(names[i]);
        int64_t n = rule_ranges(r, OUT, IN), at = rule_range(r, IN, 7, 130), changed = 0;
        float *clip = remembered(new_bytes((size_t)n * sizeof *clip));
        for (int64_t k = 0; k < n; k++)
            clip[k] = 1;
        stored all = fitted(r, w, NULL), same = fitted(r, w, clip);
        clip[at] = 0.5f;
        stored one = fitted(r, w, clip);
        for (int64_t row = 0; row < OUT; row++)
            for (int64_t k = 0; k < IN; k++) {
                float huge = 1e6f, before = rule_round(r, &all, row, k, huge);
                float after = rule_round(r, &one, row, k, huge);
                ck_assert_float_eq(before, rule_round(r, &same, row, k, huge));
                if (rule_range(r, IN, row, k) != at)
                    ck_assert_float_eq(before, after);
                else
                    changed += after < 0.8f * before;
            }
        ck_assert_int_gt(changed, 0);
        rule_free(&all);
        rule_free(&same);
        rule_free(&one);
    }
}
END_TEST

START_TEST(what_is_a_name)
{
    static const char *const wrong[] = {"",          "int4",       "int4-g",     "int4-g8",
                                        "int4-g048", "int4-g2048", "int4-g128 ", "q4_K",
                                        "mxfp6",     "keep",       "fp16"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_ptr_null(rule_named(wrong[i]));
    ck_assert_ptr_eq(rule_named("w8a16"), rule_named("int8"));
    ck_assert_ptr_eq(rule_named("int4-g128"), rule_named("int4-g128"));
    ck_assert_str_eq(rule_name(rule_named("int4s-g1024")), "int4s-g1024");
    ck_assert_ptr_nonnull(rule_refuses(rule_named("int4-g128"), 4, 192));
    ck_assert_ptr_nonnull(rule_refuses(rule_named("q4_k"), 4, 192));
    ck_assert_ptr_null(rule_refuses(rule_named("fp8-block"), 4, 100));
}
END_TEST

TESTS(NULL, 120, what_is_a_name, rounding_is_coding, none_is_nearer, ranges_are_clipped_alone)
