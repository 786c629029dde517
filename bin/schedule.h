/*
** schedule.h: the levels of noise that a sampling goes through, and what the model is told at each.
**
** Of a level sigma x = (1 - sigma) data + sigma noise. The official code and diffusers say other
** levels for the same steps and shift, and diffusers has changed its mind; results differ by
** several per cent, so whose levels they are is said by name and stands in the record.
*/
#ifndef SCHEDULE_H
#define SCHEDULE_H

#include <jansson.h>

typedef enum {
    SOLVER_UNIPC,
    SOLVER_DPMPP,
    SOLVER_EULER,
    SOLVER_HEUN,
    SOLVER_DPMPP_SDE,
    SOLVER_LCM,
    SOLVERS
} solver_kind;

/* "unipc", "dpm++", ..; usage error for others. */
solver_kind solver_named(const char *name);
const char *solver_text(solver_kind kind);

typedef enum {
    SCHEDULE_OFFICIAL,
    SCHEDULE_DIFFUSERS,
    SCHEDULE_DIFFUSERS_036,
    SCHEDULE_TRAINED,
    SCHEDULES
} schedule_kind;

schedule_kind schedule_named(const char *name);
const char *schedule_text(schedule_kind kind);

typedef struct {
    int steps;
    double *sigma;    /* [steps + 1], descending to 0; exactly representable as F32 */
    double *timestep; /* [steps]: what the model is told */
} schedule;

/* So many levels of a kind, for a solver (some have their own); to be freed. */
schedule schedule_plan(schedule_kind kind, solver_kind solver, int steps, double shift);
/* The levels of --timesteps and --sigmas, lists with commas between; either may be NULL. Usage
 * error if they are no levels. */
schedule schedule_given(schedule_kind kind, solver_kind solver, double shift, const char *timesteps,
                        const char *sigmas);
/* How many steps come before the first whose timestep is below 1000 level. */
int schedule_before(const schedule *s, double level);

/* A timestep as JSON: whole where it is whole. */
json_t *timestep_json(double t);
/* As JSON, in a document: {"sigmas": [..], "timesteps": [..]} into `object`, and from it; the
 * second gives steps 0 if it is no such thing. */
void schedule_put(const schedule *s, json_t *object);
schedule schedule_get(const json_t *object);
void schedule_free(schedule *s);

#endif
