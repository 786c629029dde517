/*
** interval.c: an interval of a mean that holds for few values, skewed ones among them.
**
** Student's t of skewed values is skewed itself: its interval misses on one side, and covers .91
** of five lognormal values (sigma 0.5). P. Hall, "On the removal of skewness by transformation"
** (1992), gives the monotone cubic g(t) = t + A t^2 / 3 + A^2 t^3 / 27 + A / 6 that is symmetric
** again, A being the skewness over the root of the sample's size; its inverse at t's quantiles
** gives the limits. For symmetric values with heavy tails it is too bold (.93): what the sample's
** skewness says is chance there. So each limit is Hall's where that is farther away than Student's,
** and halfway between them where it is nearer. t/tools/coverage.c has what that gives.
*/
#include <math.h>

#include "statistics.h"

/* g's inverse: 3 (cbrt(1 + y) - 1) / A with y = A (t - A / 6), without the cancellation. */
static double without_skewness(double t, double A)
{
    double root = cbrt(1 + A * (t - A / 6));
    return 3 * (t - A / 6) / (root * root + root + 1);
}

/* How many standard errors from the mean a limit is. */
static double reach(double student, double hall)
{
    return hall > student ? hall : (hall + student) / 2;
}

interval interval_of(const estimate *e)
{
    if (isnan(e->se))
        return (interval){NAN, NAN};
    double t = student_quantile(0.025, e->df);
    return (interval){e->mean - e->se * reach(t, without_skewness(t, e->skewness)),
                      e->mean + e->se * reach(t, without_skewness(t, -e->skewness))};
}

static double with_skewness(double t, double A)
{
    return t + A * t * t / 3 + A * A * t * t * t / 27 + A / 6;
}

/* The t whose reach is r. Where that is halfway: to the y with (y + g(y)) / 2 = r, whose slope is
 * at least a half. */
static double t_of_reach(double r, double A)
{
    double t = with_skewness(r, A);
    if (r > t)
        return t;
    double side = 2 * fabs(A / 12 - r), low = -side, high = side;
    for (int i = 0; i < 200; i++) {
        double y = (low + high) / 2;
        *((y + with_skewness(y, A)) / 2 < r ? &low : &high) = y;
    }
    return with_skewness(high, A);
}

double p_beyond(const estimate *e, double bound, bool more)
{
    double distance = more ? e->mean - bound : bound - e->mean;
    if (isnan(e->se) || isnan(bound))
        return NAN;
    if (e->se == 0)
        return distance >= 0 ? 0 : 1;
    return student_tail(t_of_reach(distance / e->se, more ? e->skewness : -e->skewness), e->df);
}
