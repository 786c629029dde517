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
#include "schedule.h"

enum { SOLVER_VELOCITIES = 3, SOLVER_HISTORY = 3 };

typedef struct {
    solver_kind kind;
    int steps, first, step; /* first: where it started; step: how many of all are done */
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

/* Does it draw noise in every step? */
bool solver_draws(solver_kind kind);

/* x: F32 on the device, of level sigma[first]; each step changes it in place. The schedule stays
 * the caller's. */
void solver_open(solver *s, solver_kind kind, const schedule *plan, int first, tensor x);
/* Whose numbers a stochastic solver draws: those that torch's generator gives after the noise that
 * the sampling began with, a call a step. */
void solver_noise(solver *s, noise_kind rng, uint64_t seed);
/* The timestep of the next evaluation. */
double solver_timestep(const solver *s);
/* Goes on with the velocity sum of c[i] v[i], n <= SOLVER_VELOCITIES: guidance is such a sum. Is
 * the step done with that? (Heun's needs two evaluations.) */
bool solver_step(solver *s, int n, const tensor v[], const double c[]);
void solver_close(solver *s);

/* What later steps need beside x, between two steps: tensors and their names; how many. */
int solver_history(const solver *s, const char *name[], tensor t[]);
/* So many steps of all are done: after which the history is to be put where solver_history says. */
void solver_resume(solver *s, int step);

#endif
