/*
** solver.c: UniPC (order 2, B2(h)), DPM-Solver++ (2M, midpoint) and Euler as flow matching.
**
** Only what the reference runs: predictions of the data, orders 1 and 2, last step of order 1,
** final sigma 0. The hard idea is rounding: near sigma = 1 the half log signal-to-noise ratio
** lambda = ln(alpha / sigma) magnifies a rounding of sigma 3000 times, so sigma is rounded to F32
** where the reference rounds it, and all that follows is F64. lambda is -inf at sigma 1 and +inf at
** sigma 0; the formulas are written so that their limits come out.
**
** Sources: Zhao et al. 2023 (UniPC), Lu et al. 2022 (DPM-Solver++); the schedules are those of
** Wan2.1's fm_solvers_unipc.py and fm_solvers.py.
*/
#include "solver.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../common/die.h"

static const double TRAIN_STEPS = 1000;

solver_kind solver_named(const char *name)
{
    static const char *const names[] = {"unipc", "dpm++", "euler"};
    for (int i = 0; i < 3; i++)
        if (strcmp(name, names[i]) == 0)
            return (solver_kind)i;
    usage_error("--solver is unipc, dpm++ or euler, not '%s'", name);
}

/* Noise levels evenly spaced from the greatest down towards 0, then shifted towards noise:
 * sigma' = shift sigma / (1 + (shift - 1) sigma). UniPC starts at the training schedule's second
 * level, 0.999 rounded to F32, the others at pure noise. Operations are in the reference's order,
 * because a timestep is cut to a whole number. */
static void schedule(solver *s, double shift)
{
    double most = s->kind == SOLVER_UNIPC ? (double)0.999f : 1.0;
    double gap = (0.0 - most) / s->steps;
    for (int i = 0; i < s->steps; i++) {
        double sigma = i * gap + most;
        sigma = shift * sigma / (1 + (shift - 1) * sigma);
        s->timestep[i] = (int64_t)(sigma * TRAIN_STEPS);
        s->sigma[i] = (double)(float)sigma;
    }
    s->sigma[s->steps] = 0;
}

void solver_plan(solver *s, solver_kind kind, int steps, double shift)
{
    *s = (solver){.kind = kind, .steps = steps};
    s->sigma = new_bytes(sizeof *s->sigma * (unsigned long)(steps + 1));
    s->timestep = new_bytes(sizeof *s->timestep * (unsigned long)(steps + 1));
    schedule(s, shift);
}

void solver_open(solver *s, solver_kind kind, int steps, double shift, tensor x)
{
    solver_plan(s, kind, steps, shift);
    s->x = x;
    int kept = kind == SOLVER_UNIPC ? 3 : kind == SOLVER_DPMPP ? 2 : 0;
    for (int i = 0; i < kept; i++)
        s->m[i] = scratch_tensor(F32, x.rank, x.dim);
    if (kind == SOLVER_UNIPC)
        s->last = scratch_tensor(F32, x.rank, x.dim);
}

void solver_close(solver *s)
{
    free(s->sigma);
    free(s->timestep);
}

/* lambda = ln(alpha / sigma) at the i-th level. */
static double lambda(const solver *s, int i) { return log(1 - s->sigma[i]) - log(s->sigma[i]); }

/* m[0] becomes the newest prediction, m = x - sigma v; the older ones move up. */
static void predict_data(solver *s, int n, const tensor v[], const double c[])
{
    int kept = s->kind == SOLVER_UNIPC ? 3 : 2;
    tensor oldest = s->m[kept - 1];
    for (int i = kept - 1; i > 0; i--)
        s->m[i] = s->m[i - 1];
    s->m[0] = oldest;

    tensor terms[3] = {s->x};
    double weight[3] = {1};
    for (int i = 0; i < n; i++) {
        terms[i + 1] = v[i];
        weight[i + 1] = -s->sigma[s->step] * c[i];
    }
    linear_combination(s->m[0], n + 1, terms, weight);
}

/* The exact solution over one step for a prediction m that does not change:
 * x_t = (sigma_t / sigma_s) x_s - alpha_t phi m, phi = e^-h - 1, h = lambda_t - lambda_s. */
