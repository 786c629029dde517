/*
** attention8.c: attention in 8 bits against the same codes in F64, and its error, against exact
** attention, beside that of FlashAttention-3's way: all of e4m3, a scale a tensor and head, keys
** with their mean (Shah et al., 2024, section 3.3, without its rotation).
**
** The codes are made again (attention8.h), so that another code on some device is seen: as an error
** of the output, which is compared within what rounding of weights and sums can come to.
*/
#include "attention8.h"
#include "suite.h"

typedef struct {
    const char *name;
    int batch, heads, d, Lq, Lk;
    float outliers; /* some channels of q and k are so many times larger */
    float k_mean, v_mean;
    float bound[3]; /* of the error: of int8, fp8, int8-pv */
} data_case;

static head head_of(const data_case *c, tensor q, tensor k, tensor v, int b, int h)
{
    head o = {c->Lq,
              c->Lk,
              c->d,
              new_bytes((size_t)(c->Lq * c->d) * 8),
              new_bytes((size_t)(c->Lk * c->d) * 8),
              new_bytes((size_t)(c->Lk * c->d) * 8)};
    for (int e = 0; e < c->d; e++) {
        for (int i = 0; i < c->Lq; i++)
            o.q[i * c->d + e] = (double)at(q, b * c->Lq + i, h * c->d + e);
        for (int j = 0; j < c->Lk; j++) {
            o.k[j * c->d + e] = (double)at(k, b * c->Lk + j, h * c->d + e);
            o.v[j * c->d + e] = (double)at(v, b * c->Lk + j, h * c->d + e);
        }
    }
    return o;
}

typedef struct {
    double worst, squares, fa3, all;
    int64_t n, loose;
} errors;

static void add_head(errors *t, const data_case *c, tensor got, tensor q, tensor k, tensor v, int b,
                     int h, way w, tensor_type A)
{
    int64_t n = (int64_t)c->Lq * c->d;
    double *exact = new_bytes((size_t)n * 8), *same = new_bytes((size_t)n * 8);
    double *fa3 = new_bytes((size_t)n * 8), *size = new_bytes((size_t)n * 8);
    way ways[] = {EXACT, w, FA3};
    double *to[] = {exact, same, fa3};
    for (int i = 0; i < 3; i++) {
        head one = head_of(c, q, k, v, b, h);
        attend(to[i], ways[i] == w ? size : NULL, &one, ways[i]);
        head_free(&one);
    }
    for (int64_t i = 0; i < n; i++) {
        double y = (double)at(got, b * c->Lq + i / c->d, h * c->d + i % c->d);
        /* weights in 16 bits, through which integers are made; sums of e4m3 lose 2^-9 on a GPU; F32
         * factors of logits up to 40 */
        double part = size[i] * (w == OURS_INT8_PV ? (A == F32 ? 1 : 4)
                                 : A == F32        ? 2e-5
                                 : w == OURS_FP8   ? 0x1p-8
                                                   : 2 * half_unit(A)) +
                      half_unit(A) * fabs(same[i]) + 1e-6;
        part = fabs(y - same[i]) / part;
        t->worst = fmax(t->worst, part);
        t->loose += !(part <= 1);
        t->squares += (y - exact[i]) * (y - exact[i]);
        t->fa3 += (fa3[i] - exact[i]) * (fa3[i] - exact[i]);
        t->all += exact[i] * exact[i];
        t->n++;
    }
    free(exact);
    free(same);
    free(fa3);
    free(size);
}

/* Of one head, given in F32 and rounded to A here. */
static errors one_head(const data_case *c, tensor q, tensor k, tensor v, attention_operands in,
                       way w, tensor_type A)
{
    attention_spec spec = {.batch = 1, .heads = 1, .scale = 1 / sqrtf((float)c->d), .in = in};
    tensor y = placed(new_host(F32, c->Lq, c->d), A, 8);
    errors t = {0};
    round_to(A, q);
    round_to(A, k);
    attention(y, placed(q, A, 8), placed(k, A, 16), placed(v, A, 24), &spec);
    add_head(&t, c, fetched(y), q, k, v, 0, 0, w, A);
    return t;
}

