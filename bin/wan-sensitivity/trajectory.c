/*
** trajectory.c: the reference's way from noise to latents, and velocities beside it.
**
** A velocity here is what a step goes by: the sum of both passes, v = u + g (c - u). Sums of
** squares are made on the device, so the host waits once for all of a swap's errors.
*/
#include "trajectory.h"

#include <math.h>
#include <stdlib.h>

#include "../../common/die.h"

/* Latents have whole rows of this: 16 channels, and an even height and width. */
enum { LANES = 64 };

/* Sums of squares of several tensors: F64 [n, LANES]; and what comes with them and is not used. */
typedef struct {
    int n;
    tensor squares, absmax, sum;
} sums;

static sums sums_of(int n)
{
    sums s = {n, scratch(F64, n, LANES), scratch(F32, LANES), scratch(F64, LANES)};
    zero(s.squares);
    zero(s.absmax);
    zero(s.sum);
    return s;
}

static void sums_add(const sums *s, int i, tensor x)
{
    add_moments(s->absmax, s->sum, reshape(slice(s->squares, i, 1), LANES),
                reshape(x, tensor_count(x) / LANES, LANES), 1);
}

/* Waits. */
static void sums_norms(const sums *s, double norm[])
{
    double *square = new_bytes(sizeof *square * (size_t)s->n * LANES);
    download(tensor_of(square, F64, s->n, LANES), s->squares);
    for (int i = 0; i < s->n; i++) {
        norm[i] = 0;
        for (int k = 0; k < LANES; k++)
            norm[i] += square[i * LANES + k];
        norm[i] = sqrt(norm[i]);
    }
    free(square);
}

static double relative(double difference, double size)
{
    if (!isfinite(difference))
        return INFINITY;
    return difference == 0 ? 0 : difference / size;
}

/* ---- forward passes ---- */

/* The i-th of several latents. */
static tensor nth(tensor all, int i)
{
    tensor one = slice(all, i, 1);
    return tensor_reshape(one, one.rank - 1, one.dim + 1);
}

/* The velocities of all passes, and what each weighs. */
typedef struct {
    int n;
    tensor v[GUIDANCE_PASSES];
    double weight[GUIDANCE_PASSES];
} velocities;

/* Room for them. */
static velocities velocities_of(const trajectory *t)
{
    double g = t->q->guidance;
    velocities all = {.n = request_passes(t->q), .weight = {g, 1 - g}};
    for (int p = 0; p < all.n; p++)
        all.v[p] = scratch_tensor(F32, t->noise.rank, t->noise.dim);
    return all;
}

static void evaluate(const trajectory *t, const velocities *to, tensor x, int step,
                     const dit_text *text)
{
    dit_forward(t->model, to->n, to->v, x, t->plan->timestep[step], text, t->rope, NULL);
}

/* v = u + g (c - u) */
static void guide(tensor v, const velocities *of)
{
    linear_combination(v, of->n, of->v, of->weight);
}

/* x: the noise, which becomes the result. record: what is kept on the way is written down. */
static void sample(const trajectory *t, tensor x, const dit_text *text, bool record)
{
    size_t mark = scratch_mark();
    velocities now = velocities_of(t);
    solver s;
    solver_open(&s, t->q->solver, t->plan, 0, x);
    for (int i = 0, k = 0; i < s.steps; i++) {
        evaluate(t, &now, x, i, text);
        if (record && k < t->points && t->step[k] == i) {
            copy(nth(t->x, k), x);
            guide(nth(t->v, k++), &now);
        }
        solver_step(&s, now.n, now.v, now.weight);
    }
    solver_close(&s);
    scratch_reset(mark);
}

/* ---- the reference ---- */

static void measure_reference(trajectory *t)
{
    size_t mark = scratch_mark();
    sums s = sums_of(t->points + 1);
    for (int k = 0; k < t->points; k++)
        sums_add(&s, k, nth(t->v, k));
    sums_add(&s, t->points, t->last);
    sums_norms(&s, t->size);
    scratch_reset(mark);
    for (int k = 0; k <= t->points; k++)
        if (!isfinite(t->size[k]))
            die("the reference's %s not finite%s", k < t->points ? "velocities are" : "latents are",
                t->model->type == F16 ? ": try --dtype bf16" : "");
}

void trajectory_open(trajectory *t, const dit *m, const request *q, const schedule *plan,
                     int points, const int step[], tensor noise, const dit_text *text)
{
    const int64_t *dim = noise.dim;
    *t = (trajectory){.model = m, .q = q, .plan = plan, .points = points, .step = step};
    t->rope = dit_rope(m, noise);
    t->noise = scratch_tensor(F32, noise.rank, dim);
    t->x = scratch(F32, points, dim[0], dim[1], dim[2], dim[3]);
    t->v = scratch(F32, points, dim[0], dim[1], dim[2], dim[3]);
    t->last = scratch_tensor(F32, noise.rank, dim);
    t->size = new_bytes(sizeof *t->size * (size_t)(points + 1));
    upload_into(t->noise, noise);
    copy(t->last, t->noise);
    sample(t, t->last, text, true);
    measure_reference(t);
}

void trajectory_close(trajectory *t) { free(t->size); }

/* ---- beside it ---- */

/* d = x' - x, counted as the i-th of s */
static void add_difference(const sums *s, int i, tensor d, tensor x)
{
    linear_combination(d, 2, (tensor[]){d, x}, (double[]){1, -1});
    sums_add(s, i, d);
}

void trajectory_errors(const trajectory *t, const dit_text *text, double error[])
{
    size_t mark = scratch_mark();
    sums s = sums_of(t->points);
    tensor d = scratch_tensor(F32, t->noise.rank, t->noise.dim);
    velocities now = velocities_of(t);
    for (int k = 0; k < t->points; k++) {
        evaluate(t, &now, nth(t->x, k), t->step[k], text);
        guide(d, &now);
        add_difference(&s, k, d, nth(t->v, k));
    }
    sums_norms(&s, error);
    for (int k = 0; k < t->points; k++)
        error[k] = relative(error[k], t->size[k]);
    scratch_reset(mark);
}

double trajectory_final_error(const trajectory *t, const dit_text *text)
{
    size_t mark = scratch_mark();
    sums s = sums_of(1);
    tensor x = scratch_tensor(F32, t->noise.rank, t->noise.dim);
    double error;
    copy(x, t->noise);
    sample(t, x, text, false);
    add_difference(&s, 0, x, t->last);
    sums_norms(&s, &error);
    scratch_reset(mark);
    return relative(error, t->size[t->points]);
}
