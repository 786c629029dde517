/*
** expansion.c: the polynomial that best fits the 11 x 11 pixels around each, by Gaussian weights.
**
** Least squares with a weight g(x) g(y) that factors, and polynomials that are orthogonal under it,
** fall apart into products of three filters of 11 taps, each along one axis. With the moments
** a = sum g(k) k^2 and b = sum g(k) k^4 (and sum g(k) = 1):
**
**     constant  g(k)        slope  g(k) k / a        curvature  g(k) (k^2 - a) / (b - a^2)
**
**     X = slope along x, constant along y        XX = curvature along x, constant along y
**     Y = constant along x, slope along y        YY = constant along x, curvature along y
**     XY = slope along both
**
** Beyond its border the picture goes on as its last pixel.
*/
#include "expansion.h"

#include <math.h>
#include <stdlib.h>

#include "../../common/die.h"
#include "pyramid.h"

enum { REACH = 5 };              /* poly_n */
static const double SIGMA = 1.2; /* poly_sigma */

/* Taps 0 .. REACH; constant and curvature are even, slope is odd. */
typedef struct {
    float constant[REACH + 1], slope[REACH + 1], curvature[REACH + 1];
} filters;

static filters make_filters(void)
{
    filters f;
    double g[REACH + 1], sum = 0, a = 0, b = 0;
    for (int k = 0; k <= REACH; k++) {
        g[k] = exp(-k * k / (2 * SIGMA * SIGMA));
        sum += k ? 2 * g[k] : g[k];
    }
    for (int k = 0; k <= REACH; k++) {
        g[k] /= sum;
        a += 2 * g[k] * k * k;
        b += 2 * g[k] * k * k * k * k;
    }
    for (int k = 0; k <= REACH; k++) {
        f.constant[k] = (float)g[k];
        f.slope[k] = (float)(g[k] * k / a);
        f.curvature[k] = (float)(g[k] * (k * k - a) / (b - a * a));
    }
    return f;
}

/* The three filters down the columns around row y: v is [3, w] with rows `stride` apart. */
VECTORISED static void filter_columns(float *v, int64_t stride, const float *f, int64_t y,
                                      int64_t h, int64_t w, const filters *k)
{
    float *restrict constant = v, *restrict slope = v + stride,
                    *restrict curvature = slope + stride;
    const float *above[REACH + 1], *below[REACH + 1];
    for (int64_t i = 0; i <= REACH; i++) {
        above[i] = f + (y - i < 0 ? 0 : y - i) * w;
        below[i] = f + (y + i >= h ? h - 1 : y + i) * w;
    }
    for (int64_t x = 0; x < w; x++) {
        float c = k->constant[0] * above[0][x], s = 0, q = k->curvature[0] * above[0][x];
        UNROLL
        for (int i = 1; i <= REACH; i++) {
            float sum = below[i][x] + above[i][x], difference = below[i][x] - above[i][x];
            c += k->constant[i] * sum;
            s += k->slope[i] * difference;
            q += k->curvature[i] * sum;
        }
        constant[x] = c;
        slope[x] = s;
        curvature[x] = q;
    }
}

/* The filters along the row; each row of v has REACH more elements on both sides; row [w, LANES] is
 * scratch. */
VECTORISED static void filter_row(float *restrict r, float *restrict row, const float *v,
                                  int64_t stride, int64_t w, const filters *k)
{
    const float *constant = v, *slope = v + stride, *curvature = slope + stride;
#pragma omp simd
    for (int64_t x = 0; x < w; x++) {
        float x1 = 0, y1 = k->constant[0] * slope[x], xx = k->curvature[0] * constant[x],
              yy = k->constant[0] * curvature[x], xy = 0;
        UNROLL
        for (int i = 1; i <= REACH; i++) {
            x1 += k->slope[i] * (constant[x + i] - constant[x - i]);
            xx += k->curvature[i] * (constant[x + i] + constant[x - i]);
            y1 += k->constant[i] * (slope[x + i] + slope[x - i]);
            xy += k->slope[i] * (slope[x + i] - slope[x - i]);
            yy += k->constant[i] * (curvature[x + i] + curvature[x - i]);
        }
        float *to = row + x * LANES;
        to[X] = x1;
        to[Y] = y1;
        to[XX] = xx;
        to[YY] = yy;
        to[XY] = xy;
        to[5] = to[6] = to[7] = 0;
    }
    for (int64_t x = 0; x < w; x++) /* each pixel overwrites what the one before wrote too far */
        at_pixel(r, x) = *(lanes *)(row + x * LANES);
}

static void repeat_ends(float *row, int64_t w)
{
    for (int i = 1; i <= REACH; i++) {
        row[-i] = row[0];
        row[w - 1 + i] = row[w - 1];
    }
}

void expand(float *r, const float *f, int64_t h, int64_t w)
{
    filters k = make_filters();
    int64_t stride = w + 2 * REACH;
    float *memory = new_bytes((size_t)(3 * stride + w * LANES) * sizeof *memory);
    float *row = memory, *v = memory + w * LANES + REACH;
    for (int64_t y = 0; y < h; y++) {
        filter_columns(v, stride, f, y, h, w, &k);
        for (int i = 0; i < 3; i++)
            repeat_ends(v + i * stride, w);
        filter_row(r + y * w * COEFFICIENTS, row, v, stride, w, &k);
    }
    free(memory);
}