static const data_case CASES[] = {
    {"normal", 2, 2, 128, 300, 300, 1, 0, 0, {0.02f, 0.06f, 0.03f}},
    {"outliers, mean of K", 1, 2, 128, 200, 1100, 6, 3, 0, {0.04f, 0.08f, 0.04f}},
    {"mean of V", 1, 1, 128, 129, 1500, 1, 0, 1, {0.02f, 0.04f, 0.005f}},
    {"all of it", 2, 3, 128, 257, 353, 6, 3, 1, {0.04f, 0.06f, 0.005f}},
    {"a key", 3, 2, 128, 5, 1, 1, 0, 0, {0.001f, 0.05f, 0.02f}},
    {"a tile and one", 1, 1, 128, 65, 177, 1, 1, 0, {0.03f, 0.06f, 0.03f}},
    {"64 wide", 2, 2, 64, 190, 190, 6, 3, 1, {0.04f, 0.06f, 0.005f}},
    {"40 wide", 1, 2, 40, 33, 150, 1, 1, 1, {0.04f, 0.06f, 0.006f}},
    {"two tiles and one", 1, 2, 128, 65, 129, 1, 1, 0, {0.03f, 0.06f, 0.03f}},
};

static void run(tensor_type A, attention_operands in)
{
    static const char *const names[] = {"", "int8", "fp8", "int8-pv"};
    way w = in == ATTENTION_FP8 ? OURS_FP8 : in == ATTENTION_INT8 ? OURS_INT8 : OURS_INT8_PV;
    random_state = 1; /* the same data for all kinds and types */
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        const data_case *c = &CASES[i];
        int64_t width = c->heads * c->d, nq = c->batch * c->Lq, nk = c->batch * c->Lk;
        size_t mark = scratch_mark();
        float large = c->outliers;
        tensor q = normal_host(nq, width, large, 0, A), v = normal_host(nk, width, 1, c->v_mean, A);
        tensor k = normal_host(nk, width, large > 1 ? 1 / large : 1, c->k_mean, A);
        tensor y = placed(new_host(F32, nq, width), A, 8);
        attention_spec spec = {
            .batch = c->batch, .heads = c->heads, .scale = 1 / sqrtf((float)c->d), .in = in};
        attention(y, placed(q, A, 8), placed(k, A, 16), placed(v, A, 24), &spec);
        margins_untouched(y, 8, "attention");
        tensor got = fetched(y);
        errors t = {0};
        for (int one = 0; one < c->batch * c->heads; one++)
            add_head(&t, c, got, q, k, v, one / c->heads, one % c->heads, w, A);
        scratch_reset(mark);
        double error = sqrt(t.squares / t.all), fa3 = sqrt(t.fa3 / t.all);
        printf(
            "# %s, %s, %s: error %.4f, of FlashAttention-3's %.2f; from the same codes %.2f of the"
            " tolerance, %lld of %lld beyond\n",
            type_name(A), names[w], c->name, error, error / fa3, t.worst, (long long)t.loose,
            (long long)t.n);
        /* A weight in the middle of two of e4m3 may become either: a row, here and there. */
        int64_t few = in == ATTENTION_FP8 ? c->d + t.n / 200 : 0;
        few = in == ATTENTION_INT8_PV ? c->d : few;
        ck_assert_msg(t.loose <= few, "%s: %lld of %lld beyond", c->name, (long long)t.loose,
                      (long long)t.n);
        ck_assert_msg(error <= (double)c->bound[w - OURS_INT8], "%s: error %g", c->name, error);
        if (c->k_mean >= 3)
            ck_assert_msg(error <= 0.5 * fa3, "%s: error %g, FlashAttention-3's %g", c->name, error,
                          fa3);
    }
}

