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

typedef enum { SOLVER_UNIPC, SOLVER_DPMPP, SOLVER_EULER } solver_kind;

typedef struct {
    solver_kind kind;
    int steps, step;   /* step: how many are done */
    double *sigma;     /* [steps + 1], descending to 0; exactly representable as F32 */
    int64_t *timestep; /* [steps]: what the model is told, 1000 sigma cut to a whole number */
    tensor x;          /* F32: the state */
    tensor m[3];       /* predictions of the data: now, one step and two steps ago */
    tensor last;       /* UniPC: the state that the last prediction was made from, corrected */
    int order;         /* UniPC: of the last step */
} solver;

/* "unipc", "dpm++" or "euler"; usage error for others. */
solver_kind solver_named(const char *name);

/* The noise levels and timesteps alone: it makes no steps, but is to be closed. */
void solver_plan(solver *s, solver_kind kind, int steps, double shift);
/* x: F32 on the device, the noise; each step changes it in place. */
void solver_open(solver *s, solver_kind kind, int steps, double shift, tensor x);
/* One step with the velocity sum of c[i] v[i], n <= 2: guidance is such a sum. */
void solver_step(solver *s, int n, const tensor v[], const double c[]);
void solver_close(solver *s);

#endif
