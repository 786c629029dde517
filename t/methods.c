/*
** methods.c: GPTQ, clipping, rotation, the low-rank branch, and the linear algebra under them:
** what must be exact, and what must be better on inputs that were not seen.
*/
#include <omp.h>

#include "../bin/wan-quantize/calibration.h"
#include "../bin/wan-quantize/clip.h"
#include "../bin/wan-quantize/gptq.h"
#include "../bin/wan-quantize/lowrank.h"
#include "../bin/wan-quantize/matrix.h"
#include "../bin/wan-quantize/rotate.h"
#include "../bin/wan-quantize/trial.h"
#include "compare.h"
#include "suite.h"

static const char *const rules[] = {"int8",      "int8-127", "fp8-tensor", "fp8-row",
                                    "fp8-block", "int4-g32", "int4-g128",  "int4s-g64",
                                    "mxfp4",     "mxfp8",    "nvfp4"};
enum { RULES = sizeof rules / sizeof *rules };

static double *new_doubles(int64_t n)
{
    double *p = remembered(new_bytes((size_t)n * sizeof *p + 1));
    memset(p, 0, (size_t)n * sizeof *p);
    return p;
}

static double *random_doubles(int64_t n)
{
    double *p = new_doubles(n);
    for (int64_t i = 0; i < n; i++)
        p[i] = (double)random_float(1);
    return p;
}

static float *random_floats(int64_t n) { return random_host(1, n, 1, F32).data; }

static float *copied(const float *x, int64_t n)
{
    return memcpy(remembered(new_bytes((size_t)n * 4)), x, (size_t)n * 4);
}

/* ---- inputs whose channels go together, and differ in size ---- */

enum { IN = 512, OUT = 64, FACTORS = 48, SEEN = 1024 };

static float *mixing(void)
{
    static float *m;
    if (!m)
        m = random_floats(FACTORS * IN);
    return m;
}

/* x [n, IN]: a few causes that all channels have a part of, and something of its own to each */
static float *inputs(int64_t n)
{
    float *x = remembered(new_bytes((size_t)(n * IN) * 4));
    for (int64_t i = 0; i < n; i++) {
        float cause[FACTORS];
        for (int f = 0; f < FACTORS; f++)
            cause[f] = random_float(1);
        for (int k = 0; k < IN; k++) {
            float sum = 0;
            for (int f = 0; f < FACTORS; f++)
                sum += cause[f] * mixing()[f * IN + k];
            x[i * IN + k] = (sum + random_float(0.5f)) * (k % 37 == 0 ? 6 : 1);
        }
    }
    return x;
}

static double *doubles(const float *x, int64_t n)
{
    double *y = new_doubles(n);
    for (int64_t i = 0; i < n; i++)
        y[i] = (double)x[i];
    return y;
}

static double *gram_of(const float *x, int64_t n, int64_t in)
{
    double *g = new_doubles(in * in), *wide = doubles(x, n * in), *turned = new_doubles(n * in);
    transpose(turned, wide, n, in);
    product_add((matrix){g, in}, (matrix){turned, n}, (matrix){wide, in}, in, in, n, 1);
    return g;
}

static moments moments_of(const float *x, int64_t n, bool gram)
{
    double *g = gram_of(x, n, IN), *squares = new_doubles(IN);
    for (int k = 0; k < IN; k++)
        squares[k] = g[k * IN + k];
    return (moments){IN, n, squares, gram ? g : NULL};
}

/* |x w^T|^2 */
static double output_size(const double *w, const float *x, int64_t n)
{
    double *turned = new_doubles(IN * OUT), *y = new_doubles(n * OUT), sum = 0;
    transpose(turned, w, OUT, IN);
    product_add((matrix){y, OUT}, (matrix){doubles(x, n * IN), IN}, (matrix){turned, OUT}, n, OUT,
                IN, 1);
    for (int64_t i = 0; i < n * OUT; i++)
        sum += y[i] * y[i];
    return sum;
}

/* |x (y - w)^T|^2 / |x w^T|^2 */
static double output_error(const float *y, const float *w, const float *x, int64_t n)
{
    double *e = doubles(y, OUT * IN), *all = doubles(w, OUT * IN);
    for (int i = 0; i < OUT * IN; i++)
        e[i] -= all[i];
    return output_size(e, x, n) / output_size(all, x, n);
}

/* What is stored of w by GPTQ; clip: NULL, or factors. */
static float *by_gptq(const char *name, const float *w, const double *gram, bool act_order,
                      const float *clip)
{
    const rule *r = rule_named(name);
    stored s = rule_shape(r, OUT, IN);
    float *v = copied(w, OUT * IN), *y = copied(w, OUT * IN);
    double *g = new_doubles(IN * IN);
    memcpy(g, gram, sizeof *g * IN * IN);
    ck_assert_ptr_null(rule_fit(r, &s, w, clip));
    ck_assert_ptr_null(gptq(r, &s, v, OUT, IN, g, act_order));
    rule_room(&s);
    ck_assert_ptr_null(rule_code(r, &s, v));
    stored_values(y, &s, 0, OUT * IN);
    rule_free(&s);
    return y;
}

