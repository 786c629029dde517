/*
** lanes.c: kernels for GPUs, run lane by lane on the processor (emulated/cuda.h), against F64: also where
** there is no GPU a change of their arithmetic, their tiles or their barriers is seen.
*/
#include "attention8.h"
#include "emulated/attention.h"
#include "suite.h"

enum { WIDE = 128, HOPPER = 227 << 10, SMALL = 99 << 10 }; /* shared memory of a block */

static uint16_t *halves(tensor t)
{
    int64_t n = tensor_count(t);
    uint16_t *y = new_bytes((size_t)n * sizeof *y);
    for (int64_t i = 0; i < n; i++)
        y[i] = f16_of_f32(((float *)t.data)[i]);
    return y;
}

/* Attention in codes of one head of F16 values: F16 [Lq, 128]. */
static uint16_t *in_8_bits(tensor q, tensor k, tensor v, attention_operands in, size_t shared_bytes,
                           bool late)
{
    int Lq = (int)tensor_rows(q), Lk = (int)tensor_rows(k);
    uint16_t *x[] = {halves(q), halves(k), halves(v)}, *y = calloc((size_t)(Lq * WIDE), sizeof *y);
    emulated_attention_8bit(y, x[0], x[1], x[2], Lq, Lk, in, shared_bytes, late);
    for (int t = 0; t < 3; t++)
        free(x[t]);
    return y;
}

/* int8-pv: at most four times what one weight that is rounded to its neighbour comes to, as integers pass
** through F16. int8: at most what weights in F16 lose. */
static void compare_head(const char *name, tensor q, tensor k, tensor v, attention_operands in,
                         size_t shared_bytes, bool late)
{
    bool all = in == ATTENTION_INT8_PV;
    head o = whole_head(q, k, v);
    int n = o.Lq * WIDE, loose = 0;
    double *right = new_bytes((size_t)n * sizeof *right), worst = 0;
    double *size = new_bytes((size_t)n * sizeof *size);
    uint16_t *y = in_8_bits(q, k, v, in, shared_bytes, late);
    attend(right, size, &o, all ? OURS_INT8_PV : OURS_INT8);
    for (int i = 0; i < n; i++) {
        double off = fabs((double)f32_of_f16(y[i]) - right[i]);
        off /= (all ? 4 : 0x1p-10) * size[i] + 0x1p-11 * fabs(right[i]) + 1e-6;
        worst = fmax(worst, off);
        loose += !(off <= 1);
    }
    printf("# %s, %s, %d queries, %d keys, %zu bytes: %.2f of the tolerance, %d beyond\n", name,
           all ? "int8-pv" : "int8", o.Lq, o.Lk, shared_bytes, worst, loose);
    ck_assert_msg(loose == 0, "%s, %d keys: %d beyond", name, o.Lk, loose);
    free(right);
    free(size);
    free(y);
    head_free(&o);
}

static tensor normals(int64_t L, float deviation, float mean)
{
    tensor t = normal_host(L, WIDE, 1, mean, F16);
    for (int64_t i = 0; i < L * WIDE; i++)
        ((float *)t.data)[i] *= deviation;
    round_to(F16, t);
    return t;
}

/* Part of a tile, of a block and of what is in turn; logits of all deviations; a key far above others. */
START_TEST(attention_in_8_bits)
{
    static const struct {
        int Lq, Lk;
        float deviation, own;
    } cases[] = {{3, 1, 1, 0},     {40, 63, 1, 0},  {130, 64, 2, 0}, {65, 65, 3, 0},
                 {200, 129, 1, 0}, {70, 700, 2, 0}, {33, 4224, 1, 9}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int small = 0; small < 2; small++) {
            random_state = 1;
            tensor q = normals(cases[i].Lq, cases[i].deviation, 0);
            tensor k = normals(cases[i].Lk, 1, 0.5f), v = normals(cases[i].Lk, 1, 0.5f);
            if (cases[i].own > 0)
                give_own(q, k, cases[i].own);
            round_to(F16, k);
            compare_head("normal", q, k, v, ATTENTION_INT8_PV, small ? SMALL : HOPPER,
                         (i + (size_t)small) % 2);
            if (cases[i].Lk < 1000)
                compare_head("normal", q, k, v, ATTENTION_INT8, small ? SMALL : HOPPER,
                             (i + (size_t)small) % 2);
            free(q.data);
            free(k.data);
            free(v.data);
        }
}
END_TEST

/* As attention8.c's: logits that no tile promised are greater by 0 to 400 powers of two. */
START_TEST(tops_rise)
{
    tensor q = normals(90, 1, 0), k = normals(750, 0.25f, 0), v = normals(750, 1, 0);
    for (int e = 0; e < WIDE; e++) {
        float sign = e % 3 == 0 ? 1 : -1;
        ((float *)k.data)[(6 * 64 + 7) * WIDE + e] = 2 * sign;
        ((float *)k.data)[(10 * 64 + 7) * WIDE + e] = 4 * sign;
        for (int i = 0; i < 90; i++)
            ((float *)q.data)[i * WIDE + e] = sign * 100 * (float)i / 90 / 1.442695f / sqrtf(WIDE);
    }
    round_to(F16, q);
    compare_head("tops rise", q, k, v, ATTENTION_INT8_PV, HOPPER, true);
    free(q.data);
    free(k.data);
    free(v.data);
}
END_TEST

