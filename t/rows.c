/*
** rows.c: norms, rotations, gates and sums, a row or an element at a time, against plain F64
** loops (compare.h says how).
*/
#include "compare.h"
#include "suite.h"

static const tensor_type FLOATS[] = {F32, F16, BF16};

typedef enum { RMS, RMS_SILU, RMS_ROPE, LAYER, LAYER_PLAIN, MODULATED } norm_kind;

static const char *const NAMES[] = {"rms_norm",   "rms_norm_silu",     "rms_norm_rope",
                                    "layer_norm", "layer_norm, plain", "modulated_norm"};

/* What a norm has: gamma is `scale` where it is modulated, beta is `shift`. */
typedef struct {
    norm_kind kind;
    int64_t N, D, d, positions;
    float eps;
    tensor gamma, beta, rope; /* on the host */
} norm_case;

/* One row of the reference: (x - mean) / sqrt(...) * gamma + beta, then silu or rotation. */
static void reference_row(double *want, double *size, const norm_case *c, tensor x, int64_t row)
{
    bool centred = c->kind >= LAYER;
    double mean = 0, squares = 0, largest = 0;
    for (int64_t j = 0; centred && j < c->D; j++)
        mean += (double)at(x, row, j) / (double)c->D;
    for (int64_t j = 0; j < c->D; j++) {
        squares += pow((double)at(x, row, j) - mean, 2) / (double)c->D;
        largest = fmax(largest, fabs((double)at(x, row, j)));
    }
    double a = squares + (double)c->eps > 0 ? 1 / sqrt(squares + (double)c->eps) : 0;
    for (int64_t j = 0; j < c->D; j++) {
        double gamma = c->gamma.data ? (double)at(c->gamma, 0, j) : 1;
        double beta = c->beta.data ? (double)at(c->beta, 0, j) : 0;
        gamma += c->kind == MODULATED ? 1 : 0;
        want[j] = ((double)at(x, row, j) - mean) * a * gamma + beta;
        size[j] = fabs(want[j]) + fabs(beta) + (centred ? largest * a * fabs(gamma) : 0);
        if (c->kind == RMS_SILU)
            want[j] /= 1 + exp(-want[j]);
    }
    for (int64_t j = 0; c->kind == RMS_ROPE && j < c->D; j += 2) {
        int64_t pair = row % c->positions * (c->d / 2) + j % c->d / 2;
        double cosine = (double)at(c->rope, 0, 2 * pair),
               sine = (double)at(c->rope, 0, 2 * pair + 1);
        double u = want[j], v = want[j + 1];
        want[j] = u * cosine - v * sine;
        want[j + 1] = u * sine + v * cosine;
        size[j] = size[j + 1] = fabs(u) + fabs(v);
    }
}

static void apply(tensor y, tensor x, const norm_case *c)
{
    tensor gamma = c->gamma.data ? upload(reshape(c->gamma, c->D), F32) : (tensor){0};
    tensor beta = c->beta.data ? upload(reshape(c->beta, c->D), F32) : (tensor){0};
    switch (c->kind) {
    case RMS: rms_norm(y, x, gamma, c->eps); return;
    case RMS_SILU: rms_norm_silu(y, x, gamma, c->eps); return;
    case RMS_ROPE:
        rms_norm_rope(y, x, reshape(gamma, 1, c->D), c->eps,
                      upload(reshape(c->rope, c->positions, c->d / 2, 2), F32));
        return;
    case LAYER:
    case LAYER_PLAIN: layer_norm(y, x, gamma, beta, c->eps); return;
    case MODULATED: modulated_norm(y, x, gamma, beta, c->eps); return;
    }
}