static float *by_rtn(const char *name, const float *w, const float *clip)
{
    float *y = copied(w, OUT * IN);
    ck_assert_ptr_null(trial_values(rule_named(name), y, w, OUT, IN, clip));
    return y;
}

/* ---- linear algebra ---- */

static void product_case(int64_t m, int64_t n, int64_t k, double sign)
{
    double *a = random_doubles(m * k), *b = random_doubles(k * n), *c = random_doubles(m * n);
    double *want = new_doubles(m * n);
    memcpy(want, c, (size_t)(m * n) * sizeof *c);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++)
            for (int64_t d = 0; d < k; d++)
                want[i * n + j] += sign * a[i * k + d] * b[d * n + j];
    product_add((matrix){c, n}, (matrix){a, k}, (matrix){b, n}, m, n, k, sign);
    for (int64_t i = 0; i < m * n; i++)
        ck_assert_msg(fabs(c[i] - want[i]) < 1e-12 * (double)(k + 8), "[%d, %d] of %d: %g, not %g",
                      (int)m, (int)n, (int)k, c[i], want[i]);
}

START_TEST(products_are_sums)
{
    const int64_t size[] = {1, 5, 6, 8, 13, 121, 128, 130, 257};
    for (int m = 0; m < 9; m++)
        for (int n = 0; n < 9; n++)
            product_case(size[m], size[n], size[(m + n) % 9], n % 2 ? 1 : -1);
}
END_TEST

/* u^T u h = 1 */
static void factor_case(int64_t n)
{
    double *x = random_doubles(2 * n * n), *h = new_doubles(n * n),
           *turned = new_doubles(2 * n * n);
    transpose(turned, x, 2 * n, n);
    product_add((matrix){h, n}, (matrix){turned, 2 * n}, (matrix){x, n}, n, n, 2 * n, 1);
    double *u = new_doubles(n * n), *ut = new_doubles(n * n), *uh = new_doubles(n * n);
    double *one = new_doubles(n * n);
    memcpy(u, h, (size_t)(n * n) * sizeof *u);
    ck_assert(inverse_factor((matrix){u, n}, n));
    transpose(ut, u, n, n);
    product_add((matrix){uh, n}, (matrix){u, n}, (matrix){h, n}, n, n, n, 1);
    product_add((matrix){one, n}, (matrix){ut, n}, (matrix){uh, n}, n, n, n, 1);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            ck_assert_msg(fabs(one[i * n + j] - (i == j)) < 1e-9, "%d: [%d, %d] is %g", (int)n,
                          (int)i, (int)j, one[i * n + j]);
            ck_assert(i <= j || u[i * n + j] == 0);
        }
}

START_TEST(the_factor_is_of_the_inverse)
{
    const int64_t size[] = {1, 2, 7, 127, 128, 129, 300, 400};
    for (int i = 0; i < 8; i++)
        factor_case(size[i]);
    double bad[] = {1, 2, 2, 1};
    ck_assert(!inverse_factor((matrix){bad, 2}, 2));
}
END_TEST

/* ---- GPTQ ---- */

START_TEST(gptq_of_independent_channels_rounds_to_nearest)
{
    float *w = random_floats(OUT * IN);
    double *one = new_doubles(IN * IN);
    for (int k = 0; k < IN; k++)
        one[k * IN + k] = 1 + k % 5;
    for (int r = 0; r < RULES; r++)
        for (int act_order = 0; act_order < 2; act_order++)
            ck_assert_msg(!memcmp(by_gptq(rules[r], w, one, act_order, NULL),
                                  by_rtn(rules[r], w, NULL), sizeof *w * OUT * IN),
                          "%s differs", rules[r]);
}
END_TEST

START_TEST(gptq_is_better_on_unseen_inputs)
{
    float *w = random_floats(OUT * IN), *seen = inputs(SEEN), *unseen = inputs(SEEN);
    double *gram = gram_of(seen, SEEN, IN);
    for (int r = 0; r < RULES; r++) {
        double rtn = output_error(by_rtn(rules[r], w, NULL), w, unseen, SEEN);
        double plain = output_error(by_gptq(rules[r], w, gram, false, NULL), w, unseen, SEEN);
        double ordered = output_error(by_gptq(rules[r], w, gram, true, NULL), w, unseen, SEEN);
        printf("# %-10s %.3e by rounding; by GPTQ %.2f of that, in the order of inputs %.2f\n",
               rules[r], rtn, plain / rtn, ordered / rtn);
        ck_assert(plain <= 0.6 * rtn);
        ck_assert(ordered <= 0.6 * rtn);
    }
}
END_TEST

