/*
** noise.c: all stored samples of torch.randn, on an H200 and on a CPU, and other seeds and cards.
** Run from the root of the tree.
**
** The fixture has DEVICE.SEED.SHAPE.{head,tail,every997} of latents of 13 and 81 frames at 832x480
** and of 81 frames at 1280x720.
*/
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../bin/noise.h"
#include "../common/checkpoint/weights.h"
#include "../common/die.h"
#include "suite.h"

static const double BOUND = 2e-6; /* absolute */
static weights *fixture;

static double greatest_difference(const char *prefix, const char *part, const float *from,
                                  int64_t step, int64_t n)
{
    char name[64];
    snprintf(name, sizeof name, "%s.%s", prefix, part);
    tensor want = weights_tensor(fixture, name, n);
    double worst = 0;
    for (int64_t i = 0; i < n; i++)
        worst = fmax(worst, fabs((double)from[i * step] - (double)((float *)want.data)[i]));
    printf("# %-22s %.3g, bound %.3g\n", name, worst, BOUND);
    fflush(stdout);
    return worst;
}

static void check_all(const char *rng, const char *device)
{
    static const struct {
        const char *name;
        int64_t n;
    } shape[] = {
        {"13f", 16 * 4 * 60 * 104}, {"81f", 16 * 21 * 60 * 104}, {"720p", 16 * 21 * 90 * 160}};
    enum { EDGE = 4096, STEP = 997 };
    for (int i = 0; i < 3; i++) {
        char prefix[32];
        int64_t n = shape[i].n;
        float *y = new_bytes(sizeof *y * (unsigned long)n);
        noise_draw(y, n, 123, noise_named(rng));
        snprintf(prefix, sizeof prefix, "%s.123.%s", device, shape[i].name);
        ck_assert_double_le(greatest_difference(prefix, "head", y, 1, EDGE), BOUND);
        ck_assert_double_le(greatest_difference(prefix, "tail", y + n - EDGE, 1, EDGE), BOUND);
        ck_assert_double_le(greatest_difference(prefix, "every997", y, STEP, (n + STEP - 1) / STEP),
                            BOUND);
        free(y);
    }
}

START_TEST(equal_torch_on_cuda) { check_all("torch-cuda", "cuda"); }
END_TEST

START_TEST(equal_torch_on_the_cpu) { check_all("torch-cpu", "cpu"); }
END_TEST

/* A generator's later calls: fixtures/noise-calls.safetensors, of each call seven numbers. */
START_TEST(equal_torch_in_later_calls)
{
    enum { CALLS = 3, KEPT = 7 };
    weights *first = fixture;
    fixture = weights_open("fixtures/noise-calls.safetensors");
    for (int i = 0; i < 4; i++) {
        int64_t n = 16 * (i % 2 ? 21 : 4) * 60 * 104;
        float *y = new_bytes(sizeof *y * (unsigned long)n);
        for (int call = 0; call < CALLS; call++) {
            char prefix[32], part[8];
            noise_draw_nth(y, n, 123, noise_named(i < 2 ? "torch-cuda" : "torch-cpu"), call);
            snprintf(prefix, sizeof prefix, "%s.123.%s", i < 2 ? "cuda" : "cpu",
                     i % 2 ? "81f" : "13f");
            snprintf(part, sizeof part, "call%d", call);
            ck_assert_double_le(greatest_difference(prefix, part, y, n / KEPT + 1, KEPT), BOUND);
        }
        free(y);
    }
    weights_close(fixture);
    fixture = first;
}
END_TEST

static double square_difference(const char *a, uint64_t seed_a, const char *b, uint64_t seed_b,
                                int64_t n)
{
    float *x = new_bytes(sizeof *x * (unsigned long)n),
          *y = new_bytes(sizeof *y * (unsigned long)n);
    double sum = 0;
    noise_draw(x, n, seed_a, noise_named(a));
    noise_draw(y, n, seed_b, noise_named(b));
    for (int64_t i = 0; i < n; i++)
        sum += ((double)x[i] - (double)y[i]) * ((double)x[i] - (double)y[i]);
    free(x);
    free(y);
    return sum / (double)n;
}

/* Normals that have nothing to do with each other differ by 2 in the mean of squares. */
START_TEST(seeds_and_cards_differ)
{
    const int64_t many = 1 << 20, few = 1 << 15;
    const char *h200 = "torch-cuda:132,2048", *rtx4090 = "torch-cuda:128,1536";
    ck_assert_double_eq(square_difference("torch-cuda", 7, h200, 7, many), 0);
    ck_assert_double_eq(square_difference(h200, 7, rtx4090, 7, few), 0); /* fewer than threads */
    ck_assert_double_gt(square_difference(h200, 7, rtx4090, 7, many), 1);
    ck_assert_double_gt(square_difference(h200, 7, h200, 8, many), 1.9);
    ck_assert_double_gt(square_difference(h200, 7, h200, 7 + (1ull << 32), many), 1.9);
    ck_assert_double_gt(square_difference("torch-cpu", 7, "torch-cpu", 8, few), 1.9);
    ck_assert_double_gt(square_difference("torch-cpu", 7, "torch-cuda", 7, few), 1.9);
}
END_TEST

START_TEST(are_normal)
{
    static float y[1 << 20];
    const int64_t n = 1 << 20;
    for (int kind = 0; kind < 2; kind++) {
        double moment[5] = {0};
        noise_draw(y, n, 99, noise_named(kind ? "torch-cpu" : "torch-cuda"));
        for (int64_t i = 0; i < n; i++)
            for (int k = 1; k <= 4; k++)
                moment[k] += pow((double)y[i], k) / (double)n;
        ck_assert_double_eq_tol(moment[1], 0, 0.005);
        ck_assert_double_eq_tol(moment[2], 1, 0.01);
        ck_assert_double_eq_tol(moment[3], 0, 0.02);
        ck_assert_double_eq_tol(moment[4], 3, 0.05);
    }
}
END_TEST

static void open_fixture(void) { fixture = weights_open("fixtures/noise.safetensors"); }

TESTS(open_fixture, 60, equal_torch_on_cuda, equal_torch_on_the_cpu, equal_torch_in_later_calls,
      seeds_and_cards_differ, are_normal)
