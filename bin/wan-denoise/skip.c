/*
** skip.c: decides which steps are answered from the cache: TeaCache, MagCache, EasyCache, a list.
**
** Each of the three rules estimates the error that one more answered step adds, and sums these
** estimates. When the sum reaches the threshold the model is run, and the sum starts again at 0.
** The estimates: TeaCache's is a polynomial of the relative change of the time embedding.
** MagCache's is by how much the blocks' residual shrank at this step in earlier samplings
** (ratios.h). EasyCache's is the change of the latents times a rate: the change of the velocity
** by that of the latents between the last two calls of the model. Sums are F64, on the host.
**
** Sources: Liu et al. 2024 and TeaCache4Wan2.1, Ma et al. 2025 and MagCache4Wan2.1, Zhou et al.
** 2025 and EasyCache's repository. They decide for each pass on its own. TeaCache's two decisions
** are always equal, EasyCache's second follows the first, MagCache's may differ: here a step is
** answered only if both passes would be.
*/
#include "skip.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "ratios.h"
#include "skip-rule.h"

static skip_rule rule;

/* The state of the current sampling. */
static struct {
    const run *r;
    const request *q;
    int64_t n;                       /* values of the latents */
    int passes;                      /* the passes whose results are cached; 0: none */
    tensor residual;                 /* F32 [rows, D]: what the blocks added */
    tensor less_x[GUIDANCE_PASSES];  /* EasyCache: v - x of the last call */
    double sum[GUIDANCE_PASSES];     /* of the estimates since the last call */
    double product[GUIDANCE_PASSES]; /* MagCache: of the ratios since the last call */
    int row;                         /* steps answered in a row */
    float *time, *time_before;       /* TeaCache: the time embedding of this step, of the last */
    float *x, *x_before, *x_called;  /* EasyCache: latents of this step, the last, the last call */
    float *v, *v_called;             /* EasyCache: the prompt's velocity, the same two calls */
    double rate;                     /* EasyCache: |dv| / |dx| of the last calls; 0: not known */
    json_t *taken;
} now;

void skip_open(const char *text) { rule = skip_rule_read(text); }
bool skip_wanted(void) { return rule.kind != SKIP_NONE; }
void skip_check(const request *q, const dit *m) { skip_rule_fit(&rule, q, m); }

void skip_stamp(json_t *stamp)
{
    if (rule.kind == SKIP_NONE)
        return;
    json_object_set_new(stamp, "skip", json_string(rule.text));
    if (rule.kind == SKIP_MAGCACHE)
        json_object_set_new(stamp, "skip_ratios", json_string(rule.ratios.digest));
}

/* ---- a sampling ---- */

static float *room(int64_t n) { return new_bytes(sizeof(float) * (size_t)n); }

void skip_begin(const run *r, const request *q, tensor shape, tensor rope)
{
    int passes = request_passes(q);
    int64_t D = r->model.dim;
    if (rule.kind == SKIP_NONE && !ratios_wanted())
        return;
    now.r = r;
    now.q = q;
    now.n = tensor_count(shape);
    now.taken = json_array();
    for (int p = 0; p < GUIDANCE_PASSES; p++)
        now.product[p] = 1;
    if (rule.kind == SKIP_EASYCACHE) {
        float **all[] = {&now.x, &now.x_before, &now.x_called, &now.v, &now.v_called};
        for (int i = 0; i < 5; i++)
            *all[i] = room(now.n);
        for (int p = 0; p < passes; p++)
            now.less_x[p] = scratch_tensor(F32, shape.rank, shape.dim);
    } else {
        now.residual = scratch(F32, dit_rows(&r->model, passes, rope), D);
        now.time = room(6 * D);
        now.time_before = room(6 * D);
    }
}

void skip_end(void)
{
    float *all[] = {now.x,        now.x_before, now.x_called,   now.v,
                    now.v_called, now.time,     now.time_before};
    for (int i = 0; i < 7; i++)
        free(all[i]);
    json_decref(now.taken);
    memset(&now, 0, sizeof now);
}

json_t *skip_taken(void) { return now.taken ? json_deep_copy(now.taken) : NULL; }

static void begin_anew(void)
{
    now.row = 0;
    for (int p = 0; p < GUIDANCE_PASSES; p++) {
        now.sum[p] = 0;
        now.product[p] = 1;
    }
}

/* The mean of |a - b|; of |a| if b is NULL. */
static double change(const float *a, const float *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += fabs((double)a[i] - (b ? (double)b[i] : 0));
    return sum / (double)n;
}