START_TEST(channels_never_seen_are_rounded_to_nearest)
{
    float *w = random_floats(OUT * IN), *x = inputs(256);
    for (int i = 0; i < 256; i++)
        for (int k = 0; k < IN; k += 3)
            x[i * IN + k] = 0;
    float *y = by_gptq("int4s-g64", w, gram_of(x, 256, IN), false, NULL);
    float *nearest = by_rtn("int4s-g64", w, NULL);
    for (int i = 0; i < OUT * IN; i++)
        ck_assert(i % IN % 3 || y[i] == nearest[i]);
    y = by_gptq("int4s-g64", w, new_doubles(IN * IN), false, NULL);
    ck_assert_mem_eq(y, nearest, sizeof *y * OUT * IN);
}
END_TEST

START_TEST(threads_change_nothing)
{
    float *w = random_floats(OUT * IN), *x = inputs(600);
    double *gram = gram_of(x, 600, IN);
    moments m = moments_of(x, 600, true);
    uint16_t up[2][OUT * 16], down[2][16 * IN];
    float *y[2], *factor[2], *rest[2];
    const char *why;
    int most = omp_get_max_threads();
    for (int i = 0; i < 2; i++) {
        omp_set_num_threads(i ? 5 : 1);
        y[i] = by_gptq("int4-g128", w, gram, true, NULL);
        factor[i] = remembered(clip_search(rule_named("int4-g128"), w, OUT, IN, &m, &why));
        rest[i] = copied(w, OUT * IN);
        low_rank(rest[i], OUT, IN, 16, m.squares, up[i], down[i]);
    }
    omp_set_num_threads(most);
    ck_assert_mem_eq(y[0], y[1], sizeof *w * OUT * IN);
    ck_assert_mem_eq(factor[0], factor[1], sizeof *w * OUT * IN / 128);
    ck_assert_mem_eq(rest[0], rest[1], sizeof *w * OUT * IN);
    ck_assert_mem_eq(up[0], up[1], sizeof up[0]);
    ck_assert_mem_eq(down[0], down[1], sizeof down[0]);
}
END_TEST

/* ---- clipping ---- */

/* Relative to rounding to nearest: by clipping, and by GPTQ with those scales. */
static void clip_case(const char *name, const float *w, const moments *m, const double *gram,
                      const float *unseen)
{
    const char *why;
    float *f = clip_search(rule_named(name), w, OUT, IN, m, &why);
    ck_assert_ptr_nonnull(f);
    double rtn = output_error(by_rtn(name, w, NULL), w, unseen, SEEN);
    double clip = output_error(by_rtn(name, w, f), w, unseen, SEEN) / rtn;
    double both = output_error(by_gptq(name, w, gram, false, f), w, unseen, SEEN) / rtn;
    printf("# %-10s by clipping %.2f (%s), then GPTQ %.2f\n", name, clip,
           m->gram ? "grams" : "squares", both);
    ck_assert(clip <= 1.05);
    ck_assert(strncmp(name, "int4", 4) != 0 || clip < 0.9);
    ck_assert(both <= 0.6);
    int clipped = 0; /* of the first range of each row */
    for (int64_t row = 0; row < OUT; row++)
        clipped += f[rule_range(rule_named(name), IN, row, 0)] < 1;
    ck_assert(strncmp(name, "int4", 4) != 0 || clipped > OUT / 4);
    free(f);
}

START_TEST(clipping_helps_on_unseen_inputs)
{
    float *w = random_floats(OUT * IN), *unseen = inputs(SEEN), *seen = inputs(SEEN);
    for (int i = 0; i < OUT * IN; i++)
        w[i] *= w[i] * w[i]; /* long tails */
    moments with = moments_of(seen, SEEN, true), without = with;
    without.gram = NULL;
    for (int r = 0; r < RULES; r += 2) {
        clip_case(rules[r], w, &with, with.gram, unseen);
        clip_case(rules[r], w, &without, with.gram, unseen);
    }
}
END_TEST

/* ---- rotation ---- */

/* H[i][j]: the product of R's elements at the digits of i and j in base 4 */
static double element_of_h(int i, int j)
{
    double h = 1;
    for (int d = 0; d < 4; d++, i /= 4, j /= 4)
        h *= i % 4 + j % 4 == 3 ? -0.5 : 0.5;
    return h;
}