static void norm_check(tally *t, norm_kind kind, int64_t N, int64_t D, float eps, float offset,
                       tensor_type in, tensor_type out, bool in_place)
{
    size_t mark = scratch_mark();
    norm_case c = {.kind = kind,
                   .N = N,
                   .D = D,
                   .d = D % 64 ? D : 64,
                   .eps = eps,
                   .positions = N == 0  ? 1
                                : N % 3 ? N
                                        : N / 3};
    tensor x = random_host(N, D, 2, in);
    for (int64_t i = 0; i < N * D; i++)
        ((float *)x.data)[i] += offset;
    if (kind != LAYER_PLAIN)
        c.gamma = random_host(1, D, 1.5f, F32);
    if (kind == LAYER || kind == MODULATED)
        c.beta = random_host(1, D, 1, F32);
    c.rope = random_host(1, c.positions * c.d, 1, F32);
    tensor from = placed(x, in, 8), y = in_place ? from : placed(new_host(F32, N, D), out, 16);
    apply(y, from, &c);
    margins_untouched(y, in_place ? 8 : 16, NAMES[kind]);
    tensor got = fetched(y);
    double *want = new_bytes((size_t)D * sizeof *want), *size = new_bytes((size_t)D * sizeof *size);
    for (int64_t i = 0; i < N; i++) {
        reference_row(want, size, &c, x, i);
        for (int64_t j = 0; j < D; j++)
            compare(t, at(got, i, j), want[j], size[j], (double)D, y.type);
    }
    free(want);
    free(size);
    free(got.data);
    scratch_reset(mark);
}

START_TEST(norms)
{
    static const int64_t sizes[][2] = {{1, 8},   {4, 96},   {9, 1536}, {33, 64},
                                       {6, 384}, {2, 4096}, {5, 768},  {3, 5120},
                                       {3, 6},   {7, 1030}, {0, 64}};
    for (norm_kind kind = RMS; kind <= MODULATED; kind++)
        for (int type = 0; type < 3; type++) {
            tensor_type A = operand_type(FLOATS[type]);
            tally t = {.name = NAMES[kind]};
            for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
                int64_t N = sizes[i][0], D = sizes[i][1];
                if (!takes(D))
                    continue;
                tensor_type in = kind == MODULATED ? F32 : A;
                norm_check(&t, kind, N, D, 1e-6f, 0, in, A, false);
                norm_check(&t, kind, N, D, 1e-6f, 0, in, in, kind != MODULATED || A == F32);
                norm_check(&t, kind, N, D, 1e-6f, 0, F32, A, false); /* the residual stream's */
                norm_check(&t, kind, N, D, 1e-6f, 0, in, F32, false);
            }
            report(&t);
        }
}
END_TEST

/* q and k side by side are normed as each is alone. */
START_TEST(two_norms_in_one)
{
    enum { N = 21, D = 192, POSITIONS = 7 };
    for (int type = 0; type < 3; type++) {
        size_t mark = scratch_mark();
        tensor_type A = operand_type(FLOATS[type]);
        tensor x = placed(random_host(N, 2 * D, 2, A), A, 8), y = scratch(A, N, 2 * D);
        tensor gamma = upload(random_host(2, D, 1, F32), F32);
        tensor rope = upload(reshape(random_host(POSITIONS, 64, 1, F32), POSITIONS, 32, 2), F32);
        for (int i = 0; i < 2; i++)
            rms_norm_rope(columns(y, i * D, D), columns(x, i * D, D), rows(gamma, i, 1), 1e-6f,
                          rope);
        tensor want = fetched(y);
        rms_norm_rope(x, x, gamma, 1e-6f, rope);
        margins_untouched(x, 8, "rms_norm_rope");
        tensor got = fetched(x);
        ck_assert_mem_eq(got.data, want.data, tensor_bytes(want));
        scratch_reset(mark);
    }
}
END_TEST

/* A mean far greater than the deviation: one pass over x and x^2 would lose the variance. */
START_TEST(layer_norm_with_a_large_mean)
{
    tally t = {.name = "layer_norm of 1000 +- 2"};
    norm_check(&t, LAYER, 5, 1536, 1e-6f, 1000, F32, F32, false);
    norm_check(&t, MODULATED, 5, 1536, 1e-6f, 1000, F32, F32, false);
    report(&t);
}
END_TEST

