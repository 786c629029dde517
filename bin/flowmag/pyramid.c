/*
** pyramid.c: blur and sample in one pass.
**
** OpenCV blurs the whole picture for each scale, then takes a few of its pixels. Here a row is made
** when a row of the smaller picture asks for it: the two blurred rows that it lies between, mixed
** (blurring down a column is linear, so that is one weighted sum of rows), then blurred along the
** row, then sampled. Borders mirror about the outermost pixel, which is not repeated.
*/
#include "pyramid.h"

#include <math.h>
#include <stdlib.h>

#include "../../common/die.h"

enum { MOST_RADIUS = 9, MOST_TAPS = 2 * MOST_RADIUS + 1 };

typedef struct {
    int radius;
    float tap[MOST_TAPS];
} kernel;

int64_t scaled_side(int64_t n, int level) { return (int64_t)rint((double)n * ldexp(1, -level)); }

/* The Gaussian for 2^-level: sigma (2^level - 1) / 2, about 5 sigma wide, an odd number of taps and
 * 3 at least. The full-size picture is blurred as well, by 1/4 1/2 1/4. */
static kernel gaussian(int level)
{
    double sigma = (ldexp(1, level) - 1) / 2, sum = 0;
    int taps = (int)rint(5 * sigma) | 1;
    kernel k = {.radius = taps < 3 ? 1 : taps / 2};
    if (level == 0)
        return (kernel){1, {0.25f, 0.5f, 0.25f}};
    for (int i = -k.radius; i <= k.radius; i++)
        sum += exp(-i * i / (2 * sigma * sigma));
    for (int i = -k.radius; i <= k.radius; i++)
        k.tap[i + k.radius] = (float)(exp(-i * i / (2 * sigma * sigma)) / sum);
    return k;
}

/* 2 1 0 1 2 .. n-2 n-1 n-2 ..: i outside of 0 .. n-1 mirrored into it. */
static int64_t mirrored(int64_t i, int64_t n)
{
    if (n == 1)
        return 0;
    while (i < 0 || i >= n)
        i = i < 0 ? -i : 2 * (n - 1) - i;
    return i;
}

place *places(int64_t to, int64_t from)
{
    place *p = new_bytes((size_t)to * sizeof *p);
    for (int64_t i = 0; i < to; i++) {
        double at = ((double)i + 0.5) * ((double)from / (double)to) - 0.5, whole = floor(at);
        int64_t a = (int64_t)whole;
        p[i].share = a < 0 || a >= from - 1 ? 0 : (float)(at - whole);
        p[i].first = a < 0 ? 0 : a >= from ? from - 1 : a;
        p[i].second = p[i].first + 1 < from ? p[i].first + 1 : p[i].first;
    }
    return p;
}

VECTORISED static void add_weighted(float *sum, const uint8_t *row, float weight, int64_t n)
{
    for (int64_t x = 0; x < n; x++)
        sum[x] += weight * (float)row[x];
}

/* sum[x] += weight * the blurred column of big around row y */
static void add_blurred_row(float *sum, const uint8_t *big, int64_t H, int64_t W, int64_t y,
                            const kernel *k, float weight)
{
    for (int i = -k->radius; i <= k->radius; i++)
        add_weighted(sum, big + mirrored(y + i, H) * W, weight * k->tap[i + k->radius], W);
}

/* row has `radius` more elements on both sides */
VECTORISED static void blur_along(float *to, const float *row, int64_t n, const kernel *k)
{
    for (int64_t x = 0; x < n; x++)
        to[x] = k->tap[0] * row[x - k->radius];
    for (int i = 1; i <= 2 * k->radius; i++) {
        const float *from = row + i - k->radius;
        for (int64_t x = 0; x < n; x++)
            to[x] += k->tap[i] * from[x];
    }
}

static void mirror_ends(float *row, int64_t n, int radius)
{
    for (int i = 1; i <= radius; i++) {
        row[-i] = row[mirrored(-i, n)];
        row[n - 1 + i] = row[mirrored(n - 1 + i, n)];
    }
}

/* A row of the smaller picture, w pixels, which lies at `down` of the bigger one's rows; column and
 * blurred are scratch: W with MOST_RADIUS on both sides, and W. */
static void make_row(float *to, int64_t w, place down, const place *across, const uint8_t *big,
                     int64_t H, int64_t W, const kernel *k, float *column, float *blurred)
{
    for (int64_t x = 0; x < W; x++)
        column[x] = 0;
    add_blurred_row(column, big, H, W, down.first, k, 1 - down.share);
    if (down.share > 0)
        add_blurred_row(column, big, H, W, down.second, k, down.share);
    mirror_ends(column, W, k->radius);
    blur_along(w == W ? to : blurred, column, W, k);
    for (int64_t x = 0; x < w && w != W; x++) {
        place p = across[x];
        to[x] = blurred[p.first] + p.share * (blurred[p.second] - blurred[p.first]);
    }
}

void pyramid_level(float *small, const uint8_t *big, int64_t H, int64_t W, int level)
{
    int64_t h = scaled_side(H, level), w = scaled_side(W, level);
    kernel k = gaussian(level);
    place *across = places(w, W), *down = places(h, H);
    float *column = new_bytes((size_t)(2 * W + 2 * MOST_RADIUS) * sizeof *column);
    float *blurred = column + W + 2 * MOST_RADIUS;
    for (int64_t y = 0; y < h; y++)
        make_row(small + y * w, w, down[y], across, big, H, W, &k, column + MOST_RADIUS, blurred);
    free(column);
    free(across);
    free(down);
}
