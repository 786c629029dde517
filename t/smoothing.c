/*
** smoothing.c: statistics of inputs as they are read and added up, and what AWQ's scales are folded
** into: the function of the model stays what it was.
*/
#include <unistd.h>

#include "../bin/wan-quantize/survey.h"
#include "../common/checkpoint/layout.h"
#include "compare.h"
#include "suite.h"

static double *new_doubles(int64_t n)
{
    double *p = remembered(new_bytes((size_t)n * sizeof *p + 1));
    memset(p, 0, (size_t)n * sizeof *p);
    return p;
}

/* ---- statistics ---- */

/* Two bins in a file, one in another: 1, 2 and 3 times the same. */
static void write_bin(FILE *file, int64_t times)
{
    document d = {0};
    writer out;
    double gram[] = {4, 2, 2, 9}, squares[] = {4, 9};
    int64_t count = 10 * times;
    float most[] = {2, 3};
    for (int i = 0; i < 4; i++)
        gram[i] *= (double)times;
    squares[0] *= (double)times;
    squares[1] *= (double)times;
    document_add(&d, "blocks.0.ffn.0.squares", tensor_of(squares, F64, 2));
    document_add(&d, "blocks.0.ffn.0.gram", tensor_of(gram, F64, 2, 2));
    document_add(&d, "blocks.0.ffn.0.count", tensor_of(&count, I64, 1));
    document_add(&d, "blocks.0.ffn.0.absmax", tensor_of(most, F32, 2));
    metadata_set(&d, "stat",
                 times == 2 ? "{\"weights\": \"w\", \"prompts\": [\"b\", \"a\"]}"
                            : "{\"weights\": \"w\", \"prompts\": [\"c\", \"a\"]}");
    writer_open(&out, file, "test");
    writer_header(&out, &d);
    for (int i = 0; i < d.entries; i++)
        writer_tensor(&out, d.entry[i].t);
    writer_end(&out);
    document_free(&d);
}

START_TEST(bins_are_added_up)
{
    char path[2][64];
    for (int i = 0; i < 2; i++) {
        snprintf(path[i], sizeof path[i], "/tmp/smoothing-%d-%d", (int)getpid(), i);
        FILE *file = fopen(path[i], "wb");
        ck_assert_ptr_nonnull(file);
        write_bin(file, i ? 3 : 1);
        if (i == 0)
            write_bin(file, 2);
        fclose(file);
    }
    option_list files = {2, (const char *[]){path[0], path[1]}};
    calibration *c = calibration_open(&files);
    moments m = calibration_of(c, "blocks.0.ffn.0", 2, true);
    ck_assert(m.count == 60 && m.squares[0] == 24 && m.squares[1] == 54);
    ck_assert(m.gram[0] == 24 && m.gram[1] == 12 && m.gram[2] == 12 && m.gram[3] == 54);
    const float s[] = {2, 3};
    moments_divide(&m, s);
    ck_assert(m.squares[1] == 6 && m.gram[0] == 6 && m.gram[1] == 2 && m.gram[3] == 6);
    const name_list *prompts = calibration_prompts(c);
    ck_assert(prompts->n == 3 && !strcmp(prompts->name[2], "c"));
    ck_assert(!calibration_has(c, "blocks.0.ffn.2"));
    moments_free(&m);
    calibration_close(c);
    unlink(path[0]);
    unlink(path[1]);
}
END_TEST

/* ---- smoothing ---- */

/* Statistics of every linear in a model's blocks, channels of very different sizes. */
static void write_statistics(const char *path, weights *w)
{
    document d = {0};
    writer out;
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    for (int i = 0; i < weights_count(w); i++) {
        tensor t = weights_shape(w, i);
        const char *name = weights_name(w, i), *end = strstr(name, ".weight");
        if (strncmp(name, "blocks.", 7) != 0 || t.rank != 2 || !end)
            continue;
        double *squares = new_doubles(t.dim[1]);
        int64_t *count = remembered(new_bytes(sizeof *count));
        *count = 10;
        for (int64_t k = 0; k < t.dim[1]; k++)
            squares[k] = exp(4 * (double)random_float(1));
        char text[128];
        snprintf(text, sizeof text, "%.*s.squares", (int)(end - name), name);
        document_add(&d, text, tensor_of(squares, F64, t.dim[1]));
        snprintf(text, sizeof text, "%.*s.count", (int)(end - name), name);
        document_add(&d, text, tensor_of(count, I64, 1));
    }
    metadata_set(&d, "stat", "{\"weights\": \"w\"}");
    writer_open(&out, file, "test");
    writer_header(&out, &d);
    for (int i = 0; i < d.entries; i++)
        writer_tensor(&out, d.entry[i].t);
    writer_end(&out);
    document_free(&d);
    fclose(file);
}

static plan *plan_named(plan *p, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(p[i].name, name) == 0)
            return p + i;
    ck_abort_msg("%s is not there", name);
}

/* What a tensor becomes before it is coded, and what it was. */
typedef struct {
    float *now, *before;
} both;

