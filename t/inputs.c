/*
** inputs.c: inputs of products as codes, and products of codes by codes.
**
** Codes are those that round_rows() rounds to, which activations.c compares with the nearest numbers.
** Sums of I8 are compared with whole numbers, to the last bit; those of e4m3 with F64. Hopper cuts
** sums of e4m3 to about 14 bits within 128 terms: what is lost of positive terms, always downwards,
** has a bound of its own. Devices without such products test that they say so.
*/
#include "codes.h"
#include "suite.h"

static const tensor_type TYPES[] = {I8, F8_E4M3};

/* ---- rows as codes ---- */

static void compare_codes(tensor x, tensor_type type, tensor_type codes_type)
{
    int64_t N = tensor_rows(x), n = tensor_width(x);
    size_t mark = scratch_mark();
    tensor device = placed(x, type, 8), rounded = scratch(type, N, n);
    tensor wide = scratch(codes_type, N, n + 32), codes = columns(wide, 16, n);
    tensor scale = scratch(F32, N);
    zero(wide);
    quantize_rows(codes, scale, device, false);
    round_rows(rounded, device, codes_type == I8 ? ROWS_INT8 : ROWS_FP8);
    margins_untouched(codes, 16, "quantize_rows");
    tensor q = fetched(codes), s = fetched(reshape(scale, 1, N)), want = fetched(rounded);
    for (int64_t i = 0; i < N; i++)
        for (int64_t k = 0; k < n; k++) {
            tensor one = tensor_of(&(float){at(q, i, k) * at(s, 0, i)}, F32, 1, 1), as = one;
            as = new_host(type, 1, 1);
            host_convert(as, one);
            host_convert(one, as);
            if (at(one, 0, 0) != at(want, i, k))
                ck_abort_msg("%s of %s, row %d, column %d: %g x %.9g for %.9g",
                             type_name(codes_type), type_name(type), (int)i, (int)k,
                             (double)at(q, i, k), (double)at(s, 0, i), (double)at(want, i, k));
        }
    scratch_reset(mark);
}

START_TEST(rows_become_codes)
{
    static const tensor_type floats[] = {F32, F16, BF16};
    static const int64_t widths[] = {16, 1536, 5120, 8960, 13824};
    for (int t = 0; t < 6; t++)
        for (int w = 0; w < 5; w++) {
            tensor_type type = floats[t / 2];
            if (operand_type(type) != type)
                continue;
            tensor x = random_host(11, widths[w], 3, type);
            float *v = x.data;
            v[widths[w] + 7] = -1000; /* one outlier; zeros; as small as the type is */
            for (int64_t k = 0; k < widths[w]; k++) {
                v[2 * widths[w] + k] = 0;
                v[3 * widths[w] + k] *= type == F32 ? 0x1p-100f : 0x1p-20f;
            }
            compare_codes(x, type, TYPES[t % 2]);
        }
}
END_TEST

START_TEST(rows_that_are_not_finite)
{
    for (int t = 0; t < 2; t++) {
        tensor x = random_host(4, 64, 1, F32);
        ((float *)x.data)[5] = NAN;
        ((float *)x.data)[2 * 64 + 63] = -INFINITY;
        tensor codes = scratch(TYPES[t], 4, 64), scale = scratch(F32, 4);
        quantize_rows(codes, scale, placed(x, F32, 0), false);
        tensor s = fetched(reshape(scale, 1, 4));
        ck_assert(isnan(at(s, 0, 0)) && isfinite(at(s, 0, 1)));
        ck_assert(isnan(at(s, 0, 2)) && isfinite(at(s, 0, 3)));
    }
}
END_TEST

