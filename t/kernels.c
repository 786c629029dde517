/*
** kernels.c: memory, products, and the refusal of what does not fit, against plain F64
** loops (compare.h says how).
*/
#include <sys/wait.h>
#include <unistd.h>

#include "compare.h"
#include "suite.h"

static const tensor_type FLOATS[] = {F32, F16, BF16};

/* ---- memory ---- */

START_TEST(scratch_is_a_stack)
{
    size_t start = scratch_mark(), before = device_peak_bytes();
    tensor low = upload(random_host(3, 8, 1, F32), F32);
    tensor kept = scratch(F32, 3, 8);
    copy(kept, low);
    size_t mark = scratch_mark();
    tensor first = scratch(F16, 5, 8), second = scratch(F32, 1000, 1000);
    ck_assert_uint_eq((uintptr_t)first.data % 64, 0);
    ck_assert_uint_eq((uintptr_t)second.data % 64, 0);
    tensor large = scratch(F32, 50, 1000, 1000); /* 200 MB: more than a chunk */
    zero(rows(large, 49999, 1));
    scratch_reset(mark);
    ck_assert_uint_eq(scratch_mark(), mark);
    ck_assert_ptr_eq(scratch(F16, 5, 8).data, first.data);
    ck_assert_uint_ge(device_peak_bytes(), before + 204000000);
    ck_assert_uint_lt(device_peak_bytes(), before + 300000000);
    scratch_reset(mark);
    tensor a = fetched(low), b = fetched(kept);
    ck_assert_mem_eq(a.data, b.data, tensor_bytes(a));
    scratch_reset(start);
    ck_assert_uint_eq(scratch_mark(), start);
}
END_TEST

static void copy_case(tensor_type from, tensor_type to, int64_t width, int64_t pad)
{
    size_t mark = scratch_mark();
    tensor host = random_host(7, width, 100, from);
    tensor x = placed(host, from, pad), y = placed(host, to, 2 * pad);
    zero(y);
    copy(y, x);
    margins_untouched(y, 2 * pad, "copy");
    tensor got = fetched(y), want = new_host(F32, 7, width), small = new_host(to, 7, width);
    host_convert(small, host);
    host_convert(want, small);
    ck_assert_mem_eq(got.data, want.data, tensor_bytes(want));
    zero(y);
    free(got.data);
    got = fetched(y);
    for (int i = 0; i < 7 * width; i++)
        ck_assert(at(got, 0, i) == 0);
    margins_untouched(y, 2 * pad, "zero");
    scratch_reset(mark);
}

START_TEST(copy_converts_and_strides)
{
    for (int from = 0; from < 3; from++)
        for (int to = 0; to < 3; to++) {
            copy_case(FLOATS[from], FLOATS[to], 40, 8);
            copy_case(FLOATS[from], FLOATS[to], 40, 0);
            copy_case(FLOATS[from], FLOATS[to], 13, 3);
            copy_case(FLOATS[from], FLOATS[to], 13, 0);
        }
}
END_TEST

/* n values that F16 can hold, as they would be kept in a file. */
static tensor kept_values(tensor_type type, int64_t n)
{
    tensor host = new_host(type, 1, n), values = random_host(1, n, type == U8 ? 127 : 60000, F32);
    const float *v = values.data;
    for (int64_t i = 0; type == I32 && i < n; i++)
        ((int32_t *)host.data)[i] = (int32_t)v[i];
    for (int64_t i = 0; type == U8 && i < n; i++)
        ((uint8_t *)host.data)[i] = (uint8_t)(v[i] + 127);
    if (type != I32 && type != U8)
        host_convert(host, values);
    free(values.data);
    return host;
}

static void upload_case(tensor_type from, tensor_type to, int64_t n)
{
    size_t mark = scratch_mark();
    tensor host = kept_values(from, n), want = new_host(to, 1, n), got = new_host(to, 1, n);
    tensor wide = new_host(F32, 1, n);
    host_convert(wide, host);
    host_convert(want, wide);
    download(got, upload(host, to));
    ck_assert_msg(memcmp(got.data, want.data, tensor_bytes(want)) == 0, "%lld of %s as %s",
                  (long long)n, type_name(from), type_name(to));
    scratch_reset(mark);
    free(host.data);
    free(want.data);
    free(got.data);
    free(wide.data);
}

