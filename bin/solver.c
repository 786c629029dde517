/*
** solver.c: UniPC (order 2, B2(h)), DPM-Solver++ (2M, midpoint; also its stochastic form), Euler,
** Heun and the consistency steps that noise the prediction again, as flow matching.
**
** Only what the reference runs: predictions of the data, orders 1 and 2, last step of order 1,
** final sigma 0. The hard idea is rounding: near sigma = 1 the half log signal-to-noise ratio
** lambda = ln(alpha / sigma) magnifies a rounding of sigma 3000 times, so sigma is rounded to F32
** where the reference rounds it, and all that follows is F64. lambda is -inf at sigma 1 and +inf at
** sigma 0; the formulas are written so that their limits come out.
**
** Sources: Zhao et al. 2023 (UniPC), Lu et al. 2022 (DPM-Solver++), both as in Wan2.1's
** fm_solvers_unipc.py and fm_solvers.py (sde-dpmsolver++ too); Karras et al. 2022 (Heun); Luo et
** al. 2023 (LCM), whose steps are also those of CausVid, Self-Forcing and FastWan.
*/
#include "solver.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/die.h"
#include "schedule.h"

static const char *const NAMES[SOLVERS] = {"unipc", "dpm++", "euler", "heun", "dpm++-sde", "lcm"};

solver_kind solver_named(const char *name)
{
    char all[200] = "";
    for (int i = 0; i < SOLVERS; i++) {
        if (strcmp(NAMES[i], name) == 0)
            return (solver_kind)i;
        const char *comma = i == 0 ? "" : i < SOLVERS - 1 ? ", " : " or ";
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", comma, NAMES[i]);
    }
    usage_error("--solver is %s, not '%s'", all, name);
}

const char *solver_text(solver_kind kind) { return NAMES[kind]; }

bool solver_draws(solver_kind kind) { return kind == SOLVER_DPMPP_SDE || kind == SOLVER_LCM; }

/* The number of predictions of the data that a step uses. */
static int predictions(solver_kind kind)
{
    switch (kind) {
    case SOLVER_UNIPC: return 3;
    case SOLVER_DPMPP:
    case SOLVER_DPMPP_SDE: return 2;
    case SOLVER_HEUN:
    case SOLVER_LCM: return 1;
    default: return 0;
    }
}

void solver_open(solver *s, solver_kind kind, const schedule *plan, int first, tensor x)
{
    *s = (solver){.kind = kind,
                  .steps = plan->steps,
                  .first = first,
                  .step = first,
                  .sigma = plan->sigma,
                  .timestep = plan->timestep,
                  .x = x};
    for (int i = 0; i < predictions(kind); i++)
        s->m[i] = scratch_tensor(F32, x.rank, x.dim);
    if (kind == SOLVER_UNIPC || kind == SOLVER_HEUN)
        s->last = scratch_tensor(F32, x.rank, x.dim);
    if (solver_draws(kind))
        s->noise = scratch_tensor(F32, x.rank, x.dim);
}

void solver_noise(solver *s, noise_kind rng, uint64_t seed)
{
    s->rng = rng;
    s->seed = seed;
    s->drawn = new_bytes(tensor_bytes(s->x));
}

void solver_close(solver *s)
{
    free(s->drawn);
    s->drawn = NULL;
}

double solver_timestep(const solver *s) { return s->timestep[s->step + s->second]; }

int solver_history(const solver *s, const char *name[], tensor t[])
{
    int done = s->step - s->first, n = 0;
    bool multistep = s->kind == SOLVER_UNIPC || predictions(s->kind) == 2;
    assert(!s->second);
    if (done < 1 || !multistep)
        return 0;
    name[n] = "solver.m0";
    t[n++] = s->m[0];
    if (s->kind != SOLVER_UNIPC)
        return n;
    if (done >= 2) {
        name[n] = "solver.m1";
        t[n++] = s->m[1];
    }
    name[n] = "solver.last";
    t[n++] = s->last;
    return n;
}

void solver_resume(solver *s, int step) { s->step = step; }

/* lambda = ln(alpha / sigma) at the i-th level. */
static double lambda(const solver *s, int i) { return log(1 - s->sigma[i]) - log(s->sigma[i]); }

/* y = x + step sum of c[i] v[i] */
static void add_velocity(tensor y, tensor x, double step, int n, const tensor v[], const double c[])
{
    tensor terms[1 + SOLVER_VELOCITIES] = {x};
    double weight[1 + SOLVER_VELOCITIES] = {1};
    for (int i = 0; i < n; i++) {
        terms[i + 1] = v[i];
        weight[i + 1] = step * c[i];
    }
    linear_combination(y, n + 1, terms, weight);
}

