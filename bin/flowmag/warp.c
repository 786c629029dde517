/*
** warp.c: the warping error of Lai et al., "Learning blind video temporal consistency" (ECCV 2018),
** with the masks of Ruder, Dosovitskiy and Brox, "Artistic style transfer for videos" (2016), which
** are those of Sundaram, Brox and Keutzer, "Dense point trajectories by GPU-accelerated large
** displacement optical flow" (ECCV 2010).
**
** With F the flow of a to b and B that of b to a, a pixel x of a counts unless
**
**     x + F(x) is outside of b                                                   led out
**     |F(x) + B(x + F(x))|^2 > 0.01 (|F(x)|^2 + |B(x + F(x))|^2) + 0.5           hidden in b
**     |grad u(x)|^2 + |grad v(x)|^2 > 0.01 |F(x)|^2 + 0.002                      boundary of motion
**
** and the error is the root of the mean of (a(x) - b(x + F(x)))^2 over those and R, G, B. Values
** between pixels are bilinear, gradients the difference to the next pixel, 0 in the last.
*/
#include "warp.h"

#include <math.h>

typedef struct {
    double squares;
    int64_t values;
} sum;

/* Where x + F(x) lies in b: the pixels around, and the way between them. */
typedef struct {
    int64_t left, right, up, down;
    double fx, fy;
} spot;

static int spot_of(spot *s, double x, double y, int64_t H, int64_t W)
{
    if (!(x >= 0 && x <= (double)(W - 1) && y >= 0 && y <= (double)(H - 1)))
        return 0;
    s->left = (int64_t)x;
    s->up = (int64_t)y;
    s->right = s->left + (s->left < W - 1);
    s->down = s->up + (s->up < H - 1);
    s->fx = x - (double)s->left;
    s->fy = y - (double)s->up;
    return 1;
}

static double mix(const spot *s, double a, double b, double c, double d)
{
    double upper = a + s->fx * (b - a), lower = c + s->fx * (d - c);
    return upper + s->fy * (lower - upper);
}

/* Component c of a flow [H, 2, W] at the spot. */
static double flow_at(const float *flow, const spot *s, int c, int64_t W)
{
    const float *up = flow + (2 * s->up + c) * W, *down = flow + (2 * s->down + c) * W;
    return mix(s, (double)up[s->left], (double)up[s->right], (double)down[s->left],
               (double)down[s->right]);
}

static double square(double x) { return x * x; }

/* The squared gradient of component c of the flow at a pixel. */
static double steepness(const float *flow, int64_t y, int64_t x, int c, int64_t H, int64_t W)
{
    const float *f = flow + (2 * y + c) * W + x;
    return (x < W - 1 ? square((double)f[1] - (double)f[0]) : 0) +
           (y < H - 1 ? square((double)f[2 * W] - (double)f[0]) : 0);
}

static int counts(const float *flow, const float *back, const spot *s, int64_t y, int64_t x,
                  int64_t H, int64_t W)
{
    double u = (double)flow[2 * y * W + x], v = (double)flow[(2 * y + 1) * W + x];
    double p = flow_at(back, s, 0, W), q = flow_at(back, s, 1, W), there = u * u + v * v;
    return square(u + p) + square(v + q) <= 0.01 * (there + p * p + q * q) + 0.5 &&
           steepness(flow, y, x, 0, H, W) + steepness(flow, y, x, 1, H, W) <= 0.01 * there + 0.002;
}

static sum row_error(const uint8_t *a, const uint8_t *b, const float *flow, const float *back,
                     int64_t y, int64_t H, int64_t W)
{
    sum total = {0};
    for (int64_t x = 0; x < W; x++) {
        spot s;
        if (!spot_of(&s, (double)x + (double)flow[2 * y * W + x],
                     (double)y + (double)flow[(2 * y + 1) * W + x], H, W) ||
            !counts(flow, back, &s, y, x, H, W))
            continue;
        const uint8_t *up = b + 3 * s.up * W, *down = b + 3 * s.down * W;
        for (int c = 0; c < 3; c++)
            total.squares += square(mix(&s, up[3 * s.left + c], up[3 * s.right + c],
                                        down[3 * s.left + c], down[3 * s.right + c]) -
                                    a[3 * (y * W + x) + c]);
        total.values += 3;
    }
    return total;
}

double warping_error(const uint8_t *a, const uint8_t *b, const float *flow, const float *back,
                     int64_t H, int64_t W)
{
    sum total = {0};
    for (int64_t y = 0; y < H; y++) {
        sum row = row_error(a, b, flow, back, y, H, W);
        total.squares += row.squares;
        total.values += row.values;
    }
    return total.values ? sqrt(total.squares / (double)total.values) : NAN;
}