/* A card gets them in parts of 16 MB. */
START_TEST(uploads_convert)
{
    static const tensor_type STORED[] = {F32, F16, BF16, F64, I32, U8};
    for (int from = 0; from < 6; from++)
        for (int to = 0; to < 3; to++)
            upload_case(STORED[from], FLOATS[to], 1003);
    upload_case(F32, F32, 4200001);
    upload_case(F32, F16, 4200001);
    upload_case(BF16, BF16, 8400001);
    upload_case(BF16, F32, 8400001);
}
END_TEST

START_TEST(upload_into_and_slices)
{
    size_t mark = scratch_mark();
    tensor host = random_host(6, 16, 1, F32), x = scratch(F32, 6, 16);
    upload_into(x, host);
    upload_into(slice(x, 2, 1), slice(host, 5, 1));
    tensor got = fetched(x);
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 16; j++)
            ck_assert(at(got, i, j) == at(host, i == 2 ? 5 : i, j));
    scratch_reset(mark);
}
END_TEST

/* Each layer is added many times, so that an upload that came too early or
 * an op that did not wait would be seen. */
START_TEST(layers_pass_through)
{
    enum { LAYERS = 7, WIDTH = 4096, ROWS = 16, TIMES = 100 };
    size_t mark = scratch_mark();
    tensor x = scratch(F32, ROWS, WIDTH), w[LAYERS], count = scratch(I64, 2 * LAYERS);
    for (int i = 0; i < LAYERS; i++)
        w[i] = random_host(ROWS, WIDTH, 1, F16);
    ((float *)w[3].data)[ROWS * WIDTH - 1] = INFINITY;
    for (int round = 0; round < 2; round++) { /* a second model begins where one has ended */
        zero(x);
        for (int i = 0; i < LAYERS; i++) {
            size_t layer_mark = scratch_mark();
            layer_begin(i);
            tensor layer = upload(w[i], F32), small = upload(w[i], operand_type(F16));
            nonfinite_count(slice(count, 2 * i, 1), layer);
            nonfinite_count(slice(count, 2 * i + 1, 1), small);
            layer_end();
            for (int k = 0; k < TIMES; k++)
                add(x, k % 2 ? small : layer);
            scratch_reset(layer_mark);
        }
        tensor got = fetched(x);
        int64_t bad[2 * LAYERS];
        for (int64_t j = 0; j < ROWS * WIDTH - 1; j++) {
            float want = 0;
            for (int i = 0; i < LAYERS; i++)
                for (int k = 0; k < TIMES; k++)
                    want += ((float *)w[i].data)[j];
            if (at(got, 0, j) != want) /* ck_assert on each would take longer than the test */
                ck_abort_msg("element %d is %g, not %g", (int)j, at(got, 0, j), want);
        }
        download(tensor_of(bad, I64, 2 * LAYERS), count);
        for (int i = 0; i < 2 * LAYERS; i++)
            ck_assert_int_eq(bad[i], i / 2 == 3);
        free(got.data);
    }
    scratch_reset(mark);
}
END_TEST

/* ---- linear ---- */

