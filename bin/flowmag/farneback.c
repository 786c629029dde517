/*
** farneback.c: two-frame motion estimation based on polynomial expansion (G. Farneback, SCIA 2003).
**
** Around every pixel both pictures are quadratics, f(x) ~ x'Ax + b'x + c (expansion.c). A picture
** moved by d has the same A, and b - 2Ad instead of b; so with a guess d0 of the motion
**
**     A(x)  = (A1(x) + A2(x + d0)) / 2
**     db(x) = (b1(x) - b2(x + d0)) / 2 + A(x) d0
**     A(x) d(x) = db(x)
**
** which one pixel does not determine: d is the least squares solution over a window of 15 x 15,
**
**     G = sum A'A,  h = sum A'db,  d = G^-1 h
**
** three times a scale, from the coarsest scale of the pyramid to the finest, each beginning with
** twice the flow of the one before. The choices that the paper leaves open are OpenCV's: equal
** weights in the window, which repeats the border's pixels; pixels within 5 of the border count
** less; where x + d0 leaves the picture A1 and b1 stand alone; G's determinant has 1e-3 added.
**
** The hard part is that G is nearly singular along edges and where nothing is to be seen: sums over
** the window are F64, and begin anew at fixed rows, so that nothing depends on who works on which.
*/
#include "farneback.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "expansion.h"
#include "pyramid.h"

enum {
    LEVELS = 3,      /* halvings of the picture at most */
    LEAST_SIDE = 32, /* of a halved picture */
    ITERATIONS = 3,
    REACH = 7,  /* the window is 2 REACH + 1 wide */
    STRIP = 16, /* rows that share running sums */
    BORDER = 5,
};

/* What a pixel contributes to G and h: G is symmetric. */
enum { G11, G12, G22, H1, H2, MOMENTS };

typedef struct {
    int64_t h, w;
    float *last, *next; /* [h, COEFFICIENTS, w] */
    float *flow;        /* [h, 2, w] */
} scale;

struct farneback {
    int frames, levels;
    scale level[LEVELS + 1];
    float *picture; /* [H, W]: of one scale */
    float *moments; /* [H, MOMENTS, W]: of one scale */
};

static float *floats(int64_t n) { return new_bytes((size_t)n * sizeof(float)); }

farneback *farneback_new(int64_t H, int64_t W)
{
    farneback *f = new_bytes(sizeof *f);
    *f = (farneback){.picture = floats(H * W), .moments = floats(MOMENTS * H * W)};
    while (f->levels < LEVELS && ldexp((double)(H < W ? H : W), -(f->levels + 1)) >= LEAST_SIDE)
        f->levels++;
    for (int i = 0; i <= f->levels; i++) {
        int64_t h = scaled_side(H, i), w = scaled_side(W, i);
        f->level[i] = (scale){h, w, floats(COEFFICIENTS * h * w), floats(COEFFICIENTS * h * w),
                              floats(2 * h * w)};
    }
    return f;
}

void farneback_free(farneback *f)
{
    for (int i = 0; i <= f->levels; i++) {
        free(f->level[i].last);
        free(f->level[i].next);
        free(f->level[i].flow);
    }
    free(f->picture);
    free(f->moments);
    free(f);
}

void farneback_frame(farneback *f, const uint8_t *grey)
{
    for (int i = 0; i <= f->levels; i++) {
        scale *s = &f->level[i];
        float *old = s->last;
        s->last = s->next;
        s->next = old;
        pyramid_level(f->picture, grey, f->level[0].h, f->level[0].w, i);
        expand(s->next, f->picture, s->h, s->w);
    }
    f->frames++;
}

/* ---- what each pixel says ---- */

/* The weight of pixel i of n: 1 but near the ends. */
static float border_weight(int64_t i, int64_t n)
{
    static const float weight[BORDER] = {0.14f, 0.14f, 0.4472f, 0.4472f, 0.4472f};
    return (i < BORDER ? weight[i] : 1) * (n - 1 - i < BORDER ? weight[n - 1 - i] : 1);
}

/* Where a row's pixels are in the other picture. */
typedef struct {
    int32_t *at;             /* index of the pixel up left in the expansion; 0 outside */
    float *inside, *fx, *fy; /* 1 or 0; the way from there to the right and down */
    float *moved;            /* [COEFFICIENTS, w]: the expansion there */
} guess;

VECTORISED static void find_places(guess *g, const float *flow, int64_t y, int64_t h, int64_t w)
{
    const float *u = flow, *v = flow + w;
    const float right = (float)(w - 1), bottom = (float)(h - 1), top = (float)y;
    const int32_t width = (int32_t)w, row = COEFFICIENTS * width;
    int32_t *restrict at = g->at;
    float *restrict inside = g->inside, *restrict fx = g->fx, *restrict fy = g->fy;
#pragma omp simd
    for (int32_t x = 0; x < width; x++) {
        float px = (float)x + u[x], py = top + v[x];
        float in = ((px >= 0) & (px < right) & (py >= 0) & (py < bottom)) ? 1.0f : 0.0f;
        px = in > 0 ? px : 0;
        py = in > 0 ? py : 0;
        int32_t ix = (int32_t)px, iy = (int32_t)py;
        inside[x] = in;
        fx[x] = px - (float)ix;
        fy[x] = py - (float)iy;
        at[x] = iy * row + ix;
    }
}