/* A norm's codes are those of its values, as they would be stored. */
START_TEST(norms_become_codes)
{
    static const tensor_type floats[] = {F32, F16, BF16};
    static const int64_t widths[] = {16, 256, 512, 1536, 5120};
    for (int i = 0; i < 3 * 2 * 5; i++) {
        tensor_type A = floats[i / 10], type = TYPES[i / 5 % 2];
        if (operand_type(A) != A)
            continue;
        int64_t n = widths[i % 5], N = 37;
        size_t mark = scratch_mark();
        tensor x = placed(random_host(N, n, 3, F32), F32, 8), y = scratch(A, N, n);
        tensor gamma = reshape(upload(random_host(1, n, 1, F32), F32), n);
        tensor beta = reshape(upload(random_host(1, n, 1, F32), F32), n);
        tensor codes[2] = {scratch(type, N, n), scratch(type, N, n)};
        tensor scale[2] = {scratch(F32, N), scratch(F32, N)};
        for (int kind = 0; kind < (n % 256 ? 2 : 4); kind++) {
            bool modulated = kind % 2, rotated = kind / 2;
            if (modulated) {
                modulated_norm(y, x, gamma, beta, 1e-6f);
                modulated_norm_codes(codes[0], scale[0], A, x, gamma, beta, 1e-6f, rotated);
            } else {
                layer_norm(y, x, gamma, beta, 1e-6f);
                layer_norm_codes(codes[0], scale[0], A, x, gamma, beta, 1e-6f, rotated);
            }
            if (rotated)
                hadamard(y, y);
            quantize_rows(codes[1], scale[1], y, false);
            tensor got = fetched(codes[0]), want = fetched(codes[1]);
            ck_assert(memcmp(got.data, want.data, (size_t)(N * n) * sizeof(float)) == 0);
            got = fetched(reshape(scale[0], 1, N)), want = fetched(reshape(scale[1], 1, N));
            ck_assert(memcmp(got.data, want.data, (size_t)N * sizeof(float)) == 0);
            if (!rotated && n % 256 == 0) {
                quantize_rows(codes[0], scale[0], y, true);
                hadamard(y, y);
                quantize_rows(codes[1], scale[1], y, false);
                got = fetched(codes[0]), want = fetched(codes[1]);
                ck_assert(memcmp(got.data, want.data, (size_t)(N * n) * sizeof(float)) == 0);
            }
        }
        scratch_reset(mark);
    }
}
END_TEST

/* ---- products ---- */

static bool made_here(tensor_type type)
{
    tensor w = random_codes(type, 16, 32, 1), scale = random_host(1, 16, 1, F32);
    linear_weight l = uploaded(1, &w, &scale, NULL, F16);
    bool takes_codes = linear_takes_codes(&l, type);
    if (!takes_codes)
        printf("# no products of %s by %s here: skipped\n", type_name(type), type_name(type));
    ck_assert(!on_cpu() || takes_codes);
    return takes_codes;
}

/* Sums of I8 are exact, so y is the nearest F32: of any codes, and of the greatest. */
static void exact_sums(int64_t N, int64_t in, int64_t out, bool greatest)
{
    size_t mark = scratch_mark();
    tensor x = random_codes(I8, N, in, 1), w = random_codes(I8, out, in, 1);
    tensor ones = new_host(F32, 1, N > out ? N : out);
    for (int64_t i = 0; i < ones.dim[1]; i++)
        ((float *)ones.data)[i] = 1;
    for (int64_t i = 0; greatest && i < N * in; i++)
        ((int8_t *)x.data)[i] = (int8_t)(127 - (((int8_t *)x.data)[i] & 7));
    for (int64_t i = 0; greatest && i < out * in; i++)
        ((int8_t *)w.data)[i] = (int8_t)((((int8_t *)w.data)[i] & 7) - 128);
    tensor scale = columns(ones, 0, out);
    linear_weight l = uploaded(1, &w, &scale, NULL, F16);
    tensor y = placed(new_host(F32, N, out), F32, 8), codes = upload(x, I8);
    linear_codes(y, codes, reshape(upload(columns(ones, 0, N), F32), N), &l);
    margins_untouched(y, 8, "linear_codes");
    tensor got = fetched(y);
    for (int64_t i = 0; i < N; i++)
        for (int64_t o = 0; o < out; o++) {
            const int8_t *a = (const int8_t *)x.data + i * in, *b = (const int8_t *)w.data + o * in;
            int64_t sum = 0;
            for (int64_t k = 0; k < in; k++)
                sum += a[k] * b[k];
            if (at(got, i, o) != (float)sum)
                ck_abort_msg("[%d, %d, %d], row %d, column %d: %.9g for %lld", (int)N, (int)in,
                             (int)out, (int)i, (int)o, (double)at(got, i, o), (long long)sum);
        }
    scratch_reset(mark);
}

START_TEST(sums_of_int8_are_exact)
{
    if (!made_here(I8))
        return;
    exact_sums(1, 16, 8, false);
    exact_sums(37, 144, 200, false);
    exact_sums(300, 1536, 520, false);
    exact_sums(130, 8960, 264, false);
    exact_sums(33, 8960, 24, true);
}
END_TEST

/* A weight on the host, its values, and what a product of it should be. */
typedef struct {
    tensor_type type;
    bool squares; /* a scale for each 128 x 128 */
    int64_t N, in, out;
    bool positive, bell; /* codes; of magnitudes about a mean, or any */
} sample;

