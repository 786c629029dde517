/*
** student.c: Student's t distribution and the noncentral one, for any positive degrees of freedom.
**
** The tail is an incomplete beta function, by its continued fraction (DLMF 8.17.22) with Lentz's
** method. The noncentral probability is an integral over u, the logarithm of the standard
** deviation that a sample would have; on the whole line the trapezoid rule converges faster than
** any power of its step (L. N. Trefethen and J. A. C. Weideman, "The exponentially convergent
** trapezoidal rule", 2014).
*/
#include <math.h>

#include "statistics.h"

/* I_x(a, b) over the factor before it, for x < (a + 1) / (a + b + 2). */
static double beta_fraction(double a, double b, double x)
{
    enum { MOST = 100000 };
    double c = 1, d = 1 / (1 - (a + b) * x / (a + 1)), f = d;
    for (int m = 1; m < MOST; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 / (1 + even * d);
        c = 1 + even / c;
        f *= d * c;
        d = 1 / (1 + odd * d);
        c = 1 + odd / c;
        f *= d * c;
        if (fabs(d * c - 1) < 1e-16)
            break;
    }
    return f;
}

/* I_x(a, 1/2), the regularised incomplete beta function; y is 1 - x. */
static double beta_half(double a, double x, double y)
{
    double b = 0.5;
    if (x <= 0 || y <= 0)
        return x <= 0 ? 0 : 1;
    double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(y));
    return x < (a + 1) / (a + b + 2) ? front / a * beta_fraction(a, b, x)
                                     : 1 - front / b * beta_fraction(b, a, y);
}

double student_tail(double t, double df)
{
    double all = df + t * t, half = isinf(all) ? 0 : beta_half(df / 2, df / all, t * t / all) / 2;
    return t < 0 ? 1 - half : half;
}

static double student_density(double t, double df)
{
    return exp(lgamma((df + 1) / 2) - lgamma(df / 2) - (df + 1) / 2 * log1p(t * t / df)) /
           sqrt(df * M_PI);
}

/* The tail is convex: Newton's method from 0 approaches from one side. */
double student_quantile(double tail, double df)
{
    double t = 0;
    for (int i = 0; i < 1000; i++) {
        double step = (student_tail(t, df) - tail) / student_density(t, df);
        t += step;
        if (fabs(step) <= 1e-15 * t)
            break;
    }
    return t;
}

static double normal(double x) { return erfc(-x / sqrt(2)) / 2; }

double student_power(double delta, double t, double df)
{
    double step = 0.25 / (sqrt(2 * df) + fabs(delta) + t + 1);
    double side = sqrt(40 / df), from = -40 / df - side, sum = 0;
    double front = log(2) + df / 2 * log(df / 2) - lgamma(df / 2);
    for (double i = floor(from / step); i * step < side; i++) {
        double u = i * step, s = exp(u);
        double density = exp(front + df * (u - s * s / 2));
        sum += density * (normal(delta - t * s) + normal(-delta - t * s));
    }
    return sum * step;
}
