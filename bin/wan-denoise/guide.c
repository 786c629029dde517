/*
** guide.c: intervals of guidance, CFG-Zero*, skip-layer guidance.
**
** v = u + g (c - u) with c, u the velocities with and without the prompt. CFG-Zero* puts s u for u,
** where s u is the projection of c onto u, s = <c, u> / <u, u>; and lets the first steps stand
** still. Skip-layer guidance, as it is used with Wan, makes u with a model that lacks some blocks.
** The scalar products are made on the host in F64: two downloads of latents a step, and the same on
** every rank and device that has the same velocities.
**
** Sources: Kynkaanniemi et al. 2024 (guidance in an interval), Fan et al. 2025 (CFG-Zero*; in its
** authors' code steps 0 to zero_steps stand still, in diffusers' ClassifierFreeZeroStarGuidance
** zero_init_steps of them: here the latter), Hyung et al. 2025 and Wan2GP (skip-layer).
*/
#include "guide.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"

enum { MOST_LAYERS = 1000 };

/* Steps counted from 1, both included; to 0: all. */
typedef struct {
    int from, to;
} range;

static const char *interval_text, *omitted_text;
static range guided, lacking;
static int still = -1; /* CFG-Zero*: steps that stand still */
static bool lacks[MOST_LAYERS];
static int greatest = -1; /* block that is left out */

static bool within(range r, int step) { return r.to == 0 || (step + 1 >= r.from && step < r.to); }

static range range_of(const char *by, const char *text)
{
    range r;
    int end = 0;
    if (sscanf(text, "%4d-%4d%n", &r.from, &r.to, &end) != 2 || text[end] || r.from < 1 ||
        r.to < r.from)
        usage_error("%s takes steps as FROM-TO, counted from 1, not '%s'", by, text);
    return r;
}

static void read_blocks(const char *list)
{
    for (const char *at = list;; at++) {
        char *end;
        long i = strtol(at, &end, 10);
        if (end == at || i < 0 || i >= MOST_LAYERS || (*end && *end != ',' && *end != ':'))
            usage_error("--skip-layers takes numbers of blocks, then :FROM-TO, not '%s'", list);
        lacks[i] = true;
        greatest = i > greatest ? (int)i : greatest;
        at = end;
        if (*at == ':')
            lacking = range_of("--skip-layers", at + 1);
        if (*at != ',')
            return;
    }
}

void guide_open(const char *interval, const char *omitted, int64_t zero)
{
    interval_text = interval;
    omitted_text = omitted;
    still = (int)zero;
    if (interval)
        guided = range_of("--guidance-steps", interval);
    if (omitted)
        read_blocks(omitted);
}

bool guide_varies(void) { return interval_text; }

void guide_check(const request *q, const dit *m)
{
    const char *one = interval_text  ? "--guidance-steps"
                      : omitted_text ? "--skip-layers"
                      : still >= 0   ? "--cfg-zero"
                                     : NULL;
    if (one && request_passes(q) == 1)
        usage_error("%s is about guidance, which -g 1 is without", one);
    if (omitted_text && greatest >= m->layers)
        die("--skip-layers names block %d, but the model has %d", greatest, m->layers);
}

static void check_range(const char *by, range r, int steps)
{
    if (r.to > steps)
        die("%s %d-%d: there are %d steps", by, r.from, r.to, steps);
}

void guide_fit(const request *q)
{
    check_range("--guidance-steps", guided, q->plan.steps);
    check_range("--skip-layers", lacking, q->plan.steps);
    if (still > q->plan.steps)
        die("--cfg-zero %d: there are %d steps", still, q->plan.steps);
}

void guide_stamp(json_t *stamp)
{
    if (interval_text)
        json_object_set_new(stamp, "guidance_steps", json_string(interval_text));
    if (omitted_text)
        json_object_set_new(stamp, "skip_layers", json_string(omitted_text));
    if (still >= 0)
        json_object_set_new(stamp, "cfg_zero", json_integer(still));
}

int guide_passes(const request *q, int step)
{
    if (step < still)
        return 0;
    return within(guided, step) ? request_passes(q) : 1;
}

const bool *guide_omitted(int step) { return omitted_text && within(lacking, step) ? lacks : NULL; }

/* s = <c, u> / <u, u>; 1e-8 as in the authors' code */
static double projection(tensor c, tensor u)
{
    int64_t n = tensor_count(c);
    float *a = new_bytes(tensor_bytes(c)), *b = new_bytes(tensor_bytes(u));
    double cu = 0, uu = 0;
    tensor host = c;
    host.data = a;
    download(host, c);
    host.data = b;
    download(host, u);
    for (int64_t i = 0; i < n; i++) {
        cu += (double)a[i] * b[i];
        uu += (double)b[i] * b[i];
    }
    free(a);
    free(b);
    return cu / (uu + 1e-8);
}

void guide_weights(const request *q, int passes, const tensor v[], double weight[])
{
    double g = passes > 1 ? q->guidance : 1;
    weight[0] = g;
    if (passes > 1)
        weight[1] = (1 - g) * (still >= 0 ? projection(v[0], v[1]) : 1);
}
