/*
** attention.c: softmax(q k^T * scale + bias) v in all its ways, against plain F64 loops (compare.h says
** how).
*/
#include "compare.h"
#include "suite.h"

static const tensor_type FLOATS[] = {F32, F16, BF16};

typedef struct {
    int batch, heads, d, Lq, Lk;
    float last_key_count, size;
    bool bias, causal;
    bool rising; /* k grows from 1 to 32 times its size, and the greatest logit with it */
} attention_case;

static void raise_rows(tensor k)
{
    int64_t rows = tensor_rows(k), width = tensor_width(k);
    for (int64_t j = 0; j < rows; j++)
        for (int64_t e = 0; e < width; e++)
            ((float *)k.data)[j * width + e] *= (float)(1 << j * 6 / rows);
}

static void compare_attention(tally *t, tensor y, tensor q, tensor k, tensor v, tensor bias,
                              const attention_case *c, float scale, tensor_type A)
{
    tensor got = fetched(y);
    double *p = new_bytes((size_t)c->Lk * sizeof *p);
    for (int row = 0; row < c->batch * c->heads * c->Lq; row++) {
        int i = row % c->Lq, h = row / c->Lq % c->heads, b = row / c->Lq / c->heads;
        int seen = c->causal && i + 1 < c->Lk ? i + 1 : c->Lk;
        double top = -INFINITY, sum = 0, largest = 0;
        for (int j = 0; j < seen; j++) {
            double s = 0, size = 0;
            for (int e = 0; e < c->d; e++) {
                double term = (double)at(q, b * c->Lq + i, h * c->d + e) *
                              (double)at(k, b * c->Lk + j, h * c->d + e) * (double)scale;
                s += term;
                size += fabs(term);
            }
            s += bias.data ? (double)at(bias, h, j - i + c->Lq - 1) : 0;
            s += c->last_key_count > 1 && j + 1 == c->Lk ? log((double)c->last_key_count) : 0;
            p[j] = s;
            top = fmax(top, s);
            largest = fmax(largest, size + fabs(s));
        }
        for (int j = 0; j < seen; j++)
            sum += p[j] = exp(p[j] - top);
        for (int e = 0; e < c->d; e++) {
            double want = 0, size = 0;
            for (int j = 0; j < seen; j++) {
                double term = p[j] / sum * (double)at(v, b * c->Lk + j, h * c->d + e);
                want += term;
                size += fabs(term);
            }
            /* A logit wrong by e makes its weight wrong by the factor 1 + e: logits are sums of d
             * terms; weights may be rounded to A before they meet v. */
            double weights =
                (sqrt(c->d) + 8) * largest / 2 + (A == F32 ? 0 : half_unit(A) * 0x1p24);
            compare(t, at(got, b * c->Lq + i, h * c->d + e), want, size * (1 + weights / 8),
                    (double)seen, A);
        }
    }
    free(p);
    free(got.data);
}

