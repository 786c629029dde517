/*
** lowrank.c: the branch of SVDQuant (Li et al. 2024, arXiv:2411.05007): W = B A + R, where B A is
** of rank n and kept in F16, and R, without W's largest directions, is what becomes codes.
**
** B A is the best of its rank for |(W - B A) D|, D the channels' root mean squares, if they are
** known (a channel that is 1000 times below the mean counts as that much), else for |W - B A|: the
** first n singular vectors of W D. They are found by subspace iteration (Halko, Martinsson, Tropp
** 2011, algorithm 4.4) with 8 vectors more than asked for, from a fixed seed:
**
**     Q [out, l] = orthonormal(W D G);  8 times: Q = orthonormal(W D (W D)^T Q)
**     T = Q^T W D = E S V^T;  B = Q E sqrt(S),  A = sqrt(S) V^T D^-1
**
** R is what the rounded B and A leave, so what F16 loses of them is not lost.
*/
#include "lowrank.h"

#include <math.h>
#include <stdlib.h>

#include "../../common/die.h"
#include "../../common/tensor.h"
#include "matrix.h"

enum { MORE = 8, TIMES = 8, SWEEPS = 30 };

static double *new_zeros(int64_t n) { return new_bytes((size_t)n * sizeof(double)); }

/* Uniform in [-1, 1): splitmix64's i-th number. */
static double random_number(uint64_t i)
{
    uint64_t z = (i + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return (double)(int64_t)z * 0x1p-63;
}

static double dot(const double *x, const double *y, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

/* The rows of q [l, n] become orthonormal: Gram-Schmidt, twice. One that others span is zero. */
static void orthonormal(double *q, int64_t l, int64_t n)
{
    for (int64_t i = 0; i < l; i++) {
        double *x = q + i * n, before = sqrt(dot(x, x, n));
        for (int again = 0; again < 2; again++)
            for (int64_t j = 0; j < i; j++) {
                double along = dot(x, q + j * n, n);
                for (int64_t k = 0; k < n; k++)
                    x[k] -= along * q[j * n + k];
            }
        double size = sqrt(dot(x, x, n));
        for (int64_t k = 0; k < n; k++)
            x[k] = size > 1e-12 * before ? x[k] / size : 0;
    }
}

/* ---- eigenvectors of a small symmetric matrix: Jacobi's rotations ---- */

/* One rotation in the plane of i and j; e's rows turn with it. */
static void turn(double *a, double *e, int64_t l, int64_t i, int64_t j)
{
    double theta = (a[j * l + j] - a[i * l + i]) / (2 * a[i * l + j]);
    double t = (theta < 0 ? -1 : 1) / (fabs(theta) + sqrt(theta * theta + 1));
    double c = 1 / sqrt(t * t + 1), s = t * c;
    for (int64_t k = 0; k < l; k++) {
        double x = a[k * l + i], y = a[k * l + j];
        a[k * l + i] = c * x - s * y;
        a[k * l + j] = s * x + c * y;
    }
    for (int64_t k = 0; k < l; k++) {
        double x = a[i * l + k], y = a[j * l + k], u = e[i * l + k], v = e[j * l + k];
        a[i * l + k] = c * x - s * y;
        a[j * l + k] = s * x + c * y;
        e[i * l + k] = c * u - s * v;
        e[j * l + k] = s * u + c * v;
    }
}

/* a [l, l] becomes diagonal, the rows of e its eigenvectors. */
static void eigenvectors(double *a, double *e, int64_t l)
{
    memset(e, 0, (size_t)(l * l) * sizeof *e);
    for (int64_t i = 0; i < l; i++)
        e[i * l + i] = 1;
    for (int sweep = 0; sweep < SWEEPS; sweep++)
        for (int64_t i = 0; i < l; i++)
            for (int64_t j = i + 1; j < l; j++)
                if (fabs(a[i * l + j]) > 1e-15 * sqrt(fabs(a[i * l + i] * a[j * l + j])))
                    turn(a, e, l, i, j);
}

/* ---- the branch ---- */

/* q [l, out], orthonormal rows that span the leading left singular vectors of x [out, in] */
static double *subspace(const double *x, const double *transposed, int64_t out, int64_t in,
                        int64_t l)
{
    double *q = new_zeros(l * out), *p = new_zeros(l * in);
    for (int64_t i = 0; i < l * in; i++)
        p[i] = random_number((uint64_t)i);
    for (int i = 0;; i++) {
        memset(q, 0, (size_t)(l * out) * sizeof *q);
        product_add((matrix){q, out}, (matrix){p, in}, (matrix){(double *)transposed, out}, l, out,
                    in, 1);
        orthonormal(q, l, out);
        if (i == TIMES)
            break;
        memset(p, 0, (size_t)(l * in) * sizeof *p);
        product_add((matrix){p, in}, (matrix){q, out}, (matrix){(double *)x, in}, l, in, out, 1);
    }
    free(p);
    return q;
}

static uint16_t half(double v) { return f16_of_f32((float)v); }

/* The n greatest of what q [l, out] and t [l, in] = q x say: up and down. */
static void split(const double *q, const double *t, int64_t out, int64_t in, int64_t l, int64_t n,
                  const double *d, uint16_t *up, uint16_t *down)
{
    double *a = new_zeros(l * l), *e = new_zeros(l * l), *best = new_zeros(n * l);
    double *b = new_zeros(n * out), *v = new_zeros(n * in);
    for (int64_t i = 0; i < l; i++)
        for (int64_t j = 0; j < l; j++)
            a[i * l + j] = dot(t + i * in, t + j * in, in);
    eigenvectors(a, e, l);
    double *root = new_zeros(n); /* of the singular value */
    for (int64_t i = 0; i < n; i++) {
        int64_t greatest = 0;
        for (int64_t j = 1; j < l; j++)
            if (a[j * l + j] > a[greatest * l + greatest])
                greatest = j;
        root[i] = sqrt(sqrt(fmax(a[greatest * l + greatest], 0)));
        memcpy(best + i * l, e + greatest * l, (size_t)l * sizeof *e);
        a[greatest * l + greatest] = -1;
    }
    product_add((matrix){b, out}, (matrix){best, l}, (matrix){(double *)q, out}, n, out, l, 1);
    product_add((matrix){v, in}, (matrix){best, l}, (matrix){(double *)t, in}, n, in, l, 1);
    for (int64_t i = 0; i < n; i++) {
        for (int64_t o = 0; o < out; o++)
            up[o * n + i] = half(b[i * out + o] * root[i]);
        for (int64_t k = 0; k < in; k++)
            down[i * in + k] = half(root[i] > 0 ? v[i * in + k] / root[i] / d[k] : 0);
    }
    free(root);
    free(v);
    free(b);
    free(best);
    free(e);
    free(a);
}

void low_rank_add(float *w, int64_t out, int64_t in, int64_t n, const uint16_t *up,
                  const uint16_t *down, float sign)
{
    float *a = new_bytes((size_t)(n * in) * sizeof *a);
    host_widen(a, down, F16, n * in);
#pragma omp parallel for
    for (int64_t o = 0; o < out; o++)
        for (int64_t i = 0; i < n; i++) {
            float b = sign * f32_of_f16(up[o * n + i]);
            for (int64_t k = 0; k < in; k++)
                w[o * in + k] += b * a[i * in + k];
        }
    free(a);
}

/* Root mean squares, relative to their mean. */
static double *magnitudes(const double *squares, int64_t in)
{
    double *d = new_zeros(in), mean = 0;
    for (int64_t k = 0; k < in; k++)
        mean += squares ? squares[k] / (double)in : 0;
    for (int64_t k = 0; k < in; k++)
        d[k] = mean > 0 ? fmax(sqrt(squares[k] / mean), 1e-3) : 1;
    return d;
}

void low_rank(float *w, int64_t out, int64_t in, int64_t n, const double *squares, uint16_t *up,
              uint16_t *down)
{
    int64_t side = out < in ? out : in, l = n + MORE < side ? n + MORE : side;
    double *d = magnitudes(squares, in), *x = new_zeros(out * in),
           *transposed = new_zeros(out * in);
    for (int64_t o = 0; o < out; o++)
        for (int64_t k = 0; k < in; k++)
            x[o * in + k] = (double)w[o * in + k] * d[k];
    transpose(transposed, x, out, in);
    double *q = subspace(x, transposed, out, in, l), *t = new_zeros(l * in);
    product_add((matrix){t, in}, (matrix){q, out}, (matrix){x, in}, l, in, out, 1);
    split(q, t, out, in, l, n, d, up, down);
    low_rank_add(w, out, in, n, up, down, -1);
    free(t);
    free(q);
    free(transposed);
    free(x);
    free(d);
}
