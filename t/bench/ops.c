/*
** ops.c: milliseconds and rate of each op at the sizes of the 1.3B model, beside the least time that
** its bytes or its operations allow on this device.
**
**     ops [-t fp16|bf16|fp32] [ROWS...]       default: fp16, 12480 (13 frames) and 65520 (81 frames), stacked pairs
**     ops rates                               the ceilings alone
**
** The ceilings are measured first: a copy of 1 GB (bytes read and written), the product of two
** matrices of 8192 (1024 on the CPU), and an upload of 1 GB of memory that is there. Values are
** random: zeros run faster than data do.
*/
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../common/die.h"
#include "../../kernels/kernels.h"
#include "../uploaded.h"

enum { D = 1536, FFN = 8960, HEADS = 12, HEAD = D / HEADS, BLOCK = 1 << 20 };

static tensor_type A = F16;
static double copy_rate, product_rate; /* bytes and operations a second */

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* [n, width] of random values of order `size`: one random block, copied over it. */
static tensor random_tensor(tensor_type type, int64_t n, int64_t width, float size)
{
    static float block[BLOCK];
    static uint32_t state = 1;
    tensor t = scratch(type, n, width);
    int64_t count = n * width, part = count < BLOCK ? count : BLOCK;
    for (int64_t i = 0; i < part; i++) {
        state = state * 1664525u + 1013904223u;
        block[i] = ((float)(state >> 8) * 0x1p-23f - 1.0f) * size;
    }
    tensor flat = reshape(t, count);
    size_t mark = scratch_mark();
    tensor source = upload(tensor_of(block, F32, part), F32);
    for (int64_t at = 0; at < count; at += part) {
        int64_t m = count - at < part ? count - at : part;
        copy(slice(flat, at, m), slice(source, 0, m));
    }
    scratch_reset(mark);
    return t;
}

/* Codes with a scale for each row; or floats. */
static linear_weight random_linear(tensor_type type, int64_t out, int64_t in)
{
    bool codes = type_size(type) == 1;
    tensor w = tensor_of(new_bytes((size_t)(out * in * 4)), codes ? type : F32, out, in);
    tensor scale = tensor_of(new_bytes((size_t)out * 4), F32, out), b = scale;
    for (int64_t i = 0; i < out; i++)
        ((float *)scale.data)[i] = 1e-4f + 1e-6f * (float)(i % 97);
    uint32_t state = 7;
    for (int64_t i = 0; i < out * in; i++) {
        state = state * 1664525u + 1013904223u;
        if (codes) /* of e4m3 none that is NaN */
            ((uint8_t *)w.data)[i] = (uint8_t)(state >> 24) & (type == I8 ? 0xff : 0xf7);
        else
            ((float *)w.data)[i] = ((float)(state >> 8) * 0x1p-23f - 1.0f) * 0.04f;
    }
    linear_weight l = uploaded(1, &w, codes ? &scale : NULL, &b, type);
    device_wait();
    free(w.data);
    free(scale.data);
    return l;
}

/* What is timed: one call with everything it may need. */
typedef struct {
    tensor codes, scales, wide_codes; /* inputs of products of codes */
    tensor x, y, z, f, wide, joined, gamma, gammas, beta, rope, latents, tokens;
    tensor moments[3]; /* absmax, sum, squares */
    linear_weight qkv, out, up, down;
    attention_spec spec;
    int64_t n;
} stage;

typedef void call(stage *s);

static double time_of(call *op, stage *s)
{
    double best = 1e9;
    op(s);
    device_wait();
    for (int round = 0; round < 3; round++) {
        int repeats = 0;
        double start = seconds(), took;
        do {
            op(s);
            repeats++;
            if (repeats % 8 == 0)
                device_wait();
        } while (seconds() - start < 0.03);
        device_wait();
        took = (seconds() - start) / repeats;
        best = took < best ? took : best;
    }
    return best;
}

