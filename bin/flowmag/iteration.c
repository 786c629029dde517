/*
** iteration.c: from a guess d0 of the motion to a better one, d.
**
** Around every pixel both pictures are quadratics, f(x) ~ x'Ax + b'x + c (expansion.c), and
**
**     A(x)  = (A1(x) + A2(x + d0)) / 2
**     db(x) = (b1(x) - b2(x + d0)) / 2 + A(x) d0
**     G = sum A'A,  h = sum A'db,  d = G^-1 h     with sums over a window of 15 x 15
**
** The choices that the paper leaves open are OpenCV's: equal weights in the window, which repeats
** the border's pixels; pixels within 5 of the border count less; where x + d0 leaves the picture A1
** and b1 stand alone; G's determinant has 1e-3 added. G is nearly singular along edges and where
** nothing is to be seen, so sums over the window are F64.
**
** A row of d needs d0 in the 7 rows below it, no more: so the second iteration follows the first 7
** rows behind, and the third the second. What they read of both pictures is then still in the
** cache, which holds neither a whole expansion nor all that the pixels contribute; reading these
** three times from memory took half of the time.
*/
#include "iteration.h"

#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "../../common/vectorised.h"
#include "expansion.h"

enum {
    REACH = 7, /* the window is 2 REACH + 1 wide */
    /* rows of contributions that are kept: those of the window, and the one that left it */
    ROWS = 2 * REACH + 2,
    BORDER = 5,
    PIECE = 128, /* of a row, that is solved at a time: what it needs stays in the first cache */
};

/* What a pixel contributes to G and h: G is symmetric. */
enum { G11, G12, G22, H1, H2, MOMENTS };

/* One iteration. */
typedef struct {
    int64_t given, solved; /* rows of the guess that came; rows of the flow that went */
    float *moments;        /* [ROWS, MOMENTS, w]: row y is at y % ROWS */
    double *columns;       /* [MOMENTS, w + 2 REACH]: sums down the columns of the window */
    float *flow;           /* [2, w]: the row that was solved last */
} iteration;

struct refiner {
    int64_t h, w;
    const float *r1, *r2;
    float *to;
    iteration of[ITERATIONS];
    /* Of the row at work: */
    int32_t *at;    /* index of the pixel up left of x + d0; -1 outside of the picture */
    float *fx, *fy; /* the way from there to the right and down */
    float *mean;    /* [w, LANES]: see compare */
    float *across;  /* weights of the pixels of a row */
    double *fours;  /* [MOMENTS, PIECE + 8] */
};

static float *floats(int64_t n) { return new_bytes((size_t)n * sizeof(float)); }

static double *doubles(int64_t n) { return new_bytes((size_t)n * sizeof(double)); }

refiner *refiner_new(int64_t W)
{
    refiner *r = new_bytes(sizeof *r);
    int64_t sums = MOMENTS * (W + 2 * REACH);
    *r = (refiner){.at = new_bytes((size_t)W * sizeof *r->at),
                   .fx = floats(W),
                   .fy = floats(W),
                   .mean = floats(W * LANES),
                   .across = floats(W),
                   .fours = doubles(MOMENTS * (PIECE + 8))};
    for (iteration *i = r->of; i < r->of + ITERATIONS; i++)
        *i = (iteration){0, 0, floats(ROWS * MOMENTS * W), doubles(sums), floats(2 * W)};
    return r;
}

void refiner_free(refiner *r)
{
    for (iteration *i = r->of; i < r->of + ITERATIONS; i++) {
        free(i->moments);
        free(i->columns);
        free(i->flow);
    }
    free(r->at);
    free(r->fx);
    free(r->fy);
    free(r->mean);
    free(r->across);
    free(r->fours);
    free(r);
}

/* ---- what each pixel says ---- */

/* The weight of pixel i of n: 1 but near the ends. */
static float border_weight(int64_t i, int64_t n)
{
    static const float weight[BORDER] = {0.14f, 0.14f, 0.4472f, 0.4472f, 0.4472f};
    return (i < BORDER ? weight[i] : 1) * (n - 1 - i < BORDER ? weight[n - 1 - i] : 1);
}

