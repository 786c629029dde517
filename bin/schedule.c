/*
** schedule.c: the official code's levels of noise, diffusers', those of students, and given ones.
**
** The hard idea is order of operations: a timestep is cut to a whole number, and a level rounded to
** F32 (near sigma = 1 a solver magnifies that 3000 times), so each kind is computed in the order
** and precision of its source, which numpy does in F64 and torch in F32.
**
** Sources: Wan2.1's fm_solvers_unipc.py and fm_solvers.py; diffusers 0.36.0 and 0.42.1,
** scheduling_unipc_multistep.py, _dpmsolver_multistep.py, _flow_match_euler_discrete.py, _heun_ and
** _lcm; for `trained` the table of CausVid's, Self-Forcing's and FastVideo's flow-match scheduler.
*/
#include "schedule.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../common/die.h"

enum { TRAIN_STEPS = 1000, MOST_STEPS = 1000 };

static const char *const SCHEDULE_NAMES[SCHEDULES] = {"official", "diffusers", "diffusers-0.36",
                                                      "trained"};

schedule_kind schedule_named(const char *name)
{
    for (int i = 0; i < SCHEDULES; i++)
        if (strcmp(SCHEDULE_NAMES[i], name) == 0)
            return (schedule_kind)i;
    usage_error("--schedule is official, diffusers, diffusers-0.36 or trained, not '%s'", name);
}

const char *schedule_text(schedule_kind kind) { return SCHEDULE_NAMES[kind]; }

static schedule room(int steps)
{
    schedule s = {.steps = steps};
    s.sigma = new_bytes(sizeof *s.sigma * (unsigned long)(steps + 1));
    s.timestep = new_bytes(sizeof *s.timestep * (unsigned long)(steps + 1));
    s.sigma[steps] = 0;
    return s;
}

void schedule_free(schedule *s)
{
    free(s->sigma);
    free(s->timestep);
    *s = (schedule){0};
}

/* ---- levels by rule ---- */

/* Towards noise: sigma' = shift sigma / (1 + (shift - 1) sigma) */
static double shifted(double sigma, double shift)
{
    return shift * sigma / (1 + (shift - 1) * sigma);
}

static float shifted_f32(float sigma, double shift)
{
    float up = (float)shift * sigma, down = (float)(shift - 1) * sigma;
    return up / (1 + down);
}

/* The i-th of n + 1 numbers from a to b, as numpy.linspace makes it. */
static double between(double a, double b, int i, int n)
{
    return n > 0 ? i * ((b - a) / n) + a : a;
}

/* Its timestep is cut to a whole number. */
static void put(schedule *s, int i, double sigma)
{
    s->timestep[i] = floor(sigma * TRAIN_STEPS);
    s->sigma[i] = (double)(float)sigma;
}

/* Evenly from the greatest level down towards 0, then shifted. UniPC starts at the training
 * schedule's second level, 0.999 rounded to F32, the others at pure noise. */
static void official(schedule *s, solver_kind for_solver, double shift)
{
    double most = for_solver == SOLVER_UNIPC ? (double)0.999f : 1.0;
    for (int i = 0; i < s->steps; i++)
        put(s, i, shifted(between(most, 0, i, s->steps), shift));
}

/* UniPC and DPM-Solver++ with use_flow_sigmas; `late`, UniPC since 0.37.0: down from 1, which is
 * lowered by 1e-6, towards 0.001; before that, and DPM-Solver++ still: from 0.999 towards 0. */
static void diffusers_multistep(schedule *s, bool late, double shift)
{
    double least = 1.0 / TRAIN_STEPS, eps = 1e-6;
    for (int i = 0; i < s->steps; i++) {
        double up = 1.0 - between(1, least, s->steps - i, s->steps);
        if (!late && i == 0)
            up = 1.0 - least; /* linspace's end is exact */
        double sigma = shifted(late ? between(1, least, i, s->steps) : up, shift);
        if (late && i == 0 && fabs(sigma - 1) < eps)
            sigma -= eps;
        put(s, i, sigma);
    }
}

/* FlowMatch schedulers: evenly between the ends of the shifted training schedule, then shifted
 * again; timesteps are F32 and not cut. */
static void diffusers_flow_match(schedule *s, double shift)
{
    double most = (double)shifted_f32(1.0f, shift) * TRAIN_STEPS;
    double least = (double)shifted_f32(1.0f / TRAIN_STEPS, shift) * TRAIN_STEPS;
    for (int i = 0; i < s->steps; i++) {
        bool last = i > 0 && i == s->steps - 1;
        double t = last ? least : between(most, least, i, s->steps - 1);
        float sigma = (float)shifted(t / TRAIN_STEPS, shift);
        s->sigma[i] = (double)sigma;
        s->timestep[i] = (double)(sigma * TRAIN_STEPS);
    }
}

static bool multistep(solver_kind for_solver)
{
    return for_solver == SOLVER_UNIPC || for_solver == SOLVER_DPMPP ||
           for_solver == SOLVER_DPMPP_SDE;
}

