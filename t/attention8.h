/*
** attention8.h: attention of one head in F64: exact, in the codes of 8 bits that
** kernels/cpu/attention_codes.c tells of, made here again, and as FlashAttention-3 does it; and
** normal operands.
*/
#ifndef ATTENTION8_H
#define ATTENTION8_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../kernels/attention.h"
#include "compare.h"

/* ---- made data ---- */

static inline float normal(void)
{
    float sum = 0;
    for (int i = 0; i < 12; i++)
        sum += random_float(0.5f);
    return sum;
}

/* t F32, of numbers that A has */
static inline void round_to(tensor_type A, tensor t)
{
    tensor small = new_host(A, tensor_rows(t), tensor_width(t));
    host_convert(small, t);
    host_convert(t, small);
    free(small.data);
}

/* Normal values; columns have a mean of their own of about `mean`, and every 37th is larger. */
static inline tensor normal_host(int64_t n, int64_t width, float outliers, float mean,
                                 tensor_type A)
{
    tensor t = new_host(F32, n, width);
    float *x = t.data, *offset = new_bytes((size_t)width * sizeof *offset);
    for (int64_t j = 0; j < width; j++)
        offset[j] = mean * normal();
    for (int64_t i = 0; i < n * width; i++)
        x[i] = (normal() + offset[i % width]) * (i % width % 37 == 5 ? outliers : 1);
    round_to(A, t);
    free(offset);
    return t;
}

/* For each query i of q, of n, key i L / n becomes that query times what makes their logit so large. */
static inline void give_own(tensor q, tensor k, float logit)
{
    int64_t n = tensor_rows(q), d = tensor_width(q), apart = tensor_rows(k) / n;
    for (int64_t i = 0; i < n; i++) {
        const float *x = (float *)q.data + i * d;
        float *y = (float *)k.data + i * apart * d, square = 0;
        for (int64_t e = 0; e < d; e++)
            square += x[e] * x[e];
        for (int64_t e = 0; e < d; e++)
            y[e] = x[e] * logit * sqrtf((float)d) / square;
    }
}

/* ---- a head ---- */

typedef struct {
    int Lq, Lk, d;
    double *q, *k, *v; /* [L, d] */
} head;