/* One coefficient between its four neighbours, which are `right` and `down` apart. */
VECTORISED static void sample(float *restrict to, const float *r, const guess *g, int32_t right,
                              int32_t down, int32_t w)
{
    const int32_t *restrict at = g->at;
    const float *restrict fx = g->fx, *restrict fy = g->fy;
    const float *r01 = r + right, *r10 = r + down, *r11 = r + right + down;
#pragma omp simd
    for (int32_t x = 0; x < w; x++) {
        float upper = r[at[x]] + fx[x] * (r01[at[x]] - r[at[x]]);
        float lower = r10[at[x]] + fx[x] * (r11[at[x]] - r10[at[x]]);
        to[x] = upper + fy[x] * (lower - upper);
    }
}

/* m[MOMENTS, w] of a row: r1[COEFFICIENTS, w] of the first picture, g of the second; weight:
 * across times down, the border's. */
VECTORISED static void combine(float *restrict m, const float *r1, const guess *g,
                               const float *flow, const float *across, float down, int64_t w)
{
    const float *u = flow, *v = flow + w, *inside = g->inside, *r2 = g->moved;
#pragma omp simd
    for (int64_t x = 0; x < w; x++) {
        float in = inside[x], weight = down * across[x], weight2 = weight * weight;
        float axx = 0.5f * (r1[XX * w + x] + (in > 0 ? r2[XX * w + x] : r1[XX * w + x]));
        float ayy = 0.5f * (r1[YY * w + x] + (in > 0 ? r2[YY * w + x] : r1[YY * w + x]));
        float xy = 0.5f * (r1[XY * w + x] + (in > 0 ? r2[XY * w + x] : r1[XY * w + x]));
        float axy = 0.5f * xy; /* A has half of XY in both corners */
        float bx = 0.5f * (r1[X * w + x] - in * r2[X * w + x]) + axx * u[x] + axy * v[x];
        float by = 0.5f * (r1[Y * w + x] - in * r2[Y * w + x]) + axy * u[x] + ayy * v[x];
        m[G11 * w + x] = weight2 * (axx * axx + axy * axy);
        m[G12 * w + x] = weight2 * (axy * (axx + ayy));
        m[G22 * w + x] = weight2 * (ayy * ayy + axy * axy);
        m[H1 * w + x] = weight2 * (axx * bx + axy * by);
        m[H2 * w + x] = weight2 * (axy * bx + ayy * by);
    }
}

static void row_moments(float *m, const scale *s, guess *g, const float *across, int64_t y)
{
    int64_t w = s->w, row = COEFFICIENTS * w;
    const float *flow = s->flow + y * 2 * w;
    find_places(g, flow, y, s->h, w);
    for (int c = 0; c < COEFFICIENTS; c++)
        sample(g->moved + c * w, s->next + c * w, g, w > 1, s->h > 1 ? (int32_t)row : 0,
               (int32_t)w);
    combine(m, s->last + y * row, g, flow, across, border_weight(y, s->h), w);
}

