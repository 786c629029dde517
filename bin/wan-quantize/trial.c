/*
** trial.c: a weight rounded to nearest on trial, and what that does to the outputs.
**
** Of inputs x with X^T X = G, an error e of a row adds sum (x e)^2 = e G e^T to its output. G is
** taken by blocks along its diagonal, of a group or 512 channels: errors of rounding are nearly
** independent of each other, so what lies further apart adds noise and no bias; and the search
** costs 512/in of what it would.
*/
#include "trial.h"

#include <stdlib.h>

#include "../../common/die.h"
#include "matrix.h"

enum { PIECE = 512, ROWS = 60 };

const char *trial_values(const rule *r, float *y, const float *w, int64_t out, int64_t in,
                         const float *clip)
{
    stored s = rule_shape(r, out, in);
    const char *why = rule_fit(r, &s, w, clip);
    rule_room(&s);
    if (!why)
        why = rule_code(r, &s, w);
#pragma omp parallel for
    for (int64_t row = 0; row < (why ? 0 : out); row++)
        stored_values(y + row * in, &s, row * in, in);
    rule_free(&s);
    return why;
}

pieces pieces_of(const rule *r, int64_t out, int64_t in)
{
    bool ranges = rule_ranges(r, out, in) > 0;
    pieces p = {0, new_bytes((size_t)(in + 1) * sizeof *p.first)};
    for (int64_t k = 0; k < in; k++)
        if (k == 0 || k - p.first[p.n - 1] == PIECE ||
            (ranges && rule_range(r, in, 0, k) != rule_range(r, in, 0, k - 1)))
            p.first[p.n++] = k;
    p.first[p.n] = in;
    return p;
}

void pieces_free(pieces *p)
{
    free(p->first);
    *p = (pieces){0};
}

/* Rows [row, row + m) of the piece [k, k + n); e and t: [ROWS, PIECE] */
static void piece_errors(double *errors, int64_t stride, const double *e, double *t,
                         const moments *m, int64_t rows, int64_t k, int64_t n)
{
    if (m->gram) {
        memset(t, 0, (size_t)(rows * n) * sizeof *t);
        product_add_here((matrix){t, n}, (matrix){(double *)e, n},
                         (matrix){m->gram + k * m->in + k, m->in}, rows, n, n, 1);
    }
    for (int64_t i = 0; i < rows; i++) {
        double sum = 0;
        for (int64_t c = i * n; c < (i + 1) * n; c++)
            sum += e[c] * (m->gram ? t[c] : e[c] * m->squares[k + c - i * n]);
        errors[i * stride] = sum;
    }
}

void trial_errors(double *errors, const float *y, const float *w, int64_t out, const pieces *p,
                  const moments *m)
{
    int64_t in = m->in;
#pragma omp parallel
    {
        double *e = malloc(2 * sizeof *e * ROWS * PIECE), *t = e + ROWS * PIECE;
        if (!e)
            die("out of memory");
#pragma omp for schedule(dynamic)
        for (int64_t row = 0; row < out; row += ROWS)
            for (int i = 0; i < p->n; i++) {
                int64_t rows = least(ROWS, out - row), k = p->first[i], n = p->first[i + 1] - k;
                for (int64_t r = 0; r < rows; r++)
                    for (int64_t c = 0; c < n; c++) {
                        int64_t at = (row + r) * in + k + c;
                        e[r * n + c] = (double)y[at] - (double)w[at];
                    }
                piece_errors(errors + row * p->n + i, p->n, e, t, m, rows, k, n);
            }
        free(e);
    }
}

double trial_error(const float *y, const float *w, int64_t out, const pieces *p, const moments *m)
{
    double *errors = new_bytes((size_t)(out * p->n) * sizeof *errors), sum = 0;
    trial_errors(errors, y, w, out, p, m);
    for (int64_t i = 0; i < out * p->n; i++)
        sum += errors[i];
    free(errors);
    return sum;
}