/* Codes of 20 to 460, about 100: nearest by steps of an eighth to a sixteenth. */
static void make_bell(tensor codes)
{
    uint8_t *p = codes.data;
    for (int64_t i = 0; i < tensor_count(codes); i++) {
        float g = random_float(1) + random_float(1) + random_float(1) + random_float(1);
        int exponent;
        float part = frexpf(20 + 80 * fabsf(g), &exponent); /* 0.5 to 1 */
        p[i] = (uint8_t)((exponent + 6) << 3 | (int)(part * 16 - 8));
    }
}

static double gelu_of(double v)
{
    return v / 2 * (1 + tanh(0.79788456080286541 * (v + 0.044715 * v * v * v)));
}

/* One product in its three forms, of all kinds of scales. */
static void compare_products(const sample *s, tensor_type Y, tally *t, double *bias)
{
    size_t mark = scratch_mark();
    int64_t N = s->N, in = s->in, out = s->out, high = (out + 127) / 128, wide = (in + 127) / 128;
    tensor x = random_codes(s->type, N, in, 1), w = random_codes(s->type, out, in, 1);
    for (int64_t i = 0; s->positive && i < N * in; i++)
        ((uint8_t *)x.data)[i] &= 0x7f;
    for (int64_t i = 0; s->positive && i < out * in; i++)
        ((uint8_t *)w.data)[i] &= 0x7f;
    if (s->bell) {
        make_bell(x);
        make_bell(w);
    }
    tensor x_scale = random_host(1, N, 1e-3f, F32), scale = random_host(1, out, 1e-3f, F32);
    tensor step = random_host(high, wide, 1e-3f, F32), b = random_host(1, out, 0.1f, F32);
    tensor gate = random_host(1, out, 2, F32), before = random_host(N, out, 1, F32);
    for (int64_t i = 0; s->positive && i < out;
         i++) /* what is lost of the sum is all that is seen */
        ((float *)b.data)[i] = 0;
    for (int64_t i = 0; i < high * wide; i++)
        ((float *)step.data)[i] = fabsf(((float *)step.data)[i]) + 1e-5f;
    tensor vx = values_of(x, F32), vw = values_of(w, F32);
    stored stored_w = {.w = w, .scale = s->squares ? (tensor){0} : scale};
    stored_w.step = s->squares ? step : (tensor){0};
    linear_weight l = linear_upload(1, &stored_w, &b, F16);
    ck_assert(linear_takes_codes(&l, s->type));
    ck_assert(!linear_takes_codes(&l, s->type == I8 ? F8_E4M3 : I8));
    tensor codes = upload(x, s->type), rows_scale = reshape(upload(x_scale, F32), N);
    tensor made = placed(new_host(F32, N, out), Y, 8), curved = placed(new_host(F32, N, out), Y, 8);
    tensor sum = placed(before, F32, 8);
    linear_codes(made, codes, rows_scale, &l);
    linear_codes_gelu(curved, codes, rows_scale, &l);
    linear_codes_add(sum, codes, rows_scale, &l, reshape(upload(gate, F32), out));
    margins_untouched(made, 8, "linear_codes");
    tensor got[3] = {fetched(made), fetched(curved), fetched(sum)};
    /* on Hopper 14 bits of 64 terms, all cut in one direction at the worst */
    double cut = on_cpu() || s->type == I8 ? 0 : 1e-3;
    for (int64_t i = 0; i < N; i++)
        for (int64_t o = 0; o < out; o++) {
            double v = 0, size = 0, f = (double)at(x_scale, 0, i);
            for (int64_t k = 0; k < in; k++) {
                double of_w = s->squares ? (double)at(step, o / 128, k / 128) : 1;
                double term = (double)at(vx, i, k) * (double)at(vw, o, k) * of_w;
                v += term;
                size += fabs(term);
            }
            f *= s->squares ? 1 : (double)at(scale, 0, o);
            size = fabs(f) * size;
            double room = size * (1 + cut / 0x1p-24 / (sqrt((double)in) + 8));
            v = v * f + (double)at(b, 0, o);
            size = room + fabs((double)at(b, 0, o));
            compare(t, at(got[0], i, o), v, size, (double)in, Y);
            compare(t, at(got[1], i, o), gelu_of(v), 1.13 * size + 2 * fabs(v), (double)in, Y);
            double g = (double)at(gate, 0, o), was = (double)at(before, i, o);
            compare(t, at(got[2], i, o), was + g * v, fabs(g) * (size + fabs(v)) + fabs(was),
                    (double)in, F32);
            if (bias)
                *bias += ((double)at(got[0], i, o) / v - 1) / (double)(N * out);
        }
    scratch_reset(mark);
}

