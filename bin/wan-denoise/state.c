/*
** state.c: the metadata and tensors of a sampling that stopped.
*/
#include "state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"

static const char *const stdin_name = "standard input";

/* The solver's tensors of such a sampling after so many steps, without the solver. */
static int history(const request *q, int step, const char *name[])
{
    tensor none[SOLVER_HISTORY];
    solver s = {.kind = q->solver, .first = q->first, .step = step};
    return solver_history(&s, name, none);
}

void state_describe(document *d, const request *q, const document *in, tensor shape, uint64_t seed)
{
    bool brought = document_find(in, "noise") || (q->rng && strcmp(q->rng, STORED_NOISE) == 0);
    json_t *about = json_pack("{s:i, s:s, s:s, s:f, s:i, s:i}", "version", 1, "solver",
                              solver_text(q->solver), "schedule", schedule_text(q->levels), "shift",
                              q->shift, "first", q->first, "step", q->until);
    json_t *dim = json_array();
    for (int i = 0; i < shape.rank; i++)
        json_array_append_new(dim, json_integer(shape.dim[i]));
    json_object_set_new(about, "shape", dim);
    json_object_set_new(about, "seed", json_integer((json_int_t)seed));
    json_object_set_new(about, "rng", json_string(noise_text(q->noise)));
    json_object_set_new(about, "stored_noise", json_boolean(brought));
    schedule_put(&q->plan, about);
    char *text = json_dumps(about, JSON_COMPACT);
    if (!text)
        die("out of memory");
    metadata_set(d, STATE_KEY, text);
    free(text);
    json_decref(about);
}

void state_declare(document *d, const request *q, tensor shape)
{
    const char *name[SOLVER_HISTORY];
    int n = history(q, q->until, name);
    for (int i = 0; i < n; i++)
        document_add(d, name[i], shape);
}

/* ---- reading ---- */

static json_t *object_of(const document *in)
{
    const char *text = metadata_get(in, STATE_KEY);
    json_t *about = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (text && json_integer_value(json_object_get(about, "version")) != 1)
        die("%s of %s is not of a sampling that this program knows (version 1)", STATE_KEY,
            stdin_name);
    return about;
}

_Noreturn static void broken(const char *member)
{
    die("%s of %s has no usable %s", STATE_KEY, stdin_name, member);
}

static const char *text_of(const json_t *about, const char *member)
{
    const char *text = json_string_value(json_object_get(about, member));
    if (!text)
        broken(member);
    return text;
}

static int64_t integer_of(const json_t *about, const char *member, int64_t most)
{
    const json_t *value = json_object_get(about, member);
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        json_integer_value(value) > most)
        broken(member);
    return json_integer_value(value);
}

static tensor shape_of(const json_t *about)
{
    const json_t *dim = json_object_get(about, "shape");
    int64_t d[4];
    if (json_array_size(dim) != 4)
        broken("shape");
    for (size_t i = 0; i < 4; i++) {
        d[i] = json_integer_value(json_array_get(dim, i));
        if (d[i] < 1 || d[i] > 1 << 20 || (i > 1 && d[i] % 2) ||
            (i == 0 && d[i] != LATENT_CHANNELS))
            broken("shape");
    }
    return tensor_of(NULL, F32, d[0], d[1], d[2], d[3]);
}

static solver_kind solver_of(const json_t *about)
{
    const char *name = text_of(about, "solver");
    for (int i = 0; i < SOLVERS; i++)
        if (strcmp(solver_text((solver_kind)i), name) == 0)
            return (solver_kind)i;
    die("%s of %s is of the solver '%s', which is none of this program's", STATE_KEY, stdin_name,
        name);
}

static schedule_kind levels_of(const json_t *about)
{
    const char *name = text_of(about, "schedule");
    for (int i = 0; i < SCHEDULES; i++)
        if (strcmp(schedule_text((schedule_kind)i), name) == 0)
            return (schedule_kind)i;
    broken("schedule");
}

/* The latents and what the solver needs are there, finite, and of one shape. */
static void check_tensors(const request *q, const document *in, tensor shape)
{
    const char *name[SOLVER_HISTORY + 1] = {"latents"};
    int n = 1 + history(q, q->begin, name + 1);
    for (int i = 0; i < n; i++) {
        if (!document_find(in, name[i]))
            die("%s is a sampling with %s after step %d, but has no %s", stdin_name,
                solver_text(q->solver), q->begin, name[i]);
        tensor t = document_latents(in, name[i]);
        if (!same_shape(t, shape))
            die("%s of %s is %s, but the sampling is of %s", name[i], stdin_name, tensor_text(t),
                tensor_text(shape));
    }
}

request state_of(const request *q, const document *in)
{
    static uint64_t seed;
    static const char *rng;
    json_t *about = object_of(in);
    request its = *q;
    if (!about)
        return its;
    its.goes_on = true;
    its.solver = solver_of(about);
    its.levels = levels_of(about);
    its.plan = schedule_get(about);
    if (its.plan.steps == 0)
        broken("sigmas and timesteps");
    its.shift = json_number_value(json_object_get(about, "shift"));
    if (!(its.shift > 0))
        broken("shift");
    its.begin = (int)integer_of(about, "step", its.plan.steps);
    its.first = (int)integer_of(about, "first", its.begin);
    its.until = its.plan.steps;
    its.latents = shape_of(about);
    if (!noise_parse(&its.noise, text_of(about, "rng")))
        broken("rng");
    rng = json_is_true(json_object_get(about, "stored_noise")) ? STORED_NOISE : "";
    its.rng = rng;
    seed = (uint64_t)integer_of(about, "seed", INT64_MAX);
    its.seed = &seed;
    its.seeds = 1;
    if (in->memory)
        check_tensors(&its, in, its.latents);
    json_decref(about);
    return its;
}

void state_restore(solver *s, const request *q, const document *in)
{
    const char *name[SOLVER_HISTORY];
    tensor t[SOLVER_HISTORY];
    solver_resume(s, q->begin);
    int n = solver_history(s, name, t);
    for (int i = 0; i < n; i++)
        upload_into(t[i], document_find(in, name[i])->t);
}
