/*
** blas.c: what the CPU's products reach of the rate of the BLAS itself.
**
**     blas [ROUNDS=7 [NAME]]                  only lines whose name contains NAME
**
** For each size: GFLOP/s of one cblas_sgemm on all cores with F32 operands that are there already,
** and of the op with its weights as stored; best and median of so many rounds, and the ratio of
** the bests. The two take turns, with pauses, because each leaves threads that spin for a while.
** A convolution is compared with one product of its patch matrix (made beforehand), attention with
** the two products of each head.
*/
#include <cblas.h>
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

/* What is timed: `count` products of m x k and n x k by the BLAS, or an op. */
typedef struct {
    int64_t m, n, k, count;
    tensor a, b, c;
    tensor y, x, q, v;
    linear_weight l;
    conv_weight w;
    attention_spec spec;
} work;

typedef void call(const work *s);

static void run_blas(const work *s)
{
    for (int64_t i = 0; i < s->count; i++)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)s->m, (int)s->n, (int)s->k, 1.0f,
                    s->a.data, (int)s->k, s->b.data, (int)s->k, 0.0f, s->c.data, (int)s->n);
}

/* A head's q k^T and p v, one after the other for all heads. */
static void run_blas_attention(const work *s)
{
    int L = (int)s->m, d = (int)s->n;
    for (int64_t i = 0; i < s->count; i++) {
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, L, L, d, 1.0f, s->a.data, d, s->b.data,
                    d, 0.0f, s->c.data, L);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, L, d, L, 1.0f, s->c.data, L,
                    s->b.data, d, 0.0f, s->a.data, d);
    }
}

static void run_linear(const work *s) { linear(s->y, s->x, &s->l); }
static void run_gelu(const work *s) { linear_gelu(s->y, s->x, &s->l); }
static void run_conv(const work *s) { conv3d(s->y, s->x, 0, NULL, &s->w, false); }
static void run_upsample(const work *s) { conv3d(s->y, s->x, 0, NULL, &s->w, true); }
static void run_attention(const work *s) { attention(s->y, s->q, s->x, s->v, &s->spec); }

/* Seconds a call, over at least a twentieth of a second. */
static double time_of(call *f, const work *s, int threads)
{
    struct timespec pause = {.tv_nsec = 150000000};
    nanosleep(&pause, NULL);
    openblas_set_num_threads(threads);
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

static void compare(const char *name, call *theirs, call *ours, const work *s, double operations)
{
    double t[2][MOST_ROUNDS];
    if (!strstr(name, wanted))
        return;
    for (int i = 0; i < rounds; i++) {
        t[0][i] = time_of(theirs, s, omp_get_max_threads());
        t[1][i] = time_of(ours, s, 1);
    }
    for (int i = 0; i < 2; i++)
        qsort(t[i], (size_t)rounds, sizeof t[i][0], by_value);
    double giga = operations * 1e-9;
    printf("| %-34s | %6.1f %6.1f | %6.1f %6.1f | %.2f |\n", name, giga / t[0][0],
           giga / t[0][rounds / 2], giga / t[1][0], giga / t[1][rounds / 2], t[0][0] / t[1][0]);
    fflush(stdout);
}

static linear_weight stored(tensor_type type, int64_t out, int64_t in)
{
    if (type == I8) {
        linear_weight l = {.w = scratch(I8, out, in)};
        for (int64_t i = 0; i < out * in; i++)
            ((int8_t *)l.w.data)[i] = (int8_t)(i * 37 % 255 - 127);
        l.scale = l.b = reshape(random_tensor(1, out), out);
        return l;
    }
    tensor w = random_tensor(out, in), b = reshape(random_tensor(1, out), out);
    return uploaded(1, &w, NULL, &b, type);
}

static void linears(int64_t n, int64_t in, int64_t out, bool gelu)
{
    static const tensor_type types[] = {F32, F16, BF16, I8};
    for (int i = 0; i < 4; i++) {
        size_t mark = scratch_mark();
        char name[80];
        work s = {.m = n, .n = out, .k = in, .count = 1};
        s.x = s.a = random_tensor(n, in);
        s.b = random_tensor(out, in);
        s.y = s.c = scratch(F32, n, out);
        s.l = stored(types[i], out, in);
        snprintf(name, sizeof name, "linear%s %lld: %lld to %lld, %s", gelu ? "_gelu" : "",
                 (long long)n, (long long)in, (long long)out, type_name(types[i]));
        compare(name, run_blas, gelu ? run_gelu : run_linear, &s,
                2.0 * (double)n * (double)in * (double)out);
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
    work s = {.m = Y * X, .n = C_out, .k = taps * C_in, .count = T};
    s.a = random_tensor(s.m, s.k);
    s.b = random_tensor(s.n, s.k);
    s.c = scratch(F32, s.m, s.n);
    s.x = reshape(random_tensor(T * Y * X / half / half, C_in), T, Y / half, X / half, C_in);
    s.y = scratch(F32, T, Y, X, C_out);
    s.w = conv_upload(reshape(random_tensor(C_out, C_in * taps), C_out, C_in, kt, k, k),
                      reshape(random_tensor(1, C_out), C_out), type);
    snprintf(name, sizeof name, "%s %lldx%lldx%lld, %lld to %lld, %dx%dx%d, %s",
             upsample ? "upsample" : "conv", (long long)T, (long long)Y, (long long)X,
             (long long)C_in, (long long)C_out, kt, k, k, type_name(type));
    /* Frames before the first are zeros, which the op leaves out: not counted for it or the BLAS. */
    double frames = kt == 1 ? (double)T : (double)T - 1.0;
    compare(name, run_blas, upsample ? run_upsample : run_conv, &s,
            2.0 * (double)(s.m * s.n * s.k) * frames);
    scratch_reset(mark);
}

static void attend(int64_t L, int heads, int64_t d)
{
    size_t mark = scratch_mark();
    char name[80];
    work s = {.m = L, .n = d, .count = heads};
    s.a = random_tensor(L, d);
    s.b = random_tensor(L, d);
    s.c = scratch(F32, L, L);
    tensor qkv = random_tensor(L, 3 * heads * d);
    s.y = scratch(F32, L, heads * d);
    s.q = columns(qkv, 0, heads * d);
    s.x = columns(qkv, heads * d, heads * d);
    s.v = columns(qkv, 2 * heads * d, heads * d);
    s.spec = (attention_spec){.batch = 1, .heads = heads, .scale = 0.088f};
    snprintf(name, sizeof name, "attention %lld, %d heads of %lld", (long long)L, heads,
             (long long)d);
    compare(name, run_blas_attention, run_attention, &s,
            4.0 * (double)L * (double)L * (double)d * heads);
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
    printf("%s, %d threads; GFLOP/s, best and median of %d\n\n", openblas_get_config(),
           omp_get_max_threads(), rounds);
    printf("| op                                 | BLAS          | ours          | ratio |\n");
    printf("| --- | --- | --- | --- |\n");
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
    conv(3, 60, 104, 384, 768, 3, 1, F32, false);
    conv(3, 120, 208, 96, 3, 3, 3, F32, false);
    attend(1560, 12, 128);
    attend(6240, 2, 128);
    attend(1560, 1, 384);
    return 0;
}