START_TEST(attention_is_softmax)
{
    static const attention_case cases[] = {
        {.batch = 2, .heads = 3, .d = 64, .Lq = 150, .Lk = 150, .size = 1},
        {.batch = 1, .heads = 2, .d = 128, .Lq = 33, .Lk = 1100, .size = 2},
        {.batch = 2, .heads = 2, .d = 64, .Lq = 70, .Lk = 21, .size = 1, .last_key_count = 492},
        {.batch = 1, .heads = 4, .d = 64, .Lq = 77, .Lk = 77, .size = 1, .causal = true},
        {.batch = 1, .heads = 1, .d = 128, .Lq = 700, .Lk = 700, .size = 1, .causal = true},
        {.batch = 1, .heads = 5, .d = 64, .Lq = 90, .Lk = 90, .size = 1, .bias = true},
        {.batch = 3, .heads = 2, .d = 64, .Lq = 1, .Lk = 1, .size = 1},
        {.batch = 2, .heads = 1, .d = 128, .Lq = 1, .Lk = 600, .size = 6},
        {.batch = 1, .heads = 1, .d = 384, .Lq = 140, .Lk = 140, .size = 1},
        {.batch = 2, .heads = 3, .d = 128, .Lq = 333, .Lk = 177, .size = 2, .last_key_count = 99},
        {.batch = 2, .heads = 2, .d = 128, .Lq = 257, .Lk = 64, .size = 1, .last_key_count = 449},
        {.batch = 2, .heads = 3, .d = 128, .Lq = 1000, .Lk = 128, .size = 1, .last_key_count = 9},
        {.batch = 5, .heads = 11, .d = 128, .Lq = 63, .Lk = 65, .size = 2},
        {.batch = 7, .heads = 61, .d = 128, .Lq = 3, .Lk = 2, .size = 1, .last_key_count = 511},
        {.batch = 1, .heads = 2, .d = 128, .Lq = 129, .Lk = 353, .size = 1, .bias = true},
        {.batch = 3, .heads = 2, .d = 64, .Lq = 65, .Lk = 130, .size = 1, .bias = true},
        {.batch = 3, .heads = 2, .d = 64, .Lq = 66, .Lk = 66, .size = 1, .causal = true},
        {.batch = 2, .heads = 2, .d = 384, .Lq = 70, .Lk = 191, .size = 1},
        {.batch = 1, .heads = 1, .d = 384, .Lq = 70, .Lk = 1531, .size = 2},
        {.batch = 1, .heads = 1, .d = 200, .Lq = 130, .Lk = 1024, .size = 2, .rising = true},
        {.batch = 1, .heads = 3, .d = 40, .Lq = 65, .Lk = 129, .size = 1},
        {.batch = 1, .heads = 1, .d = 512, .Lq = 9, .Lk = 70, .size = 1},
        {.batch = 2,
         .heads = 3,
         .d = 10,
         .Lq = 131,
         .Lk = 530,
         .size = 3,
         .bias = true,
         .last_key_count = 7},
        {.batch = 1, .heads = 2, .d = 128, .Lq = 140, .Lk = 1100, .size = 2, .rising = true},
        {.batch = 1, .heads = 2, .d = 64, .Lq = 66, .Lk = 700, .size = 2, .rising = true},
        {.batch = 1, .heads = 1, .d = 384, .Lq = 66, .Lk = 700, .size = 2, .rising = true},
        {.batch = 1, .heads = 2, .d = 5, .Lq = 20, .Lk = 9, .size = 1, .causal = true},
    };
    for (int type = 0; type < 3; type++) {
        tensor_type A = operand_type(FLOATS[type]);
        tally t = {.name = type_name(A)};
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            const attention_case *c = &cases[i];
            int64_t width = c->heads * c->d, nq = c->batch * c->Lq, nk = c->batch * c->Lk;
            if (A != F32 && c->d % 8)
                continue;
            size_t mark = scratch_mark();
            float scale = 1 / sqrtf((float)c->d);
            tensor q = random_host(nq, width, c->size, A), k = random_host(nk, width, 2, A);
            tensor v = random_host(nk, width, 1, A), bias = {0};
            if (c->rising)
                raise_rows(k);
            attention_spec spec = {.batch = c->batch,
                                   .heads = c->heads,
                                   .scale = scale,
                                   .causal = c->causal,
                                   .last_key_count = c->last_key_count};
            if (c->bias) {
                bias = random_host(c->heads, c->Lq + c->Lk - 1, 4, F32);
                spec.bias = upload(bias, F32);
            }
            tensor y = placed(new_host(F32, nq, width), A, 8);
            attention(y, placed(q, A, 8), placed(k, A, 16), placed(v, A, 24), &spec);
            compare_attention(&t, y, q, k, v, bias, c, scale, A);
            margins_untouched(y, 8, "attention");
            scratch_reset(mark);
        }
        report(&t);
    }
}
END_TEST

TESTS(device_open, 120, attention_is_softmax)