static inline double *doubles(tensor t)
{
    int64_t n = tensor_count(t);
    double *x = new_bytes((size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; i++)
        x[i] = (double)((float *)t.data)[i];
    return x;
}

/* Of q, k and v in F32, which are one head. */
static inline head whole_head(tensor q, tensor k, tensor v)
{
    return (head){(int)tensor_rows(q), (int)tensor_rows(k), (int)tensor_width(q),
                  doubles(q),          doubles(k),          doubles(v)};
}

static double e4m3_of(double x)
{
    int e;
    double size = fabs(x);
    if (size == 0)
        return 0;
    frexp(size, &e);
    double unit = ldexp(1, (e < -5 ? -5 : e) - 4), y = rint(size / unit) * unit;
    return copysign(y > 448 ? 448 : y, x);
}

/* The value of the code whose eighths are nearest to log2 of a weight, from 2^-7 on. */
static double e4m3_weight(double x)
{
    int code = (int)fmin(fmax(rint(8 * (x + 7)), 0), 126);
    return code < 8 ? ldexp(code, -9) : ldexp(8 + code % 8, code / 8 - 10);
}

static void head_free(head *o)
{
    free(o->q);
    free(o->k);
    free(o->v);
}

/* The mean of up to 1024 rows, in bfloat16. */
static double mean_of(const double *x, int L, int d, int e)
{
    int n = L < ATTENTION_SAMPLE ? L : ATTENTION_SAMPLE, power;
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += x[(int64_t)i * L / n * d + e];
    double m = frexp(sum / n, &power);
    return ldexp(rint(m * 256), power - 8);
}

/* Signs, and Hadamard's matrix on each part that is the largest power of two in d; in F32, as the
** codes depend on it. */
static void rotate(float *x, int d)
{
    static const uint32_t signs[4] = ATTENTION_SIGNS;
    int part = d & -d;
    for (int c = 0; c < d; c++)
        if (signs[c / 32 % 4] >> c % 32 & 1)
            x[c] = -x[c];
    for (int step = 1; step < part; step *= 2)
        for (int c = 0; c < d; c++)
            if (!(c & step)) {
                float a = x[c], b = x[c + step];
                x[c] = a + b;
                x[c + step] = a - b;
            }
    for (int c = 0; c < d; c++)
        x[c] *= 1 / sqrtf((float)part);
}

/* Of k, mean being given, the keys of a tile that have the same j / 2 mod 4 share a scale. */
static void int8_rows(double *x, int L, int d, const double *mean, int tile)
{
    float *row = new_bytes((size_t)(L * d) * sizeof *row),
          *top = calloc((size_t)L + 4, sizeof *top);
    for (int i = 0; i < L; i++) {
        int at = mean ? i / tile * tile + i % tile / 2 % 4 : i;
        for (int c = 0; c < d; c++)
            row[i * d + c] = (float)x[i * d + c] - (mean ? (float)mean[c] : 0);
        rotate(row + i * d, d);
        for (int c = 0; c < d; c++)
            top[at] = fmaxf(fmaxf(top[at], 0x1p-40f * 127), fabsf(row[i * d + c]));
    }
    for (int i = 0; i < L; i++) {
        float most = top[mean ? i / tile * tile + i % tile / 2 % 4 : i];
        for (int c = 0; c < d; c++)
            x[i * d + c] = (double)(rintf(row[i * d + c] * (127 / most)) * (most / 127));
    }
    free(row);
    free(top);
}

/* x in e4m3 times the least power of two that covers these rows, or a scale of all of them. */
static void e4m3_rows(double *x, int64_t n, bool power)
{
    double top = 0x1p-100;
    for (int64_t i = 0; i < n; i++)
        top = fmax(top, fabs(x[i]));
    double scale = power ? ldexp(1, (int)ceil(log2(top / 448))) : top / 448;
    for (int64_t i = 0; i < n; i++)
        x[i] = e4m3_of(x[i] / scale) * scale;
}

/* v in int8, a scale a channel */
static void int8_channels(double *x, int L, int d)
{
    for (int e = 0; e < d; e++) {
        float top = 0x1p-40f * 127;
        for (int i = 0; i < L; i++)
            top = fmaxf(top, fabsf((float)x[i * d + e]));
        for (int i = 0; i < L; i++)
            x[i * d + e] = (double)(rintf((float)x[i * d + e] * (127 / top)) * (top / 127));
    }
}

/* The greatest sum of the weights 2^(p - top) that have one j / 2 mod 4, of up to 32. */
static double greatest_of_lanes(const double *p, int n, double top)
{
    double sum[4] = {0}, most = 0;
    for (int j = 0; j < n; j++)
        sum[j / 2 % 4] += exp2(p[j] - top);
    for (int i = 0; i < 4; i++)
        most = fmax(most, sum[i]);
    return most;
}

/* p [L], log2 of the weights of query i, become whole multiples of units as ../kernels/attention.h says, in
** units of the last; returns their sum before they are rounded. */
static double whole_weights(double *p, int L, int i)
{
    int tile = ATTENTION_INT8_PV_KEYS, half = tile / 2, whole = L < tile ? 1 : L / tile;
    double most[4], sum = 0;
    for (int look = 0; look < 4; look++) {
        int first = (i / 128 * 2 + (2 * look + 1) * whole / 8) % whole * tile;
        most[look] = p[first];
        for (int j = first; j < first + tile && j < L; j++)
            most[look] = fmax(most[look], p[j]);
    }
    for (int a = 0; a < 3; a++) /* the greatest first */
        for (int b = a + 1; b < 4; b++)
            if (most[b] > most[a]) {
                double x = most[a];
                most[a] = most[b];
                most[b] = x;
            }
    double top = ceil(most[1]) - (L <= 4096 ? 7 : 6);
    for (int j = 0; j < L; j += half) {
        int n = L - j < half ? L - j : half;
        double eight = greatest_of_lanes(p + j, n, top);
        if (eight > 255) {
            double greatest = p[j];
            for (int e = j; e < j + n; e++)
                greatest = fmax(greatest, p[e]);
            int by = (int)fmax(ceil(greatest - top) - 15, 1);
            top += by;
            sum = ldexp(sum, -by);
            for (int e = 0; e < j; e++)
                p[e] = ldexp(p[e], -by);
        }
        for (int e = j; e < j + n; e++) {
            p[e] = exp2(p[e] - top);
            sum += p[e];
            p[e] = rint(p[e]);
        }
    }
    return sum;
}

typedef enum { EXACT, OURS_INT8, OURS_FP8, OURS_INT8_PV, FA3 } way;

/* The head's operands become what codes have; mean [d] is what v had, for kinds that take it. */
static void round_operands(head *o, way w, double *mean)
{
    int d = o->d;
    if (w != EXACT && w != FA3) {
        for (int e = 0; e < d; e++)
            mean[e] = mean_of(o->k, o->Lk, d, e);
        int tile = w == OURS_INT8  ? ATTENTION_INT8_KEYS
                   : w == OURS_FP8 ? ATTENTION_FP8_KEYS
                                   : ATTENTION_INT8_PV_KEYS;
        int8_rows(o->q, o->Lq, d, NULL, tile);
        int8_rows(o->k, o->Lk, d, mean, tile);
        memset(mean, 0, (size_t)d * 8);
    }
    if (w == OURS_FP8 || w == OURS_INT8_PV) {
        for (int e = 0; e < d; e++)
            mean[e] = mean_of(o->v, o->Lk, d, e);
        for (int i = 0; i < o->Lk * d; i++)
            o->v[i] = (double)((float)o->v[i] - (float)mean[i % d]);
    }
    if (w == OURS_INT8_PV)
        int8_channels(o->v, o->Lk, d);
    if (w == OURS_FP8)
        for (int i = 0; i < o->Lk; i += ATTENTION_FP8_KEYS)
            e4m3_rows(o->v + i * d,
                      (int64_t)(o->Lk - i < ATTENTION_FP8_KEYS ? o->Lk - i : ATTENTION_FP8_KEYS) *
                          d,
                      true);
}

/* y [Lq, d] and, of each, the sum of the magnitudes of its terms: for int8-pv what a weight that is
** rounded to another number comes to, as few are. */
static void attend(double *y, double *size, head *o, way w)
{
    int d = o->d;
    double *mean = calloc((size_t)d, 8), *p = new_bytes((size_t)o->Lk * 8);
    round_operands(o, w, mean);
    if (w == FA3) {
        e4m3_rows(o->q, (int64_t)o->Lq * d, false);
        e4m3_rows(o->k, (int64_t)o->Lk * d, false);
        e4m3_rows(o->v, (int64_t)o->Lk * d, false);
    }
    for (int i = 0; i < o->Lq; i++) {
        double top = -INFINITY, sum = 0;
        for (int j = 0; j < o->Lk; j++) {
            double s = 0;
            for (int e = 0; e < d; e++)
                s += o->q[i * d + e] * o->k[j * d + e];
            p[j] = s / sqrt(d) * 1.4426950408889634;
            top = fmax(top, p[j]);
        }
        if (w == OURS_FP8)
            top = ceil(top);
        if (w == OURS_INT8_PV)
            sum = whole_weights(p, o->Lk, i);
        for (int j = 0; j < o->Lk && w != OURS_INT8_PV; j++) {
            double weight = exp2(p[j] - top + ATTENTION_SHIFT);
            p[j] = w == OURS_FP8 ? e4m3_weight(p[j] - top + ATTENTION_SHIFT)
                   : w == FA3    ? e4m3_of(weight)
                                 : weight;
            sum += w == FA3 ? weight : p[j];
        }
        for (int e = 0; e < d; e++) {
            double total = 0, all = 0, most = 0;
            for (int j = 0; j < o->Lk; j++) {
                double term = p[j] / sum * o->v[j * d + e];
                total += term;
                most = fmax(most, fabs(o->v[j * d + e]));
                all += fabs(term);
            }
            y[i * d + e] = total + mean[e];
            if (size)
                size[i * d + e] = w == OURS_INT8_PV ? most / sum : all + fabs(mean[e]);
        }
    }
    free(mean);
    free(p);
}

#endif
