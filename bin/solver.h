/*
** solver.h: from noise to data along the flow dx/dsigma = v(x, t), in a given number of steps.
**
** With flow matching x = (1 - sigma) data + sigma noise, so alpha = 1 - sigma, and one velocity
** gives a prediction of the data: m = x - sigma v. Every step of every solver here is a linear
** combination of states and predictions; the host finds the coefficients, the device adds.
*/
#ifndef SOLVER_H
#define SOLVER_H

#include "../kernels/kernels.h"
#include "noise.h"

/* A new solver: its name here and in solver.c's table, its step in solver.c. */
typedef enum {
    SOLVER_UNIPC,
    SOLVER_DPMPP,
    SOLVER_EULER,
    SOLVER_HEUN,
    SOLVER_DPMPP_SDE,
    SOLVER_LCM,
    SOLVERS
} solver_kind;

/* "unipc", "dpm++", ..; a usage error that lists the names for anything else. */
solver_kind solver_named(const char *name);
const char *solver_text(solver_kind kind);

typedef struct schedule schedule; /* schedule.h */

enum { SOLVER_VELOCITIES = 3, SOLVER_HISTORY = 3 };

typedef struct {
    solver_kind kind;
    int steps, first, step; /* of the whole schedule; it began with step `first`; `step` are done */
    const double *sigma;    /* [steps + 1], the schedule's */
    const double *timestep; /* [steps] */
    tensor x;               /* F32: the state */
    tensor m[3];            /* predictions of the data: now, one step and two steps ago;
                               Heun: m[0] is the velocity at the step's begin */
    tensor last;            /* UniPC: the state that the last prediction was made from, corrected;
                               Heun: the state at the step's begin */
    bool second;            /* Heun: half of a step is done */
    tensor noise;           /* what a stochastic step adds */
    float *drawn;           /* the same on the host */
    noise_kind rng;
    uint64_t seed;
} solver;

/* Is it stochastic: does it draw new noise in each step? */
bool solver_draws(solver_kind kind);

/* x: F32 on the device, at the level sigma[first]; each step changes it in place. The schedule is
 * not copied: the caller keeps it until solver_close(). */
void solver_open(solver *s, solver_kind kind, const schedule *plan, int first, tensor x);
/* For a stochastic solver: the generator of its noise. Step n adds what the (n + 1)-th call of
 * torch's randn would give with this seed; the first call gave the initial noise. */
void solver_noise(solver *s, noise_kind rng, uint64_t seed);
/* The timestep of the next evaluation. */
double solver_timestep(const solver *s);
/* Advances by the velocity c[0] v[0] + .. + c[n-1] v[n-1], n <= SOLVER_VELOCITIES (guidance is such
 * a sum). True if that completes the step: one of Heun's needs two evaluations. */
bool solver_step(solver *s, int n, const tensor v[], const double c[]);
void solver_close(solver *s);

/* Between two steps: the tensors that later steps need beside x, and their names. Returns how
 * many. */
int solver_history(const solver *s, const char *name[], tensor t[]);
/* Continues a sampling of which `step` steps are done. The caller then fills the tensors that
 * solver_history() names. */
void solver_resume(solver *s, int step);

#endif
