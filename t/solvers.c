/*
** solvers.c: every state of every solver against the official schedulers, on the velocity field
** v(x, t) = sin(3x) + 0.001 t cos(x); and what needs no reference.
**
** The fixtures have tensors SOLVER.nSTEPS.shiftSHIFT.{x,timesteps,sigmas}; row i of x is the state
** after i steps. solvers.safetensors has 10 and 20 steps at shift 5, solvers-more.safetensors 1 to
** 4, 14, 15 and 50 at shifts from 1 to 8. sampling/golden.safetensors has the levels of diffusers'
** schedulers, SOLVER@SCHEDULE.nSTEPS.shiftSHIFT.{timesteps,sigmas} (41-levels.t has their latents).
** Run from the root of the tree.
*/
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../bin/schedule.h"
#include "../common/checkpoint/weights.h"
#include "../common/die.h"
#include "suite.h"

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
static void run(solver_kind kind, const schedule *plan, tensor path)
{
    int steps = plan->steps;
    int64_t n = tensor_width(path);
    tensor x = scratch(F32, n), v = scratch(F32, n), half = scratch(F32, n);
    solver s;
    upload_into(x, rows(path, 0, 1));
    solver_open(&s, kind, plan, 0, x);
    for (int i = 0; i < steps; i++) {
        float *row = (float *)path.data + i * n;
        velocity(v, row, n, solver_timestep(&s));
        /* in two halves, as guidance gives it */
        linear_combination(half, 1, &v, (double[]){0.5});
        solver_step(&s, 2, (tensor[]){half, v}, (double[]){1, 0.5});
        download(rows(path, i + 1, 1), x);
    }
    solver_close(&s);
}

/* The levels of CASE.timesteps and CASE.sigmas, the first `length` characters of key. */
static void check_levels(weights *w, const char *key, int length, const schedule *plan)
{
    char name[96];
    snprintf(name, sizeof name, "%.*s.timesteps", length, key);
    tensor timestep = weights_tensor(w, name, plan->steps);
    for (int i = 0; i < plan->steps; i++) {
        double want = timestep.type == I32 ? (double)((int32_t *)timestep.data)[i]
                                           : (double)((float *)timestep.data)[i];
        ck_assert_msg(plan->timestep[i] == want, "%s: timestep %d is %.9g, not %.9g", key, i,
                      plan->timestep[i], want);
    }
    snprintf(name, sizeof name, "%.*s.sigmas", length, key);
    const float *sigma = weights_tensor(w, name, plan->steps + 1).data;
    for (int i = 0; i <= plan->steps; i++)
        ck_assert_msg(plan->sigma[i] == (double)sigma[i], "%s: sigma %d is %.9g, not %.9g", key, i,
                      plan->sigma[i], (double)sigma[i]);
}

static double against_reference(weights *w, const char *key)
{
    char name[8];
    int steps, length = (int)(strlen(key) - strlen(".x"));
    double shift, worst = 0;
    ck_assert_int_eq(sscanf(key, "%7[^.].n%d.shift%lf", name, &steps, &shift), 3);
    solver_kind kind = solver_named(name);
    schedule plan = schedule_plan(SCHEDULE_OFFICIAL, kind, steps, shift);
    check_levels(w, key, length, &plan);

    tensor want = weights_any(w, key), got = want;
    got.data = new_bytes(tensor_bytes(want));
    memcpy(got.data, want.data, sizeof(float) * (size_t)tensor_width(want));
    size_t mark = scratch_mark();
    run(kind, &plan, got);
    for (int64_t i = 0; i < tensor_count(want); i++)
        worst = fmax(worst, fabs((double)((float *)got.data)[i] - ((float *)want.data)[i]));
    schedule_free(&plan);
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

/* SOLVER@SCHEDULE.nSTEPS.shiftSHIFT.sigmas */
START_TEST(levels_of_diffusers)
{
    weights *w = weights_open("fixtures/sampling/golden.safetensors");
    int found = 0;
    for (int i = 0; i < weights_count(w); i++) {
        const char *key = weights_name(w, i), *end = strstr(key, ".sigmas");
        char name[16], levels[16];
        int steps;
        double shift;
        if (!end || !strchr(key, '@'))
            continue;
        const char *at = strchr(key, '@'), *n = strstr(key, ".n");
        snprintf(name, sizeof name, "%.*s", (int)(at - key), key);
        snprintf(levels, sizeof levels, "%.*s", (int)(n - at - 1), at + 1);
        ck_assert_int_eq(sscanf(n, ".n%d.shift%lf", &steps, &shift), 2);
        schedule plan = schedule_plan(schedule_named(levels), solver_named(name), steps, shift);
        check_levels(w, key, (int)(end - key), &plan);
        schedule_free(&plan);
        found++;
    }
    ck_assert_int_eq(found, 66);
    weights_close(w);
}
END_TEST

/* With v = (x - data) / sigma the flow is a straight line to `data`, and no solver can miss it. */
START_TEST(straight_flow_is_exact)
{
    const float data = 0.75f;
    for (int kind = SOLVER_UNIPC; kind < SOLVERS; kind++) {
        if (solver_draws((solver_kind)kind))
            continue;
        size_t mark = scratch_mark();
        float value = -1.5f;
        tensor x = scratch(F32, 1), v = scratch(F32, 1);
        solver s;
        schedule plan = schedule_plan(SCHEDULE_OFFICIAL, (solver_kind)kind, 7, 5);
        upload_into(x, tensor_of(&value, F32, 1));
        solver_open(&s, (solver_kind)kind, &plan, 0, x);
        while (s.step < s.steps) {
            float slope = (value - data) / (float)s.sigma[s.step + s.second];
            upload_into(v, tensor_of(&slope, F32, 1));
            solver_step(&s, 1, &v, (double[]){1});
            download(tensor_of(&value, F32, 1), x);
        }
        ck_assert_float_eq_tol(value, data, 1e-6f);
        solver_close(&s);
        schedule_free(&plan);
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
                solver_kind of = kind && pass ? SOLVER_DPMPP : SOLVER_EULER;
                schedule plan = schedule_plan(SCHEDULE_OFFICIAL, of, steps, 1);
                run(of, &plan, tensor_of(path, F32, steps + 1, N));
                memcpy(end[pass], path + steps * N, sizeof end[pass]);
                schedule_free(&plan);
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

TESTS(device_open, 60, equal_the_official_schedulers, equal_them_at_few_and_many_steps,
      levels_of_diffusers, straight_flow_is_exact, orders_of_convergence)
