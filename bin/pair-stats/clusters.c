/*
** clusters.c: the mean of values that come in clusters, and how far it can be trusted.
**
** All of it follows from one sum a unit: s_g = sum of its values - n_g mean. With shares
** h_g = n_g / n, CR2 for a mean is se^2 = sum of s_g^2 / (1 - h_g) over n^2. The degrees of freedom
** are (tr C)^2 / tr C^2 of the covariances C of s_g / sqrt(1 - h_g) under independence, whose trace
** is n and whose squares add up to sum of n_g^2 + ((sum of w)^2 - sum of w^2) / n^2, w = n_g^2 /
** (1 - h_g).
*/
#include <math.h>
#include <stdlib.h>

#include "../../common/die.h"
#include "statistics.h"

double mean(const double *x, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += x[i];
    return n ? sum / n : NAN;
}

double deviation(const double *x, int n)
{
    double middle = mean(x, n), squares = 0;
    for (int i = 0; i < n; i++)
        squares += (x[i] - middle) * (x[i] - middle);
    return n > 1 ? sqrt(squares / (n - 1)) : NAN;
}

bool without_clusters(const sample *s) { return s->clusters == s->n || s->clusters == 1; }

/* s_g, and n_g in size[g]; returns how many units there are. */
static int deviations(const sample *s, double middle, double *sum, double *size)
{
    bool single = without_clusters(s);
    for (int i = 0; i < s->n; i++) {
        int unit = single ? i : s->cluster[i];
        sum[unit] += s->x[i] - middle;
        size[unit]++;
    }
    return single ? s->n : s->clusters;
}

static double degrees(const double *size, int units, double n)
{
    double squares = 0, w = 0, w2 = 0;
    for (int g = 0; g < units; g++) {
        double here = size[g] * size[g] / (1 - size[g] / n);
        squares += size[g] * size[g];
        w += here;
        w2 += here * here;
    }
    return n * n / (squares + (w * w - w2) / (n * n));
}

estimate estimate_of(const sample *s)
{
    size_t bytes = (size_t)s->n * sizeof(double);
    double *sum = new_bytes(bytes + 1), *size = new_bytes(bytes + 1);
    estimate e = {mean(s->x, s->n), NAN, NAN, 0};
    int units = deviations(s, e.mean, sum, size);
    if (units > 1) {
        double n = s->n, K = units, variance = 0, squares = 0, cubes = 0;
        for (int g = 0; g < units; g++) {
            squares += sum[g] * sum[g];
            cubes += sum[g] * sum[g] * sum[g];
            variance += sum[g] * sum[g] / (1 - size[g] / n);
        }
        e.se = sqrt(variance) / n;
        e.df = degrees(size, units, n);
        if (units > 2 && squares > 0)
            e.skewness = cubes / (squares * sqrt(squares)) * sqrt(K * (K - 1)) / (K - 2);
    }
    free(sum);
    free(size);
    return e;
}
