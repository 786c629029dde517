/*
** rates.c: what the CPU's ops reach of the rate at which its cores multiply and add.
**
**     rates [ROUNDS=7 [NAME]]                 only lines whose name contains NAME
**
** For each op and size GFLOP/s, best and median of so many rounds, and the best's share of what all
** cores reach when they do nothing but fused multiply-adds in registers, measured in turns with it.
*/
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../../common/die.h"
#include "../../kernels/kernels.h"
#include "../uploaded.h"

enum { MOST_ROUNDS = 101 };

static int rounds = 7;
static const char *wanted = "";

/* With one thread, the time it ran: others' programs matter less then. */
static double seconds(void)
{
    struct timespec t;
    clock_gettime(omp_get_max_threads() > 1 ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static tensor random_tensor(int64_t n, int64_t width)
{
    static uint32_t state = 1;
    tensor t = scratch(F32, n, width);
    for (int64_t i = 0; i < n * width; i++) {
        state = state * 1664525u + 1013904223u;
        ((float *)t.data)[i] = (float)(state >> 8) * 0x1p-23f - 1.0f;
    }
    return t;
}

/* What is timed. */
typedef struct {
    tensor y, x, q, v;
    linear_weight l;
    conv_weight w;
    attention_spec spec;
} work;

typedef void call(const work *s);

/* Sums of products in registers: as many chains as two multipliers with a latency of four want. */
enum { CHAINS = 12, WIDE = 16, TURNS = 20000 };
typedef float many __attribute__((vector_size(4 * WIDE)));

#if defined(__x86_64__) && !defined(__clang__)
__attribute__((target_clones("avx512f", "fma", "default"), optimize("fp-contract=fast", "O3")))
#endif
static float
chains(float seed)
{
    many sum[CHAINS], a = {0}, b = {0};
    a += seed, b += seed;
    for (int c = 0; c < CHAINS; c++)
        sum[c] = a + (float)c;
    for (int i = 0; i < TURNS; i++)
#pragma GCC unroll 12
        for (int c = 0; c < CHAINS; c++)
            sum[c] = sum[c] * a + b;
    many all = {0};
    for (int c = 0; c < CHAINS; c++)
        all += sum[c];
    float total = 0;
    for (int i = 0; i < WIDE; i++)
        total += all[i];
    return total;
}

static void run_peak(const work *s)
{
    float total = 0;
    (void)s;
#pragma omp parallel reduction(+ : total)
    total += chains(1e-3f);
    *(volatile float *)&(float){0} = total;
}

static void run_linear(const work *s) { linear(s->y, s->x, &s->l); }
static void run_gelu(const work *s) { linear_gelu(s->y, s->x, &s->l); }
static void run_conv(const work *s) { conv3d(s->y, s->x, 0, NULL, &s->w, false); }
static void run_upsample(const work *s) { conv3d(s->y, s->x, 0, NULL, &s->w, true); }
static void run_attention(const work *s) { attention(s->y, s->q, s->x, s->v, &s->spec); }

/* Seconds a call, over at least a twentieth of a second. */
static double time_of(call *f, const work *s)
{
    f(s);
    int repeats = 0;
    double start = seconds();
    do {
        f(s);
        repeats++;
    } while (seconds() - start < 0.05);
    return (seconds() - start) / repeats;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const char *name, call *op, const work *s, double operations)
{
    double t[MOST_ROUNDS], peak = 1e9;
    if (!strstr(name, wanted))
        return;
    for (int i = 0; i < rounds; i++) {
        double now = time_of(run_peak, s);
        peak = now < peak ? now : peak;
        t[i] = time_of(op, s);
    }
    qsort(t, (size_t)rounds, sizeof t[0], by_value);
    double giga = operations * 1e-9,
           of = 2e-9 * omp_get_max_threads() * CHAINS * WIDE * TURNS / peak;
    printf("| %s | %.0f | %.0f | %.0f | %.2f |\n", name, giga / t[0], giga / t[rounds / 2], of,
           giga / t[0] / of);
    fflush(stdout);
}

static linear_weight weight(tensor_type type, int64_t out, int64_t in)
{
    if (!is_codes(type)) {
        tensor w = random_tensor(out, in), b = reshape(random_tensor(1, out), out);
        return uploaded(1, &w, NULL, &b, type);
    }
    linear_weight l = {.w = scratch(type, out, in)};
    for (size_t i = 0; i < tensor_bytes(l.w); i++)
        ((int8_t *)l.w.data)[i] = (int8_t)(i * 37 % 59);
    if (type == I8)
        l.scale = l.b = reshape(random_tensor(1, out), out);
    return l;
}

static void linears(int64_t n, int64_t in, int64_t out, bool gelu)
{
    static const tensor_type types[] = {F32, F16, BF16, I8, Q8_0, Q4_K, Q6_K};
    for (int i = 0; i < 7; i++) {
        size_t mark = scratch_mark();
        char name[80];
        work s = {.x = random_tensor(n, in), .y = scratch(F32, n, out)};
        s.l = weight(types[i], out, in);
        snprintf(name, sizeof name, "linear%s %lld: %lld to %lld, %s", gelu ? "_gelu" : "",
                 (long long)n, (long long)in, (long long)out, type_name(types[i]));
        measure(name, gelu ? run_gelu : run_linear, &s, 2.0 * (double)n * (double)in * (double)out);
        scratch_reset(mark);
    }
}

static void conv(int64_t T, int64_t Y, int64_t X, int64_t C_in, int64_t C_out, int kt, int k,
                 tensor_type type, bool upsample)
{
    size_t mark = scratch_mark();
    char name[80];
    int half = upsample ? 2 : 1;
    int64_t taps = kt * k * k;
    work s = {0};
    s.x = reshape(random_tensor(T * Y * X / half / half, C_in), T, Y / half, X / half, C_in);
    s.y = scratch(F32, T, Y, X, C_out);
    s.w = conv_upload(reshape(random_tensor(C_out, C_in * taps), C_out, C_in, kt, k, k),
                      reshape(random_tensor(1, C_out), C_out), type);
    snprintf(name, sizeof name, "%s %lldx%lldx%lld, %lld to %lld, %dx%dx%d, %s",
             upsample ? "upsample" : "conv", (long long)T, (long long)Y, (long long)X,
             (long long)C_in, (long long)C_out, kt, k, k, type_name(type));
    /* Frames before the first are zeros, which the op leaves out: not counted. */
    double frames = kt == 1 ? (double)T : (double)T - 1.0;
    measure(name, upsample ? run_upsample : run_conv, &s,
            2.0 * (double)(Y * X * C_out * taps * C_in) * frames);
    scratch_reset(mark);
}

static void attend(int64_t L, int heads, int64_t d)
{
    size_t mark = scratch_mark();
    char name[80];
    work s = {0};
    tensor qkv = random_tensor(L, 3 * heads * d);
    s.y = scratch(F32, L, heads * d);
    s.q = columns(qkv, 0, heads * d);
    s.x = columns(qkv, heads * d, heads * d);
    s.v = columns(qkv, 2 * heads * d, heads * d);
    s.spec = (attention_spec){.batch = 1, .heads = heads, .scale = 0.088f};
    snprintf(name, sizeof name, "attention %lld, %d heads of %lld", (long long)L, heads,
             (long long)d);
    measure(name, run_attention, &s, 4.0 * (double)L * (double)L * (double)d * heads);
    scratch_reset(mark);
}

int main(int argc, char **argv)
{
    program_name_set(argv[0]);
    rounds = argc > 1 ? atoi(argv[1]) : rounds;
    wanted = argc > 2 ? argv[2] : wanted;
    if (rounds < 1 || rounds > MOST_ROUNDS)
        die("rounds must be from 1 to %d", MOST_ROUNDS);
    device_open();
    printf("%s, %d threads; GFLOP/s, best and median of %d\n\n", device_details(),
           omp_get_max_threads(), rounds);
    printf("| op | best | median | cores | of it |\n| --- | --- | --- | --- | --- |\n");
    static const int64_t sizes[] = {128, 512, 6240};
    for (int i = 0; i < 3; i++) {
        linears(sizes[i], 1536, 1536, false);
        linears(sizes[i], 1536, 8960, true);
        linears(sizes[i], 8960, 1536, false);
    }
    static const int64_t channels[] = {384, 192, 96};
    for (int i = 0; i < 3; i++) {
        conv(3, 30 << i, 52 << i, channels[i], channels[i], 3, 3, F32, false);
        conv(3, 30 << i, 52 << i, channels[i], channels[i], 3, 3, BF16, false);
    }
    conv(1, 60, 104, 384, 192, 1, 3, F32, true);
    conv(1, 120, 208, 192, 192, 1, 3, F32, false);
    conv(3, 60, 104, 384, 768, 3, 1, F32, false);
    conv(1, 60, 104, 16, 384, 1, 3, F32, false);
    conv(3, 120, 208, 96, 3, 3, 3, F32, false);
    attend(1560, 12, 128);
    attend(6240, 2, 128);
    attend(1560, 1, 384);
    return 0;
}