static void make_moments(float *moments, const scale *s)
{
    int64_t w = s->w;
    float *across = floats(w);
    for (int64_t x = 0; x < w; x++)
        across[x] = border_weight(x, w);
#pragma omp parallel
    {
        int32_t *at = new_bytes((size_t)w * sizeof *at);
        float *memory = floats((3 + COEFFICIENTS) * w);
        guess g = {at, memory, memory + w, memory + 2 * w, memory + 3 * w};
#pragma omp for schedule(dynamic, 16)
        for (int64_t y = 0; y < s->h; y++)
            row_moments(moments + y * MOMENTS * w, s, &g, across, y);
        free(memory);
        free(at);
    }
    free(across);
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

/* to[i] = the 15 of from[i - REACH .. i + REACH]: by sums of 2, 4 and 8. from has REACH more
 * elements on both sides and is used up. */
VECTORISED static void sum_along(double *restrict to, double *from, int64_t n)
{
    double *s = from - REACH;
    int64_t all = n + 2 * REACH;
    for (int64_t i = 0; i < n; i++)
        to[i] = s[i + 14];
    for (int64_t i = 0; i < all - 1; i++)
        s[i] += s[i + 1];
    for (int64_t i = 0; i < n; i++)
        to[i] += s[i + 12];
    for (int64_t i = 0; i < all - 3; i++)
        s[i] += s[i + 2];
    for (int64_t i = 0; i < n; i++)
        to[i] += s[i + 8];
    for (int64_t i = 0; i < n; i++)
        to[i] += s[i] + s[i + 4];
}

/* flow [2, w] = G^-1 h of the window's means, not its sums: the 1e-3 that keeps G from being
 * singular is small beside means. */
VECTORISED static void solve_row(float *restrict flow, const double *sums, int64_t w)
{
    const double mean = 1.0 / ((2 * REACH + 1) * (2 * REACH + 1));
    for (int64_t x = 0; x < w; x++) {
        double g11 = mean * sums[G11 * w + x], g12 = mean * sums[G12 * w + x],
               g22 = mean * sums[G22 * w + x], h1 = mean * sums[H1 * w + x],
               h2 = mean * sums[H2 * w + x], inverse = 1 / (g11 * g22 - g12 * g12 + 1e-3);
        flow[x] = (float)((g22 * h1 - g12 * h2) * inverse);
        flow[w + x] = (float)((g11 * h2 - g12 * h1) * inverse);
    }
}

static void repeat_ends(double *row, int64_t w)
{
    for (int i = 1; i <= REACH; i++) {
        row[-i] = row[0];
        row[w - 1 + i] = row[w - 1];
    }
}

/* Rows first .. first + STRIP of the flow. down [MOMENTS, w], row [w + 2 REACH] and sums
 * [MOMENTS, w] are scratch. */
static void solve_strip(scale *s, const float *moments, int64_t first, double *down, double *row,
                        double *sums)
{
    int64_t w = s->w, n = MOMENTS * w, end = first + STRIP < s->h ? first + STRIP : s->h;
#define ROW(y) (moments + ((y) < 0 ? 0 : (y) >= s->h ? s->h - 1 : (y)) * n)
    memset(down, 0, (size_t)n * sizeof *down);
    for (int64_t y = first - REACH; y <= first + REACH; y++)
        add_row(down, ROW(y), n);
    for (int64_t y = first; y < end; y++) {
        if (y > first)
            move_row(down, ROW(y + REACH), ROW(y - REACH - 1), n);
        for (int i = 0; i < MOMENTS; i++) {
            memcpy(row + REACH, down + i * w, (size_t)w * sizeof *row);
            repeat_ends(row + REACH, w);
            sum_along(sums + i * w, row + REACH, w);
        }
        solve_row(s->flow + y * 2 * w, sums, w);
    }
#undef ROW
}

static void solve(scale *s, const float *moments)
{
    int64_t n = MOMENTS * s->w;
#pragma omp parallel
    {
        double *down = new_bytes((size_t)(2 * n + s->w + 2 * REACH) * sizeof *down);
#pragma omp for schedule(dynamic)
        for (int64_t y = 0; y < s->h; y += STRIP)
            solve_strip(s, moments, y, down, down + 2 * n, down + n);
        free(down);
    }
}

/* ---- from coarse to fine ---- */

/* Twice the coarser flow, sampled at the finer scale's pixels. */
static void enlarge(scale *fine, const scale *coarse)
{
    int64_t h = fine->h, w = fine->w, cw = coarse->w;
    place *across = places(w, cw), *down = places(h, coarse->h);
#pragma omp parallel for schedule(dynamic, 16)
    for (int64_t y = 0; y < h; y++)
        for (int c = 0; c < 2; c++) {
            const float *upper = coarse->flow + (down[y].first * 2 + c) * cw,
                        *lower = coarse->flow + (down[y].second * 2 + c) * cw;
            float *to = fine->flow + (y * 2 + c) * w;
            for (int64_t x = 0; x < w; x++) {
                place p = across[x];
                float a = upper[p.first] + p.share * (upper[p.second] - upper[p.first]);
                float b = lower[p.first] + p.share * (lower[p.second] - lower[p.first]);
                to[x] = 2 * (a + down[y].share * (b - a));
            }
        }
    free(across);
    free(down);
}

const float *farneback_flow(farneback *f)
{
    assert(f->frames >= 2);
    scale *coarsest = &f->level[f->levels];
    memset(coarsest->flow, 0, (size_t)(2 * coarsest->h * coarsest->w) * sizeof(float));
    for (int i = f->levels; i >= 0; i--) {
        if (i < f->levels)
            enlarge(&f->level[i], &f->level[i + 1]);
        for (int k = 0; k < ITERATIONS; k++) {
            make_moments(f->moments, &f->level[i]);
            solve(&f->level[i], f->moments);
        }
    }
    return f->level[0].flow;
}

static void exchange(farneback *f)
{
    for (int i = 0; i <= f->levels; i++) {
        float *last = f->level[i].last;
        f->level[i].last = f->level[i].next;
        f->level[i].next = last;
    }
}

const float *farneback_backward(farneback *f)
{
    exchange(f);
    const float *flow = farneback_flow(f);
    exchange(f);
    return flow;
}

VECTORISED static double row_magnitude(const float *flow, int64_t w)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t x = 0; x < w; x++) {
        double u = (double)flow[x], v = (double)flow[w + x];
        sum += sqrt(u * u + v * v);
    }
    return sum;
}

double mean_magnitude(const float *flow, int64_t H, int64_t W)
{
    double sum = 0; /* one thread: the order of the rows is part of the result */
    for (int64_t y = 0; y < H; y++)
        sum += row_magnitude(flow + y * 2 * W, W);
    return sum / (double)(H * W);
}