static const tensor_type FLOATS[] = {F32, F16, BF16};

START_TEST(logits_in_int8)
{
    for (int type = 0; type < 3; type++)
        if (operand_type(FLOATS[type]) == FLOATS[type])
            run(FLOATS[type], ATTENTION_INT8);
}
END_TEST

START_TEST(all_in_8_bits)
{
    for (int type = 0; type < 3; type++)
        if (operand_type(FLOATS[type]) == FLOATS[type])
            run(FLOATS[type], ATTENTION_FP8);
}
END_TEST

START_TEST(all_in_int8)
{
    for (int type = 0; type < 3; type++)
        if (operand_type(FLOATS[type]) == FLOATS[type])
            run(FLOATS[type], ATTENTION_INT8_PV);
}
END_TEST

/* Tops that a few tiles promise are not those of two others, of which one has logits greater by 0 to 200
** powers of two, and the next by 0 to 400: so sums so far are halved, up to more often than they have
** bits, and weights are infinite before that. */
START_TEST(tops_rise)
{
    static const data_case c = {.batch = 1, .heads = 1, .d = 128, .Lq = 300, .Lk = 1100};
    for (int type = 0; type < 3; type++) {
        tensor_type A = FLOATS[type];
        if (operand_type(A) != A)
            continue;
        size_t mark = scratch_mark();
        tensor q = normal_host(c.Lq, c.d, 1, 0, A), k = normal_host(c.Lk, c.d, 1, 0, A);
        tensor v = normal_host(c.Lk, c.d, 1, 0, A);
        float *key = k.data;
        for (int j = 0; j < c.Lk; j++)
            for (int e = 0; e < c.d; e++)
                key[j * c.d + e] = j % 64 == 7 && (j / 64 == 6 || j / 64 == 10)
                                       ? (float)(j / 64 == 6 ? 2 : 4) * (e % 3 == 0 ? 1 : -1)
                                       : key[j * c.d + e] * 0.25f;
        for (int i = 0; i < c.Lq; i++)
            for (int e = 0; e < c.d; e++)
                ((float *)q.data)[i * c.d + e] = (e % 3 == 0 ? 100.0f : -100.0f) * (float)i /
                                                 (float)c.Lq / 1.442695f / sqrtf((float)c.d);
        errors t = one_head(&c, q, k, v, ATTENTION_INT8_PV, OURS_INT8_PV, A);
        scratch_reset(mark);
        ck_assert_msg(t.loose <= c.d, "%s: %lld of %lld beyond, %g of the tolerance at most",
                      type_name(A), (long long)t.loose, (long long)t.n, t.worst);
    }
}
END_TEST

/* A key of a query's own, whose logit is far above all others, leaves these as fine a unit as they have
** without it. */
START_TEST(own_key)
{
    static const data_case c = {.batch = 1, .heads = 1, .d = 128, .Lq = 96, .Lk = 96 * 44};
    for (int type = 0; type < 3; type++) {
        tensor_type A = FLOATS[type];
        if (operand_type(A) != A)
            continue;
        for (int logit = 6; logit <= 12; logit += 3) {
            size_t mark = scratch_mark();
            tensor q = normal_host(c.Lq, c.d, 1, 0, A), k = normal_host(c.Lk, c.d, 1, 0, A);
            tensor v = normal_host(c.Lk, c.d, 1, 0, A);
            give_own(q, k, (float)logit);
            errors t = one_head(&c, q, k, v, ATTENTION_INT8_PV, OURS_INT8_PV, A);
            scratch_reset(mark);
            double error = sqrt(t.squares / t.all);
            printf("# %s, a key whose logit is %d: error %.4f\n", type_name(A), logit, error);
            ck_assert_msg(t.loose <= c.d, "%s, %d: %lld beyond, %g of the tolerance", type_name(A),
                          logit, (long long)t.loose, t.worst);
            ck_assert_msg(error <= 0.04, "%s, %d: error %g", type_name(A), logit, error);
        }
    }
}
END_TEST

