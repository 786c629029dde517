/*
** dynamic.c: the rule of VBench's dynamic degree (Huang et al., "VBench: Comprehensive benchmark
** suite for video generative models", CVPR 2024; vbench/dynamic_degree.py), with Farneback's flow
** in place of RAFT's.
**
** Of a video of F frames a second every max(1, round(F / 8))th frame is looked at, n in all. The
** flow from one of these to the next moves if the mean length of its longest 5 % is more than
**
**     6 * min(H, W) / 256 * max(1, 8 / F)   pixels
**
** and the video moves if at least round(n / 4) of its flows do. Halves are rounded to even, as
** Python does.
*/
#include "dynamic.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/die.h"

dynamic_rule dynamic_rule_of(int64_t H, int64_t W, double fps)
{
    double interval = rint(fps / 8);
    dynamic_rule rule = {1, (fps < 8 ? 8 / fps : 1) * 6 * ((double)(H < W ? H : W) / 256)};
    if (interval > 1)
        rule.interval = interval < 1e9 ? (int64_t)interval : 1000000000;
    return rule;
}

static int downwards(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

/* The mean of the longest 5 % of the lengths. Bisection finds the shortest of these: floats that
 * are not negative have the order of their bits. Only longer ones are then sorted and summed. */
static double mean_longest(float *length, int64_t n)
{
    int64_t most = (int64_t)((double)n * 0.05), kept = 0;
    uint32_t low = 0, high = 0x7f800000; /* infinity */
    while (low < high) {                 /* the greatest bound that `most` lengths reach */
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

bool dynamic_moves(const float *flow, int64_t H, int64_t W, dynamic_rule rule)
{
    float *length = new_bytes((size_t)(H * W) * sizeof *length);
    for (int64_t y = 0; y < H; y++)
        for (int64_t x = 0; x < W; x++) {
            float u = flow[2 * y * W + x], v = flow[(2 * y + 1) * W + x];
            length[y * W + x] = sqrtf(u * u + v * v);
        }
    bool moves = mean_longest(length, H * W) > rule.threshold;
    free(length);
    return moves;
}

double dynamic_degree(int64_t N, int64_t H, int64_t W, int64_t moving, dynamic_rule rule)
{
    int64_t seen = (N + rule.interval - 1) / rule.interval;
    if (seen < 2 || H * W < 20)
        return NAN;
    return (double)moving >= rint((double)seen / 4);
}