START_TEST(rotation_is_that_matrix)
{
    float *w = random_floats(3 * 512), *y = copied(w, 3 * 512);
    rotate_rows(y, 3, 512);
    for (int i = 0; i < 3 * 512; i++) {
        double sum = 0;
        for (int k = 0; k < 256; k++)
            sum += element_of_h(i % 256, k) * (double)w[i / 256 * 256 + k];
        ck_assert(fabs((double)y[i] - sum) < 1e-6);
    }
    rotate_rows(y, 3, 512);
    for (int i = 0; i < 3 * 512; i++)
        ck_assert(fabsf(y[i] - w[i]) < 1e-6f);
}
END_TEST

START_TEST(a_rotated_gram_is_that_of_rotated_inputs)
{
    float *x = inputs(100);
    double *g = gram_of(x, 100, IN);
    rotate_gram(g, IN);
    rotate_rows(x, 100, IN);
    double *want = gram_of(x, 100, IN);
    for (int i = 0; i < IN * IN; i++)
        ck_assert(fabs(g[i] - want[i]) < 1e-4 * (1 + fabs(want[i])));
    double squares[IN] = {0};
    squares[3] = 512;
    squares[256] = 256;
    rotate_squares(squares, IN);
    for (int k = 0; k < IN; k++)
        ck_assert(squares[k] == (k < 256 ? 2 : 1));
}
END_TEST

/* ---- the low-rank branch ---- */

static double squared(const float *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sum;
}

START_TEST(a_weight_of_low_rank_leaves_nothing)
{
    enum { N = 5 };
    float *b = random_floats(OUT * N), *a = random_floats(N * IN), w[OUT * IN] = {0};
    uint16_t up[OUT * N], down[N * IN];
    for (int o = 0; o < OUT; o++)
        for (int i = 0; i < N; i++)
            for (int k = 0; k < IN; k++)
                w[o * IN + k] += b[o * N + i] * a[i * IN + k];
    float *whole = copied(w, OUT * IN);
    low_rank(w, OUT, IN, N, NULL, up, down);
    printf("# left of rank %d: %.1e\n", N, sqrt(squared(w, OUT * IN) / squared(whole, OUT * IN)));
    ck_assert(squared(w, OUT * IN) < 1e-6 * squared(whole, OUT * IN)); /* F16's rounding */
    low_rank_add(w, OUT, IN, N, up, down, 1);
    for (int i = 0; i < OUT * IN; i++)
        ck_assert(fabsf(w[i] - whole[i]) < 1e-6f);
}
END_TEST

/* Of orthogonal rows of sizes 1, 1/2, 1/3, ... the first n go. */
START_TEST(the_leading_part_goes)
{
    enum { N = 8 };
    float w[OUT * IN] = {0};
    double left = 0;
    uint16_t up[OUT * N], down[N * IN];
    for (int o = 0; o < OUT; o++) {
        for (int k = 0; k < 256; k++) /* rows of H are orthogonal */
            w[o * IN + k] = (float)element_of_h((o * 77) % 256, k) / (float)(o + 1);
        left += o < N ? 0 : 1.0 / (o + 1) / (o + 1);
    }
    low_rank(w, OUT, IN, N, NULL, up, down);
    printf("# left: %.6f of the least there is\n", squared(w, OUT * IN) / left);
    ck_assert(squared(w, OUT * IN) < 1.001 * left);
}
END_TEST

/* What is left of w, as the outputs see it. */
static double left_of(const float *w, const double *squares, const float *x, int64_t n)
{
    uint16_t up[OUT * 32], down[32 * IN];
    float *rest = copied(w, OUT * IN);
    low_rank(rest, OUT, IN, 32, squares, up, down);
    for (int i = 0; i < OUT * IN; i++)
        rest[i] = w[i] - rest[i];
    return output_error(rest, w, x, n);
}

START_TEST(inputs_decide_what_leads)
{
    float *w = random_floats(OUT * IN), *x = inputs(500);
    for (int i = 0; i < OUT * IN; i++)
        w[i] /= i % IN % 37 == 0 ? 1 : 4;
    double plain = left_of(w, NULL, x, 500),
           known = left_of(w, moments_of(x, 500, false).squares, x, 500);
    printf("# left of the outputs: %.3f, with the inputs known %.3f\n", plain, known);
    ck_assert(known < 0.9 * plain);
}
END_TEST

TESTS(NULL, 300, products_are_sums, the_factor_is_of_the_inverse,
      gptq_of_independent_channels_rounds_to_nearest, gptq_is_better_on_unseen_inputs,
      channels_never_seen_are_rounded_to_nearest, threads_change_nothing,
      clipping_helps_on_unseen_inputs, rotation_is_that_matrix,
      a_rotated_gram_is_that_of_rotated_inputs, a_weight_of_low_rank_leaves_nothing,
      the_leading_part_goes, inputs_decide_what_leads)