schedule schedule_plan(schedule_kind kind, solver_kind for_solver, int steps, double shift)
{
    schedule s = room(steps);
    if (kind == SCHEDULE_OFFICIAL)
        official(&s, for_solver, shift);
    else if (kind == SCHEDULE_TRAINED)
        usage_error("--schedule trained is for --timesteps");
    else if (multistep(for_solver))
        diffusers_multistep(&s, for_solver == SOLVER_UNIPC && kind == SCHEDULE_DIFFUSERS, shift);
    else
        diffusers_flow_match(&s, shift);
    return s;
}

/* ---- given levels ---- */

/* A student was trained on 1000 shifted levels, which torch.linspace makes from both ends: the one
 * whose timestep is nearest. */
static double trained(double timestep, double shift)
{
    const float gap = 1.0f / TRAIN_STEPS;
    float best = 0, least = INFINITY;
    for (int i = 0; i < TRAIN_STEPS; i++) {
        float even = i < TRAIN_STEPS / 2 ? 1 - gap * (float)i : gap * (float)(TRAIN_STEPS - i);
        float sigma = shifted_f32(even, shift);
        float far = fabsf(sigma * TRAIN_STEPS - (float)timestep);
        if (far < least) {
            least = far;
            best = sigma;
        }
    }
    return (double)best;
}

/* The numbers of a list, all in (0, most]; how many. */
static int numbers(double x[], const char *option, const char *list, double most)
{
    int n = 0;
    for (const char *at = list;; at++) {
        char *end;
        double value = strtod(at, &end);
        if (end == at || (*end && *end != ',') || !(value > 0 && value <= most))
            usage_error("%s takes numbers above 0 and up to %g, separated by commas, not '%s'",
                        option, most, list);
        if (n == MOST_STEPS)
            usage_error("%s has more than %d numbers", option, MOST_STEPS);
        x[n++] = value;
        at = end;
        if (!*at)
            return n;
    }
}

schedule schedule_given(schedule_kind kind, solver_kind for_solver, double shift,
                        const char *timesteps, const char *sigmas)
{
    static double t[MOST_STEPS], level[MOST_STEPS];
    int n = timesteps ? numbers(t, "--timesteps", timesteps, TRAIN_STEPS) : 0;
    int levels = sigmas ? numbers(level, "--sigmas", sigmas, 1) : 0;
    if (timesteps && sigmas && n != levels)
        usage_error("--timesteps has %d numbers, --sigmas %d", n, levels);
    if (kind == SCHEDULE_TRAINED && (!timesteps || sigmas))
        usage_error("--schedule trained is for --timesteps alone");
    schedule s = room(n ? n : levels);
    bool whole = kind == SCHEDULE_OFFICIAL || multistep(for_solver);
    for (int i = 0; i < s.steps; i++) {
        double sigma = sigmas                     ? level[i]
                       : kind == SCHEDULE_TRAINED ? trained(t[i], shift)
                                                  : t[i] / TRAIN_STEPS;
        put(&s, i, sigma);
        if (timesteps)
            s.timestep[i] = t[i];
        else if (!whole)
            s.timestep[i] = (double)((float)sigma * TRAIN_STEPS);
        if (!(s.sigma[i] > 0)) /* too small for F32 */
            usage_error("%s must be above 0, which %g is not as a level",
                        sigmas ? "--sigmas" : "--timesteps", sigmas ? level[i] : t[i]);
        if (i > 0 && !(s.sigma[i] < s.sigma[i - 1]))
            usage_error("%s must descend: %g is not below the one before it",
                        sigmas ? "--sigmas" : "--timesteps", sigmas ? level[i] : t[i]);
    }
    return s;
}

int schedule_before(const schedule *s, double level)
{
    int n = 0;
    while (n < s->steps && s->timestep[n] >= level * TRAIN_STEPS)
        n++;
    return n;
}

/* ---- as JSON ---- */

json_t *timestep_json(double t)
{
    return t == floor(t) ? json_integer((json_int_t)t) : json_real(t);
}

void schedule_put(const schedule *s, json_t *object)
{
    json_t *sigmas = json_array(), *timesteps = json_array();
    for (int i = 0; i < s->steps; i++) {
        json_array_append_new(sigmas, json_real(s->sigma[i]));
        json_array_append_new(timesteps, timestep_json(s->timestep[i]));
    }
    json_object_set_new(object, "sigmas", sigmas);
    json_object_set_new(object, "timesteps", timesteps);
}

schedule schedule_get(const json_t *object)
{
    const json_t *sigmas = json_object_get(object, "sigmas");
    const json_t *timesteps = json_object_get(object, "timesteps");
    int n = (int)json_array_size(sigmas);
    if (n == 0 || n > MOST_STEPS || (int)json_array_size(timesteps) != n)
        return (schedule){0};
    schedule s = room(n);
    for (int i = 0; i < n; i++) {
        s.sigma[i] = (double)(float)json_number_value(json_array_get(sigmas, (size_t)i));
        s.timestep[i] = json_number_value(json_array_get(timesteps, (size_t)i));
        bool falls = s.sigma[i] > 0 && s.sigma[i] <= (i ? s.sigma[i - 1] : 1);
        if (!falls || !(s.timestep[i] >= 0 && s.timestep[i] <= TRAIN_STEPS)) {
            schedule_free(&s);
            return s;
        }
    }
    return s;
}