START_TEST(products_with_scales)
{
    static const int64_t sizes[][3] = {
        {1, 16, 8}, {37, 144, 200}, {300, 400, 520}, {70, 1536, 136}, {130, 8960, 264}};
    static const tensor_type results[] = {F32, F16, BF16};
    for (int kind = 0; kind < 3; kind++) {
        sample s = {.type = kind ? F8_E4M3 : I8, .squares = kind == 2};
        tally t = {.name = kind == 2 ? "e4m3, squares" : kind ? "e4m3" : "int8"};
        for (size_t i = 0; made_here(s.type) && i < 3 * sizeof sizes / sizeof *sizes; i++) {
            s.N = sizes[i / 3][0], s.in = sizes[i / 3][1], s.out = sizes[i / 3][2];
            if (operand_type(results[i % 3]) == results[i % 3])
                compare_products(&s, results[i % 3], &t, NULL);
        }
        report(&t);
    }
}
END_TEST

/* Sums that the hardware cuts downwards would be 16 % too small here. Of magnitudes that are spread
** evenly over all exponents it loses most: what is small is cut where it meets what is large. */
START_TEST(positive_sums_are_not_biased)
{
    if (!made_here(F8_E4M3))
        return;
    for (int even = 0; even < 2; even++) {
        sample s = {.type = F8_E4M3, .N = 40, .in = 8960, .out = 56, .positive = true};
        double bias = 0, allowed = even ? 5e-4 : 2e-4;
        tally t = {.name = "e4m3, positive"};
        s.bell = !even;
        compare_products(&s, F32, &t, &bias);
        printf("# a positive product over %d, %s, is off by %.2g, %.0g allowed\n", (int)s.in,
               even ? "all exponents alike" : "as inputs are", bias, allowed);
        ck_assert(fabs(bias) <= allowed);
    }
}
END_TEST

/* q and k with scales of rows, v with one for each square: one product, three parts of y. */
START_TEST(parts_below)
{
    enum { N = 140, IN = 256, OUT = 128 };
    size_t mark = scratch_mark();
    tensor w[2] = {random_codes(F8_E4M3, 2 * OUT, IN, 1), random_codes(F8_E4M3, OUT, IN, 1)};
    tensor x = random_codes(F8_E4M3, N, IN, 1), b = random_host(1, 3 * OUT, 1, F32);
    tensor scale = random_host(1, 2 * OUT, 1e-3f, F32), step = random_host(1, 2, 1e-3f, F32);
    tensor ones = random_host(1, N, 1e-3f, F32), ends[2] = {columns(b, 0, 2 * OUT)};
    ends[1] = columns(b, 2 * OUT, OUT);
    stored s[2] = {{.w = w[0], .scale = scale}, {.w = w[1], .step = step}};
    linear_weight below = linear_upload(1, s + 1, ends + 1, F16);
    linear_weight l = linear_upload(1, s, ends, F16), above = l;
    l.below = &below;
    if (!made_here(F8_E4M3))
        return;
    tensor codes = upload(x, F8_E4M3), rows_scale = reshape(upload(ones, F32), N);
    tensor y = placed(new_host(F32, N, 3 * OUT), F32, 8), apart = scratch(F32, N, 3 * OUT);
    tensor gate = reshape(upload(b, F32), 3 * OUT);
    ck_assert(linear_takes_codes(&l, F8_E4M3));
    linear_codes(y, codes, rows_scale, &l);
    linear_codes_add(y, codes, rows_scale, &l, gate);
    zero(apart);
    for (int add = 0; add < 2; add++)
        for (int i = 0; i < 2; i++) {
            tensor part = columns(apart, i * 2 * OUT, i ? OUT : 2 * OUT);
            const linear_weight *alone = i ? &below : &above;
            if (add)
                linear_codes_add(part, codes, rows_scale, alone,
                                 slice(gate, i * 2 * OUT, i ? OUT : 2 * OUT));
            else
                linear_codes(part, codes, rows_scale, alone);
        }
    margins_untouched(y, 8, "linear_codes");
    tensor got = fetched(y), want = fetched(apart);
    ck_assert(memcmp(got.data, want.data, sizeof(float) * N * 3 * OUT) == 0);
    tensor plain = random_host(OUT, IN, 1, F32);
    below = uploaded(1, &plain, NULL, NULL, F16);
    ck_assert(!linear_takes_codes(&l, F8_E4M3));
    scratch_reset(mark);
}
END_TEST

TESTS(device_open, 120, rows_become_codes, rows_that_are_not_finite, norms_become_codes,
      sums_of_int8_are_exact, products_with_scales, positive_sums_are_not_biased, parts_below)