/* What is not finite, in a row that is in the means' sample and in one that is not, is seen in the result. */
START_TEST(not_finite)
{
    enum { KEYS = ATTENTION_SAMPLE + 6 };
    for (int i = 0; i < 2 * 3 * 2; i++) {
        attention_operands in = i % 2 ? ATTENTION_INT8 : ATTENTION_INT8_PV;
        int which = i / 2 % 3, row = i < 6 || !which ? 0 : KEYS - 1;
        tensor x[] = {normals(2, 1, 0), normals(KEYS, 1, 0), normals(KEYS, 1, 0)};
        ((float *)x[which].data)[row * WIDE + 5] = i < 6 ? INFINITY : NAN;
        uint16_t *y = in_8_bits(x[0], x[1], x[2], in, HOPPER, false);
        ck_assert_msg(!isfinite(f32_of_f16(y[5])), "%d: %g", i, (double)f32_of_f16(y[5]));
        free(y);
        for (int t = 0; t < 3; t++)
            free(x[t].data);
    }
}
END_TEST

/* Row i of head h in F64: y [d] and the sums of the magnitudes of its terms. */
static void exact_row(double *y, double *size, const tensor x[3], int heads, int h, int i,
                      const float *bias, bool causal)
{
    int Lq = (int)tensor_rows(x[0]), Lk = (int)tensor_rows(x[1]);
    int64_t width = tensor_width(x[0]), d = width / heads;
    const float *q = (float *)x[0].data + i * width + h * d, *k = (float *)x[1].data + h * d;
    double *p = new_bytes((size_t)Lk * sizeof *p), most = -INFINITY, sum = 0;
    for (int j = 0; j < Lk; j++) {
        p[j] = 0;
        for (int64_t e = 0; e < d; e++)
            p[j] += (double)q[e] * (double)k[j * width + e] / sqrt((double)d);
        p[j] += bias ? (double)bias[h * (Lq + Lk - 1) + j - i + Lq - 1] : 0;
        p[j] = causal && j > i ? -INFINITY : p[j];
        most = fmax(most, p[j]);
    }
    for (int j = 0; j < Lk; j++)
        sum += p[j] = exp(p[j] - most);
    for (int64_t e = 0; e < d; e++) {
        y[e] = size[e] = 0;
        for (int j = 0; j < Lk; j++) {
            double term = p[j] / sum * (double)((float *)x[2].data)[j * width + h * d + e];
            y[e] += term;
            size[e] += fabs(term);
        }
    }
    free(p);
}

/* Both widths, all tiles (of 64 keys twice, once and of 32), with bias, causal; logits that grow. */
START_TEST(attention_mma)
{
    static const struct {
        int Lq, Lk, d;
        bool bias, causal;
        float deviation, grow;
    } cases[] = {
        {5, 1, 128, false, false, 1, 0},   {130, 65, 128, false, false, 2, 0},
        {40, 200, 64, false, false, 1, 0}, {33, 300, 128, false, false, 1, 30},
        {70, 70, 64, true, false, 1, 0},   {100, 100, 128, false, true, 1, 0},
        {129, 129, 64, true, true, 1, 0},
    };
    static const size_t memory[] = {HOPPER, 163 << 10, SMALL};
    enum { HEADS = 2 };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        for (int m = 0; m < 3; m++) {
            int Lq = cases[c].Lq, Lk = cases[c].Lk, d = cases[c].d, loose = 0;
            int64_t width = HEADS * d;
            random_state = 1;
            tensor x[] = {normal_host(Lq, width, 1, 0, F16), normal_host(Lk, width, 1, 0.5f, F16),
                          normal_host(Lk, width, 1, 0.5f, F16)};
            for (int64_t i = 0; i < Lq * width; i++)
                ((float *)x[0].data)[i] *= cases[c].deviation;
            for (int64_t i = 0; cases[c].grow > 0 && i < Lk * width; i++)
                ((float *)x[1].data)[i] *= 1 + cases[c].grow * (float)(i / width) / (float)Lk;
            round_to(F16, x[1]);
            float *bias = new_bytes((size_t)(HEADS * (Lq + Lk)) * sizeof *bias);
            for (int i = 0; i < HEADS * (Lq + Lk); i++)
                bias[i] = normal();
            uint16_t *q = halves(x[0]), *k = halves(x[1]), *v = halves(x[2]);
            uint16_t *y = calloc((size_t)(Lq * width), sizeof *y);
            emulated_attention_mma(y, q, k, v, Lq, Lk, HEADS, d, cases[c].bias ? bias : NULL,
                                   cases[c].causal, memory[m], (c + (size_t)m) % 2);
            double right[128], size[128], worst = 0;
            for (int i = 0; i < Lq * HEADS; i++) {
                exact_row(right, size, x, HEADS, i % HEADS, i / HEADS, cases[c].bias ? bias : NULL,
                          cases[c].causal);
                for (int e = 0; e < d; e++) {
                    double off = fabs((double)f32_of_f16(y[(int64_t)i * d + e]) - right[e]);
                    off /= 0x1p-10 * size[e] + 0x1p-11 * fabs(right[e]) + 1e-6;
                    worst = fmax(worst, off);
                    loose += !(off <= 1);
                }
            }
            printf("# fp16, %d wide, %d queries, %d keys%s%s, %zu bytes: %.2f of the tolerance\n",
                   d, Lq, Lk, cases[c].bias ? ", bias" : "", cases[c].causal ? ", causal" : "",
                   memory[m], worst);
            ck_assert_msg(loose == 0, "case %zu, %d beyond", c, loose);
            for (int t = 0; t < 3; t++)
                free(x[t].data);
            free(bias);
            free(q);
            free(k);
            free(v);
            free(y);
        }
}
END_TEST

TESTS(NULL, 300, attention_in_8_bits, tops_rise, not_finite, attention_mma)
