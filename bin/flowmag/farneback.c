/*
** farneback.c: two-frame motion estimation based on polynomial expansion (G. Farneback, SCIA 2003).
**
** Around every pixel both pictures are quadratics, f(x) ~ x'Ax + b'x + c (expansion.c). A picture
** moved by d has the same A, and b - 2Ad instead of b. With a guess of the motion the least squares
** solution over a window is a better one (iteration.c): three times a scale, from the coarsest
** scale of the pyramid (pyramid.c) to the finest. Each begins with twice the flow of the one
** before, the coarsest with no motion.
*/
#include "farneback.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "../../common/vectorised.h"
#include "expansion.h"
#include "iteration.h"
#include "pyramid.h"

enum {
    LEVELS = 3,      /* halvings of the picture at most */
    LEAST_SIDE = 32, /* of a halved picture */
};

typedef struct {
    int64_t h, w;
    float *r; /* [h, w, COEFFICIENTS] and BEHIND more */
} scale;

struct expanded {
    int levels;
    scale level[LEVELS + 1];
};

static float *floats(int64_t n) { return new_bytes((size_t)n * sizeof(float)); }

expanded *expanded_new(int64_t H, int64_t W)
{
    expanded *e = new_bytes(sizeof *e);
    *e = (expanded){0};
    while (e->levels < LEVELS && ldexp((double)(H < W ? H : W), -(e->levels + 1)) >= LEAST_SIDE)
        e->levels++;
    for (int i = 0; i <= e->levels; i++) {
        int64_t h = scaled_side(H, i), w = scaled_side(W, i);
        e->level[i] = (scale){h, w, floats(h * w * COEFFICIENTS + BEHIND)};
    }
    return e;
}

void expanded_free(expanded *e)
{
    for (int i = 0; i <= e->levels; i++)
        free(e->level[i].r);
    free(e);
}

void expand_picture(expanded *e, const uint8_t *grey)
{
    int64_t H = e->level[0].h, W = e->level[0].w;
    float *picture = floats(H * W);
    for (scale *s = e->level; s <= e->level + e->levels; s++) {
        pyramid_level(picture, grey, H, W, (int)(s - e->level));
        expand(s->r, picture, s->h, s->w);
    }
    free(picture);
}

/* ---- from coarse to fine ---- */

/* A row [2, cw] of the coarser flow, sampled at the finer scale's columns: [2, w]. */
static void widen_row(float *to, const float *coarse, int64_t w, int64_t cw, const place *across)
{
    for (int c = 0; c < 2; c++, to += w, coarse += cw)
        for (int64_t x = 0; x < w; x++) {
            place p = across[x];
            to[x] = coarse[p.first] + p.share * (coarse[p.second] - coarse[p.first]);
        }
}

/* n values of the guess: twice what lies between two rows. */
VECTORISED static void between_rows(float *restrict to, const float *upper, const float *lower,
                                    float share, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = 2 * (upper[i] + share * (lower[i] - upper[i]));
}

/* The flow of one scale: coarse is the flow of the next coarser one, or NULL. guess [3, 2, w] is
 * scratch: the row's guess, and two rows of the coarser flow, each widened once. */
static void refine(refiner *r, float *flow, const scale *first, const scale *second,
                   const float *coarse, float *guess)
{
    int64_t h = first->h, w = first->w, widened[2] = {-1, -1};
    refine_begin(r, flow, first->r, second->r, h, w);
    if (!coarse) {
        memset(guess, 0, (size_t)(2 * w) * sizeof *guess);
        for (int64_t y = 0; y < h; y++)
            refine_row(r, guess);
        return;
    }
    int64_t ch = first[1].h, cw = first[1].w;
    place *across = places(w, cw), *down = places(h, ch);
    for (int64_t y = 0; y < h; y++) {
        int64_t rows[2] = {down[y].first, down[y].second};
        for (int i = 0; i < 2; i++)
            if (widened[rows[i] % 2] != rows[i]) {
                widened[rows[i] % 2] = rows[i];
                widen_row(guess + (1 + rows[i] % 2) * 2 * w, coarse + rows[i] * 2 * cw, w, cw,
                          across);
            }
        between_rows(guess, guess + (1 + rows[0] % 2) * 2 * w, guess + (1 + rows[1] % 2) * 2 * w,
                     down[y].share, 2 * w);
        refine_row(r, guess);
    }
    free(across);
    free(down);
}

void farneback_flow(float *flow, const expanded *first, const expanded *second)
{
    int64_t W = first->level[0].w;
    refiner *r = refiner_new(W);
    float *guess = floats(6 * W), *coarse = NULL;
    assert(W == second->level[0].w && first->level[0].h == second->level[0].h);
    for (int i = first->levels; i >= 0; i--) {
        const scale *s = &first->level[i];
        float *to = i ? floats(2 * s->h * s->w) : flow;
        refine(r, to, s, &second->level[i], coarse, guess);
        free(coarse);
        coarse = i ? to : NULL;
    }
    free(guess);
    refiner_free(r);
}

/* Pixels are summed by turns into SUMS sums, so that the result is the same on any processor. */
enum { SUMS = 8 };

VECTORISED static void add_lengths(double *restrict sum, const float *flow, int64_t w)
{
    const float *u = flow, *v = flow + w;
    int64_t x = 0;
    for (; x + SUMS <= w; x += SUMS)
        for (int i = 0; i < SUMS; i++)
            sum[i] +=
                sqrt((double)u[x + i] * (double)u[x + i] + (double)v[x + i] * (double)v[x + i]);
    for (int i = 0; x + i < w; i++)
        sum[i] += sqrt((double)u[x + i] * (double)u[x + i] + (double)v[x + i] * (double)v[x + i]);
}

double mean_magnitude(const float *flow, int64_t H, int64_t W)
{
    double sum[SUMS] = {0}, all = 0;
    for (int64_t y = 0; y < H; y++)
        add_lengths(sum, flow + y * 2 * W, W);
    for (int i = 0; i < SUMS; i++)
        all += sum[i];
    return all / (double)(H * W);
}
