/*
** difference.c: PSNR and mean absolute difference, and SSIM after Wang, Bovik, Sheikh and
** Simoncelli, "Image quality assessment: from error visibility to structural similarity" (2004):
**
**     SSIM = (2 ma mb + C1) (2 sab + C2) / ((ma^2 + mb^2 + C1) (saa + sbb + C2))
**     m: means, s: (co)variances, both weighted by a Gaussian of sigma 1.5 over 11 x 11 pixels
**     C1 = (0.01 * 255)^2, C2 = (0.03 * 255)^2
**
** averaged over all windows within the picture, as the authors' program does. Luma is
** 0.299 R + 0.587 G + 0.114 B, not rounded.
**
** A variance is the mean of squares less the square of the mean. In flat bright areas these nearly
** cancel, so they are F64. Differences of levels are summed as integers, and windows in a fixed
** order: equal pictures give exactly 1 and infinity, and the number of threads changes no bit.
*/
#include "difference.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "../../common/die.h"
#include "../../common/vectorised.h"

enum { WINDOW = SSIM_WINDOW };

/* What is averaged over a window, by weights that sum to 1: a, b, their squares, their product. */
enum { A, B, AA, BB, AB, MOMENTS };

/* ---- levels ---- */

VECTORISED static level_error row_levels(const uint8_t *a, const uint8_t *b, int64_t n)
{
    int64_t absolute = 0, squares = 0;
    for (int64_t i = 0; i < n; i++) {
        int32_t d = (int32_t)a[i] - (int32_t)b[i];
        absolute += d < 0 ? -d : d;
        squares += d * d;
    }
    return (level_error){n, absolute, squares};
}

level_error levels_between(const uint8_t *a, const uint8_t *b, int64_t H, int64_t W)
{
    int64_t values = 0, absolute = 0, squares = 0;
#pragma omp parallel for schedule(static) reduction(+ : values, absolute, squares)
    for (int64_t y = 0; y < H; y++) {
        level_error row = row_levels(a + 3 * W * y, b + 3 * W * y, 3 * W);
        values += row.values;
        absolute += row.absolute;
        squares += row.squares;
    }
    return (level_error){values, absolute, squares};
}

level_error error_sum(level_error a, level_error b)
{
    return (level_error){a.values + b.values, a.absolute + b.absolute, a.squares + b.squares};
}

double mean_absolute(level_error e) { return (double)e.absolute / (double)e.values; }

double psnr(level_error e)
{
    return 10 * log10(255.0 * 255.0 * (double)e.values / (double)e.squares);
}

/* ---- structure ---- */

VECTORISED static void luma_row(double *to, const uint8_t *rgb, int64_t n)
{
    for (int64_t x = 0; x < n; x++)
        to[x] = 0.299 * rgb[3 * x] + 0.587 * rgb[3 * x + 1] + 0.114 * rgb[3 * x + 2];
}

static void gaussian(double g[WINDOW])
{
    double sum = 0;
    for (int i = 0; i < WINDOW; i++) {
        double k = i - WINDOW / 2;
        sum += g[i] = exp(-k * k / (2 * 1.5 * 1.5));
    }
    for (int i = 0; i < WINDOW; i++)
        g[i] /= sum;
}

/* down [MOMENTS, W] = the weighted means down the columns of WINDOW rows from a and b on */
VECTORISED static void mean_down(double *restrict down, const double *a, const double *b,
                                 const double *g, int64_t W)
{
    for (int64_t x = 0; x < W; x++) {
        double sum[MOMENTS] = {0};
        UNROLL
        for (int i = 0; i < WINDOW; i++) {
            double va = a[i * W + x], vb = b[i * W + x], wa = g[i] * va, wb = g[i] * vb;
            sum[A] += wa;
            sum[B] += wb;
            sum[AA] += wa * va;
            sum[BB] += wb * vb;
            sum[AB] += wa * vb;
        }
        for (int i = 0; i < MOMENTS; i++)
            down[i * W + x] = sum[i];
    }
}

/* to[x] = the weighted mean of from[x .. x + WINDOW) */
VECTORISED static void mean_along(double *restrict to, const double *from, const double *g,
                                  int64_t n)
{
    for (int64_t x = 0; x < n; x++) {
        double sum = 0;
        UNROLL
        for (int i = 0; i < WINDOW; i++)
            sum += g[i] * from[x + i];
        to[x] = sum;
    }
}

/* to[x] = the similarity of the windows whose means [MOMENTS, stride] are mean */
VECTORISED static void similarities(double *restrict to, const double *mean, int64_t stride,
                                    int64_t n)
{
    const double C1 = (0.01 * 255) * (0.01 * 255), C2 = (0.03 * 255) * (0.03 * 255);
    for (int64_t x = 0; x < n; x++) {
        double ma = mean[A * stride + x], mb = mean[B * stride + x];
        double saa = mean[AA * stride + x] - ma * ma, sbb = mean[BB * stride + x] - mb * mb,
               sab = mean[AB * stride + x] - ma * mb;
        to[x] = (2 * ma * mb + C1) * (2 * sab + C2) / ((ma * ma + mb * mb + C1) * (saa + sbb + C2));
    }
}

/* The sum over the windows whose first row is y; scratch is [2, MOMENTS, W]. */
static double row_similarity(const double *a, const double *b, int64_t y, int64_t W,
                             const double g[WINDOW], double *scratch)
{
    double *down = scratch, *mean = scratch + MOMENTS * W, sum = 0;
    int64_t n = W - WINDOW + 1;
    mean_down(down, a + y * W, b + y * W, g, W);
    for (int i = 0; i < MOMENTS; i++)
        mean_along(mean + i * W, down + i * W, g, n);
    similarities(down, mean, W, n);
    for (int64_t x = 0; x < n; x++) /* in this order: another would round otherwise */
        sum += down[x];
    return sum;
}

double ssim(const uint8_t *a, const uint8_t *b, int64_t H, int64_t W)
{
    assert(H >= WINDOW && W >= WINDOW);
    int64_t h = H - WINDOW + 1, w = W - WINDOW + 1;
    double g[WINDOW], *luma = new_bytes((size_t)(2 * H * W + h) * sizeof *luma);
    double *luma_b = luma + H * W, *row = luma + 2 * H * W, sum = 0;
    gaussian(g);
#pragma omp parallel
    {
        double *scratch = new_bytes((size_t)(2 * MOMENTS * W) * sizeof *scratch);
#pragma omp for schedule(static)
        for (int64_t y = 0; y < H; y++) {
            luma_row(luma + y * W, a + 3 * W * y, W);
            luma_row(luma_b + y * W, b + 3 * W * y, W);
        }
#pragma omp for schedule(static)
        for (int64_t y = 0; y < h; y++)
            row[y] = row_similarity(luma, luma_b, y, W, g, scratch);
        free(scratch);
    }
    for (int64_t y = 0; y < h; y++) /* by one thread, in this order, too */
        sum += row[y];
    free(luma);
    return sum / (double)(h * w);
}