static both both_of(plan *p, int n, const char *name)
{
    plan *t = plan_named(p, n, name), as_it_was = *t;
    as_it_was.rows_by = as_it_was.columns_by = NULL;
    return (both){remembered(plan_floats(t)), remembered(plan_floats(&as_it_was))};
}

/* Each product of an element of `after`'s k-th column with one of before's k-th row, or with its
 * bias, is what it was: so is all that goes through both. Of every seventh row. */
static void check_fold(plan *p, int n, const char *after, const char *before, const char *bias)
{
    plan *to = plan_named(p, n, after), *from = plan_named(p, n, before);
    both a = both_of(p, n, after), b = both_of(p, n, before), c = both_of(p, n, bias);
    int64_t in = plan_width(to), out = plan_rows_of(to), wide = plan_width(from);
    int changed = 0;
    for (int64_t k = 0; k < in; k++) {
        changed += b.now[k * wide] != b.before[k * wide];
        for (int64_t o = 0; o < out; o += 7) {
            float x = a.before[o * in + k], y = a.now[o * in + k];
            for (int64_t i = 0; i < wide; i++) {
                float was = x * b.before[k * wide + i], is = y * b.now[k * wide + i];
                ck_assert_msg(fabsf(is - was) <= 1e-6f * fabsf(was), "%s: %g, not %g", after,
                              (double)is, (double)was);
            }
            ck_assert(fabsf(y * c.now[k] - x * c.before[k]) <= 1e-6f * fabsf(x * c.before[k]));
        }
    }
    ck_assert_msg(changed > in / 2, "%s is as it was", before);
}

/* The layer's scales are s_k = r_k^alpha / sqrt(least * greatest of these), r_k the root mean square of
 * channel k beside the greatest; returns alpha in twentieths, of which it is a whole number. */
static double power_of_scales(calibration *c, plan *p, int n, const char *layer)
{
    char name[128];
    snprintf(name, sizeof name, "%s.weight", layer);
    plan *t = plan_named(p, n, name);
    int64_t in = plan_width(t), low = 0, high = 0;
    moments m = calibration_of(c, layer, in, true);
    const float *s = t->columns_by;
    ck_assert_ptr_nonnull(s);
    for (int64_t k = 0; k < in; k++) {
        low = m.squares[k] < m.squares[low] ? k : low;
        high = m.squares[k] > m.squares[high] ? k : high;
    }
    double alpha =
        log((double)s[high] / (double)s[low]) / (log(m.squares[high] / m.squares[low]) / 2);
    for (int64_t k = 0; k < in; k++) {
        double wanted = alpha * log(m.squares[k] / m.squares[high]) / 2;
        ck_assert(fabs(log((double)s[k] / (double)s[high]) - wanted) < 1e-5);
    }
    ck_assert(fabs((double)s[low] * (double)s[high] - 1) < 1e-5);
    ck_assert_msg(fabs(20 * alpha - round(20 * alpha)) < 1e-4, "%s: %g twentieths", layer,
                  20 * alpha);
    moments_free(&m);
    return round(20 * alpha);
}

START_TEST(smoothing_keeps_the_function)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/smoothing-%d-smooth", (int)getpid());
    weights *w = model_find_any(SOURCEDIR "/fixtures/random");
    write_statistics(path, w);
    option_list files = {1, (const char *[]){path}}, none = {0};
    target to = {.to = TENSOR_TYPES,
                 .codes = {rule_named("int4-g128"), LAYERS_BLOCKS, &none},
                 .method = {.awq = true, .inputs = calibration_open(&files)}};
    quiet_set(true);
    plan *p = plan_model(w, &to);
    survey_model(w, p, &to);
    int n = weights_count(w);
    check_fold(p, n, "blocks.1.cross_attn.q.weight", "blocks.1.norm3.weight",
               "blocks.1.norm3.bias");
    check_fold(p, n, "blocks.1.self_attn.o.weight", "blocks.1.self_attn.v.weight",
               "blocks.1.self_attn.v.bias");
    check_fold(p, n, "blocks.0.cross_attn.o.weight", "blocks.0.cross_attn.v.weight",
               "blocks.0.cross_attn.v.bias");
    double powers = power_of_scales(to.method.inputs, p, n, "blocks.1.cross_attn.q") +
                    power_of_scales(to.method.inputs, p, n, "blocks.1.self_attn.o") +
                    power_of_scales(to.method.inputs, p, n, "blocks.0.cross_attn.o");
    ck_assert_msg(powers > 0, "nothing is smoothed");
    ck_assert_ptr_null(plan_named(p, n, "blocks.0.ffn.2.weight")->columns_by);
    ck_assert_ptr_null(plan_named(p, n, "blocks.0.ffn.0.weight")->columns_by);
    plan_free(p, n);
    calibration_close(to.method.inputs);
    weights_close(w);
    unlink(path);
}
END_TEST

TESTS(NULL, 300, bins_are_added_up, smoothing_keeps_the_function)
