/*
** dynamic.c: the rule of VBench's dynamic degree (Huang et al., "VBench: Comprehensive benchmark
** suite for video generative models", CVPR 2024; vbench/dynamic_degree.py), with Farneback's flow
** in place of RAFT's.
**
** Of a video of F frames a second every max(1, round(F / 8))th frame is looked at, n in all. The
** flow of one to the next moves if the mean length of its longest twentieth is over
**
**     6 min(H, W) / 256 max(1, 8 / F)   pixels
**
** and the video moves if round(n / 4) of its flows do. Halves are rounded to even, as Python does.
*/
#include "dynamic.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"
#include "farneback.h"

struct dynamics {
    int64_t H, W, interval, seen, taken, moving;
    double threshold; /* pixels */
    farneback *f;
    float *length; /* [H W] */
};

dynamics *dynamic_new(int64_t H, int64_t W, double fps)
{
    dynamics *d = new_bytes(sizeof *d);
    double rate = fps > 0 ? fps : 8, interval = rint(rate / 8);
    *d = (dynamics){.H = H, .W = W, .interval = 1, .f = farneback_new(H, W)};
    d->threshold = (rate < 8 ? 8 / rate : 1) * 6 * ((double)(H < W ? H : W) / 256);
    if (interval > 1)
        d->interval = interval < 1e9 ? (int64_t)interval : 1000000000;
    d->length = new_bytes((size_t)(H * W) * sizeof *d->length);
    return d;
}

static int downwards(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

/* The mean length of the longest twentieth: its least member is found by halving the range of bits,
 * which order floats that are not negative; then only longer ones are summed. */
static double mean_longest(float *length, int64_t n)
{
    int64_t most = (int64_t)((double)n * 0.05), kept = 0;
    uint32_t low = 0, high = 0x7f800000; /* infinity */
    while (low < high) {                 /* the greatest bits that at least `most` reach */
        uint32_t middle = low + (high - low + 1) / 2;
        int64_t reach = 0;
        float bound;
        memcpy(&bound, &middle, sizeof bound);
        for (int64_t i = 0; i < n; i++)
            reach += length[i] >= bound;
        if (reach >= most)
            low = middle;
        else
            high = middle - 1;
    }
    float least;
    memcpy(&least, &low, sizeof least);
    for (int64_t i = 0; i < n; i++)
        if (length[i] > least)
            length[kept++] = length[i];
    qsort(length, (size_t)kept, sizeof *length, downwards);
    double sum = (double)(most - kept) * (double)least;
    for (int64_t i = kept; i-- > 0;)
        sum += (double)length[i];
    return sum / (double)most;
}

static void count(dynamics *d, const float *flow)
{
    int64_t W = d->W;
    for (int64_t y = 0; y < d->H; y++)
        for (int64_t x = 0; x < W; x++) {
            float u = flow[2 * y * W + x], v = flow[(2 * y + 1) * W + x];
            d->length[y * W + x] = sqrtf(u * u + v * v);
        }
    d->moving += mean_longest(d->length, d->H * W) > d->threshold;
}

void dynamic_frame(dynamics *d, const uint8_t *grey)
{
    if (d->seen++ % d->interval)
        return;
    farneback_frame(d->f, grey);
    if (d->taken++ > 0)
        count(d, farneback_flow(d->f));
}

double dynamic_degree(dynamics *d)
{
    double degree = NAN;
    if (d->taken > 1 && d->H * d->W >= 20)
        degree = (double)d->moving >= rint((double)d->taken / 4);
    farneback_free(d->f);
    free(d->length);
    free(d);
    return degree;
}