typedef struct {
    double h, phi, alpha, keep; /* keep: sigma_t / sigma_s */
} interval;

static interval between(const solver *s, int from, int to)
{
    double h = lambda(s, to) - lambda(s, from);
    return (interval){h, expm1(-h), 1 - s->sigma[to], s->sigma[to] / s->sigma[from]};
}

/* x_t = keep x_s - alpha phi (m0 + (m0 - m1) / 2 r),  r = (lambda_s - lambda_s1) / h.
 * Both predictors come to this: UniP-2 with B2(h) and DPM-Solver++(2M) midpoint differ in their
 * schedules, and in that UniPC corrects x_s first. Order 1 is the same without the difference. */
static void predictor(solver *s, tensor from, int order)
{
    int i = s->step;
    interval t = between(s, i, i + 1);
    double slope = order == 2 ? 0.5 * t.h / (lambda(s, i) - lambda(s, i - 1)) : 0;
    double m = -t.alpha * t.phi;
    linear_combination(s->x, order + 1, (tensor[]){from, s->m[0], s->m[1]},
                       (double[]){t.keep, m * (1 + slope), -m * slope});
}

/* UniC: the last step again, now that the prediction m_t at its end is known.
 * x_t = keep x_s - alpha phi (m0 + rho1 (m1 - m0) / r + rho2 (m_t - m0)), and rho makes the sum
 * exact for predictions that are polynomials in lambda:
 *     rho1 + rho2 = b1,  r rho1 + rho2 = b2,  r = (lambda_s1 - lambda_s) / h < 0,
 *     b1 = (phi / -h - 1) / phi,  b2 = 2 ((phi / -h - 1) / -h - 1 / 2) / phi.
 * With order 1 the reference takes rho2 = 1/2 and no rho1. */
static void corrector(solver *s)
{
    int i = s->step;
    interval t = between(s, i - 1, i);
    double r = 1, rho1 = 0, rho2 = 0.5;
    if (s->order == 2) {
        r = (lambda(s, i - 2) - lambda(s, i - 1)) / t.h;
        double second = t.phi / -t.h - 1, third = second / -t.h - 0.5;
        double b1 = second / t.phi, b2 = 2 * third / t.phi;
        rho1 = (b1 - b2) / (1 - r);
        rho2 = b1 - rho1;
    }
    double m = -t.alpha * t.phi;
    linear_combination(s->x, s->order + 2, (tensor[]){s->last, s->m[1], s->m[0], s->m[2]},
                       (double[]){t.keep, m * (1 - rho1 / r - rho2), m * rho2, m * rho1 / r});
}

static void unipc(solver *s, int n, const tensor v[], const double c[])
{
    predict_data(s, n, v, c); /* from the state as the predictor left it */
    if (s->step > 0)
        corrector(s);
    copy(s->last, s->x);
    s->order = s->step == 0 || s->step == s->steps - 1 ? 1 : 2;
    predictor(s, s->last, s->order);
}

static void dpmpp(solver *s, int n, const tensor v[], const double c[])
{
    predict_data(s, n, v, c);
    predictor(s, s->x, s->step == 0 || s->step == s->steps - 1 ? 1 : 2);
}

/* x_t = x_s + (sigma_t - sigma_s) v */
static void euler(solver *s, int n, const tensor v[], const double c[])
{
    double step = s->sigma[s->step + 1] - s->sigma[s->step];
    tensor terms[3] = {s->x};
    double weight[3] = {1};
    for (int i = 0; i < n; i++) {
        terms[i + 1] = v[i];
        weight[i + 1] = step * c[i];
    }
    linear_combination(s->x, n + 1, terms, weight);
}

void solver_step(solver *s, int n, const tensor v[], const double c[])
{
    assert(s->step < s->steps && n >= 1 && n <= 2);
    switch (s->kind) {
    case SOLVER_UNIPC: unipc(s, n, v, c); break;
    case SOLVER_DPMPP: dpmpp(s, n, v, c); break;
    case SOLVER_EULER: euler(s, n, v, c); break;
    }
    s->step++;
}