static void print(const char *name, int64_t n, double took, double bytes, double operations)
{
    double by_copy = copy_rate ? bytes / copy_rate : 0;
    double by_product = product_rate ? operations / product_rate : 0;
    double least = by_copy > by_product ? by_copy : by_product;
    printf("| %s | %lld | %.3f | ", name, (long long)n, took * 1e3);
    if (by_product >= by_copy && operations > 0)
        printf("%.1f TFLOP/s", operations / took * 1e-12);
    else
        printf("%.0f GB/s", bytes / took * 1e-9);
    printf(" | %.3f | %.2f |\n", least * 1e3, least > 0 ? took / least : 0.0);
    fflush(stdout);
}

/* ---- the calls ---- */

static void run_copy(stage *s) { copy(s->y, s->x); }
static void run_narrow(stage *s) { copy(s->y, s->f); }
static void run_qkv(stage *s) { linear(s->joined, s->x, &s->qkv); }
static void run_out(stage *s) { linear(s->y, s->x, &s->out); }
static void run_up(stage *s) { linear_gelu(s->wide, s->x, &s->up); }
static void run_down(stage *s) { linear(s->y, s->wide, &s->down); }
static void run_out_add(stage *s) { linear_add(s->f, s->x, &s->out, s->gamma); }
static void run_down_add(stage *s) { linear_add(s->f, s->wide, &s->down, s->gamma); }
static void run_codes(stage *s) { quantize_rows(s->codes, s->scales, s->x, false); }
static void run_wide_codes(stage *s) { quantize_rows(s->wide_codes, s->scales, s->wide, false); }
static void run_codes_qkv(stage *s) { linear_codes(s->joined, s->codes, s->scales, &s->qkv); }
static void run_codes_up(stage *s) { linear_codes_gelu(s->wide, s->codes, s->scales, &s->up); }
static void run_codes_out(stage *s)
{
    linear_codes_add(s->f, s->codes, s->scales, &s->out, s->gamma);
}
static void run_codes_down(stage *s)
{
    linear_codes_add(s->f, s->wide_codes, s->scales, &s->down, s->gamma);
}
static void run_modulated(stage *s) { modulated_norm(s->y, s->f, s->gamma, s->beta, 1e-6f); }
static void run_layer(stage *s) { layer_norm(s->y, s->f, s->gamma, s->beta, 1e-6f); }
static void run_rope(stage *s)
{
    tensor qk = columns(s->joined, 0, 2 * D);
    rms_norm_rope(qk, qk, s->gammas, 1e-6f, s->rope);
}
static void run_rms(stage *s) { rms_norm(s->y, s->x, s->gamma, 1e-6f); }
static void run_gated(stage *s) { add_gated(s->f, s->y, s->gamma); }
static void run_add(stage *s) { add(s->f, s->y); }
static void run_mul_gelu(stage *s) { mul_gelu(s->z, s->x, s->y); }
static void run_silu(stage *s) { silu(s->y, s->x); }
static void run_round(stage *s) { round_rows(s->y, s->x, ROWS_INT8); }
static void add_all_moments(const stage *s, tensor x)
{
    tensor m[3];
    for (int i = 0; i < 3; i++)
        m[i] = slice(s->moments[i], 0, tensor_width(x));
    add_moments(m[0], m[1], m[2], x, 1);
}
static void run_moments(stage *s) { add_all_moments(s, s->x); }
static void run_moments_wide(stage *s) { add_all_moments(s, s->wide); }
static void run_count(stage *s) { count_nonfinite(s->x); }
static void run_attention(stage *s)
{
    attention(s->y, columns(s->joined, 0, D), columns(s->joined, D, D),
              columns(s->joined, 2 * D, D), &s->spec);
}