/* m[0] becomes the newest prediction, m = x - sigma v; the older ones move up. */
static void predict_data(solver *s, int n, const tensor v[], const double c[])
{
    int kept = predictions(s->kind);
    tensor oldest = s->m[kept - 1];
    for (int i = kept - 1; i > 0; i--)
        s->m[i] = s->m[i - 1];
    s->m[0] = oldest;

    add_velocity(s->m[0], s->x, -s->sigma[s->step], n, v, c);
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

/* Order 2 needs a step before; the last step is of order 1. */
static int order_of(const solver *s, int step)
{
    return step == s->first || step == s->steps - 1 ? 1 : 2;
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
    int order = order_of(s, i - 1);
    double r = 1, rho1 = 0, rho2 = 0.5;
    if (order == 2) {
        r = (lambda(s, i - 2) - lambda(s, i - 1)) / t.h;
        double second = t.phi / -t.h - 1, third = second / -t.h - 0.5;
        double b1 = second / t.phi, b2 = 2 * third / t.phi;
        rho1 = (b1 - b2) / (1 - r);
        rho2 = b1 - rho1;
    }
    double m = -t.alpha * t.phi;
    linear_combination(s->x, order + 2, (tensor[]){s->last, s->m[1], s->m[0], s->m[2]},
                       (double[]){t.keep, m * (1 - rho1 / r - rho2), m * rho2, m * rho1 / r});
}

static void unipc(solver *s, int n, const tensor v[], const double c[])
{
    predict_data(s, n, v, c); /* from the state as the predictor left it */
    if (s->step > s->first)
        corrector(s);
    copy(s->last, s->x);
    predictor(s, s->last, order_of(s, s->step));
}

static void dpmpp(solver *s, int n, const tensor v[], const double c[])
{
    predict_data(s, n, v, c);
    predictor(s, s->x, order_of(s, s->step));
}

/* ---- steps that add noise ---- */

/* The noise of this step: torch's next randn of so many. */
static void draw(solver *s)
{
    assert(s->drawn);
    tensor host = s->x;
    host.data = s->drawn;
    device_wait(); /* the step before may still be read from there */
    noise_draw_nth(s->drawn, tensor_count(s->x), s->seed, s->rng, s->step - s->first + 1);
    upload_into(s->noise, host);
}

/* As predictor(), but the noise in the state is forgotten at the rate of the diffusion's variance:
 * x_t = keep e^-h x_s + alpha (1 - e^-2h) (m0 + (m0 - m1) / 2 r) + sigma_t sqrt(1 - e^-2h) noise */
static void dpmpp_sde(solver *s, int n, const tensor v[], const double c[])
{
    int i = s->step, order = order_of(s, i);
    predict_data(s, n, v, c);
    draw(s);
    interval t = between(s, i, i + 1);
    double slope = order == 2 ? 0.5 * t.h / (lambda(s, i) - lambda(s, i - 1)) : 0;
    double lost = -expm1(-2 * t.h), m = t.alpha * lost;
    linear_combination(
        s->x, 3 + (order == 2), (tensor[]){s->x, s->m[0], s->noise, s->m[1]},
        (double[]){t.keep * exp(-t.h), m * (1 + slope), s->sigma[i + 1] * sqrt(lost), -m * slope});
}

/* x_t = (1 - sigma_t) m + sigma_t noise: the prediction, noised again */
static void lcm(solver *s, int n, const tensor v[], const double c[])
{
    double sigma = s->sigma[s->step + 1];
    predict_data(s, n, v, c);
    if (sigma == 0) {
        copy(s->x, s->m[0]);
        return;
    }
    draw(s);
    linear_combination(s->x, 2, (tensor[]){s->m[0], s->noise}, (double[]){1 - sigma, sigma});
}

/* ---- steps along the flow ---- */

static double length(const solver *s) { return s->sigma[s->step + 1] - s->sigma[s->step]; }

/* x_t = x_s + (sigma_t - sigma_s) v */
static void euler(solver *s, int n, const tensor v[], const double c[])
{
    add_velocity(s->x, s->x, length(s), n, v, c);
}

/* Euler's step is a try: x_t = x_s + (sigma_t - sigma_s) (v_s + v_t) / 2. The last step, to sigma
 * 0, is Euler's. */
static void heun(solver *s, int n, const tensor v[], const double c[])
{
    if (s->second) {
        double half = length(s) / 2;
        linear_combination(s->x, 2, (tensor[]){s->last, s->m[0]}, (double[]){1, half});
        add_velocity(s->x, s->x, half, n, v, c);
    } else {
        copy(s->last, s->x);
        linear_combination(s->m[0], n, v, c);
        euler(s, n, v, c);
    }
    s->second = !s->second && s->sigma[s->step + 1] > 0;
}

bool solver_step(solver *s, int n, const tensor v[], const double c[])
{
    assert(s->step < s->steps && n >= 1 && n <= SOLVER_VELOCITIES);
    switch (s->kind) {
    case SOLVER_UNIPC: unipc(s, n, v, c); break;
    case SOLVER_DPMPP: dpmpp(s, n, v, c); break;
    case SOLVER_EULER: euler(s, n, v, c); break;
    case SOLVER_HEUN: heun(s, n, v, c); break;
    case SOLVER_DPMPP_SDE: dpmpp_sde(s, n, v, c); break;
    case SOLVER_LCM: lcm(s, n, v, c); break;
    case SOLVERS: assert(0);
    }
    s->step += !s->second;
    return !s->second;
}