START_TEST(rows_of_zeros_stay_zeros)
{
    size_t mark = scratch_mark();
    tensor x = random_host(3, 96, 1, F16), gamma = random_host(1, 96, 1, F32);
    memset((float *)x.data + 96, 0, 96 * sizeof(float));
    for (int type = 0; type < 3; type++) {
        tensor_type A = operand_type(FLOATS[type]);
        tensor from = placed(x, A, 8), y = scratch(A, 3, 96), g = upload(reshape(gamma, 96), F32);
        for (int silu_too = 0; silu_too < 2; silu_too++) {
            (silu_too ? rms_norm_silu : rms_norm)(y, from, g, 0);
            tensor got = fetched(y);
            for (int j = 0; j < 96; j++)
                if (at(got, 1, j) != 0 || isnan(at(got, 0, j)))
                    ck_abort_msg("element %d of the row of zeros is %g", j, (double)at(got, 1, j));
        }
    }
    scratch_reset(mark);
}
END_TEST

/* ---- elements ---- */

static double gelu_of(double x)
{
    return x / (1 + exp(-2 * sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

/* From -80 to 80 in uneven steps: e^x is right to a few units all the way. */
static tensor wide_range(int64_t n, int64_t width, tensor_type type)
{
    tensor t = random_host(n, width, 1, F32), small = new_host(type, n, width);
    for (int64_t i = 0; i < n * width; i++)
        ((float *)t.data)[i] *= i % 3 ? 80.0f : 4.0f;
    host_convert(small, t);
    host_convert(t, small);
    return t;
}

/* e^x is within 2 units, so is what is made of it; but x itself, rounded to F32 inside e^x's
 * argument, moves the result by |x| units. */
START_TEST(gates)
{
    for (int type = 0; type < 3; type++) {
        tensor_type A = operand_type(FLOATS[type]);
        size_t mark = scratch_mark();
        tally s = {.name = "silu"}, q = {.name = "quick_gelu"}, g = {.name = "mul_gelu"};
        tally e = {.name = "gelu"};
        tensor x = wide_range(70, 264, A), up = random_host(70, 264, 1, A);
        tensor y = placed(new_host(F32, 70, 264), A, 8);
        silu(y, placed(x, A, 16));
        margins_untouched(y, 8, "silu");
        tensor got = fetched(y);
        for (int64_t i = 0; i < 70 * 264; i++) {
            double v = (double)at(x, 0, i), want = v / (1 + exp(-v));
            compare(&s, at(got, 0, i), want, fabs(want) * (1 + fabs(v) / 8), 1, A);
        }
        free(got.data);
        quick_gelu(y, placed(x, A, 16));
        margins_untouched(y, 8, "quick_gelu");
        got = fetched(y);
        for (int64_t i = 0; i < 70 * 264; i++) {
            double v = (double)at(x, 0, i), want = v / (1 + exp(-1.702 * v));
            double size = fabs(want) * (1 + fabs(v) / 4);
            if (fabs(v) < 50) /* beyond, e^-1.702v is more than an F32 can hold */
                compare(&q, at(got, 0, i), want, size, 1, A);
            else
                compare(&q, at(got, 0, i), v > 0 ? want : 0, fabs(v > 0 ? want : 1e-6), 1, A);
        }
        free(got.data);
        gelu(y, placed(x, A, 16));
        margins_untouched(y, 8, "gelu");
        got = fetched(y);
        for (int64_t i = 0; i < 70 * 264; i++) {
            double v = (double)at(x, 0, i), u = 0.7978845608028654 * (v + 0.044715 * v * v * v);
            double want = v / (1 + exp(-2 * u));
            if (v > -6)
                compare(&e, at(got, 0, i), want, fabs(want) * (2 + 2 * fabs(u)), 1, A);
            else
                ck_assert(fabs((double)at(got, 0, i)) < 1e-7);
        }
        free(got.data);
        mul_gelu(y, placed(x, A, 16), placed(up, A, 8));
        margins_untouched(y, 8, "mul_gelu");
        got = fetched(y);
        for (int64_t i = 0; i < 70 * 264; i++) {
            double v = (double)at(x, 0, i), want = gelu_of(v) * (double)at(up, 0, i);
            double slope = 1 + fabs(v) * (1 + 0.1 * v * v);
            if (fabs(v) < 8) /* beyond, gelu is x or nothing; 1e-17 is nothing, too */
                compare(&g, at(got, 0, i), want, fmax(fabs(want) * slope, 2e-11), 1, A);
            else
                compare(&g, at(got, 0, i), v > 0 ? want : 0, fabs(v > 0 ? want : 1e-6), 1, A);
        }
        for (int alone = 0; alone < 2; alone++) {
            tally r = {.name = alone ? "add_relu of one" : "add_relu"};
            add_relu(y, placed(x, A, 16), alone ? (tensor){0} : placed(up, A, 8));
            margins_untouched(y, 8, "add_relu");
            got = fetched(y);
            for (int64_t i = 0; i < 70 * 264; i++) {
                double want = (double)at(x, 0, i) + (alone ? 0 : (double)at(up, 0, i));
                compare(&r, at(got, 0, i), want > 0 ? want : 0, fabs(want), 1, A);
            }
            free(got.data);
            report(&r);
        }
        report(&s);
        report(&q);
        report(&g);
        scratch_reset(mark);
    }
}
END_TEST

START_TEST(sums_in_place)
{
    for (int type = 0; type < 3; type++) {
        tensor_type A = operand_type(FLOATS[type]);
        size_t mark = scratch_mark();
        tally t = {.name = "add, add_gated"};
        tensor x = random_host(90, 200, 1, F32), y = random_host(90, 200, 1, A);
        tensor gate = random_host(1, 200, 1, F32);
        tensor sum = placed(x, F32, 8), gated = placed(x, F32, 16);
        add(sum, placed(y, A, 8));
        add_gated(gated, placed(y, A, 24), upload(reshape(gate, 200), F32));
        margins_untouched(sum, 8, "add");
        margins_untouched(gated, 16, "add_gated");
        tensor a = fetched(sum), b = fetched(gated);
        for (int64_t i = 0; i < 90; i++)
            for (int64_t j = 0; j < 200; j++) {
                double u = (double)at(x, i, j), v = (double)at(y, i, j), g = (double)at(gate, 0, j);
                compare(&t, at(a, i, j), u + v, 0.1 * (fabs(u) + fabs(v)), 2, F32);
                compare(&t, at(b, i, j), u + g * v, 0.1 * (fabs(u) + fabs(g * v)), 2, F32);
            }
        report(&t);
        scratch_reset(mark);
    }
}
END_TEST

START_TEST(linear_combinations)
{
    enum { N = 8, COUNT = 40 * 1030 };
    size_t mark = scratch_mark();
    tally t = {.name = "linear_combination"};
    const double c[N] = {1, -0.99, 3.5, 1e-3, -2, 0.1, 7, -5.25};
    tensor host[N], x[N];
    for (int i = 0; i < N; i++) {
        host[i] = random_host(40, 1030, 1, F32);
        x[i] = reshape(placed(host[i], F32, 0), 10, 4, 1030);
    }
    for (int n = 1; n <= N; n++) {
        tensor y = n == 3 ? x[2] : scratch(F32, 10, 4, 1030); /* once in place, then undone */
        linear_combination(y, n, x, c);
        tensor got = fetched(y);
        for (int64_t i = 0; i < COUNT; i++) {
            double want = 0, size = 0;
            for (int k = 0; k < n; k++) {
                want += c[k] * (double)at(host[k], 0, i);
                size += fabs(c[k] * (double)at(host[k], 0, i));
            }
            compare(&t, at(got, 0, i), want, 0.1 * size, n, F32);
        }
        free(got.data);
        upload_into(x[2], host[2]);
    }
    report(&t);
    scratch_reset(mark);
}
END_TEST

START_TEST(nonfinite_values_are_counted)
{
    for (int type = 0; type < 3; type++) {
        size_t mark = scratch_mark();
        tensor x = random_host(60, 520, 60000, FLOATS[type]);
        tensor device = placed(x, FLOATS[type], 8);
        ck_assert_int_eq(count_nonfinite(device), 0);
        static const float bad[] = {NAN, INFINITY, -INFINITY, -NAN};
        for (int i = 0; i < 10; i++)
            ((float *)x.data)[(i * 3331 + 519) % (60 * 520)] = bad[i % 4];
        ck_assert_int_eq(count_nonfinite(placed(x, FLOATS[type], 8)), 10);
        scratch_reset(mark);
    }
}
END_TEST

TESTS(device_open, 120, norms, two_norms_in_one, layer_norm_with_a_large_mean,
      rows_of_zeros_stay_zeros, gates, sums_in_place, linear_combinations,
      nonfinite_values_are_counted)