/* The best of a few: of a gigabyte whose pages have been touched. */
static double upload_rate(void)
{
    size_t mark = scratch_mark();
    tensor host = tensor_of(new_bytes(1 << 30), U8, 1 << 30), x = scratch(U8, 1 << 30);
    double best = 1e9;
    memset(host.data, 1, 1 << 30);
    for (int i = 0; i < 4; i++) {
        double start = seconds();
        upload_into(x, host);
        device_wait();
        best = seconds() - start < best ? seconds() - start : best;
    }
    free(host.data);
    scratch_reset(mark);
    return (double)(1 << 30) / best;
}

static void measure_ceilings(void)
{
    size_t mark = scratch_mark();
    bool cpu = strcmp(device_name(), "cpu") == 0;
    int64_t size = cpu ? 1024 : 8192, n = cpu ? 4 << 20 : 256 << 20;
    stage s = {0};
    s.x = random_tensor(A, n / 4096, 4096, 1);
    s.y = scratch(A, n / 4096, 4096);
    double took = time_of(run_copy, &s);
    copy_rate = 2.0 * (double)tensor_bytes(s.x) / took;
    scratch_reset(mark);

    s.x = random_tensor(A, size, size, 1);
    s.y = scratch(A, size, size);
    s.out = (linear_weight){.w = random_tensor(A, size, size, 0.02f)};
    took = time_of(run_out, &s);
    product_rate = 2.0 * (double)size * (double)size * (double)size / took;
    scratch_reset(mark);
    printf("%s, %s: copy %.0f GB/s, product %.1f TFLOP/s, upload %.1f GB/s\n", device_name(),
           type_name(A), copy_rate * 1e-9, product_rate * 1e-12, upload_rate() * 1e-9);
}

static void measure_products(stage *s, tensor_type kept, double a)
{
    size_t mark = scratch_mark();
    double n = (double)s->n;
    char name[64];
    s->qkv = random_linear(kept, 3 * D, D);
    s->out = random_linear(kept, D, D);
    s->up = random_linear(kept, FFN, D);
    s->down = random_linear(kept, D, FFN);
#define PRODUCT(text, op, in, out)                                                                 \
    snprintf(name, sizeof name, "%s %s", text, type_name(kept));                                   \
    print(name, s->n, time_of(op, s), n *((in) + (out)) * a, 2.0 * n * (in) * (out))
    PRODUCT("linear 1536 to 4608", run_qkv, D, 3 * D);
    PRODUCT("linear 1536 to 1536", run_out, D, D);
    PRODUCT("linear_gelu 1536 to 8960", run_up, D, FFN);
    PRODUCT("linear 8960 to 1536", run_down, FFN, D);
    PRODUCT("linear_add 1536 to 1536", run_out_add, D, D);
    PRODUCT("linear_add 8960 to 1536", run_down_add, FFN, D);
    scratch_reset(mark);
}

/* Products of 8-bit codes by 8-bit codes, which tensor cores make twice as fast. */
static void measure_codes(stage *s, tensor_type type, double a)
{
    size_t mark = scratch_mark();
    double n = (double)s->n, rate = product_rate;
    char name[64];
    s->qkv = random_linear(type, 3 * D, D);
    s->out = random_linear(type, D, D);
    s->up = random_linear(type, FFN, D);
    s->down = random_linear(type, D, FFN);
    s->codes = scratch(type, s->n, D);
    s->wide_codes = scratch(type, s->n, FFN);
    s->scales = scratch(F32, s->n);
    if (linear_takes_codes(&s->qkv, type)) {
        product_rate *= 2;
#define CODES(text, op, bytes, operations)                                                         \
    snprintf(name, sizeof name, "%s %s", text, type_name(type));                                   \
    print(name, s->n, time_of(op, s), n *(bytes), operations)
        CODES("quantize_rows 1536", run_codes, D * (a + 1), 0);
        CODES("quantize_rows 8960", run_wide_codes, FFN * (a + 1), 0);
        CODES("linear_codes 1536 to 4608", run_codes_qkv, D * (1 + 3 * a), n * 6.0 * D * D);
        CODES("linear_codes_add 1536 to 1536", run_codes_out, D * 9, n * 2.0 * D * D);
        CODES("linear_codes_gelu 1536 to 8960", run_codes_up, D + FFN * a, n * 2.0 * D * FFN);
        CODES("linear_codes_add 8960 to 1536", run_codes_down, FFN + D * 8, n * 2.0 * D * FFN);
        product_rate = rate;
    }
    scratch_reset(mark);
}