VECTORISED static void find_places(int32_t *restrict at, float *restrict fx, float *restrict fy,
                                   const float *flow, int64_t y, int64_t h, int64_t w)
{
    const float *u = flow, *v = flow + w;
    const float right = (float)(w - 1), bottom = (float)(h - 1), top = (float)y;
    const int32_t width = (int32_t)w;
#pragma omp simd
    for (int32_t x = 0; x < width; x++) {
        float px = (float)x + u[x], py = top + v[x];
        float inside = ((px >= 0) & (px < right) & (py >= 0) & (py < bottom)) ? 1.0f : 0.0f;
        px = px > 0 ? px : 0;
        py = py > 0 ? py : 0;
        px = px < right ? px : right;
        py = py < bottom ? py : bottom;
        int32_t ix = (int32_t)px, iy = (int32_t)py;
        fx[x] = px - (float)ix;
        fy[x] = py - (float)iy;
        at[x] = (iy * width + ix + 1) * (int32_t)inside - 1;
    }
}

/* mean [w, LANES] of a row: half of r1 + r2(x + d0) of the curvatures, half of r1 - r2(x + d0) of
 * the slopes. r1 [w, COEFFICIENTS] is the row's expansion, r2 the other picture's from its first
 * pixel on; its neighbours are `right` and `down` pixels away. */
VECTORISED static void compare(float *restrict mean, const float *restrict r1,
                               const float *restrict r2, const int32_t *restrict at,
                               const float *restrict fx, const float *restrict fy, int64_t right,
                               int64_t down, int64_t w)
{
    static const lanes sign = {-1, -1, 1, 1, 1}, alone = {0, 0, 1, 1, 1};
    for (int64_t x = 0; x < w; x++) {
        lanes a = at_pixel(r1, x), b = alone * a;
        int64_t i = at[x];
        if (i >= 0) {
            lanes upper = at_pixel(r2, i), lower = at_pixel(r2, i + down);
            upper += fx[x] * (at_pixel(r2, i + right) - upper);
            lower += fx[x] * (at_pixel(r2, i + down + right) - lower);
            b = upper + fy[x] * (lower - upper);
        }
        *(lanes *)(mean + x * LANES) = 0.5f * (a + sign * b);
    }
}

/* m [MOMENTS, w] of a row: mean [w, LANES] of both pictures' expansions; weight: across times
 * down, the border's. */
VECTORISED static void combine(float *restrict m, const float *restrict mean,
                               const float *restrict flow, const float *restrict across, float down,
                               int64_t w)
{
    const float *u = flow, *v = flow + w;
#pragma omp simd
    for (int64_t x = 0; x < w; x++) {
        const float *r = mean + x * LANES;
        float weight = down * across[x], weight2 = weight * weight;
        float axx = r[XX], ayy = r[YY], axy = 0.5f * r[XY]; /* A has half of XY in both corners */
        float bx = r[X] + axx * u[x] + axy * v[x];
        float by = r[Y] + axy * u[x] + ayy * v[x];
        m[G11 * w + x] = weight2 * (axx * axx + axy * axy);
        m[G12 * w + x] = weight2 * (axy * (axx + ayy));
        m[G22 * w + x] = weight2 * (ayy * ayy + axy * axy);
        m[H1 * w + x] = weight2 * (axx * bx + axy * by);
        m[H2 * w + x] = weight2 * (axy * bx + ayy * by);
    }
}

static void row_moments(refiner *r, float *m, int64_t y, const float *guess)
{
    int64_t w = r->w;
    find_places(r->at, r->fx, r->fy, guess, y, r->h, w);
    compare(r->mean, r->r1 + y * w * COEFFICIENTS, r->r2, r->at, r->fx, r->fy, w > 1,
            r->h > 1 ? w : 0, w);
    combine(m, r->mean, guess, r->across, border_weight(y, r->h), w);
}

/* ---- sums over the window, and their solution ---- */

VECTORISED static void add_row(double *restrict sum, const float *row, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        sum[i] += (double)row[i];
}

VECTORISED static void move_row(double *restrict sum, const float *in, const float *out, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        sum[i] += (double)in[i] - (double)out[i];
}

static void repeat_ends(double *row, int64_t w)
{
    for (int i = 1; i <= REACH; i++) {
        row[-i] = row[0];
        row[w - 1 + i] = row[w - 1];
    }
}