/* ---- the rules: is the step within the threshold? ---- */

/* sum += P(|e - e_before| / |e_before|), e the time's embedding of this step */
static bool teacache(int step)
{
    int64_t n = (rule.projected ? 6 : 1) * now.r->model.dim;
    bool last = !rule.projected && step == now.q->plan.steps - 1, within = false;
    if (step >= rule.first && !last) {
        double x = change(now.time, now.time_before, n) / change(now.time_before, NULL, n), y = 0;
        for (int i = 0; i < COEFFICIENTS; i++)
            y = y * x + rule.c[i];
        now.sum[0] += y;
        within = now.sum[0] < rule.threshold;
    }
    return within;
}

/* product *= ratio;  sum += |1 - product|, each pass */
static bool magcache(int step, int passes)
{
    int steps = now.q->plan.steps;
    if (passes * step < (int)(passes * steps * rule.retention))
        return false;
    now.row++;
    bool within = now.row <= rule.most;
    for (int p = 0; p < passes; p++) {
        now.product[p] *= ratios_at(&rule.ratios, step, steps, p);
        now.sum[p] += fabs(1 - now.product[p]);
        within = within && now.sum[p] < rule.threshold;
    }
    return within;
}

/* sum += rate |x - x_before| / |v of the last call| */
static bool easycache(int step)
{
    bool may = step >= rule.first && step < now.q->plan.steps - 1 && now.rate > 0;
    if (!may)
        return false;
    now.sum[0] += now.rate * change(now.x, now.x_before, now.n) / change(now.v_called, NULL, now.n);
    return now.sum[0] < rule.threshold;
}

static void to_host(float *y, tensor x)
{
    tensor host = x;
    host.data = y;
    download(host, x);
}

static void swap(float **a, float **b)
{
    float *c = *a;
    *a = *b;
    *b = c;
}

/* Takes from this step what the rule will compare. */
static void look(tensor x, double t)
{
    if (rule.kind == SKIP_EASYCACHE) {
        swap(&now.x, &now.x_before);
        to_host(now.x, x);
    }
    if (rule.kind == SKIP_TEACACHE) {
        swap(&now.time, &now.time_before);
        dit_time(&now.r->model, t, rule.projected, now.time);
    }
}

static bool decide(int step, int passes)
{
    bool within = false;
    switch (now.passes >= passes ? rule.kind : SKIP_NONE) {
    case SKIP_LIST: within = rule.listed[step]; break;
    case SKIP_TEACACHE: within = teacache(step); break;
    case SKIP_MAGCACHE: within = magcache(step, passes); break;
    case SKIP_EASYCACHE: within = easycache(step); break;
    case SKIP_NONE: break;
    }
    if (!within)
        begin_anew();
    return within;
}

/* ---- a step ---- */

/* EasyCache: stores what later steps need of this call of the model. */
static void remember(int passes, const tensor v[], tensor x)
{
    for (int p = 0; p < passes; p++)
        linear_combination(now.less_x[p], 2, (tensor[]){v[p], x}, (double[]){1, -1});
    to_host(now.v, v[0]);
    if (now.passes) {
        double in = change(now.x, now.x_called, now.n);
        now.rate = in > 0 ? change(now.v, now.v_called, now.n) / in : 0;
    }
    memcpy(now.x_called, now.x, sizeof(float) * (size_t)now.n);
    swap(&now.v, &now.v_called);
}

void skip_forward(const run *r, int step, int passes, const tensor v[], tensor x, double t,
                  const dit_text *text, tensor rope, const bool *omitted)
{
    dit_variation how = {.omitted = omitted};
    if (!now.r) {
        dit_forward(&r->model, passes, v, x, t, text, rope, &how);
        return;
    }
    look(x, t);
    how.answered = decide(step, passes);
    if (how.answered) {
        json_array_append_new(now.taken, json_integer(step + 1));
        stats_add("calls_saved", passes);
    }
    if (now.residual.data)
        how.residual =
            rows(now.residual, 0, tensor_rows(now.residual) / request_passes(now.q) * passes);
    if (rule.kind == SKIP_EASYCACHE && how.answered) {
        for (int p = 0; p < passes; p++)
            linear_combination(v[p], 2, (tensor[]){x, now.less_x[p]}, (double[]){1, 1});
        return;
    }
    dit_forward(&r->model, passes, v, x, t, text, rope, &how);
    if (rule.kind == SKIP_EASYCACHE)
        remember(passes, v, x);
    if (ratios_wanted())
        ratios_see(step, now.residual);
    if (!how.answered)
        now.passes = passes;
}
