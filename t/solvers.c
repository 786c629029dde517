/*
** solvers.c: every state of every solver against the official schedulers, on the velocity field
** v(x, t) = sin(3x) + 0.001 t cos(x); and what needs no reference.
**
** The fixtures have tensors SOLVER.nSTEPS.shiftSHIFT.{x,timesteps,sigmas}; row i of x is the state
** after i steps. solvers.safetensors has 10 and 20 steps at shift 5, solvers-more.safetensors 1 to
** 4, 14, 15 and 50 at shifts from 1 to 8. Run from the root of the tree.
*/
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../bin/solver.h"
#include "../common/checkpoint/weights.h"
#include "../common/die.h"

static const double BOUND = 1e-5; /* absolute, in every state */

static void velocity(tensor v, const float *x, int64_t n, double t)
{
    float *y = new_bytes(sizeof *y * (unsigned long)n);
    for (int64_t i = 0; i < n; i++)
        y[i] = sinf(3 * x[i]) + 0.001f * (float)t * cosf(x[i]);
    upload_into(v, tensor_of(y, F32, n));
    device_wait();
    free(y);
}

/* Runs the solver over all steps; path (host F32 [steps + 1, n], row 0 given) gets its states. */
static solver run(solver_kind kind, int steps, double shift, tensor path)
{
    int64_t n = tensor_width(path);
    tensor x = scratch(F32, n), v = scratch(F32, n), half = scratch(F32, n);
    solver s;
    upload_into(x, rows(path, 0, 1));
    solver_open(&s, kind, steps, shift, x);
    for (int i = 0; i < steps; i++) {
        float *row = (float *)path.data + i * n;
        velocity(v, row, n, (double)s.timestep[i]);
        /* in two halves, as guidance gives it */
        linear_combination(half, 1, &v, (double[]){0.5});
        solver_step(&s, 2, (tensor[]){half, v}, (double[]){1, 0.5});
        download(rows(path, i + 1, 1), x);
    }
    return s;
}

static double against_reference(weights *w, const char *key)
{
    char name[8], other[64];
    int steps, length = (int)(strlen(key) - strlen(".x"));
    double shift, worst = 0;
    ck_assert_int_eq(sscanf(key, "%7[^.].n%d.shift%lf", name, &steps, &shift), 3);
    tensor want = weights_any(w, key);
    tensor got = want;
    got.data = new_bytes(tensor_bytes(want));
    memcpy(got.data, want.data, sizeof(float) * (size_t)tensor_width(want));

    size_t mark = scratch_mark();
    solver s = run(solver_named(name), steps, shift, got);
    for (int64_t i = 0; i < tensor_count(want); i++)
        worst = fmax(worst, fabs((double)((float *)got.data)[i] - ((float *)want.data)[i]));

    snprintf(other, sizeof other, "%.*s.timesteps", length, key);
    const int32_t *timestep = weights_tensor(w, other, steps).data;
    for (int i = 0; i < steps; i++)
        ck_assert_int_eq(s.timestep[i], timestep[i]);
    snprintf(other, sizeof other, "%.*s.sigmas", length, key);
    const float *sigma = weights_tensor(w, other, steps + 1).data;
    for (int i = 0; i <= steps; i++)
        ck_assert_msg(s.sigma[i] == (double)sigma[i], "%s: sigma %d is %.9g, not %.9g", key, i,
                      s.sigma[i], (double)sigma[i]);
    solver_close(&s);
    scratch_reset(mark);
    free(got.data);
    return worst;
}

static void check_fixture(const char *path, int cases)
{
    weights *w = weights_open(path);
    int found = 0;
    double worst = 0;
    for (int i = 0; i < weights_count(w); i++) {
        const char *key = weights_name(w, i);
        if (strcmp(key + strlen(key) - 2, ".x") != 0)
            continue;
        double error = against_reference(w, key);
        ck_assert_msg(error <= BOUND, "%s: %.3g, more than %.3g", key, error, BOUND);
        worst = fmax(worst, error);
        found++;
    }
    printf("# %d runs, greatest difference of any state %.3g, bound %.3g\n", found, worst, BOUND);
    fflush(stdout);
    ck_assert_int_eq(found, cases);
    weights_close(w);
}

START_TEST(equal_the_official_schedulers) { check_fixture("fixtures/solvers.safetensors", 4); }
END_TEST

START_TEST(equal_them_at_few_and_many_steps)
{
    check_fixture("fixtures/solvers-more.safetensors", 36);
}
END_TEST

/* With v = (x - data) / sigma the flow is a straight line to `data`, and no solver can miss it. */
START_TEST(straight_flow_is_exact)
{
    const float data = 0.75f;
    for (int kind = SOLVER_UNIPC; kind <= SOLVER_EULER; kind++) {
        size_t mark = scratch_mark();
        float value = -1.5f;
        tensor x = scratch(F32, 1), v = scratch(F32, 1);
        solver s;
        upload_into(x, tensor_of(&value, F32, 1));
        solver_open(&s, (solver_kind)kind, 7, 5, x);
        for (int i = 0; i < s.steps; i++) {
            float slope = (value - data) / (float)s.sigma[i];
            upload_into(v, tensor_of(&slope, F32, 1));
            solver_step(&s, 1, &v, (double[]){1});
            download(tensor_of(&value, F32, 1), x);
        }
        ck_assert_float_eq_tol(value, data, 1e-6f);
        solver_close(&s);
        scratch_reset(mark);
    }
}
END_TEST

/* Twice the steps, half the error for order 1, a quarter or less for order 2: on a field that is
 * smooth in sigma, against Euler with very many steps. */
START_TEST(orders_of_convergence)
{
    enum { FINE = 1000, N = 8 };
    float start[N] = {-1.2f, -0.9f, -0.4f, -0.1f, 0.2f, 0.5f, 0.8f, 1.1f};
    static float path[(FINE + 1) * N];
    double error[2][2];
    for (int kind = 0; kind < 2; kind++)
        for (int fine = 0; fine < 2; fine++) {
            float end[2][N];
            for (int pass = 0; pass < 2; pass++) {
                int steps = pass ? 20 << fine : FINE;
                memcpy(path, start, sizeof start);
                size_t mark = scratch_mark();
                solver s = run(kind && pass ? SOLVER_DPMPP : SOLVER_EULER, steps, 1,
                               tensor_of(path, F32, steps + 1, N));
                memcpy(end[pass], path + steps * N, sizeof end[pass]);
                solver_close(&s);
                scratch_reset(mark);
            }
            error[kind][fine] = 0;
            for (int i = 0; i < N; i++)
                error[kind][fine] += fabs((double)end[1][i] - (double)end[0][i]);
        }
    printf("# euler 20 steps %.2g, 40 steps %.2g; dpm++ %.2g, %.2g\n", error[0][0], error[0][1],
           error[1][0], error[1][1]);
    fflush(stdout);
    ck_assert_double_lt(error[0][1], 0.6 * error[0][0]);
    ck_assert_double_lt(error[1][0], 0.5 * error[0][0]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("solvers");
    TCase *tests = tcase_create("solvers");
    program_name_set("solvers");
    device_open();
    tcase_add_test(tests, equal_the_official_schedulers);
    tcase_add_test(tests, equal_them_at_few_and_many_steps);
    tcase_add_test(tests, straight_flow_is_exact);
    tcase_add_test(tests, orders_of_convergence);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