static void measure(int64_t n)
{
    size_t mark = scratch_mark();
    double a = (double)type_size(A), e = (double)n * D;
    stage s = {.n = n, .spec = {.batch = 2, .heads = HEADS, .scale = 0.088f}};
    s.x = random_tensor(A, n, D, 1);
    s.y = random_tensor(A, n, D, 1);
    s.z = scratch(A, n, D);
    s.f = random_tensor(F32, n, D, 1);
    s.wide = random_tensor(A, n, FFN, 1);
    s.joined = random_tensor(A, n, 3 * D, 1);
    s.gamma = reshape(random_tensor(F32, 1, D, 1), D);
    s.gammas = random_tensor(F32, 2, D, 1);
    s.beta = reshape(random_tensor(F32, 1, D, 1), D);
    for (int i = 0; i < 3; i++) {
        s.moments[i] = scratch(i ? F64 : F32, FFN);
        zero(s.moments[i]);
    }
    s.rope = reshape(random_tensor(F32, n / 2, HEAD, 1), n / 2, HEAD / 2, 2);

    measure_products(&s, A, a);
    measure_products(&s, I8, a);
    measure_codes(&s, I8, a);
    measure_codes(&s, F8_E4M3, a);
    print("attention 12 x 128, 2 sequences", n, time_of(run_attention, &s), 4 * e * a,
          2 * e * (double)n);
    print("modulated_norm, from F32", n, time_of(run_modulated, &s), e * (4 + a), 0);
    print("layer_norm, from F32", n, time_of(run_layer, &s), e * (4 + a), 0);
    print("rms_norm_rope of q and k, in place, strided", n, time_of(run_rope, &s), e * 4 * a, 0);
    print("rms_norm", n, time_of(run_rms, &s), e * 2 * a, 0);
    print("add_gated", n, time_of(run_gated, &s), e * (8 + a), 0);
    print("add", n, time_of(run_add, &s), e * (8 + a), 0);
    print("mul_gelu", n, time_of(run_mul_gelu, &s), e * 3 * a, 0);
    print("silu", n, time_of(run_silu, &s), e * 2 * a, 0);
    print("copy from F32", n, time_of(run_narrow, &s), e * (4 + a), 0);
    print("round_rows to int8", n, time_of(run_round, &s), e * 2 * a, 0);
    print("add_moments", n, time_of(run_moments, &s), e * a, 0);
    print("add_moments, 8960 wide", n, time_of(run_moments_wide, &s), (double)n * FFN * a, 0);
    print("count_nonfinite", n, time_of(run_count, &s), e * a, 0);
    scratch_reset(mark);
}

int main(int argc, char **argv)
{
    program_name_set(argv[0]);
    int first = 1;
    if (argc > 2 && strcmp(argv[1], "-t") == 0) {
        A = strcmp(argv[2], "bf16") == 0 ? BF16 : strcmp(argv[2], "fp32") == 0 ? F32 : F16;
        first = 3;
    }
    device_open();
    A = operand_type(A);
    measure_ceilings();
    if (first < argc && strcmp(argv[first], "rates") == 0)
        return 0;
    printf("\n| op | rows | ms | rate | floor ms | times floor |\n| --- | --- | --- | --- | --- | "
           "--- |\n");
    if (first == argc) {
        measure(12480);
        measure(65520);
    }
    for (int i = first; i < argc; i++)
        measure(atoll(argv[i]) / 2 * 2);
    printf("\npeak %zu MB\n", device_peak_bytes() >> 20);
    return 0;
}
