/*
** smooth.c: AWQ (Lin et al. 2023, arXiv:2306.00978): channels with large inputs get finer codes.
**
**     W' = W diag(s),  x' = x / s,  s_k = rms(x_k)^alpha / sqrt(least s * greatest s)
**
** alpha is the one of 0, 0.05, ... 1 with which rounding W' to nearest does least to the outputs.
** (The paper has the mean of |x|; statistics have its square.) The division is done once for all,
** in the weights before the layer, where nothing stands between that is not linear channel by
** channel:
**
**     cross_attn.q  <- norm3          gamma / s, beta / s: nothing else reads it
**     self_attn.o   <- self_attn.v    rows and bias / s: attention is linear in v, head by head: a
**     cross_attn.o  <- cross_attn.v   channel of its output is a mean of that channel of v
**
** v is quantized as it is then. The other layers cannot be smoothed, and get their rule alone.
*/
#include "smooth.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../common/die.h"
#include "../../common/program.h"
#include "../../common/text.h"
#include "rotate.h"
#include "trial.h"

enum { TRIALS = 21 };

static const struct {
    const char *layer, *before;
} folds[] = {
    {"cross_attn.q", "norm3"},
    {"self_attn.o", "self_attn.v"},
    {"cross_attn.o", "cross_attn.v"},
};
enum { FOLDS = sizeof folds / sizeof *folds };

static const struct {
    const char *end, *why;
} reasons[] = {
    {"self_attn.q", "its input is modulated by the time"},
    {"self_attn.k", "its input is modulated by the time"},
    {"self_attn.v", "its input is modulated by the time"},
    {"ffn.0", "its input is modulated by the time"},
    {"ffn.2", "its input comes out of a gelu"},
    {"cross_attn.k", "its input is one text for all blocks"},
    {"cross_attn.v", "its input is one text for all blocks"},
};
enum { REASONS = sizeof reasons / sizeof *reasons };

/* ---- which ---- */

/* name: "blocks.3.END.weight"; returns how long "blocks.3." is, or 0 */
static int block_of(const char *name, const char *end)
{
    char wanted[64];
    size_t n = strlen(name), k = (size_t)snprintf(wanted, sizeof wanted, ".%s.weight", end);
    bool fits = strncmp(name, "blocks.", 7) == 0 && n > k && !strcmp(name + n - k, wanted);
    return fits ? (int)(n - k + 1) : 0;
}

static plan *find(plan *p, int n, const char *block, int length, const char *rest, const char *end)
{
    char *name = new_format("%.*s%s%s", length, block, rest, end);
    plan *found = NULL;
    for (int i = 0; i < n; i++)
        if (strcmp(p[i].name, name) == 0)
            found = p + i;
    free(name);
    return found;
}

/* What is divided by `layer`'s scales: a weight whose rows are its channels, perhaps a bias. */
static bool take_before(plan *layer, int fold, plan *p, int n, int length)
{
    int64_t in = layer->from.w.dim[1];
    plan *before = find(p, n, layer->name, length, folds[fold].before, ".weight");
    plan *bias = find(p, n, layer->name, length, folds[fold].before, ".bias");
    if (!before || before->from.w.dim[0] != in || (bias && bias->from.w.dim[0] != in))
        return false;
    layer->columns_by = new_bytes((size_t)in * sizeof(float));
    for (int64_t k = 0; k < in; k++)
        layer->columns_by[k] = 1;
    before->rows_by = layer->columns_by;
    if (before->from.w.rank == 1)
        before->to = F32;
    if (bias) {
        bias->rows_by = layer->columns_by;
        bias->to = F32;
    }
    return true;
}

static const char *reason_of(const char *name)
{
    for (int i = 0; i < REASONS; i++)
        if (block_of(name, reasons[i].end))
            return reasons[i].why;
    for (int i = 0; i < FOLDS; i++)
        if (block_of(name, folds[i].layer))
            return "what comes before it has no weights that fit";
    return "it is not known what comes before it";
}

/* A line for each reason, and how many layers there are of it. */
static void report_others(const plan *p, int n)
{
    for (int i = 0; i < n; i++) {
        const char *why = p[i].rule && !p[i].columns_by ? reason_of(p[i].name) : NULL;
        int layers = 0;
        bool first = why != NULL;
        for (int j = 0; why && j < n; j++)
            if (p[j].rule && !p[j].columns_by && strcmp(reason_of(p[j].name), why) == 0) {
                layers++;
                first &= j >= i;
            }
        if (first)
            note("not smoothed, for %s: %s and %d more", why, p[i].name, layers - 1);
    }
}