/* fours[i] = the sum of s[i .. i + 3] */
VECTORISED static void sum_fours(double *restrict fours, const double *s, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        fours[i] = (s[i] + s[i + 1]) + (s[i + 2] + s[i + 3]);
}

/* The mean of the window whose first column is x: three sums of four columns, and three columns. */
#define FOURS(m, x) fours[(m) * (PIECE + 8) + (x)]
#define COLUMN(m, x) columns[(m)*stride + (x)]
#define MEAN(m)                                                                                    \
    (mean * ((FOURS(m, x) + FOURS(m, x + 4)) +                                                     \
             (FOURS(m, x + 8) + (COLUMN(m, x + 12) + COLUMN(m, x + 13) + COLUMN(m, x + 14)))))

/* flow [2, w] = G^-1 h of the window's means, not its sums: the 1e-3 that keeps G from being
 * singular is small beside means. Of n pixels, whose columns [MOMENTS, stride] and fours begin with
 * those of the first. */
VECTORISED static void solve(float *restrict u, float *restrict v, const double *columns,
                             int64_t stride, const double *fours, int64_t n)
{
    const double mean = 1.0 / ((2 * REACH + 1) * (2 * REACH + 1));
    for (int64_t x = 0; x < n; x++) {
        double g11 = MEAN(G11), g12 = MEAN(G12), g22 = MEAN(G22), h1 = MEAN(H1), h2 = MEAN(H2),
               inverse = 1 / (g11 * g22 - g12 * g12 + 1e-3);
        u[x] = (float)((g22 * h1 - g12 * h2) * inverse);
        v[x] = (float)((g11 * h2 - g12 * h1) * inverse);
    }
}

/* The sums down the columns of moment m, for row y of the flow. */
static void sum_columns(const refiner *r, iteration *i, int m, int64_t y)
{
    int64_t w = r->w, h = r->h;
    double *sum = i->columns + m * (w + 2 * REACH) + REACH;
#define ROW(y) (i->moments + (((y) < 0 ? 0 : (y) >= h ? h - 1 : (y)) % ROWS * MOMENTS + m) * w)
    if (y == 0) {
        memset(sum, 0, (size_t)w * sizeof *sum);
        for (int64_t k = -REACH; k <= REACH; k++)
            add_row(sum, ROW(k), w);
    } else {
        move_row(sum, ROW(y + REACH), ROW(y - REACH - 1), w);
    }
#undef ROW
    repeat_ends(sum, w);
}

static void next_solution(refiner *r, iteration *i, float *flow)
{
    int64_t w = r->w, stride = w + 2 * REACH;
    for (int m = 0; m < MOMENTS; m++)
        sum_columns(r, i, m, i->solved);
    for (int64_t x = 0; x < w; x += PIECE) {
        int64_t n = w - x < PIECE ? w - x : PIECE;
        for (int m = 0; m < MOMENTS; m++)
            sum_fours(r->fours + m * (PIECE + 8), i->columns + m * stride + x, n + 8);
        solve(flow + x, flow + w + x, i->columns + x, stride, r->fours, n);
    }
    i->solved++;
}

/* ---- iterations behind each other ---- */

void refine_begin(refiner *r, float *to, const float *r1, const float *r2, int64_t h, int64_t w)
{
    r->to = to;
    r->r1 = r1;
    r->r2 = r2;
    r->h = h;
    r->w = w;
    for (iteration *i = r->of; i < r->of + ITERATIONS; i++)
        i->given = i->solved = 0;
    for (int64_t x = 0; x < w; x++)
        r->across[x] = border_weight(x, w);
}

/* Gives iteration n a row of its guess, and the rows that it solves then to the next. */
static void give_row(refiner *r, int n, const float *guess)
{
    iteration *i = &r->of[n];
    row_moments(r, i->moments + i->given % ROWS * MOMENTS * r->w, i->given, guess);
    i->given++;
    while (i->solved < r->h && (i->given == r->h || i->solved + REACH < i->given)) {
        if (n == ITERATIONS - 1) {
            next_solution(r, i, r->to + i->solved * 2 * r->w);
        } else {
            next_solution(r, i, i->flow);
            give_row(r, n + 1, i->flow);
        }
    }
}

void refine_row(refiner *r, const float *guess) { give_row(r, 0, guess); }
