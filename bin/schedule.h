/*
** schedule.h: the noise schedule of a sampling: a sigma for each step, and the timestep that the
** model gets with it.
**
** At the level sigma the latents are x = (1 - sigma) data + sigma noise. For the same number of
** steps and the same shift the official code and diffusers have different sigmas, and so have two
** versions of diffusers. Results differ by several per cent, so the user chooses a schedule by
** name, and the record keeps that name.
*/
#ifndef SCHEDULE_H
#define SCHEDULE_H

#include <jansson.h>

#include "solver.h"

typedef enum {
    SCHEDULE_OFFICIAL,
    SCHEDULE_DIFFUSERS,
    SCHEDULE_DIFFUSERS_036,
    SCHEDULE_TRAINED,
    SCHEDULES
} schedule_kind;

schedule_kind schedule_named(const char *name);
const char *schedule_text(schedule_kind kind);

struct schedule {
    int steps;
    double *sigma;    /* [steps + 1], descending to 0; exactly representable as F32 */
    double *timestep; /* [steps]: the model's input */
};

/* The schedule of a kind with that many steps. The solver counts too: some kinds have other levels
 * for some solvers. To be freed. */
schedule schedule_plan(schedule_kind kind, solver_kind for_solver, int steps, double shift);
/* The levels given by --timesteps and --sigmas, numbers separated by commas; one of the two may be
 * NULL. Usage error if a list is not numbers that descend. */
schedule schedule_given(schedule_kind kind, solver_kind for_solver, double shift,
                        const char *timesteps, const char *sigmas);
/* The number of steps whose timestep is at least 1000 * level. */
int schedule_before(const schedule *s, double level);

/* A timestep as JSON: an integer if it is whole. */
json_t *timestep_json(double t);
/* Writes {"sigmas": [..], "timesteps": [..]} into `object`, and reads it. schedule_get() returns
 * a schedule of 0 steps if the object holds none. */
void schedule_put(const schedule *s, json_t *object);
schedule schedule_get(const json_t *object);
void schedule_free(schedule *s);

#endif
