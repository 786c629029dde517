/*
** settle.c: the command line beside a document.
*/
#include "settle.h"

#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "state.h"

static const char *const stdin_name = "standard input";

enum { MOST_STEPS = 1000 };

/* A level has a point: 0.875; a number of steps has none. */
static bool is_level(const char *place) { return strchr(place, '.'); }

void settle_check(const char *by, const char *place)
{
    char *end;
    double x = place ? strtod(place, &end) : 0;
    if (place && (end == place || *end || !(x >= 0) || x > (is_level(place) ? 1 : MOST_STEPS) ||
                  strspn(place, "0123456789.") != strlen(place)))
        usage_error("%s is a number of steps, or a level of noise with a point from 0. to 1., not "
                    "'%s'",
                    by, place);
}

/* So many steps are meant. */
static int place_of(const char *by, const char *place, const schedule *plan)
{
    if (is_level(place))
        return schedule_before(plan, strtod(place, NULL));
    int n = atoi(place);
    if (n > plan->steps)
        die("%s %s: there are %d steps", by, place, plan->steps);
    return n;
}

bool settle_same_plan(const schedule *a, const schedule *b)
{
    if (a->steps != b->steps)
        return false;
    for (int i = 0; i < a->steps; i++)
        if (a->sigma[i] != b->sigma[i] || a->timestep[i] != b->timestep[i])
            return false;
    return true;
}

/* What the command line says is so in the sampling that goes on. */
static void check_agreement(const request *q, const said *s, const request *its)
{
    tensor t = its->latents;
    if (s->solver && q->solver != its->solver)
        die("%s goes on with %s, not with --solver %s", stdin_name, solver_text(its->solver),
            solver_text(q->solver));
    if (s->steps && q->plan.steps != its->plan.steps)
        die("%s is a sampling of %d steps, not of %d", stdin_name, its->plan.steps, q->plan.steps);
    if (s->shift && q->shift != its->shift)
        die("%s is a sampling with shift %g, not %g", stdin_name, its->shift, q->shift);
    if (s->levels && q->levels != its->levels)
        die("%s is a sampling with --schedule %s, not %s", stdin_name, schedule_text(its->levels),
            schedule_text(q->levels));
    if (q->given && !settle_same_plan(&q->plan, &its->plan))
        die("%s is a sampling of other levels than the given ones", stdin_name);
    if (s->size && (q->width != t.dim[3] * PIXELS || q->height != t.dim[2] * PIXELS))
        die("%s is a sampling of %lldx%lld, not %lldx%lld", stdin_name,
            (long long)(t.dim[3] * PIXELS), (long long)(t.dim[2] * PIXELS), (long long)q->width,
            (long long)q->height);
    if (s->frames && q->frames != (t.dim[1] - 1) * FRAMES + 1)
        die("%s is a sampling of %lld frames, not %lld", stdin_name,
            (long long)((t.dim[1] - 1) * FRAMES + 1), (long long)q->frames);
    if (q->seeds)
        die("%s is a sampling with a seed of its own: --seed is not for it", stdin_name);
    if (s->rng && strcmp(noise_text(q->noise), noise_text(its->noise)) != 0)
        die("%s is a sampling with --rng %s", stdin_name, noise_text(its->noise));
    if (q->perturbed)
        die("%s is a sampling that goes on, whose noise was drawn before: --perturb is not for it",
            stdin_name);
    if (s->from)
        die("--from is for given latents, and %s is a sampling that goes on", stdin_name);
}

request settle(const request *q, const said *s, const document *in)
{
    request its = state_of(q, in);
    if (its.goes_on)
        check_agreement(q, s, &its);
    else
        its = request_of(q, in);
    if (s->from) {
        its.first = its.begin = place_of("--from", s->from, &its.plan);
        if (its.first == its.plan.steps)
            die("--from %s leaves no step to make", s->from);
        if (in->memory && !document_find(in, "latents"))
            die("--from begins with latents, and %s has none", stdin_name);
        if (in->memory)
            its.latents = document_latents(in, "latents");
    }
    its.until = s->until ? place_of("--until", s->until, &its.plan) : its.plan.steps;
    if (its.until < its.begin && s->until && is_level(s->until))
        its.until = its.begin; /* it is past that level */
    if (its.until < its.begin)
        die("--until %s: %d steps are done", s->until, its.begin);
    return its;
}