static double gelu_of(double x)
{
    return x / (1 + exp(-2 * sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

/* Of larger products not every element is compared, but every so many-th. */
enum { MOST_TERMS = 8000000 };

/* The bias may be rounded as the product is: what compare() is to add to the size of n terms. */
static double rounded(double bias, double n, tensor_type type)
{
    return type == F32 ? 0 : fabs(bias) * half_unit(type) * 0x1p24 / (sqrt(n) + 8);
}

/* gelu(s) of an s that is wrong by e is wrong by at most 1.13 e: it is compared as s is. */
static void compare_linear(tally *t, tensor y, tensor x, tensor w, tensor scale, tensor b,
                           bool gelu)
{
    int64_t in = tensor_width(x), out = tensor_width(y), count = tensor_rows(y) * out;
    int64_t step = count * in / MOST_TERMS * 2 + 1; /* odd: all columns get their turn */
    tensor got = fetched(y);
    for (int64_t e = 0; e < count; e += step) {
        int64_t i = e / out, o = e % out;
        double sum = 0, size = 0;
        for (int64_t k = 0; k < in; k++) {
            double term = (double)at(x, i, k) * (double)at(w, o, k);
            sum += term;
            size += fabs(term);
        }
        double s = scale.data ? (double)at(scale, 0, o) : 1;
        double add = b.data ? (double)at(b, 0, o) : 0;
        double want = sum * s + add;
        size = size * s + fabs(add) + rounded(add, (double)in, y.type);
        compare(t, at(got, i, o), gelu ? gelu_of(want) : want, 1.13 * size, (double)in, y.type);
    }
    free(got.data);
}

/* Weights as the device has them, as F32 on the host. */
static tensor weights_host(int64_t out, int64_t in, tensor_type kept)
{
    tensor w = random_host(out, in, 1, kept == I8 ? F32 : kept);
    if (kept == I8)
        for (int64_t i = 0; i < out * in; i++)
            ((float *)w.data)[i] = (float)((int)(random_float(128) + 128) - 128);
    return w;
}

static tensor as_stored(tensor w, tensor_type kept)
{
    tensor t = new_host(kept, tensor_rows(w), tensor_width(w));
    if (kept == I8)
        for (int64_t i = 0; i < tensor_count(w); i++)
            ((int8_t *)t.data)[i] = (int8_t)((float *)w.data)[i];
    else
        host_convert(t, w);
    return t;
}

static void linear_case(tally *t, tensor_type kept, tensor_type A, int64_t N, int64_t in,
                        int64_t out, bool bias, bool gelu, tensor_type result)
{
    size_t mark = scratch_mark();
    bool codes = kept == I8;
    tensor x = random_host(N, in, 1, A), w = weights_host(out, in, kept);
    tensor scale = codes ? random_host(1, out, 0.01f, F32) : (tensor){0};
    tensor b = bias ? random_host(1, out, 1, F32) : (tensor){0};
    for (int64_t i = 0; codes && i < out; i++)
        ((float *)scale.data)[i] = fabsf(((float *)scale.data)[i]);
    tensor host = as_stored(w, kept);
    linear_weight l = uploaded(1, &host, codes ? &scale : NULL, bias ? &b : NULL, kept);
    tensor y = placed(new_host(F32, N, out), result, 8);
    (gelu ? linear_gelu : linear)(y, placed(x, A, 16), &l);
    compare_linear(t, y, x, w, scale, b, gelu);
    margins_untouched(y, 8, "linear");
    scratch_reset(mark);
}

START_TEST(linear_is_the_product)
{
    static const int64_t sizes[][3] = {
        {1, 8, 8},      {2, 1544, 16}, {3, 40, 24},      {130, 264, 520},  {37, 2056, 72},
        {515, 96, 136}, {5, 7, 3},     {129, 1031, 131}, {1100, 1544, 24}, {1300, 200, 456},
        {70, 4616, 8},  {130, 80, 64}, {65, 48, 40},     {0, 8, 8}};
    static const struct {
        tensor_type kept, operands; /* codes meet any, the others their own */
    } types[] = {{F32, F32}, {F16, F16}, {BF16, BF16}, {I8, F16}, {I8, BF16}, {I8, F32}};
    for (int type = 0; type < 6; type++) {
        tensor_type kept = types[type].kept, A = operand_type(types[type].operands);
        if (type > 3 && on_cpu())
            continue;
        tally t = {.name = type_name(kept)};
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            int64_t N = sizes[i][0], in = sizes[i][1], out = sizes[i][2];
            if (!takes(in) || !takes(out))
                continue;
            linear_case(&t, kept, A, N, in, out, i % 2, false, A);
            linear_case(&t, kept, A, N, in, out, true, true, A);
            linear_case(&t, kept, A, N, in, out, true, false, F32);
        }
        report(&t);
    }
}
END_TEST

START_TEST(linear_takes_f32_operands)
{
    tally t = {.name = "F32 operands"};
    if (on_cpu()) /* elsewhere they are rounded first, which is not this test's arithmetic */
        for (int i = 0; i < 3; i++)
            linear_case(&t, FLOATS[i], F32, 9, 264, 40, true, false, F32);
    tally exact = {.name = "F32 operands that are exact as F16"};
    size_t mark = scratch_mark();
    tensor x = random_host(9, 264, 1, F16), w = random_host(40, 264, 1, F16);
    tensor host = as_stored(w, F16);
    linear_weight l = uploaded(1, &host, NULL, NULL, F16);
    tensor y = scratch(F32, 9, 40);
    linear(y, placed(x, F32, 8), &l);
    compare_linear(&exact, y, x, w, (tensor){0}, (tensor){0}, false);
    report(&exact);
    scratch_reset(mark);
}
END_TEST

/* y += gate (x w^T scale + b), against what came on top: its rounding, and that of the sum. */
static void linear_add_case(tally *t, tensor_type kept, tensor_type A, int64_t N, int64_t in,
                            int64_t out, bool gated)
{
    size_t mark = scratch_mark();
    bool codes = kept == I8;
    tensor x = random_host(N, in, 1, A), w = weights_host(out, in, kept);
    tensor b = random_host(1, out, 1, F32), gate = random_host(1, out, 2, F32);
    tensor scale = codes ? random_host(1, out, 0.01f, F32) : (tensor){0};
    tensor before = random_host(N, out, 8, F32), host = as_stored(w, kept);
    linear_weight l = uploaded(1, &host, codes ? &scale : NULL, &b, kept);
    tensor y = placed(before, F32, 8), absent = {0};
    linear_add(y, placed(x, A, 16), &l, gated ? reshape(upload(gate, F32), out) : absent);
    tensor got = fetched(y);
    for (int64_t i = 0; i < N; i++)
        for (int64_t o = 0; o < out; o++) {
            double sum = 0, size = 0, g = gated ? (double)at(gate, 0, o) : 1;
            for (int64_t k = 0; k < in; k++) {
                double term = (double)at(x, i, k) * (double)at(w, o, k);
                sum += term;
                size += fabs(term);
            }
            double s = codes ? (double)at(scale, 0, o) : 1, add = (double)at(b, 0, o);
            double was = (double)at(before, i, o), now = (double)at(got, i, o);
            size = size * fabs(s) + fabs(add) + rounded(add, (double)in, A);
            compare(t, (float)(now - was), g * (sum * s + add), fabs(g) * size + fabs(was),
                    (double)in, A);
        }
    free(got.data);
    margins_untouched(y, 8, "linear_add");
    scratch_reset(mark);
}

START_TEST(linear_add_adds_the_product)
{
    static const int64_t sizes[][3] = {{1, 8, 8},      {130, 264, 520}, {37, 2056, 72},
                                       {515, 96, 136}, {5, 7, 3},       {0, 8, 8}};
    for (int type = 0; type < 4; type++) {
        tensor_type kept = (tensor_type[]){F32, F16, BF16, I8}[type];
        tally t = {.name = type_name(kept)};
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (int gated = 0; gated < 2; gated++)
                if (takes(sizes[i][1]) && takes(sizes[i][2]))
                    linear_add_case(&t, kept, operand_type(kept == I8 ? F16 : kept), sizes[i][0],
                                    sizes[i][1], sizes[i][2], gated);
        report(&t);
    }
}
END_TEST

/* Three weights joined are three products side by side, with their scales and biases. */
START_TEST(joined_rows)
{
    static const int64_t out[3] = {48, 16, 136};
    for (int type = 0; type < 4; type++) {
        tensor_type kept = (tensor_type[]){F32, F16, BF16, I8}[type];
        tensor_type A = operand_type(kept == I8 ? BF16 : kept);
        size_t mark = scratch_mark();
        tally t = {.name = "joined"};
        tensor x = random_host(20, 72, 1, A), w[3], host[3], scale[3], b[3];
        for (int i = 0; i < 3; i++) {
            w[i] = weights_host(out[i], 72, kept);
            host[i] = as_stored(w[i], kept);
            scale[i] = reshape(random_host(1, out[i], 0.5f, F32), out[i], 1);
            b[i] = reshape(random_host(1, out[i], 1, F32), out[i]);
            for (int64_t o = 0; o < out[i]; o++)
                ((float *)scale[i].data)[o] += 1;
        }
        linear_weight l = uploaded(3, host, kept == I8 ? scale : NULL, b, kept);
        ck_assert_int_eq(l.w.type, kept);
        ck_assert_int_eq(l.w.dim[0], 200);
        tensor y = scratch(A, 20, 200);
        linear(y, placed(x, A, 8), &l);
        for (int64_t i = 0, first = 0; i < 3; first += out[i], i++)
            compare_linear(&t, columns(y, first, out[i]), x, w[i],
                           kept == I8 ? reshape(scale[i], 1, out[i]) : (tensor){0},
                           reshape(b[i], 1, out[i]), false);
        report(&t);
        scratch_reset(mark);
    }
}
END_TEST

/* ---- what does not fit, and what fails ---- */

static void bad_width(void)
{
    tensor w = new_host(F16, 8, 16);
    linear_weight l = uploaded(1, &w, NULL, NULL, F16);
    linear(scratch(F32, 3, 8), scratch(F32, 3, 24), &l);
}
static void bad_scale(void)
{
    tensor w = new_host(I8, 8, 16), scale = new_host(F32, 7, 1);
    uploaded(1, &w, &scale, NULL, F16);
}
static void bad_heads(void)
{
    attention_spec spec = {.batch = 1, .heads = 2, .scale = 1};
    tensor q = scratch(F32, 4, 128), k = scratch(F32, 5, 64);
    attention(q, q, k, k, &spec);
}
static void bad_gain(void)
{
    tensor x = scratch(F32, 4, 16);
    rms_norm(x, x, scratch(F32, 8), 1e-6f);
}
static void bad_gate(void) { add_gated(scratch(F32, 4, 8), scratch(F32, 4, 8), scratch(F32, 16)); }
static void bad_channels(void)
{
    tensor w = new_host(F32, 8, 8 * 27);
    conv_weight c = conv_upload(reshape(w, 8, 8, 3, 3, 3), (tensor){0}, F32);
    conv3d(scratch(F32, 1, 4, 4, 8), scratch(F32, 1, 4, 4, 16), 0, NULL, &c, false);
}
static void too_large(void)
{
    device_advice("eat less");
    scratch(F32, 3, 1 << 20, 1 << 20, 8);
}
/* A kernel that faults is noticed when its result is wanted. */
static void bad_address(void)
{
    tensor x = scratch(F32, 64, 64), nowhere = tensor_of((void *)4096, F32, 64, 64);
    zero(x);
    add(x, nowhere);
    download(new_host(F32, 64, 64), x);
}

static const struct {
    void (*call)(void);
    const char *first, *second; /* of what it says */
} deaths[] = {{bad_width, "F32 [3, 24]", "F16 [8, 16]"},
              {bad_scale, "F32 [7, 1]", "I8 [8, 16]"},
              {bad_heads, "F32 [4, 128]", "F32 [5, 64]"},
              {bad_gain, "F32 [8]", "F32 [4, 16]"},
              {bad_gate, "F32 [4, 8]", "F32 [16]"},
              {bad_channels, "F32 [1, 4, 4, 16]", "8, 3, 3, 3, 8]"},
              {too_large, "out of ", "eat less"},
              {bad_address, "the gpu failed: ", "illegal memory access"}};
enum { DEATHS = sizeof deaths / sizeof *deaths };

/* This program again, which runs deaths[i]: a child that is merely forked cannot use a GPU that its
** parent has opened. What it said. */
static void death_of(int i, char *said, size_t size)
{
    int ends[2], status;
    char number[12];
    snprintf(number, sizeof number, "%d", i);
    ck_assert_int_eq(pipe(ends), 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        execl("/proc/self/exe", "kernels", number, (char *)NULL);
        _exit(99);
    }
    close(ends[1]);
    size_t n = 0;
    for (ssize_t got; n + 1 < size && (got = read(ends[0], said + n, size - 1 - n)) > 0;)
        n += (size_t)got;
    said[n] = 0;
    close(ends[0]);
    waitpid(child, &status, 0);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 1, "%d did not die: %s", i, said);
    ck_assert_msg(n && strchr(said, '\n') == said + n - 1, "not one line: %s", said);
}

START_TEST(deaths_say_why)
{
    char said[1000];
    for (int i = 0; i < DEATHS; i++) {
        if (deaths[i].call == bad_address && on_cpu()) /* the system's to notice */
            continue;
        death_of(i, said, sizeof said);
        ck_assert_msg(strstr(said, deaths[i].first) && strstr(said, deaths[i].second), "%s", said);
        printf("# %s", said);
    }
}
END_TEST

int main(int argc, char **argv)
{
    program_name_set(argv[0]);
    device_open();
    if (argc > 1) {
        deaths[atoi(argv[1]) % DEATHS].call();
        return 0;
    }
    return SUITE_RUN(argv[0], 120, scratch_is_a_stack, copy_converts_and_strides, uploads_convert,
                     upload_into_and_slices, layers_pass_through, linear_is_the_product,
                     linear_add_adds_the_product, linear_takes_f32_operands, joined_rows,
                     deaths_say_why);
}