/* From the first tile of keys to the second logits grow by 0 to 6 powers of two, by 1 / 37 from query to
** query: so the second tile's weights have every code up to the largest, and more than that. */
START_TEST(every_code)
{
    static const data_case c = {.batch = 1, .heads = 1, .d = 128, .Lq = 222, .Lk = 256};
    for (int type = 0; type < 3; type++) {
        tensor_type A = FLOATS[type];
        if (operand_type(A) != A)
            continue;
        size_t mark = scratch_mark();
        tensor q = normal_host(c.Lq, c.d, 1, 0, A), k = normal_host(c.Lk, c.d, 1, 0, A);
        tensor v = normal_host(c.Lk, c.d, 1, 0, A);
        float *first = k.data, size = 0;
        for (int e = 0; e < c.d; e++)
            size += first[e] * first[e];
        for (int j = 1; j < c.Lk; j++)
            for (int e = 0; e < c.d; e++)
                first[j * c.d + e] = j < ATTENTION_FP8_KEYS ? first[e] : -first[e];
        for (int i = 0; i < c.Lq; i++)
            for (int e = 0; e < c.d; e++)
                ((float *)q.data)[i * c.d + e] =
                    -first[e] * (float)i / 37 * 0.5f / 1.442695f / size * sqrtf((float)c.d);
        errors t = one_head(&c, q, k, v, ATTENTION_FP8, OURS_FP8, A);
        scratch_reset(mark);
        ck_assert_msg(t.loose <= 2 * c.d, "%s: %lld of %lld beyond, %g of the tolerance at most",
                      type_name(A), (long long)t.loose, (long long)t.n, t.worst);
    }
}
END_TEST

/* What is not finite is seen in the result, and in that of its head alone, though codes have no
** infinity; in rows that are in the mean's sample, and in one that is not. */
START_TEST(not_finite)
{
    enum { HEADS = 2, WIDE = 128, N = 1500, WIDTH = HEADS * WIDE };
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    static const int rows[] = {0, 700, N - 1};
    for (int i = 0; i < 3 * 3 * 3 * 3 * 3; i++) {
        static const attention_operands kinds[] = {ATTENTION_INT8, ATTENTION_FP8,
                                                   ATTENTION_INT8_PV};
        attention_operands in = kinds[i % 3];
        int which = i / 3 % 3, row = rows[i / 9 % 3]; /* of q, k, v */
        float it = bad[i / 27 % 3];
        tensor_type type = FLOATS[i / 81];
        if (operand_type(type) != type)
            continue;
        size_t mark = scratch_mark();
        tensor x[3], y = placed(new_host(F32, 2, WIDTH), type, 8);
        for (int k = 0; k < 3; k++)
            x[k] = normal_host(k ? N : 2, WIDTH, 1, 0, type);
        row = which ? row : row % 2;
        ((float *)x[which].data)[row * WIDTH + 5] = it;
        attention_spec spec = {.batch = 1, .heads = HEADS, .scale = 0.1f, .in = in};
        attention(y, placed(x[0], type, 8), placed(x[1], type, 8), placed(x[2], type, 8), &spec);
        tensor got = fetched(y);
        for (int r = 0; r < 2; r++) {
            ck_assert_msg(isfinite(at(got, r, WIDTH - 1)), "%d: another head", i);
            if (which || r == row)
                ck_assert_msg(!isfinite(at(got, r, 5)), "%d: %g is %g", i, (double)it,
                              (double)at(got, r, 5));
        }
        scratch_reset(mark);
    }
}
END_TEST

TESTS(device_open, 300, logits_in_int8, all_in_8_bits, all_in_int8, tops_rise, own_key, every_code,
      not_finite)