void smooth_plan(const method *m, const weights *w, plan *p, int n)
{
    int smoothed = 0;
    const plan *other = NULL;
    if (!m->awq)
        return;
    for (int i = 0; i < n; i++) {
        bool taken = false;
        for (int f = 0; p[i].rule && f < FOLDS; f++) {
            int length = block_of(p[i].name, folds[f].layer);
            taken |= length && take_before(p + i, f, p, n, length);
        }
        smoothed += taken;
        if (p[i].rule && !taken && !other)
            other = p + i;
    }
    if (!smoothed)
        die("--method %s: no layer of %s that gets a rule can be smoothed; %s: %s", method_text(m),
            weights_path(w), other->name, reason_of(other->name));
    report_others(p, n);
}

/* ---- the search ---- */

/* x^(n / (TRIALS - 1)) of x in [1e-4, 1]: by Newton's method for the root, from above, since
 * pow()'s last bit is not the same on every processor. */
static double power(double x, int n)
{
    enum { ROOT = TRIALS - 1, STEPS = 40 };
    double y = 1, all = 1;
    for (int step = 0; step < STEPS; step++) {
        double z = 1;
        for (int i = 1; i < ROOT; i++)
            z *= y;
        y -= (z * y - x) / (ROOT * z);
    }
    for (int i = 0; i < n; i++)
        all *= y;
    return all;
}

/* alpha = trial / (TRIALS - 1) */
static void scales_at(float *s, const moments *x, int trial)
{
    double most = 0, low = INFINITY, high = 0;
    for (int64_t k = 0; k < x->in; k++)
        most = fmax(most, sqrt(x->squares[k]));
    for (int64_t k = 0; k < x->in; k++) {
        double rms = most > 0 ? fmax(sqrt(x->squares[k]) / most, 1e-4) : 1;
        double v = power(rms, trial);
        s[k] = (float)v;
        low = fmin(low, v);
        high = fmax(high, v);
    }
    for (int64_t k = 0; k < x->in; k++)
        s[k] = (float)((double)s[k] / sqrt(low * high));
}

/* y = what is left of w after W' = W diag(s) was rounded, seen by the inputs as they are */
static const char *rounded(const plan *p, float *y, float *room, const float *w, const float *s)
{
    int64_t out = plan_rows_of(p), in = plan_width(p);
#pragma omp parallel for
    for (int64_t row = 0; row < out; row++)
        for (int64_t k = 0; k < in; k++)
            room[row * in + k] = w[row * in + k] * s[k];
    if (p->rotated)
        rotate_rows(room, out, in);
    const char *why = trial_values(p->rule, y, room, out, in, NULL);
    if (p->rotated && !why)
        rotate_rows(y, out, in);
#pragma omp parallel for
    for (int64_t row = 0; row < out; row++)
        for (int64_t k = 0; k < in; k++)
            y[row * in + k] /= s[k];
    return why;
}

static void search(plan *p, const float *w, const moments *x)
{
    int64_t out = plan_rows_of(p), in = plan_width(p);
    size_t bytes = (size_t)(out * in) * sizeof(float);
    float *y = new_bytes(bytes), *room = new_bytes(bytes);
    float *s = new_bytes((size_t)in * sizeof *s);
    pieces parts = pieces_of(p->rule, out, in);
    double lowest = INFINITY;
    for (int trial = 0; trial < TRIALS; trial++) {
        scales_at(s, x, trial);
        if (rounded(p, y, room, w, s))
            continue;
        double error = trial_error(y, w, out, &parts, x);
        if (error < lowest) {
            lowest = error;
            memcpy(p->columns_by, s, (size_t)in * sizeof *s);
        }
    }
    pieces_free(&parts);
    free(s);
    free(room);
    free(y);
}

void smooth_search(const method *m, weights *w, plan *p, int n)
{
    for (int i = 0; m->awq && i < n; i++) {
        if (!p[i].columns_by)
            continue;
        char *layer = before_end(p[i].name, ".weight");
        plan_fetch(w, p + i);
        float *values = plan_floats(p + i); /* times 1 */
        moments x = calibration_of(m->inputs, layer, plan_width(p + i), true);
        search(p + i, values, &x);
        moments_free(&x);
        free(values);
        free(layer);
        weights_done(p[i].from.w);
        progress("smoothing", i + 1, n);
    }
}
