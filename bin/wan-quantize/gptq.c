/*
** gptq.c: GPTQ (Frantar, Ashkboos, Hoefler, Alistarh 2022, arXiv:2210.17323).
**
**     H = X^T X + 0.01 mean(diag(X^T X)) I,   H^-1 = U^T U,  U upper
**     for columns i in turn:   q_i = round(w_i),  e = (w_i - q_i) / U_ii
**                              w_j -= e U_ij    for all j > i
**
** which makes the error of the outputs, tr(E H E^T), as small as it can be for each choice made
** before. (The paper's H is twice that; U's rows are only used relative to their diagonal.) Columns
** go in blocks of 128: within a block a row is corrected at once, what lies behind it by one
** product when the block is done. Rows are independent, and all sums are F64.
**
** Scales are those of the weights as they were (static groups), so with act_order, where columns
** go in the order of their inputs' magnitude, no group is seen in parts, and nothing more is
** stored. A channel that was never seen has the damping alone on its diagonal: it is rounded to
** nearest, and corrects none. (The authors' program sets its weights to zero.)
*/
#include "gptq.h"

#include <math.h>
#include <stdlib.h>

#include "../../common/die.h"
#include "matrix.h"

enum { BLOCK = 128, ROWS = 60 };
static const double DAMPING = 0.01;

/* ---- the order of the columns ---- */

typedef struct {
    double size;
    int64_t channel;
} place;

static int by_size(const void *a, const void *b)
{
    const place *x = a, *y = b;
    if (x->size != y->size)
        return x->size < y->size ? 1 : -1;
    return x->channel < y->channel ? -1 : 1;
}

static int64_t *column_order(const double *gram, int64_t in, bool by_inputs)
{
    place *p = new_bytes((size_t)in * sizeof *p);
    int64_t *order = new_bytes((size_t)in * sizeof *order);
    for (int64_t i = 0; i < in; i++)
        p[i] = (place){by_inputs ? gram[i * in + i] : 0, i};
    qsort(p, (size_t)in, sizeof *p, by_size);
    for (int64_t i = 0; i < in; i++)
        order[i] = p[i].channel;
    free(p);
    return order;
}

/* gram's rows and columns in that order, in place, a row or a column at a time */
static void reorder(double *gram, int64_t in, const int64_t *order)
{
    double *old = new_bytes((size_t)(in * in) * sizeof *old);
    memcpy(old, gram, (size_t)(in * in) * sizeof *old);
#pragma omp parallel for
    for (int64_t i = 0; i < in; i++)
        for (int64_t j = 0; j < in; j++)
            gram[i * in + j] = old[order[i] * in + order[j]];
    free(old);
}

static bool damped_factor(double *gram, int64_t in)
{
    double sum = 0;
    for (int64_t i = 0; i < in; i++)
        sum += gram[i * in + i];
    double damping = sum > 0 ? DAMPING * sum / (double)in : 1;
    for (int64_t i = 0; i < in; i++)
        gram[i * in + i] += damping;
    return inverse_factor((matrix){gram, in}, in);
}

/* ---- rows ---- */

typedef struct {
    const rule *r;
    const stored *s;
    int64_t in;
    const int64_t *order;
    matrix u;
} job;

/* Columns [i, i + n) of a row: what is rounded stays in x, the errors go into e. */
static void round_block(const job *k, double *x, double *e, int64_t row, int64_t i, int64_t n)
{
    for (int64_t c = 0; c < n; c++) {
        const double *u = k->u.at + (i + c) * k->u.ld + i;
        float w = (float)x[c];
        double q = (double)rule_round(k->r, k->s, row, k->order[i + c], w);
        double error = (x[c] - q) / u[c];
        e[c] = error;
        x[c] = (double)w;
#pragma omp simd
        for (int64_t j = c + 1; j < n; j++)
            x[j] -= error * u[j];
    }
}

/* Rows [row, row + m); x [m, in] has their columns in order, e: [m, BLOCK] */
static void round_rows(const job *k, double *x, double *e, int64_t row, int64_t m)
{
    int64_t in = k->in;
    for (int64_t i = 0; i < in; i += BLOCK) {
        int64_t n = least(BLOCK, in - i), rest = in - i - n;
        for (int64_t r = 0; r < m; r++)
            round_block(k, x + r * in + i, e + r * BLOCK, row + r, i, n);
        if (rest)
            product_add_here((matrix){x + i + n, in}, (matrix){e, BLOCK}, part_of(k->u, i, i + n),
                             m, rest, n, -1);
    }
}

static void all_rows(const job *k, float *w, int64_t out)
{
    int64_t in = k->in;
#pragma omp parallel
    {
        double *x = malloc(sizeof *x * (size_t)(ROWS * in)), *e = malloc(sizeof *e * ROWS * BLOCK);
        if (!x || !e)
            die("out of memory");
#pragma omp for schedule(dynamic)
        for (int64_t row = 0; row < out; row += ROWS) {
            int64_t m = least(ROWS, out - row);
            float *from = w + row * in;
            for (int64_t r = 0; r < m; r++)
                for (int64_t c = 0; c < in; c++)
                    x[r * in + c] = (double)from[r * in + k->order[c]];
            round_rows(k, x, e, row, m);
            for (int64_t r = 0; r < m; r++)
                for (int64_t c = 0; c < in; c++)
                    from[r * in + k->order[c]] = (float)x[r * in + c];
        }
        free(e);
        free(x);
    }
}

const char *gptq(const rule *r, const stored *s, float *w, int64_t out, int64_t in, double *gram,
                 bool act_order)
{
    int64_t *order = column_order(gram, in, act_order);
    if (act_order)
        reorder(gram, in, order);
    bool fine = damped_factor(gram, in);
    if (fine)
        all_rows(&(job){r, s, in, order, {gram, in}}, w, out);
    free(order);
    return fine ? NULL : "the gram of its inputs is not that of any inputs";
}
